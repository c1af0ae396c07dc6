"""What a spec is expected to reach when it changes nothing of a published method."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddspec.spec.load import Loaded, load_text, with_overrides
from ddspec.spec.nodes import compose
from ddspec.spec.source import Source

PRESET = """format: ddspec.preset/1
name: method
title: A method
default: slow
blocks:
  - source: paper
    set:
      network: {kind: convnet}
      pool: {kind: recorded}
      inner: {kind: frozen}
      matcher: {kind: gradient, distance: l1}
      update: {learning_rate: 0.1}
      evaluate: {protocol: idc}
      loops: {outer_loops: 4, inner_steps: 1}
  - {source: paper, when: {variant: [fast]}, set: {loops: {outer_loops: 1}}}
results:
  - {dataset: mnist, images_per_class: 1, variant: slow, accuracy: 0.9, source: "paper, Table 1"}
  - {dataset: mnist, images_per_class: 1, variant: fast, accuracy: 0.8, source: "paper, Table 2"}
  - {dataset: mnist, images_per_class: 1, variant: fast, network: alexnet, accuracy: 0.7, source: x}
  - {dataset: tiny_imagenet, size: 32, images_per_class: 1, variant: slow, accuracy: 0.6, source: x}
"""


@pytest.fixture
def presets(tmp_path: Path) -> Path:
    (tmp_path / "method.yaml").write_text(PRESET, encoding="utf-8")
    return tmp_path


def loaded(presets: Path, rest: str = "", dataset: str = "mnist", preset: str = "method") -> Loaded:
    text = f"name: x\npreset: {preset}\ndataset: {{kind: {dataset}}}\n"
    return load_text(f"{text}budget: {{images_per_class: 1}}\n{rest}", "x.yaml", presets=presets)


@pytest.mark.parametrize(
    ("preset", "accuracy"),
    [
        pytest.param("method", 0.9, id="the default variant"),
        pytest.param("{name: method, variant: fast}", 0.8, id="a variant by name"),
    ],
)
def test_a_published_number_is_expected(presets: Path, preset: str, accuracy: float) -> None:
    spec = loaded(presets, preset=preset)

    assert [one.accuracy for one in spec.experiment.expect] == [accuracy]
    assert spec.origin("expect").kind == "preset"
    assert spec.origin("expect").source.startswith("paper, Table")


def test_the_number_is_of_the_size_at_which_it_was_published(presets: Path) -> None:
    assert loaded(presets, dataset="tiny_imagenet").experiment.expect == ()
    assert loaded(presets, dataset="tiny_imagenet, size: 32").experiment.expect[0].accuracy == 0.6


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param("loops: {outer_loops: 2}", id="a setting of the method"),
        pytest.param("evaluate: {protocol: dc}", id="another protocol"),
        pytest.param("evaluate: {on: validation}", id="another split"),
        pytest.param("expect: []", id="a word of its own"),
    ],
)
def test_nothing_is_expected_of_what_departs_from_the_method(presets: Path, rest: str) -> None:
    assert loaded(presets, rest).experiment.expect == ()


@pytest.mark.parametrize(
    "rest", ["evaluate: {repeats: 7}", "resources: {shards: 2}", "seed: 3", "title: Mine"]
)
def test_repeats_seeds_and_layout_change_no_expectation(presets: Path, rest: str) -> None:
    assert len(loaded(presets, rest).experiment.expect) == 1


@pytest.mark.parametrize(
    ("overrides", "accuracies"),
    [
        pytest.param("preset: {variant: fast}", [0.8], id="another variant"),
        pytest.param("seed: 1", [0.9], id="a seed"),
        pytest.param("loops: {outer_loops: 3}", [], id="a setting of the method"),
        pytest.param("expect: [{accuracy: 0.5, source: mine}]", [0.5], id="its own"),
    ],
)
def test_a_variant_of_a_matrix_expects_its_own(
    presets: Path, overrides: str, accuracies: list[float]
) -> None:
    variant = with_overrides(loaded(presets), compose(Source("x.yaml", overrides)).root)

    assert [one.accuracy for one in variant.experiment.expect] == accuracies


def test_the_expectation_of_a_plain_spec_stays_in_its_variants(presets: Path) -> None:
    own = loaded(presets, "expect: [{accuracy: 0.5, source: mine}]\n")

    variant = with_overrides(own, compose(Source("x.yaml", "loops: {outer_loops: 3}")).root)

    assert variant.experiment.expect[0].accuracy == 0.5
