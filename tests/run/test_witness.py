"""Who made outputs, as the journal tells, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_plans import chain, key_of
from pydantic import JsonValue

from ddspec.run.witness import witness_of
from ddspec.store.journal import Entry
from ddspec.store.store import Store, open_store

DAY = 86_400.0
CPU: dict[str, JsonValue] = {
    "device": "cpu",
    "device_name": "",
    "machine": "x86_64",
    "threads": 2,
    "torch": "2.11.0",
}
GPU: dict[str, JsonValue] = {
    "device": "cuda",
    "device_name": "NVIDIA H200",
    "threads": 1,
    "torch": "2.12.0",
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "store")


def record(
    store: Store,
    key: str,
    ended: float,
    engine: dict[str, JsonValue],
    outcome: str = "published",
) -> None:
    attempt = f"{ended}-{outcome}"
    given = {"executor": "local", "host": "h", "exit": 0, "outcome": outcome, "engine": engine}
    entry = Entry(key, "distill", "distill", attempt, started=ended - 1, ended=ended, **given)  # type: ignore[arg-type]  # JSON
    store.journal.record(entry)


def test_devices_versions_and_days_are_told_once_each(store: Store) -> None:
    first, second, third = (key_of(stage) for stage in chain())
    record(store, first, 2 * DAY, CPU)
    record(store, second, DAY, GPU)
    record(store, third, DAY + 5, GPU)

    found = witness_of([first, second, third, first], store)

    assert found.keys == (first, second, third)
    assert found.devices == ("CPU (x86_64), 2 threads", "NVIDIA H200")
    assert found.versions == ("2.11.0", "2.12.0")
    assert found.dates == ("1970-01-02", "1970-01-03")


def test_attempts_that_published_nothing_say_nothing(store: Store) -> None:
    key = key_of(chain()[0])
    record(store, key, DAY, GPU, outcome="failed")

    assert witness_of([key], store).devices == ()


def test_of_two_the_later_one_made_what_is_there(store: Store) -> None:
    key = key_of(chain()[0])
    record(store, key, 2 * DAY, CPU)
    record(store, key, DAY, GPU)

    assert witness_of([key], store).devices == ("CPU (x86_64), 2 threads",)


@pytest.mark.parametrize(
    ("ended", "engine"),
    [
        pytest.param(1e300, {}, id="a time that is none"),
        pytest.param(float("nan"), {"device": 7, "device_name": []}, id="no words"),
    ],
)
def test_what_a_journal_says_wrongly_is_left_out(
    store: Store, ended: float, engine: dict[str, JsonValue]
) -> None:
    key = key_of(chain()[0])
    record(store, key, ended, engine)

    found = witness_of([key], store)

    assert (found.devices, found.dates) == ((), ())


def test_a_damaged_journal_and_no_store_say_nothing(store: Store) -> None:
    key = key_of(chain()[0])
    record(store, key, DAY, CPU)
    (path,) = store.layout.journal(key).glob("*.json")
    path.write_text("{")

    assert witness_of([key], store).devices == ()
    assert witness_of([key], None).devices == ()
