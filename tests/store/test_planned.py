from __future__ import annotations

import os

import pytest

from ddspec.store.planned import KEPT, LARGEST
from ddspec.store.store import Store

NOON = 1_790_000_000.0


def mark(number: int) -> str:
    return f"{number:064x}"[::-1]


def keep(store: Store, number: int, name: str = "small") -> None:
    store.planned.record(name, f"{number}".encode(), mark=mark(number), time=NOON + number)


def test_records_come_back_newest_first(store: Store) -> None:
    for number in (1, 2, 3):
        keep(store, number)

    assert list(store.planned.contents("small")) == [b"3", b"2", b"1"]
    assert list(store.planned.contents("other")) == []


def test_the_last_ones_of_each_name_are_kept(store: Store) -> None:
    for number in range(KEPT + 5):
        keep(store, number)
    keep(store, 1, "other")

    assert len(list(store.planned.contents("small"))) == KEPT
    assert next(store.planned.contents("small")) == f"{KEPT + 4}".encode()
    assert list(store.planned.contents("other")) == [b"1"]


def test_the_same_request_again_is_written_once(store: Store) -> None:
    store.planned.record("small", b"first", mark=mark(1), time=NOON)
    store.planned.record("small", b"second", mark=mark(1), time=NOON + 9)

    assert list(store.planned.contents("small")) == [b"first"]
    assert store.planned.has("small", mark(1))
    assert not store.planned.has("small", mark(2))


def test_a_request_that_comes_back_is_the_newest(store: Store) -> None:
    keep(store, 1)
    keep(store, 2)
    store.planned.record("small", b"1 again", mark=mark(1), time=NOON + 10)

    assert next(store.planned.contents("small")) == b"1 again"


@pytest.mark.parametrize("put", ["link", "pipe", "folder", "huge", "half"])
def test_what_is_no_record_is_not_read(put: str, store: Store) -> None:
    keep(store, 1)
    folder = store.layout.planned("small")
    other = folder / "29991231T000000.000Z-0123456789abcdef.json"
    match put:
        case "link":
            other.symlink_to(folder / "anything")
        case "pipe":
            os.mkfifo(other)
        case "folder":
            other.mkdir()
        case "huge":
            with other.open("wb") as file:
                file.truncate(LARGEST + 1)
        case _:
            (folder / f".{other.name}.0a1b2c3d").write_text("half of it")

    assert list(store.planned.contents("small")) == [b"1"]
