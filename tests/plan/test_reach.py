"""No setting reaches further than the table says; what it really moves decides."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from ddspec.canon import Json
from ddspec.errors import DdspecError
from ddspec.plan.category import CATEGORIES, REACHES
from ddspec.plan.compile import compile_plan, compile_spec
from ddspec.plan.diff import diff
from ddspec.plan.document_parts import WORKS
from ddspec.plan.leaves import leaves
from ddspec.plan.settings import EXPECTED
from ddspec.spec.experiment import Experiment
from ddspec.spec.load import load_text

FAMILIES = {
    "gradient": ("acc_dd", "cifar10", "loops: {outer_loops: 4, snapshots: []}"),
    "trajectory": ("mtt", "cifar10", "pool: {models: 2}\nloops: {outer_loops: 4}"),
    "distribution": ("dm", "cifar10", "loops: {outer_loops: 4}"),
    "statistics": ("sre2l", "cifar100", "loops: {outer_loops: 4}"),
}


def experiment_of(family: str) -> Experiment:
    preset, dataset, rest = FAMILIES[family]
    text = f"name: a\npreset: {preset}\ndataset: {{kind: {dataset}}}\n"
    return load_text(f"{text}budget: {{images_per_class: 1}}\n{rest}\n", "x.yaml").experiment


def others(value: Json) -> Iterator[Json]:
    """Yield values that might do instead of one."""
    match value:
        case bool():
            yield not value
        case int():
            yield from (value + 1, value - 1, 2 * value)
        case float():
            yield from (value / 2, 2 * value, value + 0.1)
        case str():
            yield "other"
        case list():
            yield from ([], value[:1], value + value[:1])
        case _:
            yield from (1, 0.5, "other", True)


def edited(experiment: Experiment) -> Iterator[tuple[str, Experiment]]:
    """Yield (path, experiment) for every setting that can be another one by itself."""
    document = experiment.model_dump(mode="json")
    for path, value in leaves(document):
        for other in others(value):
            changed: dict[str, Any] = copy.deepcopy(document)
            *sections, last = path.split(".")
            place = changed
            for section in sections:
                place = place[section]
            place[last] = other
            try:
                made = Experiment.model_validate(changed)
            except ValidationError:
                continue
            if made != experiment:
                yield path, made
                break


@pytest.mark.parametrize("family", FAMILIES)
def test_no_setting_reaches_further_than_is_said_of_it(family: str) -> None:
    experiment = experiment_of(family)
    before = compile_plan(experiment)
    tried = 0
    for path, other in edited(experiment):
        try:
            after = compile_plan(other)
        except DdspecError:
            continue  # it makes no sense alone
        found = diff(before, after)
        (setting, *_) = found.settings
        tried += 1

        assert setting.category == found.category, path
        assert CATEGORIES.index(setting.category) <= CATEGORIES.index(setting.expected), path
    assert tried > 25


def test_every_kind_of_work_and_every_section_is_known() -> None:
    assert REACHES.keys() >= WORKS.keys()
    assert EXPECTED.keys() >= Experiment.model_fields.keys()


SHARP: dict[str, dict[str, Any]] = {
    "cosmetic": {"title": "x"},
    "layout": {"resources": {"threads": 2}},
    "evaluation only": {"evaluate": {"repeats": 2}},
    "distillation": {"matcher": {"distance": "cosine"}},
    "pool": {"pool": {"epochs": 7}},
    "data": {"dataset": {"validation": 0.1}},
    "protocol": {"network": {"width": 64}},
}


@pytest.mark.parametrize("category", SHARP)
def test_what_is_said_of_a_setting_can_be_so(category: str) -> None:
    experiment = experiment_of("gradient")
    document: dict[str, Any] = experiment.model_dump(mode="json")
    for section, change in SHARP[category].items():
        document[section] = {**document[section], **change} if isinstance(change, dict) else change
    found = diff(compile_plan(experiment), compile_plan(Experiment.model_validate(document)))

    assert found.category == category
    assert {one.expected for one in found.settings} == {category}


def test_a_setting_that_nothing_looks_at_is_cosmetic() -> None:
    """Members of this pool have learning rates of their own."""
    text = "name: a\npreset: acc_dd\ndataset: {kind: cifar10}\nbudget: {images_per_class: 10}\n"
    other = f"{text}pool: {{optimizer: {{learning_rate: 0.5}}}}\n"
    before, after = (compile_spec(load_text(one, "x.yaml")) for one in (text, other))

    found = {one.path: one.effect for one in diff(before, after).settings}

    assert found["pool.optimizer.learning_rate"] == "cosmetic"
