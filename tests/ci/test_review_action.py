"""What a pull request's two workflows do, against a repository and a GitHub of our own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fake_cli import SPEC
from fake_git import SETTINGS, Repo, make_repo
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
COMMIT = "91c04ee" * 5 + "91c04"
TOLD = "ddspec-tests[bot]"


@dataclass
class FakeGitHub:
    """Pull requests and comments, and every request that came."""

    pulls: list[dict[str, Any]] = field(default_factory=list)
    comments: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    failures: int = 0

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        self.requests.append((method, path))
        url = urlsplit(path)
        if self.failures:
            self.failures -= 1
            return 502, {"message": "try again"}
        page = int(parse_qs(url.query).get("page", ["1"])[0])
        match method, url.path.removeprefix("/repos/o/r/").split("/"):
            case "GET", ["pulls"]:
                head = parse_qs(url.query)["head"]
                return 200, [one for one in self.pulls if [one["head"]["label"]] == head]
            case "GET", ["issues", "7", "comments"]:
                return 200, self.comments[100 * (page - 1) : 100 * page]
            case "POST", ["issues", "7", "comments"]:
                self.comments.append(comment(len(self.comments), body["body"]))
                return 201, self.comments[-1]
            case "PATCH", ["issues", "comments", number]:
                self.comments[int(number)]["body"] = body["body"]
                return 200, self.comments[int(number)]
        return 404, {"message": f"no such thing: {method} {path}"}


def comment(number: int, body: str, login: str = TOLD) -> dict[str, Any]:
    return {"id": number, "body": body, "user": {"login": login}}


@pytest.fixture
def github() -> Iterator[tuple[FakeGitHub, str]]:
    fake = FakeGitHub()

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            code, answer = fake.answer(self.command, self.path, body)
            data = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield fake, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def changed_repo(folder: Path) -> Repo:
    made = make_repo(folder)
    made.commit(specs__x_yaml=SPEC)
    made.git("checkout", "--quiet", "-b", "topic")
    made.commit(specs__x_yaml=SPEC.replace("outer_loops: 2", "outer_loops: 1"))
    return made


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return changed_repo(tmp_path / "repo")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the first workflow says of the changed spec: planned once for all tests."""
    folder = tmp_path_factory.mktemp("review")
    repo = changed_repo(folder / "repo")
    assert review(repo).returncode == 0
    return (folder / "out" / "review.json").read_text()


@pytest.fixture
def left(tmp_path: Path, made: str) -> Path:
    """A folder in which the first workflow left its review."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "review.json").write_text(made)
    return tmp_path


def environment(folder: Path, **more: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, **SETTINGS, "PATH": path, "OUT": str(folder / "out"), **more}


def review(repo: Repo, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the script of the first workflow in a repository."""
    return subprocess.run(
        [str(GITHUB / "actions" / "review" / "review.sh")],
        cwd=repo.folder,
        env=environment(repo.folder.parent, BASE="main", **more),
        capture_output=True,
        text=True,
        check=False,
    )


def speak(folder: Path, address: str, **event: Any) -> subprocess.CompletedProcess[str]:
    """Run the script of the second workflow on what the first one left."""
    run = {
        "event": "pull_request",
        "head_sha": COMMIT,
        "head_branch": "topic",
        "head_repository": {"owner": {"login": "stranger"}},
        **event,
    }
    (folder / "event.json").write_text(json.dumps({"workflow_run": run}))
    more = {
        "GITHUB_EVENT_PATH": str(folder / "event.json"),
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_API_URL": address,
        "GITHUB_SERVER_URL": "https://github.com",
        "AUTHOR": TOLD,
        "TOKEN": "t",
        "PAUSE_S": "0",
    }
    script = GITHUB / "actions" / "comment" / "comment.py"
    return subprocess.run(
        [sys.executable, str(script), str(folder / "out" / "review.json")],
        cwd=folder,
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        check=False,
    )


def pull(number: int = 7, sha: str = COMMIT, base: str = "o/r") -> dict[str, Any]:
    head = {"sha": sha, "label": "stranger:topic"}
    return {"number": number, "head": head, "base": {"repo": {"full_name": base}}}


def test_one_comment_is_created_and_then_updated_in_place(
    repo: Repo, github: tuple[FakeGitHub, str]
) -> None:
    fake, address = github
    fake.pulls = [pull()]
    fake.comments = [comment(0, "<!-- ddspec:forged -->", "stranger")] * 120
    folder = repo.folder.parent

    assert review(repo).returncode == 0
    first = speak(folder, address)
    again = speak(folder, address)
    repo.commit(specs__x_yaml=SPEC.replace("outer_loops: 2", "outer_loops: 5"))
    assert review(repo).returncode == 0
    second = speak(folder, address)

    assert [first.stdout, again.stdout, second.stdout] == [
        "#7: created the comment\n",
        "#7: the comment is as it should be\n",
        "#7: updated the comment\n",
    ]
    assert len(fake.comments) == 121
    body = fake.comments[-1]["body"]
    assert body.startswith("<!-- ddspec:specs/x.yaml -->\n### ddspec · `specs/x.yaml` · **distill")
    assert "| `loops.outer_loops` | 2 | 5 | distillation |" in body
    assert f"https://github.com/o/r/blob/{COMMIT}/specs/x.yaml#L10" in body


@pytest.mark.parametrize(
    "pulls",
    [[], [pull(sha="0" * 40)], [pull(base="stranger/r")]],
    ids=["closed", "pushed-since", "of-another-repository"],
)
def test_only_the_pull_request_that_was_reviewed_is_commented(
    left: Path, github: tuple[FakeGitHub, str], pulls: list[dict[str, Any]]
) -> None:
    fake, address = github
    fake.pulls = pulls

    ended = speak(left, address)

    assert ended.returncode == 0, ended.stderr
    assert "nothing to do" in ended.stdout
    assert not fake.comments


def test_without_changes_no_comment_is_begun_but_an_earlier_one_is_updated(
    repo: Repo, github: tuple[FakeGitHub, str]
) -> None:
    fake, address = github
    fake.pulls = [pull()]
    repo.commit(specs__x_yaml=SPEC)
    review(repo)

    none = speak(repo.folder.parent, address)
    fake.comments = [comment(0, "<!-- ddspec:specs/x.yaml --> old")]
    one = speak(repo.folder.parent, address)

    assert none.stdout == "#7: no spec changes, and there is no comment\n"
    assert one.stdout == "#7: updated the comment\n"
    assert "no spec changes" in fake.comments[0]["body"]


def test_a_review_that_was_tampered_with_is_refused(
    left: Path, github: tuple[FakeGitHub, str]
) -> None:
    fake, address = github
    fake.pulls = [pull()]
    file = left / "out" / "review.json"
    told = json.loads(file.read_text())
    told["reports"][0]["title"] = "x\n\n@everyone"
    file.write_text(json.dumps(told))

    ended = speak(left, address)

    assert ended.returncode == 3
    assert "`reports.0.title`" in ended.stderr
    assert "everyone" not in ended.stderr
    assert not fake.requests


def test_a_busy_server_is_asked_again(left: Path, github: tuple[FakeGitHub, str]) -> None:
    fake, address = github
    fake.pulls, fake.failures = [pull()], 2

    assert speak(left, address).stdout == "#7: created the comment\n"


def test_a_server_that_refuses_is_told_on_one_line(
    left: Path, github: tuple[FakeGitHub, str]
) -> None:
    _, address = github

    ended = speak(left, f"{address}/elsewhere")

    assert ended.returncode == 1
    assert ended.stderr.startswith("GET pulls: 404 ")
    assert ended.stderr.count("\n") == 1


def test_runs_for_anything_else_are_left_alone(left: Path, github: tuple[FakeGitHub, str]) -> None:
    fake, address = github

    ended = speak(left, address, event="push")

    assert ended.returncode == 0
    assert not fake.requests


def test_a_fork_that_is_gone_has_no_pull_request(
    left: Path, github: tuple[FakeGitHub, str]
) -> None:
    fake, address = github

    ended = speak(left, address, head_repository=None)

    assert ended.returncode == 0, ended.stderr
    assert "nothing to do" in ended.stdout
    assert not fake.requests


def test_comments_of_accounts_that_are_gone_are_passed_over(
    left: Path, github: tuple[FakeGitHub, str]
) -> None:
    fake, address = github
    fake.pulls.append(pull())
    fake.comments.append({"id": 0, "body": None, "user": None})

    ended = speak(left, address)

    assert ended.returncode == 0, ended.stderr
    assert len(fake.comments) == 2


def test_no_name_in_what_is_refused_gives_the_workflow_a_command(left: Path) -> None:
    key = "##[set-output name=a]b"
    (left / "out" / "review.json").write_text(json.dumps({key: 1}))

    ended = speak(left, "http://127.0.0.1:9")

    assert ended.returncode == 3
    assert "no review" in ended.stderr
    assert key not in ended.stderr


def test_what_the_planner_says_on_the_side_gives_the_workflow_no_command(repo: Repo) -> None:
    ended = review(repo, GPU="##[set-output name=written]true")

    stop, resume = ended.stdout.splitlines()
    assert ended.returncode == 2
    assert stop.startswith("::stop-commands::")
    assert resume == f"::{stop.removeprefix('::stop-commands::')}::"
    assert len(resume) == len("::::") + 32


def test_invalid_specs_fail_the_job_and_are_reviewed(repo: Repo, tmp_path: Path) -> None:
    repo.commit(specs__x_yaml=SPEC.replace("outer_loops", "outer_lops"))
    files = {"GITHUB_OUTPUT": tmp_path / "output", "GITHUB_STEP_SUMMARY": tmp_path / "summary"}

    ended = review(repo, **{name: str(path) for name, path in files.items()})

    assert ended.returncode == 3
    assert "::error file=specs/x.yaml,line=10,col=" in ended.stdout
    assert files["GITHUB_OUTPUT"].read_text() == "written=true\n"
    assert "**cannot be compiled**" in files["GITHUB_STEP_SUMMARY"].read_text()


@pytest.mark.parametrize(
    "more",
    [{"SPECS": "--output=owned"}, {"SPECS": "$(touch owned)"}, {"GPU": "a6000;touch owned"}],
    ids=lambda more: next(iter(more.values())),
)
def test_what_a_workflow_passes_is_never_run(repo: Repo, more: dict[str, str]) -> None:
    ended = review(repo, **more)

    assert ended.returncode == 2
    assert not (repo.folder / "owned").exists()


def test_specs_and_a_device_can_be_named(repo: Repo) -> None:
    repo.commit(other__y_yaml=SPEC)

    ended = review(repo, SPECS="other specs/x.yaml", GPU="a6000")

    assert ended.returncode == 0, ended.stderr
    told = json.loads((repo.folder.parent / "out" / "review.json").read_text())
    assert [one["path"] for one in told["reports"]] == ["other/y.yaml", "specs/x.yaml"]
    assert told["reports"][1]["costs"]["device"] == "a6000"


def test_a_branch_is_judged_by_the_rules_of_its_base(repo: Repo) -> None:
    rules = "format: ddspec.policy/1\nrules:\n  - {{kind: repeats, at_least: {}, action: deny}}\n"
    repo.git("checkout", "--quiet", "main")
    repo.commit(**{"ddspec-policy_yaml": rules.format(9)})
    repo.git("checkout", "--quiet", "topic")
    repo.git("merge", "--quiet", "main")
    repo.commit(**{"ddspec-policy_yaml": rules.format(1)})

    ended = review(repo)

    assert ended.returncode == 5, ended.stderr
    assert "::error file=specs/x.yaml,title=policy repeats::" in ended.stdout


ACTIONS = sorted(GITHUB.glob("actions/*/action.yml"))
WORKFLOWS = [GITHUB / "workflows" / name for name in ("plan-review.yml", "plan-comment.yml")]


def steps_of(path: Path) -> Iterator[dict[str, Any]]:
    document = YAML(typ="safe").load(path.read_text())
    jobs = document.get("jobs", {"": document.get("runs", {})})
    for job in jobs.values():
        yield from job["steps"]


@pytest.mark.parametrize("path", [*ACTIONS, *WORKFLOWS], ids=lambda path: path.parent.name)
def test_nothing_from_outside_is_part_of_a_script_and_everything_is_pinned(path: Path) -> None:
    for step in steps_of(path):
        assert "${{" not in step.get("run", "")
        used = step.get("uses", "./").partition("@")
        assert used[0].startswith("./") or len(used[2]) == 40, step


def test_code_of_a_pull_request_may_read_and_no_more() -> None:
    first, second = (YAML(typ="safe").load(path.read_text()) for path in WORKFLOWS)

    assert first["permissions"] == {"contents": "read"}
    assert "secrets." not in WORKFLOWS[0].read_text()
    assert set(second["on"]) == {"workflow_run"}
    assert second["on"]["workflow_run"]["workflows"] == [first["name"]]
    for step in steps_of(WORKFLOWS[1]):
        assert "ref" not in step.get("with", {})  # it is the default branch that is checked out


def test_hooks_call_verbs_that_there_are(repo: Repo) -> None:
    hooks = YAML(typ="safe").load((ROOT / ".pre-commit-hooks.yaml").read_text())
    (repo.folder / "specs" / "x.plan.yaml").write_text("format: ddspec.plan/1\n")
    codes = {}
    for hook in hooks:
        files = ["specs/x.yaml"] if hook.get("pass_filenames", True) else []
        command = [*hook["entry"].split(), *files]
        done = subprocess.run(
            command,
            cwd=repo.folder,
            env=environment(repo.folder.parent),
            capture_output=True,
            text=True,
            check=False,
        )
        codes[hook["id"]] = done.returncode

    assert codes == {"ddspec-validate": 0, "ddspec-plan-check": 4, "ddspec-gallery": 4}
