from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from ddspec.plan.data import data_facts
from ddspec.plan.ir import DataFacts
from ddspec.spec.dataset import DatasetSpec
from ddspec.spec.lock import Lock, LockedClass, digest_of_splits

DATASET: TypeAdapter[DatasetSpec] = TypeAdapter(DatasetSpec)


def facts(dataset: dict[str, Any], lock: Lock | None = None) -> DataFacts:
    return data_facts(DATASET.validate_python(dataset), lock)


def locked(train: dict[str, int], test: dict[str, int] | None = None) -> Lock:
    counts = {"train": train} | ({} if test is None else {"test": test})
    splits: dict[Any, dict[str, LockedClass]] = {
        split: {name: LockedClass(images=n, digest=f"{n:064x}") for name, n in classes.items()}
        for split, classes in counts.items()
    }
    return Lock(kind="folder", splits=splits, digest=digest_of_splits(splits))


def counts(found: DataFacts) -> tuple[int | None, ...]:
    return (found.train, found.validation, found.test, found.smallest_class)


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        # 30 % of each class are the test split, a fifth of the rest is held out
        pytest.param({"kind": "digits", "validation": 0.2}, (1008, 250, 539, 98), id="digits"),
        pytest.param({"kind": "cifar10"}, (50_000, 0, 10_000, 5_000), id="cifar10"),
        pytest.param(
            {"kind": "mnist", "validation": 0.1}, (54_001, 5_999, 10_000, 4_879), id="mnist"
        ),
        # without a lock only sums are known: 2 % of 126,689
        pytest.param(
            {"kind": "imagenet100", "validation": 0.02},
            (124_155, 2_534, 5_000, None),
            id="imagenet100",
        ),
        pytest.param({"kind": "svhn"}, (73_257, 0, 26_032, 4_659), id="svhn"),
        pytest.param(
            {"kind": "tiny_imagenet", "validation": 0.1},
            (90_000, 10_000, 10_000, 450),
            id="tiny-imagenet",
        ),
        pytest.param({"kind": "imagenet1k"}, (1_281_167, 0, 50_000, None), id="imagenet-1k"),
        # of ten classes nobody prints how many images they have
        pytest.param({"kind": "imagenette"}, (None, None, 500, None), id="imagenette"),
        pytest.param(
            {"kind": "folder", "path": "x", "size": 8}, (None,) * 4, id="an unseen folder"
        ),
    ],
)
def test_counts_follow_from_what_is_published(
    dataset: dict[str, Any], expected: tuple[int | None, ...]
) -> None:
    assert counts(facts(dataset)) == expected


@pytest.mark.parametrize(
    ("settings", "test", "expected"),
    [
        pytest.param({}, {"a": 3, "b": 4}, (30, 0, 7, 10), id="two splits"),
        pytest.param({"validation": 0.1}, {"a": 3, "b": 4}, (27, 3, 7, 9), id="validation"),
        pytest.param(
            {"test": None, "holdout": 0.5}, None, (15, 0, 15, 5), id="a test split held out"
        ),
        pytest.param({"classes": ["b"]}, {"a": 3, "b": 4}, (20, 0, 4, 20), id="one class"),
        pytest.param(
            {"classes": ["c", "a"]}, {"a": 3}, (10, 0, 3, 0), id="a class that is not there"
        ),
    ],
)
def test_counts_of_a_folder_follow_from_its_lock(
    settings: dict[str, Any], test: dict[str, int] | None, expected: tuple[int, ...]
) -> None:
    lock = locked({"a": 10, "b": 20}, test)
    found = facts({"kind": "folder", "path": "x", "size": 8} | settings, lock)

    assert counts(found) == expected
    assert found.content == lock.digest


def test_a_lock_does_not_touch_what_is_identified_by_checksums() -> None:
    assert facts({"kind": "cifar10"}, locked({"a": 1})) == facts({"kind": "cifar10"})


def test_the_package_itself_is_light_and_has_a_public_face() -> None:
    program = (
        "import sys, ddspec; print('pydantic' in sys.modules, ddspec.__version__);"
        "plan = ddspec.compile_plan(ddspec.load('specs/digits.yaml').experiment);"
        "print(bool(ddspec.diff(plan, plan)), 'concurrent.futures' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )

    assert found.stdout.split() == ["False", "0.1.0", "False", "False"]
