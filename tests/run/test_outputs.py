"""What a hostile job left, looked at before it is believed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ddspec.run.outputs import DEEPEST, MOST_FILES, odd_file, read_result
from ddspec.run.progress import PIECE, read_events, size_of

KEY = "0" * 64
TERA = 1 << 40


def result(**changes: object) -> str:
    plain = {"key": KEY, "label": "x", "kind": "select", "revision": 1, "seconds": 1.0}
    return json.dumps(plain | {"metrics": {}, "engine": {}} | changes)


def event(**changes: object) -> bytes:
    return json.dumps({"key": KEY, "event": "progress", "done": 1, "total": 2} | changes).encode()


def link_to_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def dangle(path: Path) -> None:
    path.symlink_to("nowhere")


NO_FILES: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device": link_to_zero,
    "loop": link_to_itself,
    "dangling": dangle,
    "folder": Path.mkdir,
}


@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES)
def test_what_is_no_file_is_no_result(make: Callable[[Path], object], tmp_path: Path) -> None:
    make(tmp_path / "result.json")

    with pytest.raises(OSError, match=r".+"):
        read_result(tmp_path)


@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES)
def test_what_is_no_file_has_no_events(make: Callable[[Path], object], tmp_path: Path) -> None:
    make(tmp_path / "events.jsonl")

    assert size_of(tmp_path / "events.jsonl") == 0
    assert read_events(tmp_path / "events.jsonl", 0) == ((), 0)


def test_an_output_elsewhere_is_none(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/result.json").write_text(result())
    (tmp_path / "output").symlink_to("elsewhere")

    assert read_result(tmp_path / "elsewhere").key == KEY
    with pytest.raises(OSError, match="symbolic link"):
        read_result(tmp_path / "output")


@pytest.mark.parametrize(
    "changes",
    [
        {"seconds": 10**400},
        {"seconds": float("inf")},
        {"seconds": float("nan")},
        {"seconds": -1},
        {"metrics": {"accuracy": 10**400}},
        {"metrics": {"accuracy": [{"deep": float("nan")}]}},
        {"engine": {"threads": float("inf")}},
    ],
)
def test_numbers_that_nobody_can_reckon_with_are_not_believed(
    changes: dict[str, object], tmp_path: Path
) -> None:
    (tmp_path / "result.json").write_text(result(**changes))

    with pytest.raises(ValueError, match=r"seconds|number"):
        read_result(tmp_path)


def test_a_result_of_a_terabyte_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(result())
    os.truncate(tmp_path / "result.json", TERA)

    with pytest.raises(ValueError, match="more than 16 MiB"):
        read_result(tmp_path)


def undecodable(folder: Path) -> None:
    with open(os.fsencode(folder) + b"/\xff", "wb"):  # noqa: PTH123
        pass


def deep(folder: Path) -> None:
    (folder / "/".join("d" * DEEPEST)).mkdir(parents=True)


def hollow(folder: Path) -> None:
    (folder / "big").touch()
    os.truncate(folder / "big", TERA)


def many(folder: Path) -> None:
    for number in range(MOST_FILES + 1):
        os.mknod(folder / str(number))


def manifest(folder: Path) -> None:
    (folder / "manifest.json").mkdir()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (undecodable, "not UTF-8"),
        (deep, "nested"),
        (hollow, "is empty"),
        (many, "more than 10,000 files"),
        (manifest, "is a folder"),
        (lambda folder: os.mkfifo(folder / "pipe"), "neither a file nor a folder"),
        (lambda folder: link_to_zero(folder / "zero"), "neither a file nor a folder"),
        (lambda folder: folder.rmdir(), "gone"),
    ],
)
def test_files_that_would_stop_or_break_publishing_are_refused(
    make: Callable[[Path], object], why: str, tmp_path: Path
) -> None:
    folder = tmp_path / "output"
    folder.mkdir()
    make(folder)

    assert why in (odd_file(folder) or "")


def test_ordinary_files_may_be_published_and_so_may_a_manifest_that_was_begun(
    tmp_path: Path,
) -> None:
    (tmp_path / "more/files").mkdir(parents=True)
    (tmp_path / "more/files/x").touch()
    (tmp_path / "manifest.json").touch()

    assert odd_file(tmp_path) is None


@pytest.mark.parametrize(
    "changes",
    [{"done": 10**400}, {"total": -1}, {"seconds": 1e308}, {"seconds": float("nan")}],
)
def test_events_that_nobody_can_reckon_with_are_left_out(
    changes: dict[str, object], tmp_path: Path
) -> None:
    record = tmp_path / "events.jsonl"
    record.write_bytes(event() + b"\n" + event(**changes) + b"\n")

    events, end = read_events(record, 0)

    assert [one.done for one in events] == [1]
    assert end == record.stat().st_size


def test_a_record_of_a_terabyte_is_read_in_pieces(tmp_path: Path) -> None:
    record = tmp_path / "events.jsonl"
    record.write_bytes(event() + b"\n")
    begin = record.stat().st_size
    os.truncate(record, TERA)

    first, here = read_events(record, 0)
    second, there = read_events(record, here)

    assert (len(first), here) == (1, begin)
    assert (second, there) == ((), begin + PIECE)
