"""`ddspec diff --base REV`: every spec that a branch changes, one report each."""

from __future__ import annotations

import json

import pytest
from fake_cli import SPEC, Shell
from fake_git import SETTINGS, Repo, make_repo

from ddspec.errors import Exit

LONGER = SPEC.replace("outer_loops: 2", "outer_loops: 3")
CHILD = "name: child\nextends: parent.yaml\nseed: 3\n"


@pytest.fixture
def repo(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Repo:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    made = make_repo(shell.folder)
    made.write(".gitignore", "store\nscript.json\nlog\nsmall.yaml\n")
    made.commit(
        specs__same_yaml=SPEC,
        specs__changed_yaml=SPEC,
        specs__parent_yaml=SPEC,
        specs__child_yaml=CHILD,
        specs__gone_yaml=SPEC.replace("outer_loops: 2", "outer_loops: 7"),
        specs__notes_yaml="some: other\ndocument: entirely\n",
        elsewhere__x_yaml=SPEC,
    )
    made.git("checkout", "--quiet", "-b", "topic")
    return made


def statuses(shell: Shell, *arguments: str) -> dict[str, str]:
    told = shell("diff", "--base", "main", *arguments, "--json").json
    assert told["format"] == "ddspec.review/1"
    return {one["path"]: one["status"] for one in told["reports"]}


def test_every_changed_spec_has_a_report(shell: Shell, repo: Repo) -> None:
    repo.write("specs/changed.yaml", LONGER)
    repo.write("specs/parent.yaml", LONGER)
    repo.write("specs/deep/new.yaml", SPEC.replace("seed: 0", "seed: 9"))
    repo.write("elsewhere/x.yaml", LONGER)
    (repo.folder / "specs" / "gone.yaml").unlink()

    assert statuses(shell) == {
        "specs/changed.yaml": "changed",
        "specs/child.yaml": "changed",
        "specs/deep/new.yaml": "new",
        "specs/gone.yaml": "deleted",
        "specs/parent.yaml": "changed",
    }
    assert statuses(shell, "elsewhere", "specs/deep") == {
        "elsewhere/x.yaml": "changed",
        "specs/deep/new.yaml": "new",
    }
    assert statuses(shell, "specs/same.yaml") == {"specs/same.yaml": "same"}


def test_the_text_has_a_block_for_each_spec(shell: Shell, repo: Repo) -> None:
    repo.write("specs/changed.yaml", LONGER)
    repo.write("specs/new.yaml", SPEC)

    ended = shell("diff", "--base", "main", "--exit-code")

    assert ended.code == Exit.CHANGED
    assert "main:specs/changed.yaml -> specs/changed.yaml: distillation changes" in ended.out
    assert "loops.outer_loops  2       3      distillation  changed.yaml:10" in ended.out
    assert "specs/new.yaml: new, 13 stages" in ended.out


def test_without_changes_nothing_is_said_and_nothing_is_wrong(shell: Shell, repo: Repo) -> None:
    ended = shell("diff", "--base", "main", "--exit-code")

    assert (ended.code, ended.out) == (Exit.DONE, "no spec differs from main\n")


def test_what_the_base_did_since_is_not_the_branchs_change(shell: Shell, repo: Repo) -> None:
    repo.commit(specs__changed_yaml=LONGER)
    repo.git("checkout", "--quiet", "main")
    repo.commit(specs__same_yaml=LONGER)
    repo.git("checkout", "--quiet", "topic")

    assert statuses(shell) == {"specs/changed.yaml": "changed"}


def test_a_renamed_spec_is_compared_with_itself(shell: Shell, repo: Repo) -> None:
    repo.git("mv", "specs/gone.yaml", "specs/here.yaml")
    text = (repo.folder / "specs" / "here.yaml").read_text()
    repo.write("specs/here.yaml", text.replace("outer_loops: 7", "outer_loops: 8"))
    told = shell("diff", "--base", "main", "--json").json

    (report,) = told["reports"]
    assert (report["path"], report["was"], report["status"]) == (
        "specs/here.yaml",
        "specs/gone.yaml",
        "changed",
    )


def test_a_spec_that_does_not_compile_is_one_of_the_reports(shell: Shell, repo: Repo) -> None:
    repo.write("specs/changed.yaml", SPEC.replace("outer_loops", "outer_lops"))
    repo.write("specs/new.yaml", SPEC)

    ended = shell("diff", "--base", "main", "--json")

    assert ended.code == Exit.INVALID
    invalid, new = ended.json["reports"]
    assert (invalid["status"], new["status"]) == ("invalid", "new")
    assert invalid["problems"][0]["at"]["file"] == "specs/changed.yaml"
    assert "cannot be compiled" in shell("diff", "--base", "main").out


def test_a_base_that_does_not_compile_any_more_is_told_as_drift(shell: Shell, repo: Repo) -> None:
    repo.git("checkout", "--quiet", "main")
    repo.commit(specs__changed_yaml=SPEC.replace("outer_loops", "outer_lops"))
    repo.git("checkout", "--quiet", "-b", "fix")
    repo.write("specs/changed.yaml", SPEC)

    (report,) = shell("diff", "--base", "main", "--json").json["reports"]

    assert report["status"] == "new"
    assert report["drift"][0]["message"].startswith("at main this version cannot compile it: ")


def test_a_stale_plan_file_is_reported_though_the_spec_is_the_same(
    shell: Shell, repo: Repo
) -> None:
    shell("plan", "specs/same.yaml", "-o", "specs/same.plan.yaml")
    current = statuses(shell)
    repo.write("specs/same.yaml", LONGER)
    shell("plan", "specs/same.yaml", "-o", "specs/same.plan.yaml")
    repo.write("specs/same.yaml", SPEC)
    told = shell("diff", "--base", "main", "--json").json

    assert current == {}
    (report,) = told["reports"]
    assert (report["status"], report["plan_file"]["state"]) == ("same", "stale")
    markdown = shell("diff", "--base", "main", "--format", "markdown").out
    assert "**nothing changes**" in markdown
    assert "committed plan is stale ✘" in markdown


def test_a_plan_file_that_was_removed_is_missed(shell: Shell, repo: Repo) -> None:
    shell("plan", "specs/same.yaml", "-o", "specs/same.plan.yaml")
    repo.commit()
    repo.git("checkout", "--quiet", "-B", "main")
    repo.git("checkout", "--quiet", "-b", "other")
    (repo.folder / "specs" / "same.plan.yaml").unlink()
    repo.write("specs/same.yaml", LONGER)

    (report,) = shell("diff", "--base", "main", "--json").json["reports"]

    assert report["plan_file"] == {
        "path": "specs/same.plan.yaml",
        "state": "missing",
        "reasons": [],
    }


def test_places_are_from_the_root_wherever_one_stands(
    shell: Shell, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.write("specs/changed.yaml", LONGER)
    monkeypatch.chdir(repo.folder / "elsewhere")

    (report,) = shell("diff", "--base", "main", "../specs", "--json").json["reports"]

    assert report["path"] == "specs/changed.yaml"
    assert report["settings"][0]["after_at"]["file"] == "specs/changed.yaml"
    assert report["settings"][0]["before_at"]["file"] == "specs/changed.yaml"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--base", "mian"), "did you mean `main`?"),
        (("--base", "main", "specs/none.yaml"), "no spec is at `specs/none.yaml`"),
        (("--base", "main", "/etc"), "lies outside of the repository"),
        (("specs/same.yaml",), "two documents are compared, and 1 are named"),
        ((), "`ddspec diff A B`, or `ddspec diff --base REV`"),
    ],
)
def test_what_cannot_be_compared_is_said(
    shell: Shell, repo: Repo, arguments: tuple[str, ...], words: str
) -> None:
    ended = shell("diff", *arguments)

    assert ended.code == Exit.USAGE
    assert words in ended.err


def test_a_review_is_rendered_from_its_json_as_from_the_specs(shell: Shell, repo: Repo) -> None:
    repo.write("specs/changed.yaml", LONGER)
    direct = shell("diff", "--base", "main", "--format", "markdown", "--gpu", "a6000").out
    repo.write("review.json", shell("diff", "--base", "main", "--json", "--gpu", "a6000").out)

    assert shell("comment", "review.json").out == direct
    assert json.loads((repo.folder / "review.json").read_text())["reports"][0]["costs"]["device"]


def test_a_pair_is_shown_as_a_comment_too(shell: Shell, repo: Repo) -> None:
    repo.write("specs/changed.yaml", LONGER)
    text = shell("diff", "main:", "specs/changed.yaml", "--format", "markdown").out

    assert text.startswith("<!-- ddspec:specs/changed.yaml -->\n### ddspec · ")
    assert "| `loops.outer_loops` | 2 | 3 | distillation | `changed.yaml:10` |" in text


def test_plans_are_shown_as_comments_and_problems_as_annotations(shell: Shell) -> None:
    shell.write("bad.yaml", SPEC.replace("outer_loops", "outer_lops"))

    text = shell("plan", "small.yaml", "--format", "markdown").out
    bad = shell("plan", "bad.yaml", "--format", "github")

    assert text.startswith("<!-- ddspec:small.yaml -->\n### ddspec plan · `small.yaml` · small · ")
    assert "| `pool/0..1` | 2 |" in text
    assert bad.code == Exit.INVALID
    assert bad.out.startswith("::error file=bad.yaml,line=10,col=")


def test_validate_checks_several_specs_and_their_plans(shell: Shell, repo: Repo) -> None:
    shell("plan", "specs/same.yaml", "-o", "specs/same.plan.yaml")
    fine = shell("validate", "--plans", "specs/same.yaml", "specs/changed.yaml")
    repo.write("specs/same.yaml", LONGER)
    stale = shell("validate", "--plans", "specs/same.yaml", "specs/same.plan.yaml")
    told = shell("validate", "--plans", "specs/same.yaml", "specs/changed.yaml", "--json")

    assert (fine.code, stale.code, told.code) == (Exit.DONE, Exit.CHANGED, Exit.CHANGED)
    assert stale.err.count("error:") == 1
    assert [one["valid"] for one in told.json["documents"]] == [False, True]
