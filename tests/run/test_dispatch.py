"""A run makes what is missing, once, and says what became of each stage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_plans import PLANS, RUNNER, chain, diamond, key_of, wide
from fake_scene import Scene

from ddspec.engine.source import runners_digest
from ddspec.errors import DdspecError, Exit
from ddspec.host import ProcessId, this_process
from ddspec.run.dispatch import run_plan
from ddspec.run.events import (
    ObjectDamaged,
    RunEvent,
    RunStarted,
    StageDone,
    StageFailed,
    StageProgress,
    StageRetried,
    StagesBlocked,
    StageStarted,
    StageSubmitted,
)
from ddspec.run.outcome import Outcome
from ddspec.run.progress import read_events
from ddspec.store.claims import Claim

HOST = RUNNER.with_name("fake_host.py")


def states(outcome: Outcome) -> dict[str, str]:
    return {stage.label: stage.state for stage in outcome.stages}


@pytest.mark.parametrize("name", ["chain", "diamond"])
def test_an_empty_store_is_filled_and_every_stage_runs_once(scene: Scene, name: str) -> None:
    stages = PLANS[name]()

    outcome = scene.run(stages)

    assert set(states(outcome).values()) == {"done"}
    assert sorted(scene.starts()) == sorted(stage.label for stage in stages)
    assert outcome.exit == Exit.DONE
    assert list(scene.store.claims.keys()) == []


def test_outputs_are_made_from_the_outputs_above(scene: Scene) -> None:
    first, second, third = chain()

    outcome = scene.run((first, second, third))

    assert scene.data(third) == f"{key_of(third)}.0+{key_of(second)}.0+{key_of(first)}.0\n\n\n"
    assert [stage.metrics for stage in outcome.stages] == [{"inputs": n} for n in (0, 1, 1)]
    assert {stage.seconds for stage in outcome.stages} == {0.5}


def test_a_full_store_starts_nothing(scene: Scene) -> None:
    scene.run(diamond())

    outcome = scene.run(diamond())

    assert set(states(outcome).values()) == {"in store"}
    assert len(scene.starts()) == len(diamond())
    assert scene.events == [RunStarted((), in_store=11, not_needed=0)]
    assert all(stage.seconds == 0.5 for stage in outcome.stages)


def test_stages_of_a_kind_share_processes(scene: Scene) -> None:
    scene.run(diamond(), jobs=2)

    submitted = [event for event in scene.events if isinstance(event, StageSubmitted)]
    attempts = [event.attempt for event in submitted if event.label.startswith("pool")]
    assert sorted(attempts.count(attempt) for attempt in set(attempts)) == [2, 3]


def test_what_is_above_a_stored_output_is_not_needed(scene: Scene) -> None:
    first, second, third = chain()
    scene.run((first, second, third))
    scene.store.objects.set_aside(key_of(first))
    scene.store.objects.set_aside(key_of(third))

    outcome = scene.run((first, second, third))

    assert states(outcome) == {"first": "not needed", "second": "in store", "third": "done"}
    assert scene.starts() == ["first", "second", "third", "third"]


@pytest.mark.parametrize(
    ("victim", "damage"),
    [
        pytest.param(0, lambda path: path.write_text("cut"), id="cut, not needed by anything"),
        pytest.param(1, lambda path: path.write_text(path.read_text()[::-1]), id="altered"),
        pytest.param(2, lambda path: path.unlink(), id="missing"),
    ],
)
def test_a_damaged_output_is_named_and_made_again(scene: Scene, victim: int, damage: Any) -> None:
    stages = chain()
    scene.run(stages)
    before = scene.data(stages[victim])
    damage(scene.store.layout.object(key_of(stages[victim])) / "data")

    outcome = scene.run(stages)

    assert scene.told(ObjectDamaged) == [stages[victim].label]
    assert states(outcome)[stages[victim].label] == "done"
    assert scene.data(stages[victim]) == before
    assert len(scene.starts()) == 4


def test_silent_damage_of_an_input_is_found_before_it_is_used(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = chain()
    scene.run((first, second))
    whole = scene.data(second)
    # Times and inode stay as they were, so only a full hash can tell.
    monkeypatch.setattr("ddspec.store.objects.sha256_of", _reads_garbage_once(key_of(second)))

    outcome = scene.run((first, second, third))

    assert scene.told(ObjectDamaged) == ["second"]
    assert states(outcome) == {"first": "in store", "second": "done", "third": "done"}
    assert scene.data(second) == whole


def _reads_garbage_once(key: str) -> Any:
    from ddspec.store.manifest import sha256_of

    left = [1]

    def read(path: Path) -> str:
        if key in str(path) and path.name == "data" and left:
            left.pop()
            return "0" * 64
        return sha256_of(path)

    return read


def test_a_failure_blocks_what_is_below_and_nothing_else(scene: Scene) -> None:
    scene.behave(pool__3={"exits": [1]})

    outcome = scene.run(diamond())

    assert states(outcome) == {
        "prepare": "done",
        **{f"pool/{i}": "done" for i in (0, 1, 2, 4)},
        "pool/3": "failed",
        "merge": "blocked",
        **{f"evaluate/{i}": "blocked" for i in range(4)},
    }
    assert outcome.exit == Exit.FAILED
    assert [event for event in scene.events if isinstance(event, StagesBlocked)] == [
        StagesBlocked(("merge", *(f"evaluate/{i}" for i in range(4))), by="pool/3")
    ]
    assert outcome.stages[6].reason == "pool/3"


def test_a_failure_shows_the_end_of_what_the_runner_printed(scene: Scene) -> None:
    scene.behave(second={"exits": [65]})

    outcome = scene.run(chain())

    assert (
        outcome.stages[1].reason == "the runner refused the data, exit code 65\nsecond ends with 65"
    )
    assert scene.told(StageFailed) == ["second"]


def test_a_failed_stage_is_tried_again_by_the_next_run(scene: Scene) -> None:
    scene.behave(second={"exits": [1]})
    scene.run(chain())

    outcome = scene.run(chain())

    assert states(outcome) == {"first": "in store", "second": "done", "third": "done"}


@pytest.mark.parametrize(
    ("exits", "state", "starts"),
    [
        pytest.param([75], "done", 2, id="one passing failure"),
        pytest.param([75, -9, 143], "done", 4, id="three of different kinds"),
        pytest.param([69, 69, 69, 69], "failed", 4, id="a fourth one is final"),
        pytest.param([-11, -11, -11, -11], "failed", 4, id="a crash is a loss"),
        pytest.param([1], "failed", 1, id="a fault is final"),
        pytest.param([64], "failed", 1, id="a bad job is final"),
    ],
)
def test_only_failures_that_may_pass_are_tried_again_and_three_times(
    scene: Scene, exits: list[int], state: str, starts: int
) -> None:
    scene.behave(first={"exits": exits})

    outcome = scene.run(chain()[:1])

    assert states(outcome) == {"first": state}
    assert len(scene.starts()) == starts
    assert len(scene.told(StageRetried)) == starts - 1


def test_a_retry_goes_on_from_the_checkpoint(scene: Scene) -> None:
    scene.behave(first={"steps": 3, "exits": [75]})

    scene.run(chain()[:1])

    log = (scene.folder / "log").read_text().splitlines()
    assert log == ["start first", *(f"step first {n}" for n in (1, 2, 3)), "start first"]
    assert sorted(
        path.name for path in (scene.store.layout.scratch / key_of(chain()[0])).iterdir()
    ) == ["events.jsonl"]


def test_finished_stages_of_a_job_that_died_are_kept(scene: Scene) -> None:
    scene.behave(pool__1={"exits": [1]})

    outcome = scene.run(diamond(), jobs=1)

    assert states(outcome)["pool/0"] == "done"
    assert states(outcome)["pool/1"] == "failed"
    assert [states(outcome)[f"pool/{i}"] for i in (2, 3, 4)] == ["done"] * 3
    assert scene.starts().count("pool/0") == 1


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        pytest.param({"revision": 7}, "revision 7", id="another revision"),
        pytest.param({"key": "f" * 64}, "key ffffffffffffffff", id="another key"),
        pytest.param({"kind": "merge"}, "speaks of merge", id="another kind"),
        pytest.param({"format": "ddspec.result/9"}, "result.json is not valid", id="format"),
    ],
)
def test_a_result_that_does_not_answer_what_was_asked_is_not_published(
    scene: Scene, result: dict[str, object], problem: str
) -> None:
    scene.behave(first={"result": result})

    outcome = scene.run(chain()[:1])

    assert problem in outcome.stages[0].reason
    assert not scene.store.objects.has(outcome.stages[0].key)


def test_progress_is_passed_on(scene: Scene) -> None:
    scene.behave(first={"steps": 3, "step_s": 0.05})

    scene.run(chain()[:1])

    steps = [event for event in scene.events if isinstance(event, StageProgress)]
    assert [event.done for event in steps][-1] == 3
    assert {(event.total, event.unit) for event in steps} == {(3, "steps")}
    assert scene.told(StageStarted) == scene.told(StageDone) == ["first"]


def test_stages_with_one_key_are_made_once(scene: Scene) -> None:
    first = chain()[0]

    outcome = scene.run((first, replace(first, label="again")))

    assert states(outcome) == {"first": "done", "again": "done"}
    assert scene.starts() == ["first"]


def test_a_store_that_is_removed_under_a_run_is_named(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, away = scene.store.layout.home, scene.folder / "away"

    def remove(*_: object) -> None:
        home.rename(away)

    monkeypatch.setattr("ddspec.run.loop.launch", remove)

    with pytest.raises(DdspecError, match="was removed while this run worked in it") as caught:
        scene.run(chain())
    away.rename(home)

    assert caught.value.exit == Exit.UNABLE


def test_data_that_are_not_locked_stop_a_run_at_once(scene: Scene) -> None:
    with pytest.raises(DdspecError, match="run `ddspec lock`") as caught:
        scene.run((replace(chain()[0], key=None),))
    assert caught.value.exit == Exit.UNABLE


def test_two_runs_in_one_store_do_nothing_twice(scene: Scene) -> None:
    scene.behave(**{f"pool__{i}": {"steps": 3, "step_s": 0.01} for i in range(5)})
    place = [str(scene.folder / name) for name in ("home", "script.json", "log")]

    # two processes, for a run takes what its own process claims to be its own
    hosts = [
        subprocess.Popen(
            [sys.executable, str(HOST), *place, "diamond", "2"], stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    told = [json.loads(host.communicate(timeout=60)[0]) for host in hosts]

    assert all(set(states.values()) <= {"done", "in store"} for states in told)
    assert sorted(scene.starts()) == sorted(stage.label for stage in diamond())


def test_what_another_run_makes_after_our_look_at_the_store_is_not_made_again(
    scene: Scene,
) -> None:
    def faster(event: RunEvent) -> None:
        if isinstance(event, RunStarted):
            scene.run(chain())

    outcome = run_plan(chain(), scene.store, scene.executor, sink=faster)

    assert set(states(outcome).values()) == {"done"}
    assert scene.starts() == ["first", "second", "third"]


def test_an_output_that_another_run_publishes_while_we_look_at_it_is_taken(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, scandir = key_of(chain()[0]), os.scandir
    published = []

    def overtaken(path: Any) -> Any:
        if not published and Path(path).match(f"*/output/{key}"):
            published.append(key)
            scene.store.objects.publish(Path(path), key)
        return scandir(path)

    monkeypatch.setattr("os.scandir", overtaken)

    assert states(scene.run(chain()[:1])) == {"first": "done"}
    assert scene.starts() == ["first"]
    assert published == [key]


def claim_for(stage: Any, owner: ProcessId, **fields: Any) -> Claim:
    plain = {"executor": "local", "handle": None, "attempt": "gone", "events_from": 0, "taken": 0.0}
    return Claim(key=stage.key, label=stage.label, owner=owner, **(plain | fields))


def test_the_claim_of_a_run_that_died_before_submitting_is_dropped(scene: Scene) -> None:
    dead = replace(this_process(), birth="0")
    scene.store.claims.take(claim_for(chain()[0], dead))

    assert states(scene.run(chain()[:1])) == {"first": "done"}


def test_what_an_unreachable_owner_holds_is_taken_only_when_told_to_steal(scene: Scene) -> None:
    away = ProcessId("elsewhere", "boot", 1, "1")
    scene.store.claims.take(claim_for(chain()[0], away))

    outcome = scene.run(chain()[:1], steal=True)

    assert states(outcome) == {"first": "done"}


def test_a_claim_left_behind_after_publishing_is_tidied_up(scene: Scene) -> None:
    scene.run(chain())
    dead = replace(this_process(), birth="0")
    scene.store.claims.take(claim_for(chain()[0], dead))
    (scene.store.layout.scratch / key_of(chain()[0]) / "checkpoint").write_text("old")

    scene.run(chain())

    assert list(scene.store.claims.keys()) == []
    assert not (scene.store.layout.scratch / key_of(chain()[0]) / "checkpoint").exists()


def test_the_journal_knows_every_attempt(scene: Scene) -> None:
    scene.behave(first={"exits": [75]})

    scene.run(chain()[:1])

    entries = scene.store.journal.entries(key_of(chain()[0]))
    assert [(entry.outcome, entry.exit) for entry in entries] == [("again", 75), ("published", 0)]
    assert entries[-1].engine == {"fake": "1", "source": runners_digest()}


@pytest.mark.slow  # 401 stages with several durable writes each
def test_hundreds_of_stages_go_through(scene: Scene) -> None:
    outcome = scene.run(wide(), jobs=2)

    assert set(states(outcome).values()) == {"done"}
    assert len(scene.starts()) == 401


def test_a_record_is_read_in_whole_lines_and_broken_ones_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    line = '{"key": "k", "event": "progress", "done": %d}\n'
    path.write_text(line % 1 + '{"key": "k", "ev' + line % 2 + line % 3 + '{"key')

    events, offset = read_events(path, 0)

    assert [event.done for event in events] == [1, 3]
    assert offset == path.stat().st_size - len('{"key')
    assert read_events(path, offset) == ((), offset)
    assert read_events(tmp_path / "none", 0) == ((), 0)
