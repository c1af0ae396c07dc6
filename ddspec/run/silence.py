"""How long a run bears with a place that holds its jobs and does not answer."""

from __future__ import annotations

from dataclasses import dataclass

from ddspec.executors.base import Unreachable
from ddspec.run.events import PlaceBack, PlaceSilent, Sink


@dataclass(slots=True)
class Silence:
    """What was not answered since the last look, and for how long this has been going on."""

    reason: str = ""
    since: float | None = None
    """When it began, by a clock that only goes on; None while the place answers."""

    @property
    def on(self) -> bool:
        """Whether the place did not answer when it was last asked."""
        return self.since is not None or bool(self.reason)

    def note(self, reason: str) -> None:
        """Remember that a request was not answered."""
        self.reason = self.reason or reason

    def judge(self, now: float, patience_s: float, sink: Sink) -> None:
        """Tell when the silence begins and ends; Unreachable (exit 6) when it takes too long.

        Call it once a look, after all that is asked in it.
        """
        reason, self.reason = self.reason, ""
        if not reason:
            if self.since is not None:
                self.since = None
                sink(PlaceBack())
        elif self.since is None:
            self.since = now
            sink(PlaceSilent(reason, patience_s))
        elif now - self.since >= patience_s:
            raise Unreachable(
                reason,
                hint="the jobs may go on; once it answers, run again: it goes on where they are",
            )
