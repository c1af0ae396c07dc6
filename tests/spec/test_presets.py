"""A preset fills in what a spec leaves out, for its dataset and budget."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddspec.canon import Json
from ddspec.errors import DdspecError, Exit
from ddspec.plan.compile import compile_spec
from ddspec.spec.load import Loaded, load_spec, load_text
from ddspec.spec.lock import Lock, LockedClass, digest_of_splits, lock_path
from ddspec.spec.lock_text import write_lock
from ddspec.spec.presets import Subject, When, holds, preset_names, read_preset

SPEC = """\
name: mine
preset: toy
dataset: {kind: digits}
budget: {images_per_class: 1}
"""
FOLDER = SPEC.replace("{kind: digits}", "{kind: folder, path: x, size: 64}")


def setting(loaded: Loaded, path: str) -> Json:
    return {".".join(keys): value for keys, value, _ in loaded.settings()}[path]


def refusal(text: str, presets: Path) -> str:
    with pytest.raises(DdspecError) as raised:
        load_text(text, "x.yaml", presets=presets)

    assert raised.value.exit is Exit.INVALID
    return str(raised.value)


def test_a_preset_a_dataset_and_a_budget_are_a_spec(presets: Path) -> None:
    loaded = load_text(SPEC, "x.yaml", presets=presets)

    assert setting(loaded, "network.depth") == 2
    assert setting(loaded, "pool.models") == 3
    assert setting(loaded, "matcher.distance") == "l1"


@pytest.mark.parametrize(
    ("old", "new", "path", "value"),
    [
        pytest.param("digits", "cifar10", "network.depth", 3, id="larger-images"),
        pytest.param("class: 1", "class: 10", "loops.outer_loops", 80, id="larger-budget"),
        pytest.param("toy", "{name: toy, variant: fast}", "loops.outer_loops", 8, id="variant"),
        pytest.param("", "pool: {models: 9}\n", "pool.models", 9, id="own-value"),
        pytest.param("", "matcher: {max_views: 9}\n", "matcher.distance", "l1", id="beside-own"),
        pytest.param(
            "",
            "perturbation: {coefficient: {law: fixed, value: 1.0}}\n",
            "perturbation.coefficient.law",
            "fixed",
            id="own-law",
        ),
    ],
)
def test_blocks_are_chosen_and_overridden(
    presets: Path, old: str, new: str, path: str, value: Json
) -> None:
    text = SPEC.replace(old, new, 1) if old else SPEC + new

    assert setting(load_text(text, "x.yaml", presets=presets), path) == value


def test_classes_of_a_folder_are_counted_where_they_are_listed(presets: Path) -> None:
    names = ", ".join(f"c{n}" for n in range(20))
    listed = FOLDER.replace("size: 64", f"size: 64, classes: [{names}]")

    unknown = load_text(FOLDER, "x.yaml", presets=presets)
    known = load_text(listed, "x.yaml", presets=presets)

    assert setting(unknown, "matcher.real_batch") == 32
    assert setting(known, "matcher.real_batch") == 16


def test_classes_of_a_folder_are_counted_by_its_lock(presets: Path, tmp_path: Path) -> None:
    classes = {f"c{n}": LockedClass(images=2, digest="0" * 64) for n in range(20)}
    lock = Lock(
        kind="folder", splits={"train": classes}, digest=digest_of_splits({"train": classes})
    )
    spec = tmp_path / "x.yaml"
    spec.write_text(FOLDER)

    given = load_spec(spec, lock=lock, presets=presets)
    write_lock(lock_path(spec), lock)
    beside = load_spec(spec, presets=presets)

    assert setting(given, "matcher.real_batch") == 16
    assert setting(beside, "matcher.real_batch") == 16


def test_an_inherited_preset_can_be_refined_replaced_and_forgotten(
    presets: Path, tmp_path: Path, good: str
) -> None:
    (presets / "other.yaml").write_text(
        "format: ddspec.preset/1\nname: other\ntitle: other\n"
        "blocks: [{source: ours, set: {pool: {models: 2}}}]\n"
    )
    (tmp_path / "base.yaml").write_text(good.replace("name: small", "preset: toy"))

    def models(preset: str) -> Json:
        (tmp_path / "x.yaml").write_text(f"extends: base.yaml\nname: x\n{preset}\n")
        return setting(load_spec(tmp_path / "x.yaml", presets=presets), "pool.models")

    assert models("") == 3
    assert models("preset: {variant: fast}") == 3
    assert models("preset: other") == 2
    assert models("preset: null") == 5


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            SPEC.replace("toy", "toyy"),
            "x.yaml:2:9: no preset is called `toyy`\n"
            "  2 | preset: toyy\n"
            "    |         ^^^^\n"
            "  hint: did you mean `toy`?",
            id="unknown-preset",
        ),
        pytest.param(
            SPEC.replace("toy", "zzz"),
            "x.yaml:2:9: no preset is called `zzz`\n"
            "  2 | preset: zzz\n"
            "    |         ^^^\n"
            "  hint: there is `toy`",
            id="nothing-alike",
        ),
        pytest.param(
            SPEC.replace("toy", "{name: toy, variant: fats}"),
            "x.yaml:2:30: preset `toy` has no variant `fats`\n"
            "  2 | preset: {name: toy, variant: fats}\n"
            "    |                              ^^^^\n"
            "  hint: did you mean `fast`?",
            id="unknown-variant",
        ),
        pytest.param(
            SPEC.replace("toy", "{variant: fast}"),
            "x.yaml:2:1: missing key `name` in `preset`\n"
            "  2 | preset: {variant: fast}\n"
            "    | ^^^^^^\n"
            "  hint: there is `toy`",
            id="variant-of-nothing",
        ),
        pytest.param(
            SPEC.replace("toy", "../../secret"),
            "x.yaml:2:9: `name` must be a name of at most 63 lower-case letters, digits, `-` and "
            "`_`, not `../../secret`\n"
            "  2 | preset: ../../secret\n"
            "    |         ^^^^^^^^^^^^",
            id="path",
        ),
        pytest.param(
            SPEC.replace("toy", "{name: toy, speed: 5}"),
            "x.yaml:2:21: unknown key `speed` in `preset`\n"
            "  2 | preset: {name: toy, speed: 5}\n"
            "    |                     ^^^^^\n"
            "  hint: the keys here are `name`, `variant`",
            id="unknown-key",
        ),
        pytest.param(
            SPEC.replace("preset:", "prest:"),
            "x.yaml:2:1: unknown key `prest`\n"
            "  2 | prest: toy\n"
            "    | ^^^^^\n"
            "  hint: did you mean `preset`?",
            id="misspelt-directive",
        ),
        pytest.param(
            SPEC.replace("digits", "digit").replace("class: 1", "class: 0"),
            "x.yaml:3:17: `kind` must be one of",
            id="dataset",
        ),
        pytest.param(
            SPEC + "update: {learning_rate: -1}\n",
            "x.yaml:5:25: `learning_rate` must be a number above 0, not `-1`\n"
            "  5 | update: {learning_rate: -1}\n"
            "    |                         ^^",
            id="own-value",
        ),
        pytest.param(
            SPEC + "perturbation:\n  coefficient: {law: fixed}\n",
            "x.yaml:6:3: missing key `value` in `coefficient`\n  6 |   coefficient: {law: fixed}\n",
            id="missing-in-own-section",
        ),
    ],
)
def test_a_persons_mistake_is_shown_in_their_file(presets: Path, text: str, message: str) -> None:
    assert refusal(text, presets).startswith(message)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(
            "learning_rate: 0.1",
            "learning_rate: -1",
            "presets/methods/toy.yaml:14:31: `learning_rate` must be a number above 0, not `-1` "
            "(from preset `toy`, which x.yaml:2 names)\n"
            "  14 |       update: {learning_rate: -1}\n"
            "     |                               ^^",
            id="value",
        ),
        pytest.param(
            "distance: l1",
            "distnce: l1",
            "x.yaml:2:9: missing key `distance` in `matcher`",
            id="missing",
        ),
        pytest.param(
            "update: {learning_rate: 0.1}",
            "updat: {learning_rate: 0.1}",
            "x.yaml:1:1: missing key `update`",
            id="missing-section",
        ),
        pytest.param(
            'source: "code, main.py"',
            'sorce: "code, main.py"',
            "presets/methods/toy.yaml:5:5: missing key `source` in `blocks[0]`",
            id="form",
        ),
        pytest.param(
            "set: {loops: {outer_loops: 80}}",
            "set: {dataset: {kind: digits}}",
            "presets/methods/toy.yaml:28:5: a preset cannot set `dataset`",
            id="personal",
        ),
        pytest.param(
            "size: [null, 16]",
            "size: [17, 16]",
            "presets/methods/toy.yaml:22:5: the range is empty",
            id="empty-range",
        ),
        pytest.param(
            "takes: paper",
            "takes: both",
            "presets/methods/toy.yaml:27:62: `takes` must be `paper`, `code` or `ours`, not `both`",
            id="disagreement",
        ),
    ],
)
def test_our_mistake_is_shown_in_the_preset(
    presets: Path, old: str, new: str, message: str
) -> None:
    path = presets / "toy.yaml"
    path.write_text(path.read_text().replace(old, new))

    assert refusal(SPEC, presets).startswith(message)


def test_what_else_is_wrong_is_told_beside_an_unknown_preset(presets: Path) -> None:
    text = SPEC.replace("toy", "toyy") + "loops: {outer_loops: 0}\nnetwork: {depht: 2}\n"

    found = [line for line in refusal(text, presets).splitlines() if line[0] != " "]

    assert [line.split(" ")[0] for line in found] == ["x.yaml:2:9:", "x.yaml:5:22:"]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        pytest.param(
            "name: x\npreset: toy\n",
            ["1:1: missing key `dataset`", "1:1: missing key `budget`"],
            id="missing",
        ),
        pytest.param(SPEC.replace("digits", "digit"), ["3:17: `kind` must be one of"], id="wrong"),
    ],
)
def test_without_its_dataset_nothing_else_is_said_to_be_missing(
    presets: Path, text: str, places: list[str]
) -> None:
    path = presets / "toy.yaml"
    path.write_text(path.read_text().replace("update: {learning_rate: 0.1}", "precision: float32"))

    found = [line for line in refusal(text, presets).splitlines() if line.startswith("x.yaml")]

    assert [line[7 : 7 + len(place)] for line, place in zip(found, places, strict=True)] == places


# --- conditions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        pytest.param({}, True, id="none"),
        pytest.param({"dataset": ["mnist", "digits"]}, True, id="dataset"),
        pytest.param({"dataset": ["mnist"]}, False, id="another-dataset"),
        pytest.param({"size": [8, 8]}, True, id="closed-range"),
        pytest.param({"size": [None, 7]}, False, id="below"),
        pytest.param({"size": [9, None]}, False, id="above"),
        pytest.param({"size": [None, None]}, True, id="any-that-is-known"),
        pytest.param({"classes": [None, None]}, False, id="unknown"),
        pytest.param({"variant": ["fast"]}, False, id="no-variant"),
        pytest.param({"dataset": ["digits"], "channels": [3, 3]}, False, id="all-must-hold"),
    ],
)
def test_conditions_hold_of_what_is_known(when: dict[str, Json], expected: bool) -> None:
    subject = Subject(dataset="digits", size=8, channels=1, images_per_class=1)

    assert holds(When.model_validate(when), subject) is expected


def test_a_digest_is_of_meaning(presets: Path) -> None:
    before = read_preset("toy", presets).digest
    text = (presets / "toy.yaml").read_text()
    for name, changed in {
        "same": f"# a comment\n{text}",
        "other": text.replace("outer_loops: 80", "outer_loops: 81"),
    }.items():
        (presets.parent / name).mkdir()
        (presets.parent / name / "toy.yaml").write_text(changed)

    assert read_preset("toy", presets.parent / "same").digest == before
    assert read_preset("toy", presets.parent / "other").digest != before
    assert load_text(SPEC, "x.yaml", presets=presets).presets == {"toy": before}
    assert preset_names(presets) == ("toy",)


def test_where_nothing_is_published_a_note_says_so(presets: Path) -> None:
    text = SPEC.replace("class: 1", "class: 5")

    (note,) = load_text(text, "x.yaml", presets=presets).notes

    assert str(note) == (
        "x.yaml:2:9: `toy` has no published result for digits at 5 images per class\n"
        "  2 | preset: toy\n"
        "    |         ^^^\n"
        "  hint: its settings are general"
    )
    assert load_text(SPEC, "x.yaml", presets=presets).notes == ()


def test_a_rule_that_a_presets_value_violates_says_where_it_is_from(presets: Path) -> None:
    path = presets / "toy.yaml"
    path.write_text(path.read_text().replace("network: {depth: 2}", "network: {depth: 5}"))

    with pytest.raises(DdspecError) as raised:
        compile_spec(load_text(SPEC, "x.yaml", presets=presets))

    assert "presets/methods/toy.yaml:24:" in str(raised.value)
    assert "(from preset `toy`, which x.yaml:2 names) [DDS003]" in str(raised.value)
