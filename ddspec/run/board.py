"""Where every stage of a run stands. No disk, no clock: others tell it what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ddspec.canon import Digest
from ddspec.plan.ir import Stage
from ddspec.run.demand import heights, needed, targets
from ddspec.run.outcome import StageState


@dataclass(slots=True)
class Board:
    """Stages by key, with what is known of each; made by `board_of`."""

    stages: Mapping[Digest, Stage]
    """One a key, upstream first; labels that share a key share its fate."""
    wanted: set[Digest]
    heights: Mapping[Digest, int]
    present: set[Digest] = field(default_factory=set)
    made: set[Digest] = field(default_factory=set)
    """Present, and not yet so when the run began."""
    failed: dict[Digest, str] = field(default_factory=dict)
    busy: set[Digest] = field(default_factory=set)
    """In a job, ours or somebody else's."""
    retries: dict[Digest, int] = field(default_factory=dict)
    not_before: dict[Digest, float] = field(default_factory=dict)
    """Seconds of the caller's clock."""
    stopped: set[Digest] = field(default_factory=set)
    """Interrupted on request."""
    _needed: frozenset[Digest] | None = None
    _blockers: Mapping[Digest, Digest] | None = None

    def needed(self) -> frozenset[Digest]:
        """Return the absent keys that have to be worked on."""
        if self._needed is None:
            self._needed = needed(self.stages, self.present, self.wanted)
        return self._needed

    def ready(self, now: float) -> tuple[Stage, ...]:
        """Return the stages that can start, upstream first."""
        keys = self.needed()
        return tuple(
            stage
            for key, stage in self.stages.items()
            if key in keys
            and key not in self.busy
            and key not in self.failed
            and self.not_before.get(key, now) <= now
            and all(above in self.present for above in stage.inputs.values())
        )

    def open(self) -> bool:
        """Return whether anything is left to do: needed, not failed, and not blocked."""
        if not self.failed:
            return bool(self.needed())
        return any(key not in self.failed and self.blocker(key) is None for key in self.needed())

    def blocker(self, key: Digest) -> Digest | None:
        """Return the failed key above an absent one, if there is one."""
        if self._blockers is None:
            self._blockers = self._blocked()
        return self._blockers.get(key)

    def _blocked(self) -> Mapping[Digest, Digest]:
        """Return the absent keys below failed ones, each with one of those."""
        by: dict[Digest, Digest] = {}
        for key, stage in self.stages.items():
            if key not in self.present:
                for above in stage.inputs.values():
                    cause = above if above in self.failed else by.get(above)
                    if cause is not None:
                        by[key] = cause
                        break
        return by

    def failing(self, key: Digest, reason: str) -> None:
        """Note that a key failed for good in this run."""
        self.failed[key] = reason
        self._blockers = None

    def appeared(self, key: Digest) -> None:
        """Note that a key is in the store now."""
        self.present.add(key)
        self.made.add(key)
        self.busy.discard(key)
        self._blockers = None
        if self._needed is not None and self.present.issuperset(self.stages[key].inputs.values()):
            self._needed -= {key}  # nothing above it was needed for it; the same, 100 times faster
        else:
            self._needed = None

    def vanished(self, key: Digest) -> None:
        """Note that a key is not, or no longer, in the store and has to be made again."""
        self.present.discard(key)
        self.made.discard(key)
        self.wanted.add(key)
        self._needed = self._blockers = None

    def removed(self, key: Digest) -> None:
        """Note that a key is no longer in the store; it is made again where something needs it."""
        self.present.discard(key)
        self._needed = self._blockers = None

    def state(self, key: Digest) -> StageState:
        """Return what a table says of a key."""
        if key in self.present:
            return "done" if key in self.made else "in store"
        if key in self.failed:
            return "failed"
        if key not in self.needed():
            return "not needed"
        return "interrupted" if self.blocker(key) is None else "blocked"


def board_of(stages: Sequence[Stage]) -> Board:
    """Lay the stages of a plan out; ValueError where one has no key."""
    wanted = targets(stages)
    unique: dict[Digest, Stage] = {}
    for stage in stages:
        unique.setdefault(stage.key or "", stage)
    return Board(stages=unique, wanted=set(wanted), heights=heights(stages))
