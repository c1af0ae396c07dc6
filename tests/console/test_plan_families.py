"""The overview of every family of methods, and of a matrix."""

from __future__ import annotations

from typing import Any

import pytest

from ddspec.console.overview import Overview
from ddspec.console.plan_sections import sections
from ddspec.console.plan_view import render_plan
from ddspec.plan.compile import compile_noted, compile_spec
from ddspec.plan.said import over_variants, settings_of
from ddspec.plan.why import Standing, Why
from ddspec.spec.facts_folders import FOLDERS
from ddspec.spec.load import load_text
from ddspec.spec.lock import Lock, LockedClass, digest_of_splits

PRESETS = {
    "dc": ("cifar10", 1, "gradient, cosine over matrices"),
    "dsa": ("mnist", 10, "a new random ConvNet-3 (10-way) for every outer loop"),
    "idc": ("imagenet10", 10, "10 epochs on them before each outer loop"),
    "acc_dd": ("cifar10", 10, "5 early-stage ConvNet-3 (10-way), 2 epochs"),
    "dm": ("cifar100", 10, "distribution, class means of embedding"),
    "idm": ("cifar10", 10, "one more every 30 loops, at most 100"),
    "mtt": ("cifar10", 10, "100 trajectories of ConvNet-3 (10-way), kept after epochs 0 to 50"),
    "tesla": ("imagenet1k", 1, "labels of the expert that is followed"),
    "ftd": ("cifar100", 10, "towards flat minima (GSAM)"),
    "sre2l": ("tiny_imagenet", 50, "soft labels of one network"),
    "teddy_prior": ("imagenet1k", 50, "soft labels of all networks of the pool, stored per view"),
    "teddy_post": ("tiny_imagenet", 50, "pruned from a converged one"),
}


def shown(text: str, **fields: int) -> str:
    loaded = load_text(text, "x.yaml")
    plan, notes = compile_noted(loaded)
    why = Why(plan, Standing(frozenset()))
    settings = over_variants(tuple(settings_of(loaded)), plan)
    disagreements = loaded.disagreements
    return render_plan(Overview(plan, why, notes, settings, disagreements=disagreements, **fields))


def spec(preset: str, dataset: str, budget: int, rest: str = "") -> str:
    return (
        f"name: x\npreset: {preset}\ndataset: {{kind: {dataset}}}\n"
        f"budget: {{images_per_class: {budget}}}\n{rest}"
    )


def narrow(text: str, *, columns: int, lines: int) -> bool:
    rows = text.split("\n")
    tall = len(rows) <= lines
    return tall and max(map(len, rows)) <= columns and not any(row != row.rstrip() for row in rows)


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize("preset", PRESETS)
def test_every_family_is_told_on_one_screen(preset: str, columns: int) -> None:
    dataset, budget, said = PRESETS[preset]
    text = shown(spec(preset, dataset, budget), width=columns)

    assert narrow(text, columns=columns, lines=44)
    assert said in " ".join(text.split())


@pytest.mark.parametrize(
    ("preset", "rest", "said"),
    [
        pytest.param("mtt", "", "exact gradient, unrolled", id="mtt, exact"),
        pytest.param("tesla", "", "TESLA's approximate gradient", id="tesla, approximate"),
        pytest.param(
            "mtt",
            "matcher: {gradient: recomputed}\ninner: {learned: {learning_rate: 0.01, law: log}}\n",
            "rate 1e-3 learned (log law)",
            id="law of the rate",
        ),
        # 100 runs of 51 networks of 320,010 parameters are 6.53 GB in 4 bytes each
        pytest.param("mtt", "", "differ in seed · 6.53 GB on disk", id="experts"),
        pytest.param(
            "mtt",
            "pool: {record_precision: bfloat16}\n",
            "in bfloat16 SGD .01, batch 256 · differ in seed · 3.27 GB on disk",
            id="experts of half the size",
        ),
        pytest.param(
            "teddy_prior",
            "labels: {stored: per_view}\n"
            "pool: {epochs: 41, record: {first: 1, every: 5, last: 41}}\n",
            "kept after epochs 1 to 41, every 5",
            id="some of the networks of a run",
        ),
        # 400 passes over 100 images: 10 logits of 2 bytes are 0.8 MB, and how each view is made, 5
        # numbers of 4 bytes, takes as much
        pytest.param(
            "sre2l", "labels: {stored: per_view}\n", "stored per view, 1.61 MB a set", id="labels"
        ),
        pytest.param("sre2l", "", "labels at temperature 30", id="temperature"),
    ],
)
def test_what_a_reviewer_asks_of_the_families_is_told(preset: str, rest: str, said: str) -> None:
    assert said in " ".join(shown(spec(preset, "cifar10", 10, rest)).split())


def test_disagreements_say_what_is_taken_and_what_is_not() -> None:
    text = shown(spec("acc_dd", "cifar10", 10))
    lines = text.split("\n")
    at = lines.index(" paper and code disagree, this plan takes")
    (row,) = (line for line in lines[at:] if line.startswith("   pool.epochs "))

    assert row.split()[1] == "paper"
    assert "not code" in row
    assert row.split()[-1].startswith("acc_dd.yaml:")


def test_a_spec_that_says_otherwise_is_named_in_the_disagreement() -> None:
    lines = shown(spec("acc_dd", "cifar10", 10, "pool: {epochs: 7}\n")).split("\n")
    (row,) = (line for line in lines if line.startswith("   pool.epochs "))

    assert row.split()[1:3] == ["spec", "7"]
    assert row.split()[-1] == "x.yaml:5"


def test_a_matrix_shows_its_axes_and_what_is_shared() -> None:
    axes = "matrix:\n  budget.images_per_class: [1, 10]\n  pool.epochs: {from: 0, to: 4, step: 2}\n"
    text = shown(spec("acc_dd", "cifar10", 10, axes))
    rows = {line.split()[0]: line.split() for line in text.split("\n") if len(line.split()) > 3}

    assert narrow(text, columns=100, lines=59)
    assert "6 variants" in text.split("\n")[0]
    assert " matrix     budget.images_per_class  1, 10" in text
    assert "pool.epochs              0, 2, 4" in text
    assert rows["pool/0..4@*"][1] == "15"
    assert rows["prepare"][1] == "2"
    assert " budget*    " in text
    assert " what       " in text
    assert "of them are shared" in text


def test_a_thousand_variants_fit_on_a_screen_too() -> None:
    axes = "matrix:\n  pool.epochs: {from: 1, to: 1000}\n"
    small = "evaluate: {repeats: 1}\nloops: {outer_loops: 2, snapshots: []}\n"
    text = shown(spec("acc_dd", "cifar10", 1, small + axes))

    assert narrow(text, columns=100, lines=59)
    assert "1,000 variants" in text
    assert "1, 2, 3, 4, 5, 6, … 1000 (1,000 values)" in text


def test_pieces_that_are_others_in_some_variants_are_marked() -> None:
    pixels = "matrix:\n  matcher.features: [embedding, pixels]\n"
    rows = shown(spec("dm", "cifar10", 1, pixels)).split("\n")

    assert any(row.startswith(" pool*      a new random ConvNet-3") for row in rows)
    assert any(row.startswith(" inner      frozen") for row in rows)


def test_what_is_noted_of_several_variants_is_shown_once() -> None:
    axes = (
        "matrix:\n  variants:\n    one: {preset: dm}\n    two: {preset: dm, loops.outer_loops: 9}\n"
    )
    text = "name: x\ndataset: {kind: digits}\nbudget: {images_per_class: 1}\n" + axes

    shown_once = shown(text)

    assert shown_once.count("`dm` has no published result") == 1
    assert "and 1 more note: `ddspec validate`" in shown_once


def test_two_variants_have_rows_of_their_own() -> None:
    text = shown(spec("dm", "cifar10", 1, "matrix:\n  budget.images_per_class: [1, 10]\n"))

    assert " distill@ipc-1 " in text
    assert " distill@ipc-10 " in text


@pytest.mark.parametrize(
    ("each", "tested", "said"),
    [
        pytest.param(5, 2, "not the 100,000 and 10,000 that are published · data", id="a part"),
        pytest.param(500, 50, "100,000 train, 10,000 test · data", id="the whole"),
    ],
)
def test_a_copy_of_other_images_than_were_published_is_told(
    each: int, tested: int, said: str
) -> None:
    loaded = load_text(spec("dsa", "tiny_imagenet", 1), "x.yaml")
    names = FOLDERS["tiny_imagenet"].class_names
    counts = {"train": each, "test": tested}
    splits: dict[Any, dict[str, LockedClass]] = {
        split: dict.fromkeys(names, LockedClass(images=count, digest="0" * 64))
        for split, count in counts.items()
    }
    lock = Lock(kind="tiny_imagenet", splits=splits, digest=digest_of_splits(splits))

    what = " · ".join(dict(sections(compile_spec(loaded, lock)))["what"])

    assert said in what
    assert what.endswith(f"data {lock.digest[:6]} lock")
