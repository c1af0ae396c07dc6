"""What is wrong, where, and the way out, in plain words: the exact text of each message."""

from __future__ import annotations

import re

import pytest

from ddspec.errors import DdspecError, Exit
from ddspec.spec.load import load_text

PROTOCOL_KEYS = (
    "`name`, `epochs`, `steps`, `batch`, `optimizer`, `decay`, `augmentation`, `cutmix`, `mixup`, "
    "`accumulate`, `teaching`, `zca`, `learned_rate`, `reported`"
)


def complaint(text: str) -> str:
    with pytest.raises(DdspecError) as raised:
        load_text(text, "x.yaml")

    assert raised.value.exit is Exit.INVALID
    return str(raised.value)


def edited(good: str, old: str, new: str) -> str:
    assert old in good
    return good.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(
            "  epochs: 1",
            "  epochz: 1",
            """\
x.yaml:10:3: unknown key `epochz` in `pool`
  10 |   epochz: 1
     |   ^^^^^^
  hint: did you mean `epochs`?""",
            id="misspelt-key",
        ),
        pytest.param(
            "name: small",
            "name: small\nzzz: 1",
            """\
x.yaml:2:1: unknown key `zzz`
  2 | zzz: 1
    | ^^^
  hint: the keys here are `name`, `title`, `seed`, `dataset`, `budget`, `network`, `pool`, \
`perturbation`, `inner`, `matcher`, `augmentation`, `parameterization`, `init`, `update`, \
`labels`, `loops`, `precision`, `evaluate`, `resources`, `expect`, `imported`, `preset`, \
`extends`, `matrix`, `replicates`, `disagreements`""",
            id="unknown-section",
        ),
        pytest.param(
            "  depth: 2",
            "  depth: 7",
            """\
x.yaml:7:10: `depth` must be an integer between 1 and 6, not `7`
  7 |   depth: 7
    |          ^""",
            id="out-of-range",
        ),
        pytest.param(
            "  depth: 2",
            '  depth: "2"',
            """\
x.yaml:7:10: `depth` must be an integer between 1 and 6, not `"2"`
  7 |   depth: "2"
    |          ^^^
  hint: write the number without quotes""",
            id="quoted-number",
        ),
        pytest.param(
            "  depth: 2",
            "  depth: 2.0",
            """\
x.yaml:7:10: `depth` must be an integer between 1 and 6, not `2.0`
  7 |   depth: 2.0
    |          ^^^""",
            id="float-for-integer",
        ),
        pytest.param(
            "  depth: 2",
            "  depth: true",
            """\
x.yaml:7:10: `depth` must be an integer between 1 and 6, not `true`
  7 |   depth: true
    |          ^^^^""",
            id="truth-value-for-integer",
        ),
        pytest.param(
            "  depth: 2",
            "  depth:",
            """\
x.yaml:7:3: `depth` must be an integer between 1 and 6, not nothing
  7 |   depth:
    |   ^^^^^""",
            id="empty-value",
        ),
        pytest.param(
            "  kind: convnet",
            "  kind: convnett",
            """\
x.yaml:6:9: `kind` must be one of `classic`, `convnet`, `resnet_ap`, `torchvision`, not `convnett`
  6 |   kind: convnett
    |         ^^^^^^^^
  hint: did you mean `convnet`?""",
            id="misspelt-kind",
        ),
        pytest.param(
            "  kind: convnet\n",
            "",
            """\
x.yaml:5:1: missing key `kind` in `network`
  5 | network:
    | ^^^^^^^
  hint: `kind` is one of `classic`, `convnet`, `resnet_ap`, `torchvision`""",
            id="no-kind",
        ),
        pytest.param(
            "  outer_loops: 2\n",
            "",
            """\
x.yaml:16:1: missing key `outer_loops` in `loops`
  16 | loops:
     | ^^^^^
  hint: `outer_loops` must be an integer between 1 and 100000""",
            id="missing-setting",
        ),
        pytest.param(
            "inner: {kind: frozen}\n",
            "",
            """\
x.yaml:1:1: missing key `inner`
  1 | name: small
    | ^
  hint: `inner` must be a section with `kind` `frozen`, `on_real`, `on_synthetic` or `unrolled`""",
            id="missing-section",
        ),
        pytest.param(
            "  distance: l1",
            "  distance: l2",
            """\
x.yaml:14:13: `distance` must be `squared`, `l1`, `channel_mean` or `cosine`, not `l2`
  14 |   distance: l2
     |             ^^""",
            id="unknown-choice",
        ),
        pytest.param(
            "  distance: l1",
            "  distance: square",
            """\
x.yaml:14:13: `distance` must be `squared`, `l1`, `channel_mean` or `cosine`, not `square`
  14 |   distance: square
     |             ^^^^^^
  hint: did you mean `squared`?""",
            id="misspelt-choice",
        ),
        pytest.param(
            "budget: {images_per_class: 1}",
            "budget: 10",
            """\
x.yaml:4:9: `budget` must be a section of keys and values, not `10`
  4 | budget: 10
    |         ^^""",
            id="scalar-for-section",
        ),
        pytest.param(
            "name: small",
            "name: Small Set",
            """\
x.yaml:1:7: `name` must be a name of at most 63 lower-case letters, digits, `-` and `_`, \
not `Small Set`
  1 | name: Small Set
    |       ^^^^^^^^^""",
            id="bad-name",
        ),
        pytest.param(
            "inner: {kind: frozen}",
            "inner: {kind: frozen}\nperturbation: {kind: filter_gaussian, coefficient: "
            "{law: uniform_signed, low: .2, high: .1}}",
            """\
x.yaml:12:39: `low` must not exceed `high`
  12 | perturbation: {kind: filter_gaussian, coefficient: {law: uniform_signed, low: .2, high: .1}}
     |                                       ^^^^^^^^^^^""",
            id="rule-of-a-section",
        ),
        pytest.param(
            "  kind: recorded\n  epochs: 1",
            "  kind: online\n  start: 5\n  most: 3",
            """\
x.yaml:8:1: `start` must not exceed `most`
  8 | pool:
    | ^^^^""",
            id="queue-that-begins-too-long",
        ),
        pytest.param(
            "  kind: recorded\n  epochs: 1",
            "  kind: recorded\n  epochs: 1000000000\n  record: every_epoch",
            """\
x.yaml:8:1: `record` keeps 1,000,000,001 networks of a run, 2,000 are the most
  8 | pool:
    | ^^^^""",
            id="a-network-of-every-epoch",
        ),
        pytest.param(
            "  kind: recorded\n  epochs: 1",
            "  kind: checkpoints\n  weights: [{kind: file, path: x.pt, sha256: abc}]",
            """\
x.yaml:10:46: `sha256` must be the 64 lower-case hexadecimal digits that `sha256sum` prints, \
not `abc`
  10 |   weights: [{kind: file, path: x.pt, sha256: abc}]
     |                                              ^^^""",
            id="short-digest",
        ),
        pytest.param(
            "protocol: idc",
            "protocol: 5",
            """\
x.yaml:19:22: `protocol` must be a name of at most 63 lower-case letters, digits, `-` and `_` or \
a section of keys and values, not `5`
  19 | evaluate: {protocol: 5}
     |                      ^""",
            id="neither-name-nor-section",
        ),
        pytest.param(
            "protocol: idc",
            "protocol: {name: a, epochs: many, zzz: 1}",
            f"""\
x.yaml:19:40: `epochs` must be an integer of at least 1 or `idc_by_size`, not `many`
  19 | evaluate: {{protocol: {{name: a, epochs: many, zzz: 1}}}}
     |                                        ^^^^
x.yaml:19:46: unknown key `zzz` in `protocol`
  19 | evaluate: {{protocol: {{name: a, epochs: many, zzz: 1}}}}
     |                                              ^^^
  hint: the keys here are {PROTOCOL_KEYS}""",
            id="inside-one-side-of-a-choice",
        ),
        pytest.param(
            "protocol: idc",
            "protocol: idc, networks: []",
            """\
x.yaml:19:27: `networks` must be a list with at least one item, not an empty one
  19 | evaluate: {protocol: idc, networks: []}
     |                           ^^^^^^^^""",
            id="empty-list",
        ),
        pytest.param(
            "protocol: idc",
            "protocol: idc, networks: [{kind: convnet}, {kind: convnet, depth: 9}, 3]",
            """\
x.yaml:19:78: `depth` must be an integer between 1 and 6, not `9`
  19 | evaluate: {protocol: idc, networks: [{kind: convnet}, {kind: convnet, depth: 9}, 3]}
     |                                                                              ^
x.yaml:19:82: `networks[2]` must be a section with `kind` `classic`, `convnet`, `resnet_ap` or \
`torchvision`, not `3`
  19 | evaluate: {protocol: idc, networks: [{kind: convnet}, {kind: convnet, depth: 9}, 3]}
     |                                                                                  ^""",
            id="inside-a-list",
        ),
        pytest.param(
            "title: A small experiment",
            "title: in ${HOME}",
            """\
x.yaml:2:8: variables may be used only in `dataset.path`
  2 | title: in ${HOME}
    |        ^^^^^^^^^^""",
            id="variable-in-a-title",
        ),
        pytest.param(
            "dataset: {kind: digits}",
            "dataset: {kind: folder, size: 8, path: '${HOME}/x'}",
            """\
x.yaml:3:40: only variables `${DDSPEC_NAME}` may be used in a location
  3 | dataset: {kind: folder, size: 8, path: '${HOME}/x'}
    |                                        ^^^^^^^^^^^""",
            id="foreign-variable-in-a-location",
        ),
        pytest.param(
            "  outer_loops: 2",
            "  outer_loops: 2\n  snapshots: [2]",
            """\
x.yaml:16:1: snapshots must lie before outer_loops, which is 2: 2 does not; `snapshots: []` has none
  16 | loops:
     | ^^^^^""",
            id="late-snapshot",
        ),
    ],
)
def test_a_mistake_is_told_in_these_words(good: str, old: str, new: str, message: str) -> None:
    found = complaint(edited(good, old, new))

    assert found == message


def test_a_list_that_is_too_long_is_told_how_long_it_may_be(good: str) -> None:
    weights = "{kind: torchvision}," * 1001
    new = f"  kind: checkpoints\n  weights: [{weights}]"

    found = complaint(edited(good, "  kind: recorded\n  epochs: 1", new))

    assert found.splitlines()[0] == (
        "x.yaml:10:3: `weights` must be a list with at least one item, 1,000 at most, "
        "not one of 1,001"
    )


def test_all_problems_of_a_document_come_at_once_and_in_order(good: str) -> None:
    text = edited(good, "  distance: l1", "  distance: l3").replace("depth: 2", "dept: 2")

    found = complaint(text.replace("name: small\n", ""))

    assert re.findall(r"^x\.yaml:(\S+):", found, re.MULTILINE) == ["1:1", "6:3", "13:13"]


def test_no_words_of_the_validator_leak(good: str) -> None:
    text = good.replace("1", "x").replace("2", "[]").replace("{kind: frozen}", "3")

    found = complaint(text)

    assert not re.search(r"pydantic|Input should|Field required|https?:|type=|constrained", found)


def test_a_problem_behind_an_alias_is_shown_where_it_is_written(good: str) -> None:
    text = edited(good, "  depth: 2", "  depth: &bad 9").replace("  epochs: 1", "  epochs: *bad")
    text = edited(text, "inner_steps: 3", "inner_steps: 3\n  snapshots: &list [x]")

    found = complaint(edited(text, "protocol: idc", "protocol: idc, repeats: *list"))

    assert re.findall(r"^x\.yaml:(\S+): (\S+)", found, re.MULTILINE) == [
        ("7:15", "`depth`"),
        ("19:21", "`snapshots[0]`"),
        ("20:27", "`repeats`"),
    ]


def test_a_flood_of_problems_is_told_in_part(good: str) -> None:
    keys = "".join(f"zz{i}: 1\n" for i in range(150))

    found = complaint(good + keys).splitlines()

    assert found[-3] == "x.yaml:120:1: more problems follow"
    assert sum(line.startswith("x.yaml:") for line in found) == 101
