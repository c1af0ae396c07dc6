"""What a store has of the stages of a plan, looked up once each. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from ddspec.canon import Digest, Json
from ddspec.plan.ir import Stage
from ddspec.run.scores import accuracy_of
from ddspec.store.store import Store, StoredResult
from ddspec.wire.work import EvaluateWork

NO_ACCURACY = "result.json has no accuracy"
"""What a runner published, so that no run makes it again while it is there."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A stored output that is not what was published, and where it lies."""

    label: str
    key: Digest
    path: str
    problem: str

    def plain(self) -> dict[str, Json]:
        """Return it as it is printed with `--json`."""
        return {
            "label": self.label, "key": self.key, "path": self.path, "problem": self.problem
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stored:
    """The outputs of one store, as far as they were asked for."""

    store: Store | None
    _known: dict[Digest, StoredResult | str | None] = field(default_factory=dict, repr=False)

    def result(self, stage: Stage) -> StoredResult | None:
        """Return what the result of a stage tells; None where it is absent or damaged."""
        found = self._look(stage)
        return None if isinstance(found, str) else found

    def metrics(self, stages: Iterable[Stage]) -> Mapping[Digest, Mapping[str, JsonValue]]:
        """Return the figures of finished evaluations by key."""
        found = ((one, self.result(one)) for one in stages if isinstance(one.work, EvaluateWork))
        return {one.key or "": result.metrics for one, result in found if result is not None}

    def damage(self, stages: Iterable[Stage]) -> tuple[Damage, ...]:
        """Return which outputs of some stages are there and damaged."""
        found = ((one, self._look(one)) for one in stages)
        return tuple(
            Damage(one.label, one.key or "", self._path(one), problem)
            for one, problem in found
            if isinstance(problem, str)
        )

    def _look(self, stage: Stage) -> StoredResult | str | None:
        """Return the result of a stage, what is wrong with its output, or None where it is not."""
        key = stage.key
        if key is None or self.store is None:
            return None
        if key not in self._known:
            self._known[key] = _looked(self.store, stage, key)
        return self._known[key]

    def _path(self, stage: Stage) -> str:
        return "" if self.store is None else str(self.store.layout.object(stage.key or ""))


def _looked(store: Store, stage: Stage, key: Digest) -> StoredResult | str | None:
    if not store.layout.object(key).exists():
        return None
    if (problem := store.objects.problem(key)) is not None:
        return problem
    result = store.result(key)
    if result is None:
        return "result.json is missing or unreadable"
    if isinstance(stage.work, EvaluateWork) and accuracy_of(result.metrics) is None:
        return NO_ACCURACY
    return result
