"""How many images may be left out is part of the data, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from ddspec.errors import DdspecError
from ddspec.plan.compile import compile_plan
from ddspec.plan.ir import Plan
from ddspec.spec.load import load_text
from ddspec.spec.lock import Lock, LockedClass, Split, digest_of_splits
from ddspec.wire.work import PrepareWork

SPEC = """\
name: x
preset: dc
dataset: {{kind: folder, path: pets, size: 32{more}}}
budget: {{images_per_class: {images}}}
"""


def lock(cats: int = 20) -> Lock:
    classes = {
        "cat": LockedClass(images=cats, digest="0" * 64),
        "dog": LockedClass(images=50, digest="1" * 64),
    }
    splits: dict[Split, dict[str, LockedClass]] = {"train": classes, "test": classes}
    return Lock(kind="folder", splits=splits, digest=digest_of_splits(splits))


def plan(more: str = "", images: int = 1, cats: int = 20) -> Plan:
    found = lock(cats)
    loaded = load_text(SPEC.format(more=more, images=images), "x.yaml", lock=found)
    return compile_plan(loaded.experiment, found, loaded.place)


def keys(made: Plan) -> dict[str, str | None]:
    return {stage.label: stage.key for stage in made}


def test_none_is_what_nothing_said_means() -> None:
    assert keys(plan()) == keys(plan(", corrupt: 0"))


def test_an_allowance_is_another_work_for_all_that_reads_the_images() -> None:
    strict, lenient = keys(plan()), keys(plan(", corrupt: 3"))

    assert strict.keys() == lenient.keys()
    assert not set(strict.values()) & set(lenient.values())


def test_the_work_says_how_many() -> None:
    works = [stage.work for stage in plan(", corrupt: 3") if isinstance(stage.work, PrepareWork)]

    assert [work.source.corrupt for work in works] == [3, 3]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("-1", id="negative"),
        pytest.param("0.5", id="a-share"),
        pytest.param("true", id="yes"),
        pytest.param("many", id="a-word"),
        pytest.param("100001", id="too-many-to-list"),
    ],
)
def test_other_values_are_refused_where_they_stand(value: Any) -> None:
    with pytest.raises(DdspecError) as raised:
        plan(f", corrupt: {value}")

    (problem,) = raised.value.diagnostics
    assert problem.place is not None
    assert problem.place.line == 3


def test_published_files_have_nothing_to_leave_out() -> None:
    text = "name: x\npreset: dc\ndataset: {kind: svhn, corrupt: 1}\nbudget: {images_per_class: 1}\n"

    with pytest.raises(DdspecError, match=r"x\.yaml:3:\d+: .*corrupt"):
        load_text(text, "x.yaml")


def test_a_budget_beyond_the_smallest_class_is_refused_at_its_place() -> None:
    with pytest.raises(DdspecError, match=r"the smallest class has 9") as raised:
        plan(images=10, cats=9)

    (problem,) = raised.value.diagnostics
    assert problem.place is not None
    assert problem.place.line == 4


def test_svhn_is_planned_without_a_lock() -> None:
    text = "name: x\npreset: dc\ndataset: {kind: svhn}\nbudget: {images_per_class: 10}\n"
    loaded = load_text(text, "x.yaml")

    made = compile_plan(loaded.experiment, None, loaded.place)

    assert made.locked
    assert all(stage.key for stage in made)
