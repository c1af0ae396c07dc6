"""Living runs say what they count on."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from ddspec.errors import DdspecError, Exit
from ddspec.host import ProcessId, this_process
from ddspec.store.store import Store

KEYS = ("ab" * 32, "cd" * 32)


def leave(store: Store, owner: ProcessId) -> None:
    """Write the hold of a run that never came to remove it."""
    plain = {"owner": asdict(owner), "name": "left", "since": 1.0, "keys": list(KEYS)}
    store.layout.runs.mkdir(exist_ok=True)
    (store.layout.runs / "1-left.json").write_text(json.dumps({"format": "ddspec.hold/1"} | plain))


def test_a_hold_lasts_as_long_as_its_block(store: Store) -> None:
    with store.holds.held(this_process(), "digits", KEYS, 12.0):
        (hold,) = store.holds.all()

    assert (hold.name, hold.since, hold.keys) == ("digits", 12.0, frozenset(KEYS))
    assert store.holds.all() == ()


def test_a_hold_ends_with_an_error_too(store: Store) -> None:
    with pytest.raises(KeyError), store.holds.held(this_process(), "", KEYS, 0.0):
        raise KeyError

    assert store.holds.all() == ()


def test_a_run_that_was_killed_holds_nothing_and_is_forgotten(store: Store) -> None:
    leave(store, replace(this_process(), birth="never"))

    found = store.holds.all()
    store.holds.sweep()

    assert found == ()
    assert list(store.layout.runs.iterdir()) == []


def test_a_run_on_another_machine_is_believed(store: Store) -> None:
    leave(store, replace(this_process(), host="elsewhere"))

    store.holds.sweep()

    assert [hold.name for hold in store.holds.all()] == ["left"]


@pytest.mark.parametrize("content", ["", "[]", '{"format": "ddspec.hold/2"}', "{}"])
def test_a_hold_that_cannot_be_read_stops_whoever_would_remove(store: Store, content: str) -> None:
    store.layout.runs.mkdir(exist_ok=True)
    (store.layout.runs / "1-odd.json").write_text(content)

    with pytest.raises(DdspecError) as caught:
        store.holds.all()

    assert caught.value.exit is Exit.CHANGED


def test_nothing_is_removed_while_a_run_notes_what_it_counts_on(store: Store) -> None:
    with store.holds.changing(0) as first, store.holds.changing(0) as second:
        pass

    assert (first, second) == (True, False)
