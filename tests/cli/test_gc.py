"""`ddspec gc`: what nothing reaches goes, and nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import fake_cli
import fake_git
import fake_plans
import pytest
from fake_cli import Shell

from ddspec.errors import Exit
from ddspec.executors.registry import EXECUTORS
from ddspec.host import this_process
from ddspec.run.desk import Orders
from ddspec.run.dispatch import run_plan
from ddspec.store.claims import Claim
from ddspec.store.store import open_store

OTHER = fake_cli.SPEC.replace("name: small", "name: other").replace(
    "outer_loops: 2", "outer_loops: 3"
)
"""Shares data and pool with the small one."""
NOW = ("--keep-newer", "0")


@pytest.fixture
def both(shell: Shell, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Return a shell where two specs were run, in a folder of their own.

    They are run for the first test that asks, and copied for the others.
    """
    made = tmp_path_factory.getbasetemp() / "both-were-run"
    if made.exists():
        shutil.copytree(made, shell.folder, symlinks=True, dirs_exist_ok=True)
        return shell
    shell.folder.joinpath("specs").mkdir()
    for name, text in (("small", fake_cli.SPEC), ("other", OTHER)):
        assert shell("run", shell.write(f"specs/{name}.yaml", text)).code == Exit.DONE
    shutil.copytree(shell.folder, made, symlinks=True)
    return shell


def content(folder: Path) -> dict[str, str]:
    """Return the digest of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def outputs(shell: Shell, spec: str) -> dict[str, str]:
    """Return the digests of all that the store has of a spec."""
    rows = shell("plan", spec, "--json").json["stages"]
    objects = open_store(shell.home).layout.object
    return {
        f"{row['label']}/{name}": digest
        for row in rows
        for name, digest in content(objects(row["key"])).items()
    }


def test_nothing_goes_while_everything_is_reached(both: Shell) -> None:
    found = both("gc", "specs", *NOW, "--delete", "--json").json

    assert (found["things"], found["bytes"], found["deleted"]) == ([], 0, True)
    assert [root["name"] for root in found["roots"]] == ["other", "small"]


def test_a_look_changes_nothing(both: Shell) -> None:
    before = content(both.home)

    ended = both("gc", "specs/small.yaml", *NOW)

    assert ended.code == Exit.DONE
    assert content(both.home) == before
    assert "nothing was removed: `--delete` does that" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 100


def test_what_only_another_spec_reached_goes_and_the_rest_keeps_its_bytes(both: Shell) -> None:
    before = outputs(both, "specs/small.yaml")
    delivered = content(both.home / "results" / "small")

    found = both("gc", "specs/small.yaml", *NOW, "--delete", "--json").json

    kinds = sorted((one["what"], one["kind"]) for one in found["things"])
    assert kinds.count(("output", "distill")) == 1
    assert ("output", "pretrain") not in kinds
    assert ("output", "prepare") not in kinds
    assert ("delivered set", "") in kinds
    assert outputs(both, "specs/small.yaml") == before
    assert content(both.home / "results" / "small") == delivered
    assert not (both.home / "results" / "other").exists()
    assert both("run", "specs/small.yaml", "--dry-run").out.startswith("0 stages to run")
    assert both("verify", "--store").code == Exit.DONE


def test_what_went_is_told_in_lines_that_fit(both: Shell) -> None:
    ended = both("gc", "specs/small.yaml", *NOW, "--delete")

    assert " removed    " in ended.out
    assert "1 delivered set" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 100


def test_a_second_time_there_is_nothing_left(both: Shell) -> None:
    both("gc", "specs/small.yaml", *NOW, "--delete")

    again = both("gc", "specs/small.yaml", *NOW, "--delete", "--json").json

    assert again["things"] == []
    assert not (both.home / "removed").exists()


def test_what_went_is_made_again(both: Shell) -> None:
    before = outputs(both, "specs/other.yaml")
    both("gc", "specs/small.yaml", *NOW, "--delete")

    ended = both("run", "specs/other.yaml")

    data = {name: digest for name, digest in before.items() if name.endswith("/data")}
    assert ended.code == Exit.DONE
    assert {name: outputs(both, "specs/other.yaml")[name] for name in data} == data


def test_by_default_an_hour_of_work_stays(both: Shell) -> None:
    found = both("gc", "specs/small.yaml", "--delete", "--json").json

    assert found["things"] == []
    assert {one["what"] for one in found["kept"]["newer"]} >= {"output", "attempt"}


def test_what_is_older_than_asked_for_goes(both: Shell) -> None:
    for path in (both.home / "objects").rglob("*"):
        os.utime(path, (time.time() - 7200,) * 2)

    found = both("gc", "specs/small.yaml", "--json").json

    assert {one["what"] for one in found["things"]} == {"output"}


def test_history_goes_only_when_asked_for(both: Shell) -> None:
    both("gc", "specs/small.yaml", *NOW, "--delete")
    kept = len(list((both.home / "journal").iterdir()))

    found = both("gc", "specs/small.yaml", *NOW, "--delete", "--journal", "--json").json

    assert {one["what"] for one in found["things"]} == {"record"}
    assert len(list((both.home / "journal").iterdir())) < kept
    assert [path.name for path in (both.home / "plans").iterdir()] == ["small"]


REFUSED = {
    "a spec that does not compile": ("broken.yaml", "name: x\ndataset: {kind: nothing}\n", "kind"),
    "a spec with two heads": ("merge.yaml", f"<<<<<<< a\n{fake_cli.SPEC}=======\n", "merge.yaml:1"),
}


@pytest.mark.parametrize(("file", "text", "said"), REFUSED.values(), ids=REFUSED)
def test_nothing_goes_while_one_document_cannot_be_read(
    both: Shell, file: str, text: str, said: str
) -> None:
    both.write(f"specs/{file}", text)
    before = content(both.home)

    ended = both("gc", "specs", *NOW, "--delete")

    assert ended.code == Exit.INVALID
    assert f"specs/{file}" in ended.err
    assert said in ended.err
    assert content(both.home) == before


def test_a_document_can_be_left_out(both: Shell) -> None:
    both.write("specs/broken.yaml", "name: x\ndataset: {kind: nothing}\n")

    ended = both("gc", "specs", *NOW, "--ignore", "specs/broken.yaml", "--json")

    assert ended.json["things"] == []


OWN = fake_cli.SPEC.replace(
    "{kind: digits, validation: 0.2}", "{kind: folder, path: mine, size: 8, channels: 1}"
)


def test_a_spec_without_a_lock_stops_only_where_something_of_it_was_run(both: Shell) -> None:
    both.write("specs/own.yaml", OWN.replace("name: small", "name: own"))

    never = both("gc", "specs", *NOW)
    (both.home / "plans" / "own").mkdir()
    record = next((both.home / "plans" / "small").iterdir())
    (both.home / "plans" / "own" / record.name).write_bytes(record.read_bytes())
    before = both("gc", "specs", *NOW)

    assert never.code == Exit.DONE
    assert "1 without a lock, never run here: specs/own.yaml" in never.out
    assert before.code == Exit.INVALID
    assert "ddspec lock specs/own.yaml" in before.err


NO_ROOTS = {
    "an empty folder": (["empty"], Exit.REFUSED),
    "a folder without specs": (["others"], Exit.REFUSED),
    "nothing there": (["nowhere"], Exit.USAGE),
    "an age that is none": (["specs", "--keep-newer", "soon"], Exit.USAGE),
    "a revision without a repository": (["specs", "--also", "main"], Exit.UNABLE),
}


@pytest.mark.parametrize(("arguments", "code"), NO_ROOTS.values(), ids=NO_ROOTS)
def test_nothing_goes_where_nothing_would_stay(
    both: Shell, arguments: list[str], code: Exit
) -> None:
    (both.folder / "empty").mkdir()
    (both.folder / "others").mkdir()
    both.write("others/list.yaml", "- a\n- b\n")
    before = content(both.home)

    ended = both("gc", *arguments, "--delete")

    assert ended.code == code
    assert content(both.home) == before


def test_without_a_name_the_specs_of_the_folder_count(both: Shell) -> None:
    assert both("gc", *NOW, "--json").json["things"] == []


def test_plan_files_keep_things_after_their_spec_has_changed(both: Shell) -> None:
    both("plan", "specs/other.yaml", "-o", "specs/other.plan.yaml")
    both.write("specs/other.yaml", OTHER.replace("outer_loops: 3", "outer_loops: 9"))

    assert both("gc", "specs", *NOW, "--json").json["things"] == []


def test_a_revision_can_keep_things_too(both: Shell) -> None:
    fake_git.make_repo(both.folder).commit(**{"README": "both"})
    (both.folder / "specs" / "other.yaml").unlink()

    without = both("gc", "specs", *NOW, "--json").json
    also = both("gc", "specs", *NOW, "--also", "HEAD", "--json").json

    assert without["bytes"] > 0
    assert also["things"] == []


def test_what_a_living_run_counts_on_stays(both: Shell) -> None:
    store = open_store(both.home)
    keys = [row["key"] for row in both("plan", "specs/other.yaml", "--json").json["stages"]]

    with store.holds.held(this_process(), "other", keys, time.time()):
        found = both("gc", "specs/small.yaml", *NOW, "--delete", "--json").json

    assert {one["what"] for one in found["things"]} == {"delivered set"}
    assert [run["name"] for run in found["kept"]["runs"]] == ["other"]
    assert all(store.objects.has(key) for key in keys)


def claim_of(shell: Shell, label: str, **changes: object) -> Claim:
    """Return a claim on a stage of the other spec whose job says what it reads."""
    rows = {row["label"]: row for row in shell("plan", "specs/other.yaml", "--json").json["stages"]}
    stages = [{"key": rows[label]["key"], "inputs": {"set": rows["distill"]["key"]}}]
    job = open_store(shell.home).layout.attempts / "at-work" / "job"
    job.mkdir(parents=True)
    (job / "job.json").write_text(json.dumps({"stages": stages}))
    key = rows[label]["key"]
    claim = Claim(key, label, "at-work", "local", None, this_process(), 0, time.time())
    return replace(claim, **changes)  # type: ignore[arg-type]  # fields by name


def test_what_a_claimed_stage_reads_stays(both: Shell) -> None:
    store = open_store(both.home)
    claim = claim_of(both, "evaluate/convnet2-w8/0")
    store.claims.take(claim)

    found = both("gc", "specs/small.yaml", *NOW, "--delete", "--json").json

    assert found["kept"]["claimed"] == [claim.key]
    assert [one["kind"] for one in found["things"] if one["kind"] == "distill"] == []
    assert store.claims.read(claim.key) == claim


def test_a_claim_of_a_dead_run_whose_job_never_began_goes_with_its_stage(both: Shell) -> None:
    store = open_store(both.home)
    claim = claim_of(both, "distill", owner=replace(this_process(), birth="never"))
    store.claims.take(claim)

    both("gc", "specs/small.yaml", *NOW, "--delete")

    assert store.claims.read(claim.key) is None
    assert not store.layout.object(claim.key).exists()


def test_a_dead_claim_on_a_reached_stage_is_left_to_the_next_run(both: Shell) -> None:
    store = open_store(both.home)
    claim = claim_of(both, "distill", owner=replace(this_process(), birth="never"))
    store.claims.take(claim)

    both("gc", "specs", *NOW, "--delete")

    assert store.claims.read(claim.key) == claim


def test_a_folder_of_results_that_holds_other_things_stays(both: Shell) -> None:
    (both.home / "results" / "other" / "notes.txt").write_text("mine")

    found = both("gc", "specs/small.yaml", *NOW, "--delete", "--json").json

    assert "delivered set" not in {one["what"] for one in found["things"]}
    assert (both.home / "results" / "other" / "card.json").exists()


def test_what_somebody_else_put_where_remains_are_stays(both: Shell, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    (both.home / "removed").symlink_to(mine)

    ended = both("gc", "specs/small.yaml", *NOW, "--delete")

    assert ended.code == Exit.DONE
    assert (mine / "thesis.tex").read_text() == "years of work"
    assert not (both.home / "results" / "other").exists()


def test_damaged_outputs_and_remains_go(both: Shell) -> None:
    store = open_store(both.home)
    key = both("plan", "specs/small.yaml", "--json").json["stages"][0]["key"]
    store.objects.set_aside(key)
    (both.home / "removed" / "1-0badcafe").mkdir(parents=True)
    (both.home / "removed" / "1-0badcafe" / "0").write_text("left by a kill")

    found = both("gc", "specs", *NOW, "--delete", "--json").json

    assert {one["what"] for one in found["things"]} == {"damaged output", "remains"}
    assert not (both.home / "removed").exists()
    assert list((both.home / "damaged").iterdir()) == []


def test_a_store_behind_a_link_is_cleared_and_links_in_it_are_not_followed(both: Shell) -> None:
    link, treasure = both.folder / "link", both.folder / "treasure"
    link.symlink_to(both.home)
    treasure.mkdir()
    (treasure / "gold").write_text("mine")
    (both.home / "objects" / "ff").mkdir(exist_ok=True)
    (both.home / "objects" / "ff" / ("f" * 64)).symlink_to(treasure)

    found = both("gc", "specs", *NOW, "--delete", "--json", "--home", str(link)).json

    assert [one["of"] for one in found["things"]] == ["f" * 64]
    assert (treasure / "gold").read_text() == "mine"
    assert not (both.home / "objects" / "ff" / ("f" * 64)).is_symlink()


def test_parts_of_a_store_on_another_disk_go_too(
    both: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rename(path: Path, target: Path) -> Path:
        raise OSError(18, "Invalid cross-device link")

    before = outputs(both, "specs/small.yaml")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        both("gc", "specs/small.yaml", *NOW, "--delete")

    assert both("gc", "specs/small.yaml", *NOW, "--json").json["things"] == []
    assert outputs(both, "specs/small.yaml") == before


def test_what_cannot_be_removed_is_told(both: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(path: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", rename)

    ended = both("gc", "specs/small.yaml", *NOW, "--delete")

    assert ended.code == Exit.UNABLE
    assert "permission denied" in ended.out


def test_hostile_names_cannot_steer_the_terminal(both: Shell) -> None:
    (both.home / "results" / "\x1b[31mred").mkdir()
    (both.home / "attempts" / "\x1b]0;title").mkdir()

    ended = both("gc", "specs", *NOW)

    assert "\x1b" not in ended.out
    assert "red" in ended.out


CRASH = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = [{fakes!r}]
from ddspec.cli.app import main
CHANGES = {{"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link"}}
for number in range(1, 10_000, {every}):
    child = os.fork()
    if child == 0:
        seen = []
        def hook(event, arguments):
            if event in CHANGES:
                seen.append(event)
                if len(seen) == number:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)
        sys.stdout = open(os.devnull, "w")
        sys.argv = ["ddspec", "gc", "specs/small.yaml", "--keep-newer", "0", "--delete"]
        try:
            main()
        except SystemExit as ended:
            os._exit(int(ended.code))
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(ended, flush=True)
    if ended >= 0:
        break
"""


def test_killed_anywhere_it_loses_nothing_that_is_reached(both: Shell) -> None:
    before = outputs(both, "specs/small.yaml")
    program = CRASH.format(fakes=str(Path(fake_cli.__file__).parent), every=9)

    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )

    ends = [int(line) for line in told.stdout.split()]
    assert ends.count(-9) >= 3
    assert ends[-1] == 0
    assert outputs(both, "specs/small.yaml") == before
    assert both("gc", "specs/small.yaml", *NOW, "--json").json["things"] == []


def test_a_run_and_a_removal_at_the_same_time_do_not_meet(shell: Shell) -> None:
    store = open_store(shell.home)
    (shell.folder / "script.json").write_text(
        json.dumps({one.label: {"step_s": 0.05} for one in fake_plans.diamond()})
    )
    executor = fake_plans.executor_of(store, shell.folder / "script.json", shell.folder / "log")
    asked: list[int] = []

    def sink(event: object) -> None:
        asked.append(shell("gc", "small.yaml", *NOW, "--delete").code)

    outcome = run_plan(
        fake_plans.diamond(), store, executor, sink=sink, orders=Orders(jobs=2, poll_s=0.01)
    )

    starts = (shell.folder / "log").read_text().count("start")
    assert outcome.exit == Exit.DONE
    assert starts == len(fake_plans.diamond())
    assert len(asked) > 10
    assert set(asked) == {Exit.DONE}


def test_what_is_removed_between_the_first_look_and_the_hold_is_made_again(shell: Shell) -> None:
    store = open_store(shell.home)
    (shell.folder / "script.json").write_text("{}")
    executor = fake_plans.executor_of(store, shell.folder / "script.json", shell.folder / "log")
    stages = fake_plans.chain()
    run_plan(stages[:2], store, executor, sink=lambda event: None, orders=Orders(poll_s=0.01))
    told: list[str] = []

    def sink(event: object) -> None:
        if not told:
            told.append(shell("gc", "small.yaml", *NOW, "--delete").out)

    outcome = run_plan(stages, store, executor, sink=sink, orders=Orders(poll_s=0.01))

    starts = (shell.folder / "log").read_text().splitlines()
    assert outcome.exit == Exit.DONE
    assert [line for line in starts if line.startswith("start")] == [
        *("start first", "start second"),
        *("start first", "start second", "start third"),
    ]


def test_the_hold_of_a_killed_run_protects_nothing(both: Shell) -> None:
    store = open_store(both.home)
    keys = [row["key"] for row in both("plan", "specs/other.yaml", "--json").json["stages"]]
    plain = {
        "format": "ddspec.hold/1",
        "owner": asdict(replace(this_process(), birth="never")),
        "name": "other",
        "since": 1.0,
        "keys": keys,
    }
    store.layout.runs.mkdir(exist_ok=True)
    (store.layout.runs / "1-left.json").write_text(json.dumps(plain))

    both("gc", "specs/small.yaml", *NOW, "--delete")

    assert list(store.layout.runs.iterdir()) == []
    assert sum(store.objects.has(key) for key in keys) < len(keys)


def test_an_engine_that_does_not_answer_keeps_its_jobs(
    both: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = both.home / "attempts" / "0123456789abcdef-in-a-container"
    root.mkdir()
    (root / "started").touch()
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    monkeypatch.setitem(EXECUTORS, "docker", "ddspec.executors.docker:DockerExecutor")

    both("gc", "specs", *NOW, "--delete")

    assert root.exists()
