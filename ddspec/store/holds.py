"""Living runs, and the keys that each of them counts on, so that nothing takes these away.

A claim protects a stage that is being made. A hold protects what a run found in the store and will
read. Both a run that notes its hold and whoever removes something do so under one lock: what is
removed is held by nobody, and a run that comes later sees that it is gone.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ddspec.canon import Digest, Json, canonical
from ddspec.disk import full_disk_named, write_whole
from ddspec.errors import DdspecError, Exit
from ddspec.host import ProcessId
from ddspec.store.layout import Layout

HOLD_FORMAT = "ddspec.hold/1"
PATIENCE_S = 120.0
"""How long a run waits for somebody who removes things; renaming thousands takes seconds."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What one run counts on."""

    path: Path
    owner: ProcessId
    name: str
    """Of what it runs, for people; may be empty."""
    since: float
    """Seconds since 1970."""
    keys: frozenset[Digest]

    def over(self) -> bool:
        """Return whether its run is certainly gone; nobody knows of one on another machine."""
        return self.owner.here() and not self.owner.alive()


@dataclass(frozen=True, slots=True)
class Holds:
    """The holds of one store."""

    layout: Layout

    @contextmanager
    def held(
        self, owner: ProcessId, name: str, keys: Iterable[Digest], since: float
    ) -> Iterator[None]:
        """Hold keys for the block. Raises DdspecError (exit 6) where the store stays locked."""
        path = self.layout.runs / f"{owner.pid}-{secrets.token_hex(4)}.json"
        plain: dict[str, Json] = {
            "format": HOLD_FORMAT,
            "owner": asdict(owner),
            "name": name,
            "since": since,
            "keys": sorted(keys),
        }
        with self.changing(PATIENCE_S) as alone, full_disk_named(self.layout.home):
            if not alone:
                raise DdspecError(
                    f"somebody has been removing things from {self.layout.home} for minutes",
                    exit=Exit.UNABLE,
                    hint="`ddspec gc` may hang; end it, and run again: nothing is lost",
                )
            self.layout.runs.mkdir(exist_ok=True)
            write_whole(path, canonical(plain) + b"\n")
        try:
            yield
        finally:
            with suppress(OSError):  # the store may be gone, or its disk; the owner is, soon
                path.unlink()

    def changing(self, timeout_s: float) -> AbstractContextManager[bool]:
        """Hold the lock under which holds are noted and things are removed."""
        from ddspec.store.locks import locked  # filelock is 60 ms, and idle runs need no lock

        return locked(self.layout.lock("store"), timeout_s)

    def all(self) -> tuple[Hold, ...]:
        """Return the holds of runs that may live, oldest first.

        Raises DdspecError (exit 4) for one that cannot be read: what it protects is unknown.
        """
        paths = sorted(self.layout.runs.glob("*.json")) if self.layout.runs.is_dir() else []
        found = (_read(path) for path in paths if path.name[0] != ".")
        living = [hold for hold in found if hold is not None and not hold.over()]
        return tuple(sorted(living, key=lambda hold: (hold.since, hold.path.name)))

    def sweep(self) -> None:
        """Forget the runs that are gone; the caller holds the lock."""
        for path in self.layout.runs.glob("*.json"):
            hold = _read(path)
            if hold is not None and hold.over():
                path.unlink(missing_ok=True)


def _read(path: Path) -> Hold | None:
    try:
        plain = json.loads(path.read_bytes())
        if plain["format"] != HOLD_FORMAT:
            raise ValueError(plain["format"])
        owner = ProcessId(**plain["owner"])
        return Hold(
            path, owner, str(plain["name"]), float(plain["since"]), frozenset(plain["keys"])
        )
    except FileNotFoundError:
        return None  # its run has ended
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise DdspecError(
            f"{path} does not say what its run counts on",
            exit=Exit.CHANGED,
            hint="update ddspec; or remove it, if no run is at work in this store",
        ) from error
