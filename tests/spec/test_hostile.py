"""No file can make loading do anything but answer with a located error, soon."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from ddspec.errors import DdspecError, Exit
from ddspec.spec.load import load_spec, load_text

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
"""10^9 nodes in 400 bytes."""
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069]")


def refusal(text: str) -> str:
    with pytest.raises(DdspecError) as raised:
        load_text(text, "x.yaml")

    assert raised.value.exit is Exit.INVALID
    return str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "x.yaml:1:1: `x.yaml` is empty", id="empty"),
        pytest.param("# nothing\n", "x.yaml:1:1: `x.yaml` is empty", id="comment-only"),
        pytest.param(
            "--- \n",
            "x.yaml:2:1: the document must be a section of keys and values, not nothing",
            id="null-document",
        ),
        pytest.param(
            "- a\n",
            "x.yaml:1:1: the document must be a section of keys and values, not a list",
            id="list-document",
        ),
        pytest.param(
            LAUGHS,
            "x.yaml:5:17: more than 50,000 values, aliases counted where used",
            id="billion-laughs",
        ),
        pytest.param(
            "[" + "a, " * 50_000 + "]",
            "x.yaml:1:149999: more than 50,000 values, aliases counted where used",
            id="too-many-nodes",
        ),
        pytest.param(
            "a: " + "[" * 80 + "]" * 80, "x.yaml:1:67: nested more than 64 levels deep", id="deep"
        ),
        pytest.param("{a: " * 5_000, "x.yaml:1:257: nested more than 64 levels deep", id="endless"),
        pytest.param(
            f"a: &a {'[' * 40}{']' * 40}\nb: {'[' * 40}*a{']' * 40}\n",
            "x.yaml:2:44: nested more than 64 levels deep",
            id="deep-through-an-alias",
        ),
        pytest.param(
            "a: &a [*a]\n", "x.yaml:1:8: alias `*a` lies inside what it names", id="self-alias"
        ),
        pytest.param(
            "a: *b\n", "x.yaml:1:4: alias `*b` names no anchor above it", id="unknown-alias"
        ),
        pytest.param(
            "%YAML 1.1\n---\na: 1\n",
            "x.yaml:1:1: only YAML 1.2 is read, and no directive but `%YAML 1.2`",
            id="yaml-1.1",
        ),
        pytest.param(
            "%TAG ! tag:x,2000:\n---\na: 1\n",
            "x.yaml:1:1: only YAML 1.2 is read, and no directive but `%YAML 1.2`",
            id="tag-directive",
        ),
        pytest.param(
            "a: 1\n---\nb: 2\n",
            "x.yaml:2:1: a second document begins here; one file holds one document",
            id="two-documents",
        ),
        pytest.param(
            "a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> other\n",
            "x.yaml:2:1: merge-conflict marker",
            id="merge-conflict",
        ),
        pytest.param("a: \0\n", "x.yaml:1:4: character U+0000 is not allowed in YAML", id="nul"),
        pytest.param(
            "a: 1\nb: \x1b[31m\n", "x.yaml:2:4: character U+001B is not allowed", id="escape"
        ),
        pytest.param(
            "a: \ud800\n", "x.yaml:1:4: character U+D800 is not allowed in YAML", id="surrogate"
        ),
        pytest.param(
            "a: \u2028\n", "x.yaml:1:4: character U+2028 is not allowed", id="line-separator"
        ),
        pytest.param("[a]: 1\n", "x.yaml:1:1: a key must be plain text", id="list-as-key"),
        pytest.param("a: &a b\n*a : 1\n", "x.yaml:2:1: a key must be plain", id="alias-as-key"),
        pytest.param("a: [1\n", "x.yaml:2:1: not valid YAML: ", id="unclosed"),
        pytest.param("a:\n\t- b\n", "x.yaml:2:1: not valid YAML: ", id="tab"),
        pytest.param('a: "\\UFFFFFFFF"\n', "x.yaml:1:1: not valid YAML", id="impossible-escape"),
        pytest.param("a: b: c\n", "x.yaml:1:5: not valid YAML: mapping values", id="two-colons"),
        pytest.param(
            "a: " + "!" * 1_000_000, "x.yaml:1:4: tags are not allowed", id="an-endless-tag"
        ),
        pytest.param(
            "disagreements: ["
            + "{setting: x, paper: x, code: y, takes: paper, why: z}," * 4_000
            + "]",
            "x.yaml:1:1: more than 200 disagreements",
            id="thousands-of-disagreements",
        ),
        pytest.param("a: !!python/name:os.system\n", "x.yaml:1:4: tags are not", id="python-tag"),
    ],
)
def test_hostile_text_is_refused_where_it_is_hostile(text: str, message: str) -> None:
    found = refusal(text)

    assert message in found


@pytest.mark.parametrize(
    "character",
    [*"\0\x08\x0b\x0c\x0e\x1f\x7f\x84\x86\x9f\u2028\u2029\ud800\udfff\ufeff\ufffe\uffff"],
    ids=lambda character: f"{ord(character):04x}",
)
def test_what_yaml_refuses_is_found_among_what_it_allows(character: str) -> None:
    allowed = "\t\x20~\x85\xa0é\u2027\u202a\ud7ff\ue000\ufefe\uff00\ufffd\U00010000\U0010ffff"

    found = refusal(f"# {allowed}\r\na: {character}\n")

    assert f"x.yaml:2:4: character U+{ord(character):04X} is not" in found


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("title: !!str x", "tags are not allowed in a spec", id="tag"),
        pytest.param("title: ! x", "tags are not allowed in a spec", id="empty-tag"),
        pytest.param("budget: !!map {images_per_class: 1}", "tags are not", id="tagged-section"),
        pytest.param("<<: {a: 1}", "merge keys (`<<`) are not allowed", id="merge-key"),
        pytest.param("1: x", "a key must be text, not `1`", id="integer-key"),
        pytest.param("null: x", "a key must be text, not `null`", id="null-key"),
        pytest.param("name: y", "duplicate key `name`", id="duplicate-key"),
        pytest.param("seed: .inf", "`.inf` is not a finite number", id="infinity"),
        pytest.param("seed: 99999999999999999999", "does not fit into 64 bits", id="integer"),
    ],
)
def test_a_refused_construct_is_the_only_complaint_about_itself(
    good: str, line: str, message: str
) -> None:
    key = line.partition(":")[0]
    rest = [other for other in good.splitlines() if key == "name" or not other.startswith(key)]

    found = refusal("\n".join([*rest, line]))

    assert message in found
    assert len(re.findall(r"^x\.yaml:", found, re.MULTILINE)) == 1


def test_problems_of_form_and_of_content_are_told_together(good: str) -> None:
    text = good.replace("depth: 2", "depth: 9") + "seed: .nan\nnames: 1\n"

    found = refusal(text)

    assert [line.partition(": ")[0] for line in found.splitlines() if line.startswith("x.")] == [
        "x.yaml:7:10",
        "x.yaml:20:7",
        "x.yaml:21:1",
    ]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("title: a\u202eb", id="right-to-left-override"),
        pytest.param("title: a\u2066b", id="isolate"),
        pytest.param("title: a\u200bb", id="zero-width-space"),
        pytest.param("title: a\x85b", id="next-line"),
        pytest.param('title: "a\\u001b[31m"', id="escaped-control-character"),
        pytest.param('"a\\u202eb": 1', id="in-a-key"),
    ],
)
def test_nothing_that_moves_a_terminal_is_shown(good: str, line: str) -> None:
    found = refusal(f"{good.replace('title:', '# ')}{line} # \u202e\nzzz: \n")

    assert not UNSAFE.search(found)


def test_a_long_line_is_not_repeated_in_full(good: str) -> None:
    found = refusal(f"{good}zzz: {'x' * 100_000}\n")

    assert "xxx…" in found
    assert max(map(len, found.splitlines())) < 400  # the hint lists the 22 keys of a spec


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"name: a\nbudget: \xff\n", "2:9: byte 0xff is not UTF-8", id="not-utf-8"),
        pytest.param("name: a".encode("utf-16"), "1:1: byte 0xff is not UTF-8", id="utf-16"),
        pytest.param(b"#" * (2**20 + 1), ": `{path}` is larger than 1 MiB", id="too-large"),
        pytest.param(b"", ":1:1: `{path}` is empty", id="empty"),
    ],
)
def test_hostile_bytes_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(content)

    with pytest.raises(DdspecError) as raised:
        load_spec(path)

    assert message.format(path=path) in str(raised.value)
    assert raised.value.exit is Exit.INVALID


def test_one_mebibyte_is_still_read(tmp_path: Path, good: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(good + "#" * (2**20 - len(good)))

    loaded = load_spec(path)

    assert loaded.experiment.name == "small"


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path, good: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("\ufeff" + good, encoding="utf-8")

    loaded = load_spec(path)

    assert loaded.text == good
    assert loaded.place("name").column == 7


def _directory(path: Path) -> None:
    path.mkdir()


def _link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(_directory, "is a directory", id="directory"),
        pytest.param(os.mkfifo, "is not a regular file", id="fifo"),
        pytest.param(_link, "is a symbolic link", id="link"),
        pytest.param(_dangling, "is a symbolic link", id="dangling-link"),
        pytest.param(lambda path: None, "does not exist", id="missing"),
    ],
)
def test_only_regular_files_are_opened(tmp_path: Path, make: object, message: str) -> None:
    path = tmp_path / "x.yaml"
    assert callable(make)
    make(path)

    with pytest.raises(DdspecError) as raised:
        load_spec(path)

    assert str(raised.value).splitlines()[0] == f"{path}: `{path}` {message}"
    assert raised.value.exit is Exit.INVALID


@pytest.mark.parametrize(
    "name", [pytest.param("a\0b", id="nul"), pytest.param("x" * 5000, id="too-long")]
)
def test_impossible_names_are_refused(name: str) -> None:
    with pytest.raises(DdspecError) as raised:
        load_spec(name)

    assert "cannot be read" in str(raised.value)


def test_devices_are_not_read() -> None:
    with pytest.raises(DdspecError) as raised:
        load_spec("/dev/zero")

    assert "is not a regular file" in str(raised.value)


def test_a_missing_file_suggests_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "digits.yaml").touch()

    with pytest.raises(DdspecError) as raised:
        load_spec(tmp_path / "digit.yaml")

    assert raised.value.diagnostics[0].hint == f"did you mean `{tmp_path}/digits.yaml`?"


def test_lines_of_a_file_that_is_not_ours_are_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("password: hunter2\ntoken: [abc\n")

    with pytest.raises(DdspecError) as raised:
        load_spec(path)

    assert "hunter2" not in str(raised.value)
    assert "abc" not in str(raised.value)
