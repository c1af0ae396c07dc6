"""The attempts at a stage, over and running, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass

from ddspec.canon import Digest
from ddspec.executors.base import Handle
from ddspec.host import ProcessId
from ddspec.store.claims import Claim
from ddspec.store.journal import Entry
from ddspec.store.store import Store


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt at a stage."""

    key: Digest
    label: str
    attempt: str
    executor: str
    host: str
    started: float
    """Seconds since 1970."""
    ended: float | None = None
    """None while it goes on, or nobody has collected it."""
    outcome: str = "running"
    """As the journal says it, or `running`."""
    exit: int | None = None
    reason: str = ""
    events_from: int | None = None
    """Where it begins in the record of progress, in bytes; None where nobody noted it."""
    handle: Handle | None = None
    owner: ProcessId | None = None
    """The run that looks after it; None where it is over."""


def tries_of(store: Store, key: Digest) -> tuple[Try, ...]:
    """Return the attempts at a key, oldest first; a running one comes last."""
    claim = store.claims.read(key)
    over = [_ended(entry) for entry in known_entries(store, key)]
    if claim is None or any(one.attempt == claim.attempt for one in over):
        return tuple(over)
    return (*over, running(claim))


def known_entries(store: Store, key: Digest) -> tuple[Entry, ...]:
    """Return what the journal says of a key; nothing where it is damaged: it only explains."""
    try:
        return store.journal.entries(key)
    except (OSError, ValueError, TypeError):
        return ()


def running(claim: Claim) -> Try:
    """Return the attempt that holds a claim."""
    return Try(
        key=claim.key,
        label=claim.label,
        attempt=claim.attempt,
        executor=claim.executor,
        host=claim.owner.host,
        started=claim.taken,
        events_from=claim.events_from,
        handle=claim.handle,
        owner=claim.owner,
    )


def _ended(entry: Entry) -> Try:
    return Try(
        key=entry.key,
        label=entry.label,
        attempt=entry.attempt,
        executor=entry.executor,
        host=entry.host,
        started=entry.started,
        ended=entry.ended,
        outcome=entry.outcome,
        exit=entry.exit,
        reason=entry.reason,
        events_from=entry.events_from,
    )
