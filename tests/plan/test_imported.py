"""Plans of imported sets: one stage instead of a distillation, and what moves its key."""

from __future__ import annotations

import pytest

from ddspec.errors import DdspecError
from ddspec.plan.compile import compile_spec
from ddspec.plan.diff import diff
from ddspec.plan.ir import Plan
from ddspec.plan.said import settings_of
from ddspec.plan.text import dump_plan, load_plan
from ddspec.spec.load import load_text
from ddspec.wire.work import ImportWork

BASE = """\
name: judged
preset: dc
dataset: {kind: digits}
budget: {images_per_class: 1}
network: {kind: convnet, depth: 2, width: 8}
init: {kind: real}
evaluate: {protocol: {name: short, steps: 10}, repeats: 2, baselines: {random: 10, init: 0}}
"""
SHA = "ab" * 32
IMPORTED = f"""\
imported:
  layout: dc
  files: [{{path: sets/res.pt, sha256: {SHA}}}]
  space: normalised
"""


def plan_of(text: str) -> Plan:
    return compile_spec(load_text(text, "judged.yaml"))


def refused(text: str) -> str:
    with pytest.raises(DdspecError) as caught:
        plan_of(text)
    return "\n".join(map(str, caught.value.diagnostics))


def key_of(plan: Plan, label: str) -> str:
    key = plan.stage(label).key
    assert key is not None
    return key


@pytest.fixture
def imported() -> Plan:
    return plan_of(BASE + IMPORTED)


def test_one_stage_takes_the_place_of_pool_and_distillation(imported: Plan) -> None:
    heads = {stage.label.partition("/")[0] for stage in imported}

    assert heads == {"prepare", "import", "select", "evaluate"}
    assert imported.stage("evaluate/convnet2-w8/0").upstream["set"] == "import"
    assert imported.stage("import").location == {"file/0": "sets/res.pt"}


def test_everything_else_is_shared_with_a_set_that_is_distilled(imported: Plan) -> None:
    distilled = plan_of(BASE)

    for label in (
        "prepare/train",
        "prepare/test",
        "select/random/3",
        "evaluate/random/convnet2-w8/3",
    ):
        assert key_of(imported, label) == key_of(distilled, label)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("sets/res.pt", "other/place.pt", id="where the file lies"),
        pytest.param("preset: dc", "preset: dsa", id="how it would be distilled"),
        pytest.param("layout: dc", "layout: dc\n  experiment: 0", id="the first experiment"),
        pytest.param(
            "space: normalised",
            'space: normalised\n  classes: ["0","1","2","3","4","5","6","7","8","9"]',
            id="the order of the dataset",
        ),
    ],
)
def test_keys_do_not_move_with(imported: Plan, before: str, after: str) -> None:
    moved = plan_of((BASE + IMPORTED).replace(before, after))

    assert key_of(moved, "import") == key_of(imported, "import")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(SHA, "cd" * 32, id="the file"),
        pytest.param("layout: dc", "layout: dc\n  experiment: 1", id="the experiment"),
        pytest.param(
            "space: normalised", "space: normalised\n  mean: [0.3]\n  std: [0.4]", id="constants"
        ),
        pytest.param(
            "space: normalised",
            'space: normalised\n  classes: ["1","0","2","3","4","5","6","7","8","9"]',
            id="the order of classes",
        ),
        pytest.param("images_per_class: 1", "images_per_class: 2", id="the number of images"),
    ],
)
def test_keys_move_with(imported: Plan, before: str, after: str) -> None:
    moved = plan_of((BASE + IMPORTED).replace(before, after))

    assert key_of(moved, "import") != key_of(imported, "import")


def work_of(text: str) -> ImportWork:
    work = plan_of(text).stage("import").work
    assert isinstance(work, ImportWork)
    return work


def test_each_label_of_the_files_is_told_its_number_in_the_dataset() -> None:
    # the file's class 0 is called 1, its class 1 is called 2, and its class 2 is called 0
    names = "  classes: [" + ", ".join(f'"{name}"' for name in "1203456789") + "]\n"

    assert work_of(BASE + IMPORTED + names).order == (1, 2, 0, 3, 4, 5, 6, 7, 8, 9)
    assert work_of(BASE + IMPORTED).order is None


def test_labels_are_taken_from_the_files_where_the_spec_learned_them() -> None:
    teaching = (BASE + IMPORTED).replace(
        "{name: short, steps: 10}", "{name: short, steps: 10, teaching: {temperature: 1.0}}"
    )

    assert work_of(teaching + "labels: {kind: expert}\n").labels == "expert"
    assert work_of(BASE + IMPORTED).labels is None


def test_published_constants_that_are_those_of_the_dataset_say_nothing_new() -> None:
    text = (BASE + IMPORTED).replace("kind: digits", "kind: mnist")
    said = text + "  mean: [0.1307]\n  std: [0.3081]\n"

    assert key_of(plan_of(said), "import") == key_of(plan_of(text), "import")


def test_a_plan_file_is_read_as_it_was_written(imported: Plan) -> None:
    text = dump_plan(imported, made_from=None)

    again, _ = load_plan(text, "judged.plan.yaml")

    assert again.digest == imported.digest
    assert "schedule:" not in text
    work = again.stage("import").work
    assert isinstance(work, ImportWork)
    assert work.files[0].content == SHA


def test_a_comparison_with_a_distilled_set_says_that_distillation_changed(imported: Plan) -> None:
    found = diff(plan_of(BASE), imported)

    assert found.moves == "distillation"
    assert found.comparable


def test_teachers_of_soft_labels_are_trained_though_nothing_is_distilled() -> None:
    text = (
        (BASE + IMPORTED)
        .replace("preset: dc", "preset: acc_dd")
        .replace(
            "{name: short, steps: 10}", "{name: short, steps: 10, teaching: {temperature: 4.0}}"
        )
    )
    plan = plan_of(text + "labels: {kind: soft}\n")

    labels = {stage.label for stage in plan}
    assert "pool/0" in labels
    assert "relabel" in labels
    assert "distill" not in labels


@pytest.mark.parametrize(
    ("more", "code"),
    [
        pytest.param("resources: {shards: 2}\n", "DDS076", id="shards"),
        pytest.param("parameterization: {space: zca}\n", "DDS077", id="whitened"),
    ],
)
def test_what_an_imported_set_cannot_have_is_refused(more: str, code: str) -> None:
    assert code in refused(BASE + IMPORTED + more)


def test_a_whitened_set_is_refused_under_a_protocol_that_does_not_whiten() -> None:
    text = (BASE + IMPORTED).replace("space: normalised", "space: zca").replace("dc\n", "mtt\n", 1)

    told = refused(text.replace("preset: mtt", "preset: dc") + "parameterization: {space: zca}\n")

    assert "DDS030" in told
    assert "does not whiten images" in told


def test_a_protocol_that_takes_a_learned_rate_needs_it_to_be_said() -> None:
    protocol = "{name: short, steps: 10, learned_rate: true}"
    text = (BASE + IMPORTED).replace("{name: short, steps: 10}", protocol)

    assert "imported.learning_rate" in refused(text)
    plan_of(text + "  learning_rate: 0.02\n")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        pytest.param(
            "{layout: mtt, experiment: 1, space: pixel, files: [{path: a, sha256: DIGEST}]}",
            "leave `experiment` out",
            id="an experiment of mtt",
        ),
        pytest.param(
            "{layout: idc, space: pixel, files: [{path: a, sha256: DIGEST, holds: labels}]}",
            "leave `holds` out",
            id="labels of idc",
        ),
        pytest.param(
            "{layout: mtt, space: pixel, files: [{path: a, sha256: DIGEST, holds: labels}]}",
            "some file holds images",
            id="labels alone",
        ),
        pytest.param(
            "{layout: idc, space: pixel, files: "
            "[{path: a, sha256: DIGEST}, {path: b, sha256: DIGEST}]}",
            "named twice",
            id="a file twice",
        ),
        pytest.param(
            "{layout: dc, space: normalised, mean: [0.1], files: [{path: a, sha256: DIGEST}]}",
            "go together",
            id="a mean alone",
        ),
        pytest.param(
            "{layout: dc, space: zca, mean: [0.1], std: [0.1], files: [{path: a, sha256: DIGEST}]}",
            "have no `mean` and `std`",
            id="a mean of pixels",
        ),
    ],
)
def test_a_section_that_contradicts_itself_is_refused(section: str, said: str) -> None:
    assert said in refused(BASE + f"imported: {section.replace('DIGEST', SHA)}\n")


def test_settings_that_reach_nothing_are_told_as_such() -> None:
    notes = {one.path: one.note for one in settings_of(load_text(BASE + IMPORTED, "judged.yaml"))}

    assert notes["matcher.kind"] == notes["loops.outer_loops"] == "reaches nothing here"
    assert notes["network.width"] == notes["imported.layout"] == ""


def test_a_setting_that_reaches_nothing_changes_nothing(imported: Plan) -> None:
    moved = plan_of(BASE + IMPORTED + "loops: {outer_loops: 7}\n")

    found = diff(imported, moved)

    assert found.moves == "cosmetic"
    assert [stage.key for stage in moved] == [stage.key for stage in imported]
