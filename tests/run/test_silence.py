"""A run bears with a place that stops answering: nothing is done twice, and nothing is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from fake_plans import chain, diamond, key_of
from fake_scene import Scene
from fake_silence import CUT, CutLine

from ddspec.errors import DdspecError, Exit
from ddspec.executors.base import Executor, Unreachable
from ddspec.host import this_process
from ddspec.run.desk import Orders
from ddspec.run.dispatch import run_plan
from ddspec.run.events import PlaceBack, PlaceSilent, StageAdopted, StageDeferred
from ddspec.run.outcome import Outcome
from ddspec.store.claims import Claim

FOR_EVER = ("before",) * 10_000


def run(scene: Scene, executor: Executor[Any], *, others: bool = False, **orders: Any) -> Outcome:
    scene.events.clear()
    settings = {"jobs": 2, "poll_s": 0.005, "pause_s": 0.01, "patience_s": 20.0} | orders
    return run_plan(
        chain(),
        scene.store,
        executor,
        sink=scene.events.append,
        orders=Orders(**settings),
        others=(lambda name: scene.executor) if others else None,
    )


@pytest.mark.parametrize(
    "cuts",
    [
        pytest.param({"submit": ["after"]}, id="a job starts and nobody hears of it"),
        pytest.param({"submit": ["before"]}, id="a job does not start"),
        pytest.param({"submit": ["after"], "settle": ["before"] * 3}, id="and asking fails too"),
        pytest.param({"submit": ["before", "before", "after", "before"]}, id="again and again"),
        pytest.param({"poll": ["before"] * 5}, id="no state is told"),
        pytest.param({"retire": ["before", "after", "before"]}, id="a job cannot be taken down"),
        pytest.param({"retire": ["after"], "poll": ["", "", "before"]}, id="one after the other"),
    ],
)
def test_a_silence_that_ends_costs_nothing(scene: Scene, cuts: dict[str, list[str]]) -> None:
    outcome = run(scene, CutLine(scene.executor, cuts))

    assert outcome.exit == Exit.DONE
    assert scene.starts() == ["first", "second", "third"]
    assert scene.store.claims.keys() == frozenset()
    told = [event for event in scene.events if isinstance(event, PlaceSilent | PlaceBack)]
    assert told[0] == PlaceSilent(CUT, 20.0)
    assert isinstance(told[-1], PlaceBack)


@pytest.mark.parametrize("method", ["submit", "poll", "retire"])
def test_a_silence_that_lasts_ends_the_run_and_the_next_one_goes_on(
    scene: Scene, method: str
) -> None:
    scene.behave(second={"steps": 20, "step_s": 0.01})

    with pytest.raises(Unreachable, match=CUT) as raised:
        run(scene, CutLine(scene.executor, {method: FOR_EVER, "settle": FOR_EVER}), patience_s=0.1)
    outcome = run(scene, scene.executor)

    assert raised.value.exit is Exit.UNABLE
    assert "run again" in str(raised.value)
    assert outcome.exit == Exit.DONE
    assert scene.starts() == ["first", "second", "third"]


def test_a_submission_that_started_unheard_is_not_given_up(scene: Scene) -> None:
    line = CutLine(scene.executor, {"submit": ["after"], "settle": FOR_EVER})

    with pytest.raises(Unreachable):
        run(scene, line, patience_s=0.05)

    claim = scene.store.claims.read(key_of(chain()[0]))
    assert claim is not None
    assert claim.handle is None


def test_a_place_that_takes_no_job_is_not_asked_for_ever(scene: Scene) -> None:
    line = CutLine(scene.executor, {"submit": FOR_EVER})

    with pytest.raises(DdspecError, match="was not answered") as raised:
        run(scene, line, pause_s=0.01, patience_s=0.05)

    assert raised.value.exit is Exit.UNABLE
    assert line.calls.count("submit") == 4  # after pauses of 10, 20 and 40 ms
    assert scene.store.claims.keys() == frozenset()


def test_a_place_that_is_down_from_the_start_is_told_at_once(scene: Scene) -> None:
    line = CutLine(scene.executor, {"sweep": ["before"]})

    with pytest.raises(Unreachable):
        run(scene, line, patience_s=1e9)

    assert "submit" not in line.calls


def test_a_run_that_has_nothing_to_do_needs_no_place(scene: Scene) -> None:
    run(scene, scene.executor)
    line = CutLine(scene.executor, {"sweep": FOR_EVER})

    assert run(scene, line).exit == Exit.DONE
    assert line.calls == []


def test_without_room_a_stage_waits_and_says_so_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ddspec.run.launch.DEFER_S", 0.01)

    outcome = run(scene, CutLine(scene.executor, {"submit": ["full"] * 3}))

    assert outcome.exit == Exit.DONE
    assert scene.told(StageDeferred) == ["first"]
    assert scene.store.claims.keys() == frozenset()


def test_a_job_is_taken_down_before_its_output_is_published(scene: Scene) -> None:
    line = CutLine(scene.executor, {})
    seen: list[bool] = []
    retire = line.retire

    class Watched(CutLine):
        def retire(self, handle: str) -> Any:
            attempt = json.loads(handle)[-1]
            outputs = (scene.store.layout.attempts / attempt / "output").iterdir()
            seen.extend(not scene.store.objects.has(path.name) for path in outputs)
            return retire(handle)

    run(scene, Watched(line.behind, line.cuts))

    assert seen == [True, True, True]
    entry = scene.store.journal.entries(key_of(chain()[0]))[0]
    assert entry.place == {"line": "cut"}


def test_a_job_of_another_executor_is_adopted(scene: Scene) -> None:
    scene.behave(first={"steps": 30, "step_s": 0.01})
    scene.hand_over()

    outcome = run(scene, replace(CutLine(scene.executor, {}), name="elsewhere"), others=True)

    assert outcome.exit == Exit.DONE
    assert scene.told(StageAdopted) == ["first"]
    assert scene.starts() == ["first", "second", "third"]


def test_a_stage_whose_executor_is_not_to_be_had_is_waited_for(scene: Scene) -> None:
    first = chain()[0]
    me = this_process()
    dead = replace(me, birth="never")
    claim = Claim(key_of(first), first.label, "gone", "cloud", "handle", dead, 0, 0.0)
    scene.store.claims.take(claim)

    def others(name: str) -> Executor[Any]:
        raise DdspecError(f"no executor is called `{name}`", exit=Exit.USAGE)

    outcome = run_plan(
        diamond()[:1] + chain(),
        scene.store,
        scene.executor,
        sink=scene.events.append,
        orders=Orders(steal=True, poll_s=0.005),
        others=others,
    )

    assert outcome.exit == Exit.DONE
