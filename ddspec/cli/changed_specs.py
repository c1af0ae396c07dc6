"""Which specs of a repository a branch changes, and what they were where it began."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ddspec.cli.inputs import PLAN_SUFFIX
from ddspec.errors import DdspecError, Exit
from ddspec.spec.extends import KEYS
from ddspec.spec.revisions import Repository, Revision
from ddspec.spec.source import MAX_BYTES

SUFFIXES = (".yaml", ".yml")
LOCK_SUFFIX = ".lock.yaml"
FOLDER = "specs"
"""Where specs are looked for, unless other places are named."""
MAX_SPECS = 2_000

_TOLD_BY = sorted(set(KEYS) - {"name", "title"})
_SPEC = re.compile(rf"^(?:{'|'.join(_TOLD_BY)}):".encode(), re.MULTILINE)
_EXTENDS = re.compile(rb"^extends:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Found:
    """A spec on at least one side; paths from the root."""

    path: str
    was: str | None
    """Where it is at the base; None where it is not."""
    here: bool
    """Whether it is in the working tree."""
    touched: bool
    """Whether it, its lock, or something that it extends may differ."""


def specs_beside(repository: Repository, base: Revision, named: Sequence[str]) -> list[Found]:
    """Return the specs of some files and folders on both sides, in the order of their paths.

    Raises `DdspecError` (usage) for a name that is on neither side, and without a working tree.
    """
    if repository.top is None:
        raise DdspecError(
            "a bare repository has no working tree to compare with its base",
            exit=Exit.USAGE,
            hint="name both sides: `ddspec diff REV:PATH REV:PATH`",
        )
    look = _Look(repository.top, base, base.renames())
    places = [_inside(repository, name) for name in named] or [look.default()]
    found = {one.path: one for place in places for one in look.under(place)}
    for name, place in zip(named, places, strict=False):
        if not any(_covers(place, path) for path in found):
            there = f"no spec is at `{name}`, here or at {base.name}"
            raise DdspecError(there, exit=Exit.USAGE)
    if len(found) > MAX_SPECS:
        raise DdspecError(f"more than {MAX_SPECS:,} specs", exit=Exit.USAGE)
    return [found[path] for path in sorted(found)]


@dataclass(frozen=True, slots=True)
class _Look:
    """A working tree and its base, and how to find specs in them."""

    top: Path
    base: Revision
    renames: dict[str, str]

    def default(self) -> str:
        """Return the folder that is looked through: `specs`, or everything."""
        there = (self.top / FOLDER).is_dir() or any(True for _ in self.base.files(FOLDER))
        return FOLDER if there else ""

    def under(self, place: str) -> Iterator[Found]:
        """Yield the specs at a file's path or in a folder."""
        then = {one.path for one in self.base.files() if _covers(place, one.path)}
        now = set(self._walked(place))
        moved = {self.renames[path] for path in now - then if path in self.renames}
        for path in sorted(filter(_may_be_spec, then | now)):
            if path in now:
                was = path if path in then else self.renames.get(path)
                if self._is_spec(path, was):
                    yield Found(path, was, here=True, touched=self._touched(path, was))
            elif path not in moved and _SPEC.search(self._then(path)):
                yield Found(path, path, here=False, touched=True)

    def _walked(self, place: str) -> Iterator[str]:
        """Yield the paths of regular files, without following a link or entering hidden folders."""
        start = self.top / place
        if start.is_file() and not start.is_symlink():
            yield place
        if start.is_symlink():
            return
        for file in start.rglob("*"):
            inside = file.relative_to(self.top)
            hidden = any(part.startswith(".") for part in inside.parts)
            if file.suffix in SUFFIXES and not hidden and file.is_file() and not file.is_symlink():
                yield inside.as_posix()

    def _is_spec(self, path: str, was: str | None) -> bool:
        """Return whether a file says so on either side; one that is damaged now still was one."""
        return any(map(_SPEC.search, (self._now(path), self._then(was))))

    def _touched(self, path: str, was: str | None) -> bool:
        if was != path or self._now(path) != self._then(was) or _EXTENDS.search(self._now(path)):
            return True
        return self._now(lock_of(path)) != self._then(lock_of(path))

    def _now(self, path: str) -> bytes:
        file = self.top / path
        if not file.is_file() or file.is_symlink():
            return b""
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)

    def _then(self, path: str | None) -> bytes:
        entry = None if path is None else self.base.entry(path)
        if path is None or entry is None or not entry.readable:
            return b""
        return self.base.read(path)


def says_spec(content: bytes) -> bool:
    """Return whether a text has a section that only specs have; it need not be valid."""
    return _SPEC.search(content) is not None


def lock_of(spec: str) -> str:
    """Return the path of the data lock that lies beside a spec."""
    return f"{spec.removesuffix(PurePosixPath(spec).suffix)}{LOCK_SUFFIX}"


def plan_of(spec: str) -> str:
    """Return the path of the committed plan that lies beside a spec."""
    return f"{spec.removesuffix(PurePosixPath(spec).suffix)}{PLAN_SUFFIX}"


def _may_be_spec(path: str) -> bool:
    return path.endswith(SUFFIXES) and not path.endswith((PLAN_SUFFIX, LOCK_SUFFIX))


def _covers(place: str, path: str) -> bool:
    return not place or path == place or path.startswith(f"{place}/")


def _inside(repository: Repository, name: str) -> str:
    inside = repository.inside(Path(name))
    if inside is None:
        raise DdspecError(f"`{name}` lies outside of the repository", exit=Exit.USAGE)
    return "" if inside == "." else inside
