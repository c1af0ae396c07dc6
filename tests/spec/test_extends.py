"""A spec may start from others of its repository, and from nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from ddspec.errors import DdspecError, Exit
from ddspec.spec.extends import MAX_GENERATIONS, MAX_PARENTS
from ddspec.spec.load import load_spec, load_text
from ddspec.spec.source import Source

CHILD = "extends: base.yaml\nname: child\n"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: str) -> Path:
    """A repository with a whole spec in it; commands run at its top."""
    folder = tmp_path / "repository"
    (folder / ".git").mkdir(parents=True)
    (folder / "base.yaml").write_text(good)
    monkeypatch.chdir(folder)
    return folder


def write(files: Mapping[str, str]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)


def refusal(path: str) -> str:
    with pytest.raises(DdspecError) as raised:
        load_spec(path)

    assert raised.value.exit is Exit.INVALID
    return str(raised.value)


@pytest.mark.usefixtures("repository")
def test_a_child_changes_what_it_says() -> None:
    write({"specs/child.yaml": "extends: ../base.yaml\nname: child\nmatcher: {distance: cosine}\n"})

    loaded = load_spec("specs/child.yaml")

    assert loaded.experiment.name == "child"
    assert loaded.experiment.matcher.model_dump()["distance"] == "cosine"
    assert loaded.experiment.loops.outer_loops == 2
    assert loaded.file == "specs/child.yaml"
    assert list(loaded.extended) == ["base.yaml"]


@pytest.mark.usefixtures("repository")
def test_of_several_the_later_one_wins() -> None:
    write(
        {
            "a.yaml": "pool: {epochs: 7, batch: 8}\n",
            "b.yaml": "pool: {epochs: 9}\n",
            "child.yaml": "extends: [base.yaml, a.yaml, b.yaml]\nname: child\n",
        }
    )

    pool = load_spec("child.yaml").experiment.pool.model_dump()

    assert (pool["epochs"], pool["batch"]) == (9, 8)


@pytest.mark.usefixtures("repository")
def test_what_a_file_says_of_itself_is_not_inherited(good: str) -> None:
    own = "expect: [{accuracy: 0.5, source: ours}]\nmatrix: {pool.epochs: [1, 2]}\n"
    write({"base.yaml": good + own, "child.yaml": CHILD})

    loaded = load_spec("child.yaml")

    assert loaded.experiment.title is None
    assert loaded.experiment.expect == ()
    assert loaded.matrix is None


@pytest.mark.usefixtures("repository")
def test_a_child_needs_a_name_of_its_own() -> None:
    write({"child.yaml": "extends: base.yaml\n"})

    assert refusal("child.yaml").startswith("child.yaml:1:1: missing key `name`")


@pytest.mark.usefixtures("repository")
def test_a_mistake_in_a_parent_is_shown_there_with_the_chain() -> None:
    write(
        {
            "specs/old.yaml": "pool:\n  epochs: -1\n",
            "specs/mid.yaml": "extends: [../base.yaml, old.yaml]\n",
            "child.yaml": "name: child\nextends: specs/mid.yaml\n",
        }
    )

    assert refusal("child.yaml") == (
        "specs/old.yaml:2:11: `epochs` must be an integer of at least 0, not `-1`"
        " (extended by specs/mid.yaml:1, extended by child.yaml:2)\n"
        "  2 |   epochs: -1\n"
        "    |           ^^"
    )


@pytest.mark.usefixtures("repository")
def test_problems_of_all_files_come_at_once_the_named_one_first() -> None:
    write(
        {
            "a.yaml": "pool: {epochs: 1, epochs: 2}\nloops: {inner_steps: '${HOME}'}\n",
            "child.yaml": "extends: [base.yaml, a.yaml]\nname: child\n\nnetwork: {depht: 1}\n",
        }
    )

    lines = [line for line in refusal("child.yaml").splitlines() if line[0] != " "]

    assert [line.split(" ")[0] for line in lines] == [
        "child.yaml:4:11:",
        "a.yaml:1:19:",
        "a.yaml:2:22:",
        "a.yaml:2:22:",
    ]


@pytest.mark.usefixtures("repository")
def test_text_of_a_parent_that_is_not_yaml_is_refused_with_the_chain() -> None:
    write({"broken.yaml": "pool: {epochs: 1\n", "child.yaml": "extends: broken.yaml\nname: c\n"})

    assert refusal("child.yaml").splitlines()[0] == (
        "broken.yaml:2:1: not valid YAML: expected ',' or '}', but got '<stream end>'"
        " (extended by child.yaml:1)"
    )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        pytest.param(
            {"child.yaml": "name: c\nextends: child.yaml\n"},
            "child.yaml:2:10: specs extend each other in a circle: child.yaml -> child.yaml",
            id="itself",
        ),
        pytest.param(
            {
                "child.yaml": "extends: a.yaml\nname: c\n",
                "a.yaml": "extends: specs/b.yaml\n",
                "specs/b.yaml": "extends: ../a.yaml\n",
            },
            "specs/b.yaml:1:10: specs extend each other in a circle: "
            "a.yaml -> specs/b.yaml -> a.yaml",
            id="in-a-circle",
        ),
        pytest.param(
            {
                "child.yaml": "extends: f0.yaml\nname: c\n",
                **{f"f{n}.yaml": f"extends: f{n + 1}.yaml\n" for n in range(MAX_GENERATIONS)},
                f"f{MAX_GENERATIONS}.yaml": "seed: 1\n",
            },
            "f7.yaml:1:10: a chain of more than 8 specs that extend each other",
            id="too-deep",
        ),
        pytest.param(
            {
                "child.yaml": f"extends: [{', '.join(['a.yaml'] * 5)}]\nname: c\n",
                "a.yaml": f"extends: [{', '.join(['b.yaml'] * 7)}]\n",
                "b.yaml": "seed: 1\n",
            },
            "child.yaml:1:43: more than 32 files are extended",
            id="too-many",
        ),
        pytest.param(
            {
                "child.yaml": f"extends: [{', '.join(['a.yaml'] * 6)}]\nname: c\n",
                "a.yaml": f"expect: [{'1, ' * 9_990}]\n",
            },
            "child.yaml:1:51: the files extended here hold more than 50,000 values",
            id="too-large-together",
        ),
        pytest.param(
            {
                "child.yaml": "extends: [a.yaml, a.yaml]\nname: c\n",
                "a.yaml": f"seed: 1 # {'x' * 2**19}\n",
            },
            "child.yaml:1:19: the files extended here are larger than 1 MiB together",
            id="too-long-together",
        ),
        pytest.param(
            {"child.yaml": "extends: bas.yaml\nname: c\n"},
            "child.yaml:1:10: `bas.yaml` does not exist\n"
            "  1 | extends: bas.yaml\n"
            "    |          ^^^^^^^^\n"
            "  hint: did you mean `base.yaml`?",
            id="missing",
        ),
        pytest.param(
            {"child.yaml": "extends: specs\nname: c\n", "specs/x.yaml": ""},
            "child.yaml:1:10: `specs` is a directory",
            id="folder",
        ),
        pytest.param(
            {"child.yaml": "extends: ../outside.yaml\nname: c\n", "../outside.yaml": "seed: 1\n"},
            "child.yaml:1:10: `../outside.yaml` lies outside of the repository",
            id="outside",
        ),
        pytest.param(
            {"child.yaml": "extends: ../nowhere.yaml\nname: c\n"},
            "child.yaml:1:10: `../nowhere.yaml` lies outside of the repository",
            id="outside-and-missing",
        ),
        pytest.param(
            {"child.yaml": "extends: /etc/hostname\nname: c\n"},
            "child.yaml:1:10: `/etc/hostname` is no path relative to this file",
            id="absolute",
        ),
        pytest.param(
            {"child.yaml": 'extends: "a\\0b"\nname: c\n'},
            "child.yaml:1:10: `a\ufffdb` is no path relative to this file",
            id="nul",
        ),
        pytest.param(
            {"child.yaml": "extends: ${DDSPEC_BASE}/x.yaml\nname: c\n"},
            "child.yaml:1:10: variables may be used only in `dataset.path`",
            id="variable",
        ),
        pytest.param(
            {"child.yaml": "extends: [base.yaml, 3]\nname: c\n"},
            "child.yaml:1:22: `extends[1]` must be text",
            id="not-text",
        ),
        pytest.param(
            {"child.yaml": "extends: {a: b}\nname: c\n"},
            "child.yaml:1:1: `extends` must be a list, not a section",
            id="section",
        ),
    ],
)
@pytest.mark.usefixtures("repository")
def test_what_cannot_be_extended_is_refused_where_it_is_named(
    files: dict[str, str], message: str
) -> None:
    write(files)

    assert refusal("child.yaml").startswith(message)


def test_a_link_that_stays_inside_is_followed(repository: Path) -> None:
    (repository / "link.yaml").symlink_to("base.yaml")
    write({"child.yaml": "extends: link.yaml\nname: child\n"})

    assert load_spec("child.yaml").place("pool", "epochs").file == "base.yaml"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_link_that_leads_outside_is_refused(repository: Path, kind: str) -> None:
    write({"../secret/x.yaml": "password: hunter2\n", "child.yaml": "extends: l/x.yaml\nname: c\n"})
    if kind == "folder":
        (repository / "l").symlink_to("../secret")
    else:
        (repository / "l").mkdir()
        (repository / "l/x.yaml").symlink_to("../../secret/x.yaml")

    found = refusal("child.yaml")

    assert "`l/x.yaml` lies outside of the repository" in found
    assert "hunter2" not in found


@pytest.mark.parametrize("path", [".git/config", "specs/../.git/config"])
def test_files_of_git_itself_are_not_extended(repository: Path, path: str) -> None:
    (repository / ".git" / "config").write_text("name: a\ntitle: secret\n")
    write({"specs/empty.yaml": "", "child.yaml": f"extends: {path}\nname: child\n"})

    found = refusal("child.yaml")

    assert f"child.yaml:1:10: `{path}` is git's own, and no file of the repository" in found
    assert "secret" not in found


@pytest.mark.usefixtures("repository")
def test_nothing_is_quoted_from_a_file_that_has_no_key_of_ours() -> None:
    write({"keys.yaml": "secret: 99999999999999999999999\nsecret: 1\n5551234: x\n"})
    write({"x.yaml": CHILD.replace("base", "keys")})

    found = refusal("x.yaml")

    assert "keys.yaml:1:1: this is no part of a spec" in found
    assert not any(word in found for word in ("secret", "999", "5551234"))


def test_a_pipe_is_not_waited_for(repository: Path) -> None:
    os.mkfifo(repository / "pipe.yaml")
    write({"child.yaml": "extends: pipe.yaml\nname: c\n"})

    assert "`pipe.yaml` is not a regular file" in refusal("child.yaml")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("password: hunter2\nuser: root\n", False, id="another-s"),
        pytest.param("name: service\npassword: hunter2\n", False, id="one-key-of-ours"),
        pytest.param("loops: {inner_steps: hunter2}\n", True, id="ours"),
    ],
)
@pytest.mark.usefixtures("repository")
def test_lines_of_a_parent_that_is_not_ours_are_never_shown(text: str, shown: bool) -> None:
    write({"other.yaml": text, "child.yaml": "extends: [base.yaml, other.yaml]\nname: c\n"})

    found = refusal("child.yaml")

    assert "other.yaml:" in found
    assert ("hunter2" in found) == shown


def test_without_a_repository_only_the_folder_is_open(tmp_path: Path, good: str) -> None:
    # The folders above are made by pytest, and none of them is a repository.
    write(
        {
            f"{tmp_path}/base.yaml": good,
            f"{tmp_path}/specs/base.yaml": good,
            f"{tmp_path}/specs/inside.yaml": CHILD,
            f"{tmp_path}/specs/outside.yaml": "extends: ../base.yaml\nname: child\n",
        }
    )

    assert load_spec(tmp_path / "specs/inside.yaml").experiment.name == "child"
    assert "lies outside of the repository" in refusal(f"{tmp_path}/specs/outside.yaml")


def test_text_can_extend_what_it_is_given(good: str) -> None:
    class Shelf:
        def open(self, path: str, child: Source) -> Source:
            return Source(f"main:{path}", good)

    loaded = load_text(CHILD, "main:child.yaml", files=Shelf())

    assert str(loaded.place("pool", "epochs")) == "main:base.yaml:10:11"
    with pytest.raises(DdspecError, match="`extends` needs a file, and this is text"):
        load_text(CHILD, "x.yaml")


@pytest.mark.usefixtures("repository")
def test_the_order_of_keys_in_files_changes_nothing(good: str) -> None:
    lines = "extends: base.yaml", "name: child", "pool: {epochs: 3}"
    write({"a.yaml": "\n".join(lines), "b.yaml": "\n".join(reversed(lines))})

    assert load_spec("a.yaml").experiment == load_spec("b.yaml").experiment


def test_limits_are_those_of_the_messages() -> None:
    assert (MAX_GENERATIONS, MAX_PARENTS) == (8, 32)
