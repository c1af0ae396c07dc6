"""A key is claimed once, and a claim is edited only by who knows its attempt."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ddspec.errors import DdspecError, Exit
from ddspec.host import ProcessId, this_process
from ddspec.store.claims import Claim
from ddspec.store.store import Store

KEY = "ab" + "0" * 62


def claim_of(attempt: str) -> Claim:
    return Claim(
        key=KEY,
        label="pool/0",
        attempt=attempt,
        executor="local",
        handle=None,
        owner=this_process(),
        events_from=0,
        taken=1.5,
    )


def test_of_many_takers_one_gets_the_claim(store: Store) -> None:
    takers = [claim_of(f"attempt-{i}") for i in range(16)]

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(store.claims.take, takers))

    winner = takers[got.index(True)]
    assert got.count(True) == 1
    assert store.claims.read(KEY) == winner
    assert store.claims.keys() == {KEY}


def test_a_claim_learns_its_handle_and_its_new_owner(store: Store) -> None:
    heir = ProcessId("host", "boot", 1, "2")
    store.claims.take(claim_of("one"))

    store.claims.change(claim_of("one"), handle="handle")
    changed = store.claims.change(claim_of("one"), owner=heir)

    assert changed == replace(claim_of("one"), handle="handle", owner=heir)
    assert store.claims.read(KEY) == changed


def test_the_claim_of_another_attempt_is_left_alone(store: Store) -> None:
    store.claims.take(claim_of("one"))

    assert store.claims.change(claim_of("two"), handle="handle") is None
    assert not store.claims.drop(KEY, "two")
    assert store.claims.read(KEY) == claim_of("one")


def test_a_dropped_claim_can_be_taken_again(store: Store) -> None:
    store.claims.take(claim_of("one"))

    assert store.claims.drop(KEY, "one")
    assert store.claims.take(claim_of("two"))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"format": "ddspec.claim/1"', id="half"),
        pytest.param(b"\x00\x00", id="zeros after a loss of power"),
    ],
)
def test_a_claim_that_a_crash_left_unreadable_holds_nothing(store: Store, content: bytes) -> None:
    (store.layout.claims / KEY).write_bytes(content)

    assert store.claims.read(KEY) is None
    assert store.claims.take(claim_of("one"))


def test_a_heartbeat_moves_and_a_missing_claim_has_none(store: Store) -> None:
    store.claims.take(claim_of("one"))

    store.claims.beat(KEY)
    first = store.claims.heartbeat(KEY)
    store.claims.drop(KEY, "one")
    store.claims.beat(KEY)

    assert first is not None
    assert store.claims.heartbeat(KEY) is None


def test_what_a_killed_taker_left_is_swept_and_claims_stay(store: Store) -> None:
    store.claims.take(claim_of("one"))
    debris = store.layout.claims / f".{KEY}.1234"
    debris.write_text("half")

    store.claims.sweep(before=debris.stat().st_mtime)
    kept = debris.exists()
    store.claims.sweep(before=debris.stat().st_mtime + 1)

    assert kept
    assert not debris.exists()
    assert store.claims.keys() == {KEY}


def test_only_one_holds_the_lock_of_a_key(store: Store) -> None:
    with store.claims.lock(KEY) as first, store.claims.lock(KEY, 0) as second:
        held = (first, second)
    with store.claims.lock(KEY, 0) as third:
        assert (*held, third) == (True, False, True)


FOREIGN = {
    "a newer format": {"format": "ddspec.claim/2"},
    "a field of another type": {"format": "ddspec.claim/1", "taken": "yesterday"},
    "another form": {"format": None},
    "no owner": {"format": "ddspec.claim/1", "owner": None},
    "the key of another claim": {"key": "cd" + "0" * 62},
    "an attempt outside of the store": {"attempt": "../../../elsewhere"},
    "a label without end": {"label": "pool/" + "9" * 5_000},
}


@pytest.mark.parametrize("changes", FOREIGN.values(), ids=FOREIGN)
def test_the_claim_of_another_version_is_neither_taken_nor_removed(
    store: Store, changes: dict[str, object]
) -> None:
    store.claims.take(claim_of("one"))
    path = store.layout.claims / KEY
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    with pytest.raises(DdspecError, match="is no claim of this version") as caught:
        store.claims.read(KEY)

    assert caught.value.exit == Exit.CHANGED
    assert store.claims.keys() == {KEY}


def test_a_pipe_in_place_of_a_claim_is_not_waited_for(store: Store) -> None:
    os.mkfifo(store.layout.claims / KEY)

    with pytest.raises(DdspecError, match="is no claim"):
        store.claims.read(KEY)
