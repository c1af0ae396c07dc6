"""The specs in a folder and the folders in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ddspec.cli.inputs import LOCK_SUFFIX, PLAN_SUFFIX, Opened
from ddspec.errors import DdspecError, Diagnostic, Exit
from ddspec.spec.extends import KEYS
from ddspec.spec.source import MAX_BYTES

SUFFIXES = (".yaml", ".yml")
MAX_SPECS = 2_000
MEASURED, PICTURES = "measured", "pictures"
"""Folders of a gallery with results and images of its specs, laid out as those are."""

_SPEC = re.compile(
    rf"^(?:{'|'.join(sorted(set(KEYS) - {'name', 'title'}))}):".encode(), re.MULTILINE
)


def specs_in(folder: Path) -> tuple[Path, ...]:
    """Return the specs in a folder, recursively, in the order of their paths.

    A spec is a file with a section of one at its margin, also where it is damaged otherwise. Plan
    files, locks, what is hidden, and what links point to are left out. Raises `DdspecError` (usage)
    where there is no spec, or more than anybody reads.
    """
    found = tuple(sorted(path for path in _files(folder) if _is_spec(path)))
    if not found:
        raise DdspecError(f"no spec is in `{folder}`", exit=Exit.USAGE)
    if len(found) > MAX_SPECS:
        raise DdspecError(f"more than {MAX_SPECS:,} specs in `{folder}`", exit=Exit.USAGE)
    return found


def named_specs(documents: Iterable[Path]) -> tuple[Path, ...]:
    """Return what is named, each folder replaced by the specs in it, none twice."""
    return tuple(
        dict.fromkeys(
            path
            for document in documents
            for path in (specs_in(document) if document.is_dir() else (document,))
        )
    )


def recorded_beside(spec: Path) -> Path | None:
    """Return the committed results of a spec, in whichever folder above it the gallery is."""
    places = ((one / MEASURED / spec.relative_to(one)).with_suffix(".json") for one in spec.parents)
    return next((place for place in places if place.is_file()), None)


class Broken:
    """Specs of a folder that do not compile, as they are found.

    A file that others extend need not be a spec by itself, and is none of them.
    """

    def __init__(self) -> None:
        self._errors: dict[Path, DdspecError] = {}
        self._extended: set[Path] = set()

    def add(self, path: Path, error: DdspecError) -> None:
        """Note why a file does not compile."""
        self._errors[path] = error

    def passed(self, opened: Opened) -> None:
        """Note what a spec that compiles extends."""
        if opened.loaded is not None:
            self._extended |= {Path(name).resolve() for name in opened.loaded.document.others}

    def problems(self) -> list[Diagnostic]:
        """Return what is wrong, each problem once."""
        told = [
            problem
            for path, error in self._errors.items()
            if path.resolve() not in self._extended
            for problem in error.diagnostics
        ]
        return list(dict.fromkeys(told))


def _files(folder: Path) -> Iterator[Path]:
    """Yield regular files, without following a link or entering hidden folders."""
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix in SUFFIXES and not hidden and path.is_file() and not path.is_symlink():
            yield path


def _is_spec(path: Path) -> bool:
    if path.name.endswith((PLAN_SUFFIX, LOCK_SUFFIX)):
        return False
    try:
        with path.open("rb") as file:
            return _SPEC.search(file.read(MAX_BYTES + 1)) is not None
    except OSError:
        return True  # compiling it says why
