"""The verbs from end to end, over runners that compute nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from fake_cli import SPEC, Shell

from ddspec.cli.app import GROUPS, VERBS
from ddspec.errors import Exit
from ddspec.run.outcome import Outcome

LONGER = SPEC.replace("outer_loops: 2", "outer_loops: 3")
FOLDER = SPEC.replace(
    "{kind: digits, validation: 0.2}", "{kind: folder, path: '${DDSPEC_PLACE}', size: 8}"
)


def images(root: Path) -> None:
    """Make a folder of two classes; nobody decodes what lies in it."""
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(4):
                (folder / f"{number}.png").write_bytes(f"{split}{name}{number}".encode())


# --- help -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [*VERBS, *GROUPS])
def test_help_of_a_verb_begins_as_the_list_of_all_verbs_describes_it(
    verb: str, shell: Shell
) -> None:
    listed = shell("--help").out
    told = shell(verb, "--help").out

    [row] = [line for line in listed.splitlines() if line.startswith(f"  {verb} ")]
    summary = row.removeprefix(f"  {verb} ").strip().removesuffix("...")
    assert f"Usage: ddspec {verb} [OPTIONS]" in told
    assert summary in " ".join(told.split())


@pytest.mark.parametrize("verb", ["pln", "imagee"])
def test_a_mistyped_verb_is_answered_with_one_of_all(verb: str, shell: Shell) -> None:
    ended = shell(verb)

    assert ended.code == Exit.USAGE
    assert {"pln": "plan", "imagee": "image"}[verb] in ended.err


# --- run ------------------------------------------------------------------------------------------


def test_run_prints_one_json_object_on_stdout(shell: Shell) -> None:
    ended = shell("run", "small.yaml", "--json", "--jobs", "2")

    found = ended.json
    assert ended.code == 0
    assert found["format"] == "ddspec.run/1"
    rows = {row["set"]: row for row in found["results"]}
    assert list(rows) == ["distilled", "random", "init"]
    assert rows["distilled"]["accuracy_mean"] == pytest.approx(0.85)
    assert rows["distilled"]["accuracy_std"] == pytest.approx(0.1 / 2**0.5)
    assert rows["distilled"]["repeats"] == 2
    assert rows["init"]["accuracy_std"] is None
    assert {row["network"] for row in found["results"]} == {"convnet2-w8"}
    assert {row["protocol"] for row in found["results"]} == {"brief"}
    assert {stage["state"] for stage in found["stages"]} == {"done"}
    assert all(len(stage["key"]) == 64 for stage in found["stages"])
    assert {row["of"] for row in found["differences"]} == {"random", "init"}


def test_run_tells_progress_on_stderr_and_the_table_on_stdout(shell: Shell) -> None:
    ended = shell("run", "small.yaml")

    assert "pool/0: done in 0.5 s" in ended.err
    assert "evaluate/convnet2-w8/0: done in 0.5 s, accuracy 80.0 %" in ended.err
    assert " distilled      85.0 %     ± 7.1          2\n" in ended.out
    assert " pool           2       1.0 s   done\n" in ended.out


def test_run_delivers_the_set_with_its_recipe(shell: Shell) -> None:
    shell("run", "small.yaml")

    folder = shell.home / "results" / "small"
    card = json.loads((folder / "card.json").read_bytes())
    measured = json.loads((folder / "results.json").read_bytes())
    assert card["protocol"]["name"] == "brief"
    assert measured["results"][0]["accuracies"] == [0.8, 0.9]


def test_a_second_run_finds_everything_in_the_store(shell: Shell) -> None:
    first = shell("run", "small.yaml", "--json").json

    second = shell("run", "small.yaml", "--json")

    assert "0 stages to run, 13 in store" in second.err
    assert {stage["state"] for stage in second.json["stages"]} == {"in store"}
    assert second.json["results"] == first["results"]


def test_results_prints_what_run_printed(shell: Shell) -> None:
    ran = shell("run", "small.yaml", "--json").json

    found = shell("results", "small.yaml", "--json").json

    assert found["format"] == "ddspec.results/1"
    assert found["results"] == ran["results"]
    assert {stage["state"] for stage in found["stages"]} == {"in store"}


def test_a_failed_stage_is_exit_1_and_the_rest_is_kept(shell: Shell) -> None:
    shell.behave(**{"evaluate__init__convnet2-w8__0": 65})

    ended = shell("run", "small.yaml", "--json")

    assert ended.code == Exit.FAILED
    states = {stage["label"]: stage["state"] for stage in ended.json["stages"]}
    assert states.pop("evaluate/init/convnet2-w8/0") == "failed"
    assert set(states.values()) == {"done"}
    reasons = [stage["reason"] for stage in ended.json["stages"] if "reason" in stage]
    assert len(reasons) == 1
    assert "ends with 65" in reasons[0]
    assert [row["set"] for row in ended.json["results"]] == ["distilled", "random"]
    assert "evaluate/init/convnet2-w8/0: failed" in ended.err


def test_an_interrupted_run_is_exit_130_and_says_how_to_go_on(shell: Shell) -> None:
    shell.monkeypatch.setattr(
        "ddspec.run.dispatch.run_plan", lambda *_, **__: Outcome((), interrupted=True)
    )

    ended = shell("run", "small.yaml")

    assert ended.code == Exit.INTERRUPTED
    assert "run it again and it goes on where it was" in ended.err


def test_a_dry_run_lists_what_would_run_and_makes_no_store(shell: Shell) -> None:
    nowhere = shell.folder / "nowhere"

    found = shell("run", "small.yaml", "--dry-run", "--json", "--home", str(nowhere)).json

    assert [stage["label"] for stage in found["stages"]][:4] == [
        "prepare/train",
        "prepare/test",
        "pool/0",
        "pool/1",
    ]
    assert not nowhere.exists()


def test_without_the_data_nothing_is_started(shell: Shell) -> None:
    spec = shell.write("cifar.yaml", SPEC.replace("kind: digits", "kind: cifar10"))

    ended = shell("run", spec)

    assert ended.code == Exit.UNABLE
    assert "hint: give `--data DIR` or set DDSPEC_DATA" in ended.err


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ("{kind: cifar10}", ["data_batch_1` and 6 more cannot be found", "data fetch cifar10"]),
        ("{kind: folder, path: mine, size: 8}", ["mine` is not a folder", "`dataset.path`"]),
    ],
    ids=["published files", "a folder"],
)
def test_images_that_are_not_where_they_should_be_are_named_at_once(
    dataset: str, words: list[str], shell: Shell
) -> None:
    images(shell.folder / "data" / "mine")
    spec = shell.write("own.yaml", SPEC.replace("{kind: digits, validation: 0.2}", dataset))
    if "folder" in dataset:
        shell("lock", spec, "--data", "data")

    ended = shell("run", spec, "--data", "nowhere")

    assert ended.code == Exit.UNABLE
    assert all(word in ended.err for word in words)
    assert not list(shell.home.glob("attempts/*"))


@pytest.mark.parametrize(
    ("more", "words"),
    [((), "there is no data directory"), (("--data", "nowhere"), "a.pth` cannot be found")],
    ids=["no folder", "no file"],
)
def test_weights_that_are_not_there_are_named_at_once(
    more: tuple[str, ...], words: str, shell: Shell
) -> None:
    weights = f"{{kind: file, path: a.pth, sha256: '{'0' * 64}'}}"
    given = f"{{kind: checkpoints, weights: [{weights}]}}"
    spec = shell.write("given.yaml", SPEC.replace("{kind: recorded, models: 2, epochs: 1}", given))

    ended = shell("run", spec, *more)

    assert ended.code == Exit.UNABLE
    assert words in ended.err
    assert not list(shell.home.glob("attempts/*"))


@pytest.mark.parametrize(
    ("visible", "words"),
    [("0", "no driver of a GPU is loaded"), ("-1", "CUDA_VISIBLE_DEVICES hides every GPU")],
    ids=["no driver", "hidden"],
)
def test_a_gpu_that_cannot_be_had_is_told_before_anything_starts(
    visible: str, words: str, shell: Shell
) -> None:
    shell.monkeypatch.setattr("ddspec.cli.surroundings.GPU_DRIVERS", (shell.folder / "none",))
    shell.monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    ended = shell("run", "small.yaml", "--device", "cuda")

    assert ended.code == Exit.UNABLE
    assert words in ended.err
    assert "hint: `--device cpu`" in ended.err


def test_with_everything_stored_the_images_are_not_asked_for(shell: Shell) -> None:
    shell.monkeypatch.setenv("DDSPEC_PLACE", "mine")
    images(shell.folder / "data" / "mine")
    spec = shell.write("own.yaml", FOLDER)
    shell("run", spec, "--data", "data")
    shell.monkeypatch.delenv("DDSPEC_PLACE")

    assert shell("run", spec).code == 0


def test_run_locks_a_folder_that_has_no_lock(shell: Shell) -> None:
    shell.monkeypatch.setenv("DDSPEC_PLACE", "mine")
    images(shell.folder / "data" / "mine")
    spec = shell.write("own.yaml", FOLDER)

    ended = shell("run", spec, "--data", "data", "--json")

    assert ended.code == 0
    assert (shell.folder / "own.lock.yaml").exists()
    assert "own.lock.yaml: 16 images" in ended.err


# --- plan, validate, lock -------------------------------------------------------------------------


def test_a_plan_shows_what_is_in_the_store(shell: Shell) -> None:
    before = shell("plan", "small.yaml", "--exit-code")
    shell("run", "small.yaml")
    after = shell("plan", "small.yaml", "--exit-code")

    assert (before.code, after.code) == (Exit.CHANGED, Exit.DONE)
    assert "13 run, 0 in store" in before.out
    assert "0 run, 13 in store" in after.out


def test_looking_at_a_plan_makes_no_store(shell: Shell) -> None:
    nowhere = shell.folder / "nowhere"

    assert shell("plan", "small.yaml", "--home", str(nowhere)).code == 0
    assert not nowhere.exists()


def test_a_written_plan_runs_as_its_spec_does(shell: Shell) -> None:
    wrote = shell("plan", "small.yaml", "-o", "small.plan.yaml")
    rehearsed = shell("run", "small.plan.yaml", "--dry-run", "--json").json
    expected = shell("run", "small.yaml", "--dry-run", "--json").json

    assert (wrote.code, wrote.out) == (0, "")
    assert rehearsed == expected
    assert shell("plan", "small.yaml", "--check", "small.plan.yaml").code == 0


@pytest.mark.parametrize("verb", ["run", "plan", "validate", "results"])
def test_a_plan_that_no_longer_follows_from_its_spec_is_refused(verb: str, shell: Shell) -> None:
    shell("plan", "small.yaml", "-o", "small.plan.yaml")
    shell.write("small.yaml", LONGER)

    ended = shell(verb, "small.plan.yaml")

    assert ended.code == Exit.CHANGED
    assert "`loops.outer_loops`" in ended.err
    assert shell("plan", "small.yaml", "--check", "small.plan.yaml").code == Exit.CHANGED


def test_a_plan_is_known_by_what_it_says_whatever_its_name(shell: Shell) -> None:
    shell("plan", "small.yaml", "-o", "reviewed.yaml")

    assert shell("validate", "reviewed.yaml").out == "reviewed.yaml: valid, 13 stages\n"


def test_every_stage_and_every_row_can_be_listed(shell: Shell) -> None:
    stages = shell("plan", "small.yaml", "--stages").out.splitlines()
    rows = shell("plan", "small.yaml", "--schedule").out.splitlines()

    assert [line.split()[1] for line in stages[1:4]] == ["prepare/train", "prepare/test", "pool/0"]
    assert next(line for line in stages if " distill " in line).endswith("prepare/train, pool/0..1")
    assert [line.split()[0] for line in rows[1:]] == ["0", "1"]


def test_a_plan_as_json_says_so(shell: Shell) -> None:
    found = shell("plan", "small.yaml", "--json").json

    assert found["format"].startswith("ddspec.")
    assert found["stages"][0]["label"] == "prepare/train"


def test_all_problems_of_a_spec_come_at_once_with_exit_3(shell: Shell) -> None:
    spec = shell.write("bad.yaml", SPEC.replace("depth: 2", "depht: 2").replace("l1", "l3"))

    ended = shell("validate", spec)

    assert ended.code == Exit.INVALID
    assert ended.err.count("error: ") == 2
    assert "did you mean `depth`?" in ended.err


def test_problems_as_json_have_their_places(shell: Shell) -> None:
    spec = shell.write("bad.yaml", SPEC.replace("depth: 2", "depht: 2"))

    ended = shell("validate", spec, "--json")

    assert (ended.code, ended.err) == (Exit.INVALID, "")
    assert ended.json["valid"] is False
    assert ended.json["problems"] == [
        {
            "code": None,
            "message": "unknown key `depht` in `network`",
            "hint": "did you mean `depth`?",
            "file": spec,
            "line": 5,
            "column": 26,
        }
    ]
    assert shell("validate", "small.yaml", "--json").json["valid"] is True


HOSTILE = {
    "nothing there": lambda path: None,
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "not text": lambda path: path.write_bytes(b"\xff\xfe\x00"),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", ["x.yaml", "x.plan.yaml"])
def test_a_document_that_is_none_is_exit_3(name: str, make: object, shell: Shell) -> None:
    make(shell.folder / name)  # type: ignore[operator]

    assert shell("validate", name).code == Exit.INVALID


def test_a_lock_lets_others_plan_without_the_images(shell: Shell) -> None:
    shell.monkeypatch.setenv("DDSPEC_PLACE", "mine")
    images(shell.folder / "data" / "mine")
    spec = shell.write("own.yaml", FOLDER)
    before = shell("plan", spec, "-o", "own.plan.yaml")
    shown = shell("plan", spec).out
    locked = shell("lock", spec, "--data", "data")
    shell.monkeypatch.delenv("DDSPEC_PLACE")
    after = shell("plan", spec, "-o", "own.plan.yaml")

    assert before.code == Exit.UNABLE
    assert "ddspec lock" in before.err
    assert "classes, images and content after lock" in shown
    assert f"`ddspec lock {spec} --data DIR`" in " ".join(shown.split())
    assert locked.out.startswith(f"{shell.folder}/own.lock.yaml: 16 images, ")
    assert after.code == 0


# --- the store ------------------------------------------------------------------------------------


def test_verify_names_a_damaged_object_and_run_makes_it_again(shell: Shell) -> None:
    ran = shell("run", "small.yaml", "--json").json
    key = ran["stages"][0]["key"]
    (shell.home / "objects" / key[:2] / key / "data").write_text("altered")

    damaged = shell("verify", "--store", "--json")
    again = shell("run", "small.yaml", "--json")

    assert damaged.code == Exit.FAILED
    assert list(damaged.json["damaged"]) == [key]
    assert again.code == 0
    assert shell("verify", "--store").out == "13 objects, 0 damaged\n"


def test_status_says_when_nothing_is_worked_on(shell: Shell) -> None:
    shell("run", "small.yaml")

    told = shell("status", "--json").json

    assert shell("status").out.startswith(f"nothing is being worked on in {shell.home}\n")
    assert (told["format"], told["claims"]) == ("ddspec.status/1", [])


def test_there_is_no_store_to_verify_before_the_first_run(shell: Shell) -> None:
    ended = shell("verify", "--store", "--home", str(shell.folder / "nowhere"))

    assert ended.code == Exit.UNABLE


def test_all_that_lies_beside_specs_can_be_validated_with_them(shell: Shell) -> None:
    images(shell.folder / "data" / "mine")
    shell.monkeypatch.setenv("DDSPEC_PLACE", "mine")
    shell.write("own.yaml", FOLDER)
    shell.write(
        "ddspec-policy.yaml", "format: ddspec.policy/1\nrules: [{kind: repeats, at_least: 1}]"
    )
    shell("lock", "own.yaml", "--data", "data")

    ended = shell("validate", "own.yaml", "own.lock.yaml", "ddspec-policy.yaml")

    assert (ended.code, ended.out.splitlines()[1:]) == (
        Exit.DONE,
        [
            "own.lock.yaml: valid, a lock of `folder`",
            "ddspec-policy.yaml: valid, a policy of 1 rule",
        ],
    )
    shell.write(
        "own.lock.yaml",
        (shell.folder / "own.lock.yaml").read_text().replace("images: ", "images: 9"),
    )
    assert "this lock was edited" in shell("validate", "own.lock.yaml").err


def test_a_lock_where_a_spec_is_expected_is_told_by_its_name(shell: Shell) -> None:
    shell.write("own.lock.yaml", "format: ddspec.lock/1")

    ended = shell("plan", "own.lock.yaml")

    assert ended.code == Exit.INVALID
    assert ended.err.splitlines() == [
        "error: `own.lock.yaml` is a lock, and neither a spec nor a plan",
        "  hint: name the spec beside it: `own.yaml`",
    ]


@pytest.mark.parametrize(
    ("kind", "more"), [("digits", ""), ("mnist", " --data DIR")], ids=["of a library", "files"]
)
def test_the_next_step_says_when_a_run_reads_data(kind: str, more: str, shell: Shell) -> None:
    spec = shell.write("x.yaml", SPEC.replace("kind: digits", f"kind: {kind}"))

    shown = " ".join(shell("plan", spec).out.split())

    assert shown.endswith(f"ddspec run {spec}{more}")
