"""Stages as they are added: each finds the keys of its inputs among those before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Concatenate, ParamSpec, TypeVar

from ddspec.canon import Digest
from ddspec.plan.forms import Forms
from ddspec.plan.ir import Stage
from ddspec.plan.memo import Memo
from ddspec.spec.experiment import Experiment
from ddspec.wire.work import Work

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class Shared:
    """What was made for one variant and serves for the next, which is much alike."""

    memo: Memo = field(default_factory=Memo)
    """Works, by the sections that they were made from."""
    forms: Forms = field(default_factory=Forms)
    stages: dict[tuple[object, ...], tuple[Stage, Digest]] = field(default_factory=dict)
    """By label, address of the work, inputs and whatever else a stage holds."""


@dataclass(slots=True)
class Stages:
    """The stages of one experiment so far."""

    experiment: Experiment
    locked: bool
    shared: Shared
    by_label: dict[str, Stage] = field(default_factory=dict)
    identities: dict[str, Digest] = field(default_factory=dict)
    """Keys by label; of data without a lock they serve for telling stages apart alone."""

    def again(self, experiment: Experiment) -> Stages:
        """Return the same stages as the first ones of another experiment."""
        return Stages(
            experiment, self.locked, self.shared, dict(self.by_label), dict(self.identities)
        )

    def made(
        self, make: Callable[Concatenate[Experiment, P], T], *rest: P.args, **named: P.kwargs
    ) -> T:
        """Return `make(experiment, *rest)`, which an experiment before may have made."""
        return self.shared.memo.once(make, self.experiment, *rest, **named)

    def add(
        self,
        label: str,
        work: Work,
        upstream: Mapping[str, str],
        *,
        location: Mapping[str, str] | None = None,
        key: Digest | None = None,
    ) -> None:
        """Add a stage; `key` stands for that of another stage which publishes the same."""
        inputs = self.keys(upstream)
        threads = self.experiment.resources.threads
        places = tuple((location or {}).items())
        given = (label, id(work), tuple(upstream.items()), tuple(inputs.values()), places, threads)
        known = self.shared.stages.get((*given, key, self.locked))
        if known is None:
            known = self._stage(label, work, upstream, inputs, dict(places), key)
            self.shared.stages[(*given, key, self.locked)] = known
        self.by_label[label], self.identities[label] = known

    def _stage(
        self,
        label: str,
        work: Work,
        upstream: Mapping[str, str],
        inputs: dict[str, Digest],
        location: Mapping[str, str],
        key: Digest | None,
    ) -> tuple[Stage, Digest]:
        key = key or self.shared.forms.key(work, inputs)
        stage = Stage(
            label=label,
            work=work,
            upstream=dict(upstream),
            inputs=inputs if self.locked else {},
            key=key if self.locked else None,
            location=location,
            threads=self.experiment.resources.threads,
        )
        return stage, key

    def keys(self, upstream: Mapping[str, str]) -> dict[str, Digest]:
        """Return the keys behind some labels."""
        return {name: self.identities[label] for name, label in upstream.items()}
