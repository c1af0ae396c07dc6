"""One container has a GPU at a time, whoever submits at the same moment, in whatever order."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fake_turns import Turns
from hypothesis import given, settings
from hypothesis import strategies as st

from ddspec.executors import leases
from ddspec.executors.base import NoRoom
from ddspec.executors.gpu_locks import lock
from ddspec.executors.leases import GPUS_LABEL, STALE_S, Holder, holders, holds, lease

A, B = "GPU-a", "GPU-b"


@dataclass
class FakeEngine:
    """Containers in a table. A container has its time before it can be seen, as in real engines."""

    step: Callable[[], None] = lambda: None
    table: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: int = 0

    def containers(self, *, all: bool, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
        self.step()
        (label,) = filters["label"]
        return [dict(entry) for entry in self.table.values() if label in entry["Labels"]]

    def create(self, uuid: str, name: str = "", *, age: float = 0.0, state: str = "created") -> str:
        self.step()
        self.made += 1
        number = self.made
        # Engines list whole seconds: those who ask together have the same time, or one apart.
        entry = {
            "Id": f"{(number * 7919) % 1000:04d}",
            "Names": [f"/{name}"] if name else None,
            "Created": int(time.time() - age) + number % 2,
            "State": state,
            "Labels": {GPUS_LABEL: uuid},
        }
        self.step()
        self.table[str(entry["Id"])] = entry
        return str(entry["Id"])

    def start(self, container: str) -> None:
        self.step()
        self.table[container]["State"] = "running"

    def remove(self, container: str) -> None:
        self.step()
        self.table.pop(container, None)


@dataclass
class Contest:
    """Submitters of one GPU, each of which starts what it gets, and lets it go after a while."""

    turns: Turns
    locks: Path
    inside: list[str] = field(default_factory=list)
    won: int = 0

    def __post_init__(self) -> None:
        self.engine = FakeEngine(self.turns.step)

    def submit(self) -> None:
        try:
            container = lease(
                self.engine, (A,), self.engine.create, self.engine.remove, locks=self.locks
            )
        except NoRoom:
            return
        self.inside.append(container)
        assert self.inside == [container], "two have the GPU"
        self.engine.start(container)
        self.turns.step()
        assert self.inside == [container], "two have the GPU"
        self.inside.remove(container)
        self.won += 1
        self.engine.remove(container)


@pytest.fixture(scope="module")
def locks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("leases") / "locks"


@settings(max_examples=150, deadline=None)
@given(data=st.data(), submitters=st.integers(2, 4))
def test_no_order_of_steps_gives_a_gpu_to_two(
    locks: Path, data: st.DataObject, submitters: int
) -> None:
    choices = iter(data.draw(st.lists(st.integers(0, 11), max_size=60)))
    fair = iter(range(100_000))
    turns = Turns(lambda waiting: next(choices, next(fair)) % waiting)
    contest = Contest(turns, locks)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leases, "LOOK_EVERY_S", 0)
        turns.run(*[contest.submit] * submitters)

    assert contest.won >= 1
    assert contest.engine.table == {}


@pytest.mark.parametrize(
    ("state", "age", "held"),
    [
        pytest.param("created", 0, True, id="about to start"),
        pytest.param("created", STALE_S - 5, True, id="slow to start"),
        pytest.param("created", STALE_S + 5, False, id="never started"),
        pytest.param("created", -STALE_S - 5, False, id="from before the clock was set back"),
        pytest.param("running", STALE_S + 5, True, id="running"),
        pytest.param("paused", STALE_S + 5, True, id="paused"),
        pytest.param("restarting", STALE_S + 5, True, id="restarting"),
        pytest.param("exited", 0, False, id="exited"),
        pytest.param("dead", 0, False, id="dead"),
        pytest.param("removing", 0, False, id="being removed"),
    ],
)
def test_a_container_holds_its_gpu_while_it_can_use_it(state: str, age: float, held: bool) -> None:
    assert holds(Holder("1", "one", 1000.0, state), 1000.0 + age) is held


def test_only_the_label_says_who_holds_what() -> None:
    engine = FakeEngine()
    engine.create(A, "one", state="running")
    engine.create(f"{B},{A}", "two", state="running")
    engine.table["other"] = {"Id": "other", "Labels": {}, "State": "running"}

    assert {holder.name for holder in holders(engine, A)} == {"one", "two"}
    assert {holder.name for holder in holders(engine, B)} == {"two"}
    assert holders(engine, "GPU-") == ()


def test_the_first_gpu_that_is_free_is_taken(locks: Path) -> None:
    engine = FakeEngine()
    engine.create(A, "one", state="running")

    container = lease(engine, (A, B), engine.create, engine.remove, locks=locks)

    assert engine.table[container]["Labels"] == {GPUS_LABEL: B}


def test_who_waits_is_told_for_whom_and_leaves_nothing(tmp_path: Path) -> None:
    engine = FakeEngine()
    engine.create(A, "ddspec-one", state="running")
    _, file = lock((B,), tmp_path / "locks")

    with pytest.raises(NoRoom) as full:
        lease(engine, (A, B), engine.create, engine.remove, locks=tmp_path / "locks")
    os.close(file)

    assert str(full.value) == f"every GPU is taken: {A} by ddspec-one, {B} by a local job"
    assert len(engine.table) == 1


def test_what_a_dead_submitter_left_is_passed_over(locks: Path) -> None:
    engine = FakeEngine()
    left = engine.create(A, age=STALE_S + 5)

    container = lease(engine, (A,), engine.create, engine.remove, locks=locks)

    assert set(engine.table) == {left, container}


def test_who_waits_for_one_that_never_starts_gives_up(
    locks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "YIELD_S", 0.1)
    engine = FakeEngine()

    def create_with_a_rival(uuid: str) -> str:
        container = engine.create(uuid, "mine")
        engine.create(uuid, "later", age=-5)
        return container

    with pytest.raises(NoRoom, match=f"{A} by later"):
        lease(engine, (A,), create_with_a_rival, engine.remove, locks=locks)
    assert [entry["Names"] for entry in engine.table.values()] == [["/later"]]


class Interrupted(BaseException):
    """Ctrl-C."""


@pytest.mark.parametrize("error", [OSError("the engine is gone"), Interrupted()])
def test_what_was_created_is_removed_when_looking_fails(locks: Path, error: BaseException) -> None:
    engine = FakeEngine()

    def create_and_break(uuid: str) -> str:
        container = engine.create(uuid)

        def fail() -> None:
            engine.step = lambda: None
            raise error

        engine.step = fail
        return container

    with pytest.raises(type(error)):
        lease(engine, (A,), create_and_break, engine.remove, locks=locks)
    assert engine.table == {}


def test_a_container_that_somebody_removed_holds_nothing(locks: Path) -> None:
    engine = FakeEngine()

    def create_and_lose(uuid: str) -> str:
        container = engine.create(uuid)
        engine.remove(container)
        return container

    with pytest.raises(NoRoom, match="was removed"):
        lease(engine, (A,), create_and_lose, engine.remove, locks=locks)


def test_an_engine_that_takes_too_long_gives_no_gpu(
    locks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "START_WITHIN_S", -1.0)
    engine = FakeEngine()

    with pytest.raises(NoRoom, match="too slow"):
        lease(engine, (A,), engine.create, engine.remove, locks=locks)
    assert engine.table == {}
