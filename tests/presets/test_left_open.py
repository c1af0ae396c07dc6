"""What cards say of settings that no publication gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from ddspec.cli.report import unpublished_of
from ddspec.plan.compile import compile_spec
from ddspec.presets.left_open import left_open
from ddspec.spec.load import Loaded, load_spec
from ddspec.spec.presets import Subject

Short: TypeAlias = "Callable[..., Loaded]"

TINY = Subject("tiny_imagenet", 64, 3, 200, 50)


def said(loaded: Short, preset: str) -> dict[str, Any]:
    found = left_open(preset, loaded(preset, "tiny_imagenet", 50).experiment, TINY)
    assert found is not None
    settings = found["settings"]
    assert isinstance(settings, dict)
    assert "SRe2L's values" in str(found["note"])
    return settings


@pytest.mark.parametrize("preset", ["teddy_prior", "teddy_post"])
def test_what_teddy_takes_of_sre2l_is_told_setting_by_setting(loaded: Short, preset: str) -> None:
    settings = said(loaded, preset)

    # What the paper does not give (its section 4.1 and Algorithm 1), against what it does.
    assert {
        "update.learning_rate",
        "update.betas",
        "loops.outer_loops",
        "init.kind",
        "matcher.batch_norm",
        "matcher.cross_entropy",
        "matcher.roll.low",
        "labels.average",
        "evaluate.protocol",
        "augmentation.matching.min_area",
    } <= set(settings)
    assert not {"matcher.models_per_image", "labels.teachers", "labels.kind", "pool.models"} & set(
        settings
    )
    assert "recover_tiny.py" in settings["update.learning_rate"]


def test_a_value_of_the_spec_is_not_the_presets(loaded: Short) -> None:
    experiment = loaded("teddy_prior", "tiny_imagenet", 50).experiment
    mine = experiment.model_copy(
        update={"loops": experiment.loops.model_copy(update={"outer_loops": 7})}
    )

    found = left_open("teddy_prior", mine, TINY)

    assert found is not None
    assert "outer_loops" not in str(found["settings"])


@pytest.mark.parametrize("preset", ["mtt", "sre2l", "nobody"])
def test_a_method_that_is_published_whole_leaves_nothing_open(loaded: Short, preset: str) -> None:
    experiment = loaded("mtt", "tiny_imagenet", 50).experiment

    assert left_open(preset, experiment, TINY) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("preset: teddy_prior\n", id="a spec"),
        pytest.param(
            "matrix:\n  include:\n    - {name: a, preset: sre2l}\n"
            "    - {name: b, preset: {name: teddy_prior}}\n",
            id="a variant",
        ),
    ],
)
def test_the_card_of_a_run_is_told_by_the_preset_of_its_variant(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(
        "name: x\ndataset: {kind: tiny_imagenet}\nbudget: {images_per_class: 50}\n" + text
    )
    plan = compile_spec(load_spec(path))

    found = [unpublished_of(plan, variant) for variant in plan.variants]

    assert found[-1] is not None
    assert found[:-1] == [None] * (len(plan.variants) - 1)
