"""What a job left, looked at before it is believed.

A runner works on data of others, and may have been taken over by them. What it wrote is therefore
never followed to another place, never waited for, and bounded before it is read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ddspec.store.manifest import MANIFEST
from ddspec.store.store import LONGEST_S
from ddspec.wire.job import Event, Result

LARGEST_RESULT = 1 << 24
"""Bytes of a result.json; real ones have thousands."""
MOST_FILES = 10_000
"""Of one output; every one of them is hashed and brought to disk by itself."""
DEEPEST = 8
"""Folders within folders of an output."""
HOLLOW = 64
"""A file of this many times the bytes that lie on the disk is a hole, which would be hashed for
hours; file systems that compress stay far below."""
HOLLOW_FROM = 1 << 30

LARGEST = float(1 << 62)


def read_regular(path: Path, *, offset: int = 0, limit: int) -> bytes:
    """Return at most `limit` bytes of a regular file from an offset on.

    Raises OSError where there is none, or a link, a pipe or a device in its place.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileNotFoundError(f"{path} is not a regular file")
        file.seek(offset)
        return file.read(limit)


def read_result(output: Path) -> Result:
    """Return what a finished stage says of itself.

    Raises OSError where it says nothing, ValueError where it is not to be believed.
    """
    if output.is_symlink():
        raise FileNotFoundError(f"{output} is a symbolic link")
    content = read_regular(output / "result.json", limit=LARGEST_RESULT + 1)
    if len(content) > LARGEST_RESULT:
        raise ValueError(f"it has more than {LARGEST_RESULT >> 20} MiB")
    result = Result.model_validate_json(content)
    if not 0 <= result.seconds < LONGEST_S:
        raise ValueError("its seconds are no duration")
    if not all(_plain_numbers(figures) for figures in (result.metrics, result.engine)):
        raise ValueError("it holds a number that is infinite, none, or too large")
    return result


def believable(event: Event) -> bool:
    """Return whether the numbers of an event can be reckoned with."""
    counts = (event.done, event.total)
    return 0 <= event.seconds < LONGEST_S and all(0 <= count < LARGEST for count in counts)


def odd_file(output: Path) -> str | None:
    """Return why the files of an output must not be published; None if they may.

    Another run may publish the output under our eyes; then it says that the output is gone.
    """
    try:
        for number, (name, status, depth) in enumerate(_all_below(output)):
            if number >= MOST_FILES:
                return f"it has more than {MOST_FILES:,} files"
            problem = _odd(name, status, depth)
            if problem is not None:
                return problem
    except FileNotFoundError:
        return "its output is gone"
    except PermissionError as error:
        return f"{Path(error.filename).name} cannot be read"
    return None


def _odd(name: str, status: os.stat_result, depth: int) -> str | None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return "the name of a file is not UTF-8"
    if stat.S_ISDIR(status.st_mode):
        if depth == 1 and name == MANIFEST:  # a file may be ours: publishing was killed
            return f"{name} is a folder"
        return f"its folders are nested more than {DEEPEST} deep" if depth >= DEEPEST else None
    if not stat.S_ISREG(status.st_mode):
        return f"{name} is neither a file nor a folder"
    if status.st_size > HOLLOW_FROM and status.st_blocks * 512 * HOLLOW < status.st_size:
        return f"{name} says that it has {status.st_size:,} bytes, and is empty"
    return None


def _all_below(folder: Path) -> Iterator[tuple[str, os.stat_result, int]]:
    """Yield name, look and depth of everything; what is too deep is not looked into."""
    waiting = [(str(folder), 1)]
    while waiting:
        here, depth = waiting.pop()
        with os.scandir(here) as entries:
            for entry in entries:
                yield entry.name, entry.stat(follow_symlinks=False), depth
                if entry.is_dir(follow_symlinks=False) and depth < DEEPEST:
                    waiting.append((entry.path, depth + 1))


def _plain_numbers(value: object) -> bool:
    """Return whether every number in a JSON value is finite and of a size that a float has."""
    waiting: list[object] = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, int | float) and not -LARGEST < one < LARGEST:
            return False
    return True
