"""A variant is what the spec would be with its settings, however much of it is reused."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddspec.canon import Json
from ddspec.errors import DdspecError
from ddspec.plan.compile import compile_spec
from ddspec.spec.experiment import Experiment
from ddspec.spec.layers import bare
from ddspec.spec.load import Loaded, load_text, with_overrides
from ddspec.spec.merge import made, merge
from ddspec.spec.nodes import Node

SPEC = """\
name: mine
preset: toy
dataset: {kind: digits}
budget: {images_per_class: 1}
pool: {epochs: 3}
"""
SETTINGS: dict[str, list[Json]] = {
    "budget.images_per_class": [1, 10, 0, "x"],
    "dataset": [{"kind": "cifar10"}, {"kind": "digits", "validation": 0.2}, {"kind": "no"}],
    "loops.inner_steps": [5, -1],
    "matcher": [{"kind": "gradient", "distance": "cosine"}, {"kind": "gradient"}, None],
    "matcher.real_batch": [8, 0],
    "network.depth": [3, 9],
    "perturbation": [{"kind": "none"}],
    "perturbation.coefficient": [{"law": "fixed", "value": 1.0}, {"law": "fixed"}],
    "pool.models": [2, 0],
    "pool.epochs": [0],
    "preset": ["toy", "toyy", None, {"name": "toy", "variant": "fast"}],
    "preset.variant": ["fast", "slow"],
    "seed": [3, -1],
    "title": ["a", "${HOME}", 3],
    "unknown": [1],
}
"""Values that are fit and unfit, over others and beside them."""


def overrides(loaded: Loaded, values: dict[str, Json]) -> Node:
    """Return settings by their dotted names as a tree, each placed at the name of the spec."""
    near = loaded.document.root.children["name"]
    trees = (
        made(reduce(lambda inner, key: {key: inner}, reversed(path.split(".")), value), near)
        for path, value in values.items()
    )
    return reduce(merge, trees, made({}, near))


def answer(loaded: Loaded, values: dict[str, Json]) -> Experiment | tuple[str, ...]:
    try:
        return with_overrides(loaded, overrides(loaded, values)).experiment
    except DdspecError as error:
        return tuple(sorted(map(str, error.diagnostics)))


CHOICES = st.fixed_dictionaries(
    {}, optional={path: st.sampled_from(values) for path, values in SETTINGS.items()}
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(CHOICES, min_size=2, max_size=6))
def test_variants_made_one_after_another_are_those_made_alone(
    presets: Path, variants: list[dict[str, Json]]
) -> None:
    shared = load_text(SPEC, "x.yaml", presets=presets)
    alone = [load_text(SPEC, "x.yaml", presets=presets) for _ in variants]

    together = [answer(shared, values) for values in variants]

    assert together == [answer(one, values) for one, values in zip(alone, variants, strict=True)]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(CHOICES)
def test_reusing_sections_equals_validating_the_whole(
    presets: Path, values: dict[str, Json]
) -> None:
    loaded = load_text(SPEC, "x.yaml", presets=presets)
    try:
        made = with_overrides(loaded, overrides(loaded, values))
    except DdspecError:
        return

    assert made.experiment == Experiment.model_validate(bare(made.document).root.value)


def test_no_rule_of_an_experiment_looks_at_two_sections() -> None:
    decorators = Experiment.__pydantic_decorators__

    assert not decorators.model_validators
    assert not decorators.root_validators
    assert not decorators.field_validators
    assert not decorators.validators


def test_a_section_that_no_variant_touches_is_the_same_object(presets: Path) -> None:
    loaded = load_text(SPEC, "x.yaml", presets=presets)

    made = with_overrides(loaded, overrides(loaded, {"loops.inner_steps": 5}))

    assert made.experiment.pool is loaded.experiment.pool
    assert made.experiment.loops.inner_steps == 5


@pytest.mark.parametrize(
    ("values", "setting", "expected"),
    [
        pytest.param({"budget.images_per_class": 10}, "outer_loops", 80, id="budget"),
        pytest.param({"preset.variant": "fast"}, "outer_loops", 8, id="variant"),
        pytest.param({"loops.outer_loops": 5}, "outer_loops", 5, id="over-the-preset"),
        pytest.param({}, "outer_loops", 40, id="nothing"),
    ],
)
def test_the_preset_is_chosen_anew_for_a_variant(
    presets: Path, values: dict[str, Json], setting: str, expected: int
) -> None:
    loaded = load_text(SPEC, "x.yaml", presets=presets)

    made = with_overrides(loaded, overrides(loaded, values))

    assert made.experiment.loops.model_dump()[setting] == expected


def test_a_variant_without_the_preset_lacks_what_it_gave(presets: Path) -> None:
    loaded = load_text(SPEC, "x.yaml", presets=presets)

    with pytest.raises(DdspecError, match="missing key `loops`"):
        with_overrides(loaded, overrides(loaded, {"preset": None}))


def test_a_spec_may_be_whole_in_its_variants_only(presets: Path) -> None:
    text = (
        "name: x\ndataset: {kind: digits}\n"
        "matrix: {preset: [toy], budget.images_per_class: [1, 10]}\n"
    )

    loaded = load_text(text, "x.yaml", presets=presets)

    assert loaded.experiment.budget.images_per_class == 1
    assert loaded.experiment.pool.kind == "recorded"


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        pytest.param(
            "pool.epochs: [1, -1]",
            "x.yaml:7:20: `epochs` must be an integer of at least 0, not `-1`",
            id="value",
        ),
        pytest.param("pool.epoch: [1]", "x.yaml:7:3: unknown key `epoch` in `pool`", id="setting"),
        pytest.param("preset: [toy, toyy]", "x.yaml:7:17: no preset is called `toyy`", id="preset"),
        pytest.param("preset.variant: [3]", "x.yaml:7:20: `variant` must be a name", id="variant"),
        pytest.param(
            "title: ['${DDSPEC_X}']",
            "x.yaml:7:11: variables may be used only in `dataset.path`",
            id="variable",
        ),
    ],
)
def test_a_mistake_in_a_variant_is_shown_in_the_matrix(
    presets: Path, axis: str, message: str
) -> None:
    with pytest.raises(DdspecError) as raised:
        compile_spec(load_text(f"{SPEC}matrix:\n  {axis}\n", "x.yaml", presets=presets))

    assert str(raised.value).startswith(message)


def test_a_variable_may_be_the_location_of_a_variant(good: str) -> None:
    dataset = "dataset: {kind: folder, size: 8, path: a}"
    text = good.replace("dataset: {kind: digits}", dataset)
    matrix = "matrix: {dataset.path: ['${DDSPEC_A}/x', b]}\n"

    loaded = load_text(text + matrix, "x.yaml")

    assert loaded.experiment.dataset.model_dump()["path"] == "${DDSPEC_A}/x"
