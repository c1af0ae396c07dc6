"""`ddspec status`: who works on what."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddspec.cli.options import AsJson, Home
from ddspec.errors import Exit

if TYPE_CHECKING:
    from ddspec.canon import Json
    from ddspec.store.claims import Claim
    from ddspec.store.store import Store


@dataclass(frozen=True, slots=True)
class Work:
    """A claim, and what its executor says of the job."""

    claim: Claim
    phase: str
    age_s: float

    def text(self) -> str:
        """Return the claim on one line."""
        from ddspec.console.durations import duration

        owner = self.claim.owner
        run = f"run {owner.pid} on {owner.host}"
        if owner.here() and not owner.alive():
            run = "its run is gone, the next takes it over"
        return (
            f"{self.claim.key[:12]}  {self.claim.label:<32}  {self.phase:<11} "
            f"{duration(self.age_s):>9}  {run}"
        )

    def plain(self) -> Json:
        """Return the claim as it is printed with `--json`."""
        owner = self.claim.owner
        return {
            "key": self.claim.key,
            "label": self.claim.label,
            "state": self.phase,
            "seconds": self.age_s,
            "executor": self.claim.executor,
            "attempt": self.claim.attempt,
            "host": owner.host,
            "pid": owner.pid,
            "owner_alive": owner.alive() if owner.here() else None,
        }


def status(as_json: AsJson = False, home: Home = None) -> Exit:
    """Show what is being worked on, and by whom."""
    from ddspec.cli.inputs import existing_store, home_of
    from ddspec.cli.output import show, show_json

    store = existing_store(home)
    works = [] if store is None else list(_works(store))
    if as_json:
        show_json({"format": "ddspec.status/1", "claims": [work.plain() for work in works]})
    else:
        idle = f"nothing is being worked on in {home_of(home)}"
        show("\n".join(work.text() for work in works) or idle)
    return Exit.DONE


def _works(store: Store) -> Iterator[Work]:
    from ddspec.executors.registry import EXECUTORS, make_executor
    from ddspec.run.dispatch import site_of

    claims = list(store.claims.all())
    phases: dict[str, str] = {}
    for name in {claim.executor for claim in claims if claim.executor in EXECUTORS}:
        mine = [claim.handle for claim in claims if claim.executor == name and claim.handle]
        states = make_executor(name, site_of(store)).poll(mine)
        phases |= {handle: state.phase.value for handle, state in states.items()}
    for claim in claims:
        unsaid = "starting" if claim.handle is None else "unknown"
        phase = phases.get(claim.handle or "", unsaid)
        yield Work(claim, phase, max(0.0, time.time() - claim.taken))  # clocks are set back
