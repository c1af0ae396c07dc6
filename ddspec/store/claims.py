"""Claims: who works on a key, created exclusively, so that nothing is done twice.

A claim does not say that its job lives: only the executor knows. A claim without a handle is that
of a run which is about to submit.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ddspec.canon import Digest, canonical
from ddspec.disk import create_whole, full_disk_named, write_whole
from ddspec.errors import DdspecError, Exit
from ddspec.host import ProcessId
from ddspec.store.layout import Layout

CLAIM_FORMAT = "ddspec.claim/1"
LONGEST = 1_000
"""Characters of a label."""
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}")
"""What an attempt may be called: what it leads to is written to, and removed."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One job's hold on one key."""

    key: Digest
    label: str
    attempt: str
    executor: str
    handle: str | None
    """The executor's own name of the job; None until it is known."""
    owner: ProcessId
    """The `ddspec run` that looks after the job."""
    events_from: int
    """Where this attempt begins in the key's events.jsonl, in bytes."""
    taken: float
    """When it was taken, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of one store."""

    layout: Layout

    def take(self, claim: Claim) -> bool:
        """Create a claim; return False, and change nothing, where the key is claimed already."""
        with full_disk_named(self.layout.home):
            return create_whole(self.layout.claims / claim.key, _encoded(claim))

    def keys(self) -> frozenset[Digest]:
        """Return the claimed keys."""
        with os.scandir(self.layout.claims) as entries:
            return frozenset(entry.name for entry in entries if not entry.name.startswith("."))

    def sweep(self, before: float) -> None:
        """Remove half-made files that a killed run left before a time, in seconds since 1970."""
        for path in self.layout.claims.glob(".*"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()

    def read(self, key: Digest) -> Claim | None:
        """Return the claim of a key.

        A claim appears whole, so one that is no JSON means that the machine went down before its
        content reached the disk; its job went down too, and the claim is removed. Raises
        DdspecError (exit 4) for one that another version, or somebody else, put there.
        """
        path = self.layout.claims / key
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                raise _foreign(path)
            plain = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:
            path.unlink(missing_ok=True)
            return None
        if not isinstance(plain, dict) or plain.pop("format", None) != CLAIM_FORMAT:
            raise _foreign(path)
        try:
            claim = _reader().validate_python(plain)
        except ValidationError as error:
            raise _foreign(path) from error
        if claim.key != key or not _NAME.fullmatch(claim.attempt) or len(claim.label) > LONGEST:
            raise _foreign(path)
        return claim

    def all(self) -> Iterator[Claim]:
        """Yield all claims, ordered by key."""
        for key in sorted(self.keys()):
            claim = self.read(key)
            if claim is not None:
                yield claim

    def beat(self, key: Digest) -> None:
        """Renew the heartbeat of a claim that its owner holds."""
        try:
            os.utime(self.layout.claims / key)
        except FileNotFoundError:
            return  # somebody else collected the job in the meantime

    def heartbeat(self, key: Digest) -> float | None:
        """Return when the owner last renewed the claim, in seconds since 1970."""
        try:
            return (self.layout.claims / key).stat().st_mtime
        except FileNotFoundError:
            return None

    def lock(self, key: Digest, timeout_s: float = -1.0) -> AbstractContextManager[bool]:
        """Hold what guards edits of a claim and publishing under its key."""
        from ddspec.store.locks import locked  # filelock is 60 ms, and idle runs need no lock

        return locked(self.layout.lock(key), timeout_s)

    def change(
        self, claim: Claim, *, handle: str | None = None, owner: ProcessId | None = None
    ) -> Claim | None:
        """Give a claim its handle or a new owner; return it, or None if it is no longer there.

        The caller holds the key's lock.
        """
        now = self.read(claim.key)
        if now is None or now.attempt != claim.attempt:
            return None
        changed = replace(now, handle=handle or now.handle, owner=owner or now.owner)
        with full_disk_named(self.layout.home):
            write_whole(self.layout.claims / claim.key, _encoded(changed))
        return changed

    def drop(self, key: Digest, attempt: str) -> bool:
        """Remove the claim of an attempt; False where another, or none, is there.

        The caller holds the key's lock.
        """
        now = self.read(key)
        if now is None or now.attempt != attempt:
            return False
        (self.layout.claims / key).unlink()
        return True


def _encoded(claim: Claim) -> bytes:
    return canonical({"format": CLAIM_FORMAT, **asdict(claim)}) + b"\n"


@cache
def _reader() -> TypeAdapter[Claim]:
    return TypeAdapter(Claim)  # made when there is a claim to read, which is seldom


def _foreign(path: Path) -> DdspecError:
    return DdspecError(
        f"{path} is no claim of this version",
        exit=Exit.CHANGED,
        hint="update ddspec; or remove it, if nothing works on that stage",
    )
