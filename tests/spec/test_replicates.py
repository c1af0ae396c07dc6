"""`replicates:` of a spec: the same variants several times, each time with a seed of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ddspec.errors import DdspecError
from ddspec.plan.compile import compile_spec
from ddspec.plan.text import dump_plan, load_plan
from ddspec.run.evidence import method_digest
from ddspec.spec.document_schema import spec_schema
from ddspec.spec.load import load_spec, load_text

BASE = """\
name: small
seed: 3
dataset: {kind: digits, validation: 0.2}
budget: {images_per_class: 1}
network: {kind: convnet, depth: 2, width: 32}
pool: {kind: recorded, models: 2, epochs: 2}
inner: {kind: on_real, steps: 2}
matcher: {kind: gradient, distance: l1}
update: {learning_rate: 2.0e-4}
loops: {outer_loops: 4, inner_steps: 2}
evaluate:
  protocol: {name: short, steps: 100}
  repeats: 2
  baselines: {random: 1, init: 1, full: 1}
"""
MATRIX = "matrix: {loops.outer_loops: [4, 8], include: [{name: long, loops.outer_loops: 9}]}\n"


def names(text: str) -> list[str]:
    """Return the names of the variants of a spec."""
    return [one.name for one in load_text(text, "x.yaml").combinations]


def problems(text: str) -> list[str]:
    """Return the problems of a spec, each with its line."""
    with pytest.raises(DdspecError) as caught:
        load_text(text, "x.yaml")
    return [str(one).splitlines()[0] for one in caught.value.diagnostics]


def test_replicates_are_variants_from_the_spec_s_seed_on() -> None:
    loaded = load_text(f"{BASE}replicates: 3\n", "x.yaml")
    plan = compile_spec(loaded)

    assert [one.name for one in plan.variants] == ["seed-3", "seed-4", "seed-5"]
    assert [one.experiment.seed for one in plan.variants] == [3, 4, 5]
    assert [dict(one.settings) for one in plan.variants] == [{"seed": s} for s in (3, 4, 5)]
    assert len({method_digest(one.experiment) for one in plan.variants}) == 1


def test_replicates_are_what_an_axis_of_seeds_makes() -> None:
    with_axis = compile_spec(load_text(f"{BASE}matrix: {{seed: [3, 4]}}\n", "x.yaml"))
    replicated = compile_spec(load_text(f"{BASE}replicates: 2\n", "x.yaml"))

    assert dump_plan(replicated).splitlines()[3:] == dump_plan(with_axis).splitlines()[3:]


def test_the_first_replicate_has_the_keys_of_the_spec_alone() -> None:
    alone = compile_spec(load_text(BASE, "x.yaml"))
    replicated = compile_spec(load_text(f"{BASE}replicates: 2\n", "x.yaml")).of("seed-3")

    assert [(one.label, one.key) for one in replicated] == [(one.label, one.key) for one in alone]


def test_every_variant_of_a_matrix_is_replicated_included_ones_too() -> None:
    assert names(f"{BASE}{MATRIX}replicates: 2\n") == [
        "outer_loops-4-seed-3",
        "outer_loops-4-seed-4",
        "outer_loops-8-seed-3",
        "outer_loops-8-seed-4",
        "long-seed-3",
        "long-seed-4",
    ]


def test_a_spec_without_a_seed_begins_at_its_default() -> None:
    assert names(f"{BASE.replace('seed: 3', '')}replicates: 2\n") == ["seed-0", "seed-1"]


def test_a_plan_of_replicates_is_read_back() -> None:
    plan = compile_spec(load_text(f"{BASE}{MATRIX}replicates: 2\n", "x.yaml"))

    again, _ = load_plan(dump_plan(plan), "x.plan.yaml")
    assert again.digest == plan.digest


def test_replicates_are_not_inherited(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "parent.yaml").write_text(f"{BASE}replicates: 3\n")
    (tmp_path / "child.yaml").write_text("name: child\nextends: parent.yaml\n")

    assert load_spec(tmp_path / "child.yaml").combinations == ()


def test_a_replicate_says_where_its_seed_is_from() -> None:
    loaded = load_text(f"{BASE}replicates: 2\n", "x.yaml")

    origin = loaded.origin("seed")

    assert origin.kind == "matrix"
    assert origin.place is not None
    assert origin.place.line == BASE.count("\n") + 1


WRONG = {
    "none": ("replicates: 0\n", ["x.yaml:15:13", "between 1 and 1000"]),
    "many": ("replicates: 1001\n", ["x.yaml:15:13", "between 1 and 1000"]),
    "text": ("replicates: three\n", ["x.yaml:15:13", "replicates"]),
    "truth": ("replicates: true\n", ["x.yaml:15:13", "replicates"]),
    "axis": (
        "replicates: 2\nmatrix: {seed: [1, 2]}\n",
        ["x.yaml:16:10", "the matrix sets `seed`, and so does `replicates`"],
    ),
    "variant": (
        "replicates: 2\nmatrix: {variants: {a: {seed: 1}, b: {loops.outer_loops: 9}}}\n",
        ["x.yaml:16:25", "the matrix sets `seed`, and so does `replicates`"],
    ),
    "in-matrix": ("matrix: {replicates: [1, 2]}\n", ["x.yaml:15:10", "same for all variants"]),
    "too-many-variants": (
        "replicates: 1000\nmatrix: {loops.outer_loops: {from: 1, to: 11}}\n",
        ["x.yaml:16:9", "11,000 variants are more than the 10,000"],
    ),
    "bad-seed": ("replicates: 2\nseed: many\n", ["x.yaml:15:7", "`seed` must be an integer"]),
}


@pytest.mark.parametrize(("extra", "words"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_replicated_is_refused_where_it_is_written(
    extra: str, words: list[str]
) -> None:
    text = BASE.replace("seed: 3\n", "") if "seed: many" in extra else BASE

    told = problems(f"{text}{extra}")

    assert len(told) == 1
    assert all(word in told[0] for word in words)


def test_a_seed_beyond_the_last_one_is_refused_where_replicates_are_written() -> None:
    text = BASE.replace("seed: 3", f"seed: {2**63 - 1}")

    with pytest.raises(DdspecError, match=r"x\.yaml:15:13: `seed` must be an integer"):
        compile_spec(load_text(f"{text}replicates: 2\n", "x.yaml"))


def test_a_preset_that_is_missing_is_told_all_the_same() -> None:
    told = problems("name: x\npreset: nothing\nbudget: {images_per_class: 1}\nreplicates: 2\n")

    assert any("nothing" in one for one in told)


VALID: dict[str, tuple[Any, bool]] = {
    "three": (3, True),
    "none": (0, False),
    "too-many": (1001, False),
    "text": ("3", False),
}


@pytest.mark.parametrize(("value", "valid"), VALID.values(), ids=VALID)
def test_editors_know_replicates(value: Any, valid: bool) -> None:
    schema = spec_schema()
    document = {"name": "x", "extends": "base.yaml", "replicates": value}

    assert jsonschema.Draft202012Validator(schema).is_valid(document) is valid
