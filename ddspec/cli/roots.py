"""All specs and plans of some folders, and what they reach: what a store is kept for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from ddspec.cli.changed_specs import FOLDER, SUFFIXES, says_spec
from ddspec.cli.inputs import LOCK_SUFFIX, is_plan_file
from ddspec.errors import DdspecError, Diagnostic, Exit, Place
from ddspec.spec.source import MAX_BYTES

if TYPE_CHECKING:
    from ddspec.canon import Digest
    from ddspec.cli.inputs import Opened
    from ddspec.cli.sides import Target
    from ddspec.store.store import Store


@dataclass(frozen=True, slots=True)
class Root:
    """One document, and what it reaches."""

    file: str
    """As it is called in messages: `specs/x.yaml`, `main:specs/x.yaml`."""
    name: str
    keys: frozenset[Digest]
    locked: bool
    """Whether it has all of its keys."""


@dataclass(frozen=True, slots=True)
class Roots:
    """What was found in some places."""

    places: tuple[str, ...]
    roots: tuple[Root, ...]
    others: tuple[str, ...]
    """YAML files without any section of a spec."""

    @property
    def keys(self) -> frozenset[Digest]:
        """Keys of all stages of all variants."""
        return frozenset().union(*(root.keys for root in self.roots))

    @property
    def names(self) -> frozenset[str]:
        """Names of all experiments."""
        return frozenset(root.name for root in self.roots)


def roots_of(
    places: Sequence[Path], store: Store, ignored: Sequence[str], also: Sequence[str]
) -> Roots:
    """Return all specs and plans of files and folders, and of the same at some revisions.

    Raises DdspecError (exit 3) for what does not compile, and for a spec without a lock of which
    something was run: nobody knows what these reach. All of them are told at once.
    """
    looked = tuple(places) or (_usual(),)
    files = [(file, file in looked) for place in looked for file in _files(place, store)]
    found: list[Root] = []
    others: list[str] = []
    problems: list[Diagnostic] = []
    for file, named in dict.fromkeys(files):
        if _is_ignored(str(file), ignored):
            continue
        if not (named or is_plan_file(file) or says_spec(_beginning(file))):
            others.append(str(file))
            continue
        _add(_here(file), store, found, problems)
    for revision in also:
        for target in _at(revision, looked):
            if not _is_ignored(target.name, ignored):
                _add(target, store, found, problems)
    if problems:
        raise DdspecError([*problems, _refusal(len(problems))], exit=Exit.INVALID)
    return Roots(tuple(str(place) for place in looked), tuple(found), tuple(others))


def _add(target: Target, store: Store, found: list[Root], problems: list[Diagnostic]) -> None:
    from ddspec.cli.sides import as_written

    try:
        opened = as_written(target)
    except DdspecError as error:
        problems += error.diagnostics
        return
    root = _root(target.name, opened)
    if not root.locked and any(store.planned.contents(root.name)):
        message = f"`{root.name}` has been run here, and has no lock: what it reaches is not known"
        hint = f"`ddspec lock {target.path} --data DIR`"
        problems.append(Diagnostic(message, Place(target.name), hint))
    found.append(root)


def _root(file: str, opened: Opened) -> Root:
    keys = frozenset(stage.key for stage in opened.plan if stage.key is not None)
    return Root(file, opened.plan.name, keys, opened.plan.locked)


def _refusal(count: int) -> Diagnostic:
    return Diagnostic(
        "nothing is removed while it is not known what everything reaches",
        hint=f"mend {'it' if count == 1 else 'them'}; or `--ignore GLOB`, if nothing that a "
        "document reaches has to be kept",
    )


def _usual() -> Path:
    """Return the folder `specs` of the repository; DdspecError (exit 2) where there is none."""
    here = Path.cwd()
    top = next((one for one in (here, *here.parents) if (one / ".git").exists()), here)
    if not (top / FOLDER).is_dir():
        raise DdspecError(
            f"there is no folder `{top / FOLDER}`",
            exit=Exit.USAGE,
            hint="name the folders that hold the specs and plans to keep things for",
        )
    folder = top / FOLDER
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _files(place: Path, store: Store) -> Iterator[Path]:
    """Yield a file, or the YAML files of a folder; links are followed, hidden names are not.

    Raises OSError for a folder that cannot be read: what lies in it is not known.
    """
    if not place.is_dir():
        if not place.is_file():
            raise DdspecError(f"`{place}` does not exist", exit=Exit.USAGE)
        yield place
        return
    seen = {os.path.realpath(store.layout.home)}
    waiting = [place]
    while waiting:
        folder = waiting.pop()
        if (real := os.path.realpath(folder)) in seen:
            continue
        seen.add(real)
        for path in sorted(folder.iterdir()):
            if path.name.startswith("."):
                continue
            if path.is_dir():
                waiting.append(path)
            elif path.suffix in SUFFIXES and not _is_beside(path) and path.is_file():
                yield path


def _beginning(file: Path) -> bytes:
    """Return as much of a file as a spec may have."""
    with file.open("rb") as opened:
        return opened.read(MAX_BYTES + 1)


def _is_beside(path: Path) -> bool:
    """Tell whether a file belongs to specs and is none: a lock, a policy."""
    from ddspec.spec.policy_file import POLICY_FILE

    return path.name.endswith(LOCK_SUFFIX) or path.name == POLICY_FILE


def _is_ignored(file: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(file, pattern) for pattern in patterns)


def _here(file: Path) -> Target:
    from ddspec.cli.sides import Target

    return Target(str(file))


def _at(revision: str, places: Sequence[Path]) -> Iterator[Target]:
    """Yield the specs and plans of the same places at a revision."""
    from ddspec.cli.sides import Target
    from ddspec.spec.revisions import repository_of

    repository = repository_of(Path.cwd())
    found = repository.revision(revision)
    for place in places:
        inside = repository.inside(place)
        if inside is None:
            raise DdspecError(f"`{place}` lies outside of the repository", exit=Exit.USAGE)
        single = found.entry(inside)
        entries = [single] if single is not None else list(found.files(inside.strip(".")))
        for entry in entries:
            path = Path(entry.path)
            if not entry.readable or path.suffix not in SUFFIXES or _is_beside(path):
                continue
            if says_spec(found.read(entry.path)):
                yield Target(entry.path, found)
