"""What a report is about: a plan, where it was written, and what a store has of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from ddspec.canon import Digest
from ddspec.errors import Diagnostic
from ddspec.plan.ir import Plan, Stage
from ddspec.plan.past import Said
from ddspec.run.demand import needed, targets
from ddspec.run.outputs import read_regular
from ddspec.store.store import Store, StoredResult

IN_STORE = "in store"
DAMAGED = "damaged"
TO_RUN = "to run"
NOT_NEEDED = "not needed"
"""It is absent, and what is made from it is there already."""
AFTER_LOCK = "after lock"
"""Its data are not locked, so nobody knows the name of its output."""
STATES = (IN_STORE, DAMAGED, TO_RUN, NOT_NEEDED, AFTER_LOCK)

LARGEST_JSON = 1 << 24
"""Bytes of a file of figures; those of a thousand classes have a tenth."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One stage, and what the store has of it."""

    stage: Stage
    state: str
    """One of `STATES`."""
    problem: str = ""
    """What is wrong with a damaged output."""
    result: StoredResult | None = None

    @property
    def kind(self) -> str:
        """Return what its label begins with, as `pool` or `evaluate`."""
        return self.stage.label.partition("@")[0].partition("/")[0]

    @property
    def seconds(self) -> float | None:
        """Return the working time behind its output; None where it is not known."""
        return None if self.result is None else self.result.seconds


@dataclass(frozen=True, slots=True)
class Subject:
    """One document and its plan, as far as a report shows it."""

    whole: Plan
    """With all variants, also those that are not shown: expectations may speak of them."""
    plan: Plan
    file: str
    """As it was named."""
    settings: Sequence[Said] = ()
    notes: Sequence[Diagnostic] = ()
    commit: str = ""
    """Of the repository that the document lies in; empty without one."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """What a store has of the stages of a plan."""

    store: Store | None
    kept: tuple[Kept, ...]
    """In the order of the plan."""
    _found: dict[Digest, Kept] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self._found.update({one.stage.key: one for one in self.kept if one.stage.key})

    @property
    def metrics(self) -> Mapping[Digest, Mapping[str, JsonValue]]:
        """Return the figures of finished stages by key."""
        found = self._found.items()
        return {key: one.result.metrics for key, one in found if one.result is not None}

    def at(self, key: Digest | None) -> Kept | None:
        """Return what there is of a key of the plan."""
        return self._found.get(key or "")

    def has(self, key: Digest | None) -> bool:
        """Return whether the output of a key is there and looks untouched."""
        one = self.at(key)
        return one is not None and one.state == IN_STORE

    def read(self, key: Digest | None, name: str, limit: int = LARGEST_JSON) -> bytes | None:
        """Return a file of an output; None where it is not there, no file, or larger than that."""
        if self.store is None or not key or not self.has(key):
            return None
        try:
            content = read_regular(self.store.layout.object(key) / name, limit=limit + 1)
        except OSError:
            return None
        return content if len(content) <= limit else None

    def figures(self, key: Digest | None) -> Mapping[str, JsonValue]:
        """Return the whole `metrics.json` of an output; empty where it is not there."""
        try:
            plain = json.loads(self.read(key, "metrics.json") or b"{}")
        except ValueError:
            return {}
        return plain if isinstance(plain, dict) else {}


def shelf_of(plan: Plan, store: Store | None) -> Shelf:
    """Look every stage of a plan up in a store; nothing is run, and nothing set aside."""
    problems = {stage.label: _problem(stage, store) for stage in plan}
    present = {stage.key for stage in plan if stage.key and problems[stage.label] == ""}
    waiting = _waiting(plan, present)
    kept = (_kept(stage, problems[stage.label], store, waiting) for stage in plan)
    return Shelf(store, tuple(kept))


def _problem(stage: Stage, store: Store | None) -> str | None:
    """Return what is wrong with an output, '' where nothing is, None where there is none."""
    if store is None or stage.key is None or not store.layout.object(stage.key).exists():
        return None
    return store.objects.problem(stage.key) or ""


def _waiting(plan: Plan, present: set[Digest]) -> frozenset[Digest]:
    """Return the keys that a run would work on."""
    if not plan.locked:
        return frozenset()
    stages = {stage.key: stage for stage in plan if stage.key is not None}
    return needed(stages, present, targets(plan.stages))


def _kept(stage: Stage, problem: str | None, store: Store | None, waiting: frozenset[str]) -> Kept:
    if problem:
        return Kept(stage, DAMAGED, problem)
    if problem is None or store is None or stage.key is None:
        absent = TO_RUN if stage.key in waiting else NOT_NEEDED
        return Kept(stage, AFTER_LOCK if stage.key is None else absent)
    return Kept(stage, IN_STORE, result=store.result(stage.key))
