from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from ddspec.canon import digest
from ddspec.errors import DdspecError, Exit
from ddspec.plan.blocks import emit, parse
from ddspec.plan.compile import compile_plan
from ddspec.plan.ir import Plan
from ddspec.plan.text import dump_plan, load_plan
from ddspec.spec.experiment import Experiment

GOLDEN = Path(__file__).with_name("golden")
FOLDER = Path(__file__).parents[2] / "specs"
SPECS = sorted(
    str(path.relative_to(FOLDER).with_suffix(""))
    for path in FOLDER.rglob("*.yaml")
    if not path.name.endswith((".plan.yaml", ".lock.yaml")) and "papers" not in path.parts
)
"""All but those of papers, whose plans are long: `tests/specs` holds their digests."""

Specified = Callable[[str], Plan]
Plans = Callable[..., Plan]


@pytest.mark.parametrize("name", SPECS)
def test_the_plans_of_the_specs_are_under_review(specified: Specified, name: str) -> None:
    """Where this fails for a reason, run it with DDSPEC_WRITE_GOLDEN=1 and read the difference."""
    text = dump_plan(specified(name), made_from=f"{Path(name).name}.yaml")
    golden = GOLDEN / f"{name}.plan.yaml"
    if os.environ.get("DDSPEC_WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")

    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SPECS)
def test_a_plan_comes_back_as_it_was(specified: Specified, name: str) -> None:
    plan = specified(name)
    text = dump_plan(plan, made_from=f"../{name}.yaml")

    assert load_plan(text, "x") == (plan, f"../{name}.yaml")
    assert dump_plan(load_plan(text, "x")[0], made_from=f"../{name}.yaml") == text


@pytest.mark.parametrize("name", SPECS)
def test_a_plan_is_yaml_that_any_reader_takes(specified: Specified, name: str) -> None:
    text = dump_plan(specified(name))

    read = YAML(typ="safe", pure=True).load(io.StringIO(text))

    assert digest(read) == digest(parse(text, "x"))


def test_the_plan_of_imagenet100_can_be_reviewed(specified: Specified) -> None:
    text = dump_plan(specified("imagenet100"), made_from="imagenet100.yaml")

    assert text.count("\n") <= 400
    assert len(text.encode()) <= 20_000


def test_two_thousand_stages_fit_into_half_a_megabyte(planned: Plans) -> None:
    plan = planned(evaluate__repeats=1990)

    assert len(plan.stages) > 2_000
    assert len(dump_plan(plan).encode()) <= 500_000


@settings(max_examples=30, deadline=None)
@given(
    models=st.integers(1, 4),
    snapshots=st.sets(st.integers(1, 39), max_size=3),
    shards=st.integers(1, 10),
    repeats=st.integers(1, 3),
    baselines=st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 2)),
    seed=st.integers(0, 2**63 - 1),
    rate=st.floats(1e-12, 1e12),
    title=st.text(max_size=40),
    frozen=st.booleans(),
)
def test_any_plan_comes_back_as_it_was(
    small: Callable[..., Experiment],
    models: int,
    snapshots: set[int],
    shards: int,
    repeats: int,
    baselines: tuple[int, int, int],
    seed: int,
    rate: float,
    title: str,
    frozen: bool,
) -> None:
    experiment = small(
        pool__models=models,
        loops__snapshots=sorted(snapshots),
        resources={"shards": shards},
        evaluate__repeats=repeats,
        evaluate__baselines=dict(zip(("random", "init", "full"), baselines, strict=True)),
        seed=seed,
        title=title,
        update__learning_rate=rate,
        inner={"kind": "frozen"} if frozen else {"kind": "on_real", "steps": 1},
    )
    plan = compile_plan(experiment)

    assert load_plan(dump_plan(plan), "x")[0] == plan


def test_a_null_that_is_not_the_default_comes_back(
    small: Callable[..., Experiment], imagenet_lock: Any
) -> None:
    dataset = {"kind": "folder", "path": "x", "size": 32, "test": None, "holdout": 0.5}
    plan = compile_plan(small(dataset=dataset), imagenet_lock.model_copy(update={"kind": "folder"}))

    assert load_plan(dump_plan(plan), "x")[0] == plan


def test_a_plan_without_keys_is_not_written(small: Callable[..., Experiment]) -> None:
    plan = compile_plan(small(dataset={"kind": "folder", "path": "x", "size": 32}))

    with pytest.raises(DdspecError, match="ddspec lock") as caught:
        dump_plan(plan)

    assert caught.value.exit is Exit.UNABLE


# --- tampering ------------------------------------------------------------------------------------


def edited(plan: Plan, change: Callable[[dict[str, Any]], object]) -> str:
    """Return a plan whose document was changed, and then written by the same hand."""
    document: dict[str, Any] = json.loads(json.dumps(parse(dump_plan(plan), "x")))
    change(document)
    return emit(document)


def stage_line(document: dict[str, Any], label: str) -> dict[str, Any]:
    return next(line for line in document["stages"] if line["label"] == label)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        pytest.param(
            lambda d: d.update(format="ddspec.plan/2"), "another version", id="a newer format"
        ),
        pytest.param(
            lambda d: d["revisions"].update(distill=9),
            "`distill` is of revision 9, this version has 1",
            id="a newer revision",
        ),
        pytest.param(
            lambda d: d["revisions"].update(sorcery=1), "does not know it", id="an unknown work"
        ),
        pytest.param(
            lambda d: d["works"]["distill"].update(images_per_class=2),
            "`distill` has another key than its work",
            id="more images",
        ),
        pytest.param(
            lambda d: d["works"]["prepare"]["source"].update(content="0" * 64),
            "`prepare/train` has another key",
            id="other data",
        ),
        pytest.param(
            lambda d: stage_line(d, "pool/1").update(key="0" * 64),
            "`pool/1` has another key",
            id="another key",
        ),
        pytest.param(
            lambda d: stage_line(d, "pool/1")["with"].update(seed=[9, "pool", 1]),
            "`pool/1` has another key",
            id="another seed",
        ),
        pytest.param(
            lambda d: stage_line(d, "pool/1").update(label="pool/9"),
            "'pool/1'",
            id="another label",
        ),
        pytest.param(
            lambda d: stage_line(d, "evaluate/full/convnet2-w32/0").update(
                label="evaluate/full/convnet2-w32/7"
            ),
            "checksum",
            id="another label that nobody needs",
        ),
        pytest.param(
            lambda d: d["stages"].remove(stage_line(d, "pool/2")), "'pool/2'", id="a stage less"
        ),
        pytest.param(
            lambda d: d["stages"].append(d["stages"][-1]), "two stages", id="a stage twice"
        ),
        pytest.param(
            lambda d: d["schedule"]["first"][0].__setitem__(1, 7), "checksum", id="a shown row"
        ),
        pytest.param(lambda d: d["spec"].update(seed=4), "checksum", id="the spec inside"),
        pytest.param(lambda d: d["spec"].update(seeds=4), "seeds", id="an unknown setting"),
        pytest.param(lambda d: d["data"].update(train=4), "checksum", id="a count of images"),
        pytest.param(lambda d: d["counted"][2].update(flops_each=1), "checksum", id="a cost"),
        pytest.param(lambda d: d.pop("works"), "'works'", id="no works"),
        pytest.param(lambda d: d.update(stages={}), "edited by hand", id="no stages"),
        pytest.param(lambda d: d.update(stages=[3]), "edited by hand", id="a number for a stage"),
        pytest.param(lambda d: d.update(note="hello"), "checksum", id="something more"),
        pytest.param(lambda d: d.update(plan="0" * 64), "checksum", id="another name"),
        pytest.param(lambda d: d.update(note="\ud800"), "surrogates", id="half a character"),
        pytest.param(lambda d: d["data"].update(train="\x1b"), "train", id="a count of text"),
        pytest.param(
            lambda d: stage_line(d, "pool/1").update(label="pool/[/x]"),
            "no stage of kind `pretrain` is called `pool/[/x]`",
            id="a label of another form",
        ),
        pytest.param(
            lambda d: d["works"]["evaluate/full/convnet2-w32"].update(inputs={}),
            "`evaluate/full/convnet2-w32/0` has no input",
            id="an evaluation of nothing",
        ),
        pytest.param(
            lambda d: d["stages"][0].update(location={"path": 5}), "texts", id="a place of numbers"
        ),
        pytest.param(
            lambda d: d["stages"][0].update(location="x"), "location", id="a place of letters"
        ),
        pytest.param(
            lambda d: d["stages"][0].update(location={"mount": "/"}), "location", id="a new place"
        ),
        pytest.param(
            lambda d: d["works"]["distill"].update(stop=10**9), "100000", id="endless loops"
        ),
        pytest.param(
            lambda d: d["works"]["distill"]["schedule"].update(members=0), "members", id="no pool"
        ),
    ],
)
def test_a_plan_that_was_tampered_with_is_refused(
    planned: Plans, change: Callable[[dict[str, Any]], object], cause: str
) -> None:
    text = edited(planned(), change)

    with pytest.raises(DdspecError) as caught:
        load_plan(text, "x.plan.yaml")

    assert caught.value.exit is Exit.CHANGED
    assert cause in str(caught.value)


def test_the_shard_that_is_not_merged_from_cannot_differ_unseen(planned: Plans) -> None:
    text = edited(
        planned(resources={"shards": 2}),
        lambda d: stage_line(d, "distill/1").update({"with": {"classes": None}}),
    )

    with pytest.raises(DdspecError, match="`distill/1` has another key"):
        load_plan(text, "x")


def test_merge_conflicts_ask_for_a_new_plan(planned: Plans) -> None:
    text = dump_plan(planned())
    conflict = text.replace("digests:", "<<<<<<< ours\ndigests:\n=======\ndigests:\n>>>>>>> theirs")

    with pytest.raises(DdspecError, match="never merged") as caught:
        load_plan(conflict, "x")

    assert caught.value.exit is Exit.CHANGED


def test_line_ends_of_another_system_do_no_harm(planned: Plans) -> None:
    plan = planned()

    assert load_plan(dump_plan(plan).replace("\n", "\r\n"), "x")[0] == plan


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("name: x\n", id="another document"),
        pytest.param("format: ddspec.lock/1\n", id="a lock"),
        pytest.param("format: ddspec.plan/1\n  spec: 3\n", id="an indent from nowhere"),
        pytest.param("format: ddspec.plan/1\nspec:\n", id="a key without a value"),
        pytest.param("format: ddspec.plan/1\nspec: {a: 1}\n", id="YAML that is no JSON"),
        pytest.param('format: ddspec.plan/1\nspec: {"a": 1, "a": 2}\n', id="a key twice, inside"),
        pytest.param("format: ddspec.plan/1\nspec: 1\nspec: 1\n", id="a key twice"),
        pytest.param("format: ddspec.plan/1\nspec: NaN\n", id="not a number"),
        pytest.param('format: ddspec.plan/1\n"\\q": 1\n', id="a key that is no JSON"),
        pytest.param("format: ddspec.plan/1\nspec: " + "[" * 100_000, id="depth without end"),
        pytest.param("format: ddspec.plan/1\nspec: " + "9" * 5_000, id="an endless number"),
        pytest.param("- 1\n", id="a list"),
        pytest.param("spec: !!python/object:os.system {}\n", id="a tag"),
    ],
)
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(DdspecError) as caught:
        load_plan(text, "x")

    assert caught.value.exit is Exit.INVALID


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_no_text_gives_anything_but_a_clear_error(text: str) -> None:
    with pytest.raises(DdspecError):
        load_plan(f"format: ddspec.plan/1\n{text}", "x")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=120),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(max_size=9), VALUES, max_size=5))
@example({" begins with a space": None})
@example({'"is quoted"': None, "- looks like a list": None})
def test_any_document_comes_back_as_it_was(document: dict[str, Any]) -> None:
    assert parse(emit(document), "x") == document


def test_names_and_titles_do_not_make_a_plan_stale(planned: Plans) -> None:
    plan = planned()
    other = plan.experiment.model_copy(update={"title": "Other"})
    renamed = replace(plan, variants=(replace(plan.variants[0], experiment=other),))

    assert renamed.digest == plan.digest
