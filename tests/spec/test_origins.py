"""Every setting knows its origin, and a plan what paper and code disagree about."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddspec.errors import DdspecError
from ddspec.spec.load import Loaded, load_spec, load_text, with_overrides
from ddspec.spec.matrix import read_matrix
from ddspec.spec.origins import Origin

BASE = """\
preset: toy
dataset: {kind: digits}
pool: {epochs: 3}
"""
CHILD = """\
extends: base.yaml
name: child
budget: {images_per_class: 1}
perturbation:
  coefficient: {law: fixed, value: 1.0}
matrix:
  loops.inner_steps: [1, 2]
"""


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, presets: Path) -> Loaded:
    """A spec with every kind of layer."""
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(BASE)
    Path("child.yaml").write_text(CHILD)
    return load_spec("child.yaml", presets=presets)


def short(origin: Origin) -> str:
    """Return an origin in a line: `preset toy.yaml:9 (code, main.py)`."""
    at = f" {Path(origin.place.file).name}:{origin.place.line}" if origin.place else ""
    said = origin.source or origin.note
    return f"{origin.kind}{at}{f' ({said})' if said else ''}"


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        pytest.param("budget.images_per_class", "spec child.yaml:3", id="own"),
        pytest.param("pool.epochs", "extends base.yaml:3 (extended by child.yaml:1)", id="parent"),
        pytest.param("matcher.distance", "preset toy.yaml:10 (code, main.py)", id="preset"),
        pytest.param("pool.models", "preset toy.yaml:25 (paper, Table 2)", id="later-block"),
        pytest.param("loops.inner_steps", "matrix child.yaml:7", id="matrix"),
        pytest.param("loops.outer_loops", "preset toy.yaml:15 (code, main.py)", id="beside-matrix"),
        pytest.param("matcher.max_views", "default", id="default"),
        pytest.param("precision", "default", id="default-at-the-top"),
        pytest.param("perturbation.coefficient", "spec child.yaml:5", id="replaced-section"),
        pytest.param("pool", "extends base.yaml:3 (extended by child.yaml:1)", id="merged-section"),
        pytest.param("loops", "preset toy.yaml:15 (code, main.py)", id="section-beside-matrix"),
        pytest.param("preset.name", "extends base.yaml:1 (extended by child.yaml:1)", id="choice"),
    ],
)
def test_a_setting_knows_its_origin(child: Loaded, path: str, origin: str) -> None:
    assert short(child.origin(*path.split("."))) == origin


def test_settings_are_all_that_an_experiment_has_in_its_order(child: Loaded) -> None:
    found = list(child.settings())

    dumped = child.experiment.model_dump(mode="json")
    assert [path for path, _, _ in found] == list(dict.fromkeys(path for path, _, _ in found))
    assert list(dict.fromkeys(path[0] for path, _, _ in found)) == list(dumped)
    for path, value, origin in found:
        inner = dumped
        for key in path:
            inner = inner[key]
        assert inner == value
        assert origin == child.origin(*path)


def test_what_is_written_is_no_default(child: Loaded) -> None:
    written = {".".join(path): value for path, value, one in child.settings() if one.place}

    assert written["loops.inner_steps"] == 1
    assert written["network.depth"] == 2
    assert "network.width" not in written


def test_another_variant_has_other_origins(child: Loaded) -> None:
    assert child.matrix is not None
    second = with_overrides(child, read_matrix(child.matrix)[1].overrides)

    origin = second.origin("loops", "inner_steps")

    assert second.experiment.loops.inner_steps == 2
    assert origin.place is not None
    assert origin.place.column == child.origin("loops", "inner_steps").place.column + 3  # type: ignore[union-attr]


# --- disagreements --------------------------------------------------------------------------------


def disagreements(presets: Path, more: str = "") -> dict[str, str]:
    """Return the settings that are disagreed on, with what overrides the choice."""
    text = (
        f"name: x\npreset: toy\ndataset: {{kind: digits}}\nbudget: {{images_per_class: 1}}\n{more}"
    )
    found = load_text(text, "x.yaml", presets=presets).disagreements
    return {
        one.setting: short(one.overridden) if one.overridden else f"{one.takes} {one.place.line}"
        for one in found
    }


def test_disagreements_of_blocks_that_apply_are_told(presets: Path) -> None:
    assert disagreements(presets) == {
        "perturbation.coefficient": "code 18",
        "pool.models": "paper 27",
        "matcher.max_views": "code 20",
    }


@pytest.mark.parametrize(
    ("more", "setting", "expected"),
    [
        pytest.param("pool: {models: 9}\n", "pool.models", "spec x.yaml:5", id="own-value"),
        pytest.param("pool: {models: 3}\n", "pool.models", "paper 27", id="the-same-value"),
        pytest.param(
            "perturbation: {coefficient: {high: 0.5}}\n",
            "perturbation.coefficient",
            "spec x.yaml:5",
            id="part-of-it",
        ),
        pytest.param(
            "perturbation: {kind: none}\n",
            "perturbation.coefficient",
            "spec x.yaml:5",
            id="another-kind-around-it",
        ),
        pytest.param(
            "matcher: {max_views: 64}\n", "matcher.max_views", "spec x.yaml:5", id="a-default"
        ),
        pytest.param("seed: 3\n", "pool.models", "paper 27", id="something-else"),
        pytest.param(
            "disagreements:\n  - {setting: seed, paper: '1', code: '2', takes: ours, why: w}\n",
            "seed",
            "ours 6",
            id="own-disagreement",
        ),
        pytest.param(
            "pool: {models: 9}\ndisagreements:\n"
            "  - {setting: pool.models, paper: '3', code: '4', takes: ours, why: w}\n",
            "pool.models",
            "ours 7",
            id="own-word-on-the-presets",
        ),
    ],
)
def test_a_choice_that_is_overridden_says_so(
    presets: Path, more: str, setting: str, expected: str
) -> None:
    assert disagreements(presets, more)[setting] == expected


@pytest.mark.parametrize(
    ("dataset", "told"),
    [
        pytest.param("mnist", ["update.momentum"], id="as-it-was-said"),
        pytest.param("svhn", [], id="another-value-is-set-later"),
        pytest.param("cifar10", ["update.momentum"], id="set-again-to-the-same"),
        pytest.param("cifar100", ["update.momentum"], id="said-again-of-the-other-value"),
    ],
)
def test_what_a_later_block_sets_anew_is_not_told_of_the_earlier(
    tmp_path: Path, dataset: str, told: list[str]
) -> None:
    said = "{setting: update.momentum, paper: a, code: b, takes: code, why: w}"
    (tmp_path / "two.yaml").write_text(
        "format: ddspec.preset/1\nname: two\ntitle: Two\nblocks:\n"
        "  - source: code\n"
        "    set:\n"
        "      {network: {kind: convnet}, pool: {kind: fresh}, inner: {kind: frozen},\n"
        "       matcher: {kind: gradient, distance: l1}, loops: {outer_loops: 1, inner_steps: 1},\n"
        "       evaluate: {protocol: dc}, update: {learning_rate: 0.1, momentum: 0.5}}\n"
        f"    disagreements: [{said}]\n"
        "  - {source: code, when: {dataset: [svhn]}, set: {update: {momentum: 0.9}}}\n"
        "  - {source: code, when: {dataset: [cifar10]}, set: {update: {momentum: 0.5}}}\n"
        "  - source: code\n"
        "    when: {dataset: [cifar100]}\n"
        "    set: {update: {momentum: 0.9}}\n"
        f"    disagreements: [{said}]\n"
    )
    text = f"name: x\npreset: two\ndataset: {{kind: {dataset}}}\nbudget: {{images_per_class: 1}}\n"

    loaded = load_text(text, "x.yaml", presets=tmp_path)

    assert [one.setting for one in loaded.disagreements] == told


def test_a_disagreement_about_no_setting_is_refused(presets: Path) -> None:
    entry = "{setting: pool.modles, paper: '1', code: '2', takes: ours, why: w}"

    with pytest.raises(DdspecError) as raised:
        disagreements(presets, f"disagreements:\n  - {entry}\n")

    assert str(raised.value).splitlines() == [
        "x.yaml:6:15: `pool.modles` is no setting",
        f"  6 |   - {entry}",
        "    |               ^^^^^^^^^^^",
        "  hint: did you mean `pool.models`?",
    ]


def test_disagreements_are_part_of_no_experiment(presets: Path) -> None:
    text = "name: x\npreset: toy\ndataset: {kind: digits}\nbudget: {images_per_class: 1}\n"
    entry = "disagreements: [{setting: seed, paper: '1', code: '2', takes: ours, why: w}]\n"

    one = load_text(text, "x.yaml", presets=presets)
    other = load_text(text + entry, "x.yaml", presets=presets)

    assert one.experiment == other.experiment
