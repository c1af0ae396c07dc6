"""The two sides of a comparison: specs, plans and results, here or at a git revision."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ddspec.cli.inputs import PLAN_SUFFIX, Opened, is_plan_file
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ddspec.canon import Digest
    from ddspec.plan.ir import Plan
    from ddspec.run.evidence import Evidence
    from ddspec.spec.load import Loaded
    from ddspec.spec.lock import Lock
    from ddspec.spec.revisions import Repository, Revision
    from ddspec.store.store import Store

PLAN_HEAD = b"\nformat: ddspec.plan/"
OF_VARIANT = "@"
_VARIANT = re.compile(r"(?P<document>.+)@(?P<variant>[a-z0-9*?_-]{1,63})")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a document is: a path here, or a path from the root of a repository at a revision."""

    path: str
    revision: Revision | None = None
    note: str = ""
    """What a person should know of how it was found."""
    variant: str = ""
    """The variant of its matrix that is meant, a glob; empty for the whole document."""

    @property
    def name(self) -> str:
        """How it is called in messages."""
        file = self.path if self.revision is None else self.revision.spelled(self.path)
        return f"{file}{OF_VARIANT}{self.variant}" if self.variant else file

    def exists(self) -> bool:
        """Return whether there is a file."""
        if self.revision is None:
            return Path(self.path).exists()
        return self.revision.entry(self.path) is not None


@dataclass(frozen=True, slots=True)
class Side:
    """One of two documents that are compared."""

    target: Target
    digest: Digest
    """Of its plan."""
    evidence: Sequence[Evidence] = ()
    """Of each variant; empty without a store."""
    opened: Opened | None = None
    """None for a file of results, which says nothing of settings."""

    @property
    def plan(self) -> Plan | None:
        """The plan that it is, or that it compiles to."""
        return None if self.opened is None else self.opened.plan


def targets_of(before: str, after: str) -> tuple[Target, Target]:
    """Return what two names mean: `REV:PATH`, `REV:` for the other's path, or a path here.

    Each may end with `@VARIANT`. A path that exists is never taken for anything else.
    """
    (before, old), (after, new) = _of_variant(before), _of_variant(after)
    found = _targets_of(before, after)
    return replace(found[0], variant=old), replace(found[1], variant=new)


def _of_variant(text: str) -> tuple[str, str]:
    """Return a document and the variant that is meant of it, empty for all of it."""
    found = _VARIANT.fullmatch(text)
    if found is None or Path(text).exists():
        return text, ""
    return found["document"], found["variant"]


def _targets_of(before: str, after: str) -> tuple[Target, Target]:
    both = (_named(before), _named(after))
    if not any(revision for revision, _ in both):
        return Target(before, note=_note(before)), Target(after, note=_note(after))
    from ddspec.spec.revisions import repository_of

    repository = repository_of(Path.cwd())
    paths = [_rooted(repository, *one) for one in both]
    found = [
        _target(repository, revision, path, other, given)
        for (revision, _), path, other, given in zip(
            both, paths, reversed(paths), (before, after), strict=True
        )
    ]
    if paths[0] == paths[1] or None in paths:
        _refuse_new(found[0], found[1])
        _refuse_new(found[1], found[0])
    return found[0], found[1]


def _refuse_new(one: Target, other: Target) -> None:
    """Refuse a file that a revision lacks and the other side has: there is nothing to compare."""
    if one.revision is not None and not one.exists() and other.exists():
        raise DdspecError(
            f"`{one.name}` does not exist: the spec is new, or was called otherwise",
            exit=Exit.INVALID,
            hint=f"`ddspec diff --base {one.revision.name} SPEC` shows what is new",
        )


def _named(text: str) -> tuple[str, str]:
    """Return (revision, path); no revision where it is a path."""
    revision, colon, path = text.partition(":")
    if not colon or not revision or Path(text).exists():
        return "", text
    return revision, path


def _note(text: str) -> str:
    if ":" not in text:
        return ""
    return f"`{text}` is a file here, and was not looked for at a revision"


def _rooted(repository: Repository, revision: str, path: str) -> str | None:
    """Return a path from the root; None where it is left to the other side or lies elsewhere."""
    if revision:
        return repository.rooted(path) if path else None
    return repository.inside(Path(path))


def _target(
    repository: Repository, revision: str, path: str | None, other: str | None, given: str
) -> Target:
    if not revision:
        return Target(given, note=_note(given))
    at = path or other
    if at is None:
        raise DdspecError(
            f"`{given}` leaves its path to the other side, which has none in this repository",
            exit=Exit.USAGE,
            hint="write `REV:PATH`",
        )
    return at_revision(repository.revision(revision), at)


def at_revision(revision: Revision, path: str) -> Target:
    """Return a file of a revision; one that was called otherwise then is found by its content."""
    if revision.entry(path) is None and (old := revision.renames().get(path)) is not None:
        return Target(old, revision, f"`{path}` was called `{old}` at {revision.name}")
    return Target(path, revision)


def open_side(target: Target, store: Store | None) -> Side:
    """Read one side; raises `DdspecError` as whoever reads its kind of document does."""
    from ddspec.run.measured import is_measured, read_evidence, read_plan_digest

    path = Path(target.path)
    if target.revision is None and is_measured(path):
        return Side(target, read_plan_digest(path), _only(read_evidence(path), target))
    opened = _alone(as_written(target), target.variant)
    if store is None:
        return Side(target, opened.plan.digest, (), opened)
    from ddspec.run.evidence import evidence_of

    return Side(target, opened.plan.digest, evidence_of(opened.plan, store, target.name), opened)


def _alone(opened: Opened, variant: str) -> Opened:
    """Return a document with one variant as the only experiment; with several, as their matrix."""
    chosen = opened.only([variant] if variant else None)
    if not variant or len(chosen.plan.variants) > 1:
        return chosen
    return replace(chosen, plan=chosen.plan.of(chosen.plan.variants[0].name))


def _only(evidence: Sequence[Evidence], target: Target) -> Sequence[Evidence]:
    """Return the variants of a file of results that are meant; refuse where there is none."""
    if not target.variant:
        return evidence
    from fnmatch import fnmatchcase

    found = [one for one in evidence if fnmatchcase(one.variant, target.variant)]
    if not found:
        raise DdspecError(
            f"`{target.path}` has no variant called `{target.variant}`", exit=Exit.USAGE
        )
    return found


def as_written(target: Target) -> Opened:
    """Return what a document says, though a plan file may no longer follow from its spec.

    The very diff of the two is what a person wants to see then.
    """
    from ddspec.cli.inputs import compile_spec
    from ddspec.plan.text import load_plan

    if target.revision is not None:
        return _at_revision(target, target.revision)
    path = Path(target.path)
    if not is_plan_file(path):
        return compile_spec(path)
    from ddspec.plan.codec import plan_text

    return Opened(load_plan(plan_text(path), target.path)[0], file=target.path)


def _at_revision(target: Target, revision: Revision) -> Opened:
    from ddspec.plan.blocks import MAX_BYTES
    from ddspec.plan.text import load_plan

    data = revision.read(target.path, most=MAX_BYTES)
    if target.path.endswith(PLAN_SUFFIX) or PLAN_HEAD in b"\n" + data[:4096]:
        text = data.decode("utf-8", "replace")
        return Opened(load_plan(text, target.name)[0], file=target.name)
    lock = lock_at(target.path, revision)
    return compiled(_loaded(target.path, revision, lock), lock, target.name)


def _loaded(path: str, revision: Revision, lock: Lock | None) -> Loaded:
    """Read a spec and what it extends, all at one revision."""
    from ddspec.spec.extends import KEYS
    from ddspec.spec.load import load_source

    return load_source(revision.source(path, KEYS), files=revision, lock=lock)


def lock_at(spec: str, revision: Revision) -> Lock | None:
    """Return the data lock that lay beside a spec, None where there was none."""
    from ddspec.cli.changed_specs import lock_of

    beside = lock_of(spec)
    if revision.entry(beside) is None:
        return None
    from ddspec.spec import lock

    return lock.lock_of(revision.source(beside, lock.LOCK_SECTIONS))


def compiled(loaded: Loaded, lock: Lock | None, name: str) -> Opened:
    """Compile a loaded spec, with what a reviewer should know of it."""
    from ddspec.plan.compile import compile_noted

    plan, notes = compile_noted(loaded, lock)
    return Opened(plan, notes, loaded, name, lock)


def written(before: Opened | None, after: Opened | None) -> Callable[[str], str]:
    """Return what tells of a setting's path where it is written on both sides."""
    from ddspec.console.where import where_words

    def words(path: str) -> str:
        steps = path.split(".")
        sides = (None if one is None else one.loaded for one in (before, after))
        return where_words(*(None if one is None else one.place(*steps) for one in sides))

    return words
