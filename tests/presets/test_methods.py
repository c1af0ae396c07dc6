"""Presets are whole specs, and every value, disagreement and result in them says where from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from ddspec.plan.compile import compile_noted, compile_spec
from ddspec.presets.protocols import PROTOCOLS
from ddspec.presets.references import reference_of
from ddspec.spec.experiment import Experiment
from ddspec.spec.facts import FACTS
from ddspec.spec.load import METHODS, Loaded
from ddspec.spec.presets import PresetFile, Subject, holds, preset_names, read_preset

NAMES = preset_names(METHODS)

Short: TypeAlias = "Callable[..., Loaded]"
"""From a preset, a dataset, a budget and possibly a variant to the spec that they are."""


def preset_file(name: str) -> PresetFile:
    return read_preset(name, METHODS).content


def published() -> Iterator[tuple[str, str, int, str | None]]:
    for name in NAMES:
        file = preset_file(name)
        for row in file.published:
            for images in row.images_per_class:
                for variant in file.variants or (None,):
                    yield name, row.dataset, images, variant


def value(experiment: Experiment, path: str) -> Any:
    """Return a setting by its path; raises where there is none of that name."""
    found: Any = experiment.model_dump(mode="json")
    for step in path.split("."):
        found = found[step]
    return found


@pytest.mark.parametrize(("name", "dataset", "images", "variant"), list(published()))
def test_a_preset_a_dataset_and_a_budget_are_a_whole_spec(
    loaded: Short, name: str, dataset: str, images: int, variant: str | None
) -> None:
    plan, notes = compile_noted(loaded(name, dataset, images, variant))

    assert any(stage.label.startswith("distill") for stage in plan.stages)
    assert not [note for note in notes if "no published" in note.message]


@pytest.mark.parametrize("images", [3, 60])
@pytest.mark.parametrize("dataset", ["digits", "fashion_mnist", "cifar10", "imagewoof"])
@pytest.mark.parametrize("name", NAMES)
def test_a_preset_is_a_whole_spec_of_data_and_budgets_that_nobody_published(
    loaded: Short, name: str, dataset: str, images: int
) -> None:
    plan = compile_spec(loaded(name, dataset, images))

    assert plan.stages[-1].label.startswith("evaluate/")


@pytest.mark.parametrize("size", [16, 64, 224])
@pytest.mark.parametrize("name", NAMES)
def test_a_preset_is_a_whole_spec_of_a_persons_own_folder(
    loaded: Short, name: str, size: int
) -> None:
    spec = loaded(name, f"folder, path: mine, size: {size}, classes: [cat, dog]", 10)

    assert compile_spec(spec).stages
    assert [note.message for note in spec.notes] == [
        f"`{name}` has no published result for folder at 10 images per class"
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_value_of_a_preset_has_a_source_that_can_be_looked_up(name: str) -> None:
    file = preset_file(name)
    sources = [*(one.source for one in file.blocks), *(one.source for one in file.results)]

    assert not [said for said in sources if not (reference_of(said) or re.match("ours: .", said))]


@pytest.mark.parametrize(("name", "dataset", "images", "variant"), list(published()))
def test_no_setting_of_a_method_is_left_to_a_default_that_nobody_reviewed(
    loaded: Short, name: str, dataset: str, images: int, variant: str | None
) -> None:
    spec = loaded(name, dataset, images, variant)
    sections = ("network", "pool", "inner", "matcher", "init", "update", "loops")
    given = {path[0] for path, _, origin in spec.settings() if origin.kind == "preset"}

    assert given >= {*sections, "parameterization", "perturbation", "augmentation", "evaluate"}


def cases(loaded: Short, name: str) -> Iterator[Loaded]:
    """Yield specs of every published setting, and of some kinds of data that have none."""
    for one, dataset, images, variant in published():
        if one == name:
            yield loaded(name, dataset, images, variant)
    for dataset, images in (
        ("digits", 20),
        ("cifar10", 20),
        ("tiny_imagenet", 1),
        ("imagenet10", 20),
    ):
        yield loaded(name, dataset, images)


@pytest.mark.parametrize("name", NAMES)
def test_every_disagreement_names_a_setting_that_exists_where_it_applies(
    loaded: Short, name: str
) -> None:
    told = {said.setting for block in preset_file(name).blocks for said in block.disagreements}
    seen = set()
    for spec in cases(loaded, name):
        for said in spec.disagreements:
            value(spec.experiment, said.setting)
            assert said.overridden is None
            seen.add(said.setting)

    assert seen == told


@pytest.mark.parametrize("name", NAMES)
def test_every_block_of_a_preset_is_meant_for_something(name: str) -> None:
    sizes, channels, images = (8, 28, 32, 64, 128, 224), (1, 3), (1, 3, 10, 20, 30, 40, 50, 100)
    file = preset_file(name)
    subjects = [
        Subject(dataset, size, channel, classes, budget, variant)
        for dataset in (*FACTS, "folder")
        for size in sizes
        for channel in channels
        for classes in (10, 100, 1000)
        for budget in images
        for variant in (None, *file.variants)
    ]

    assert all(any(holds(block.when, one) for one in subjects) for block in file.blocks)


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_names_protocols_and_datasets_that_exist(name: str) -> None:
    file = preset_file(name)
    datasets = {
        *(row.dataset for row in file.published),
        *(row.dataset for row in file.results),
        *(kind for block in file.blocks for kind in block.when.dataset or ()),
    }
    protocols = {block.set.get("evaluate", {}).get("protocol") for block in file.blocks} - {None}

    assert file.name == name
    assert datasets <= {*FACTS, "folder"}
    assert protocols <= set(PROTOCOLS)


@pytest.mark.parametrize("name", NAMES)
def test_results_are_of_published_settings_and_fractions(name: str) -> None:
    file = preset_file(name)
    rows = {(row.dataset, n) for row in file.published for n in row.images_per_class}
    keys = [(r.dataset, r.images_per_class, r.variant, r.network) for r in file.results]

    assert {(row.dataset, row.images_per_class) for row in file.results} <= rows
    assert all(0.01 < row.accuracy < 1 for row in file.results)
    assert len(set(keys)) == len(keys)
