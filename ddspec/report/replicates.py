"""Several synthetic sets of one method, from several seeds, taken together."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from ddspec.plan.ir import Plan
from ddspec.run.evidence import Method, evidence_of, methods_of
from ddspec.run.scores import Score
from ddspec.store.store import Store


@dataclass(frozen=True, slots=True)
class Replicated:
    """The accuracies of replicates of one set on one network."""

    method: str
    seeds: tuple[int, ...]
    scores: tuple[Score, ...]
    """At least one, one a replicate that has one."""

    @property
    def first(self) -> Score:
        """Return what stands for all of them where they are alike."""
        return self.scores[0]

    @property
    def networks(self) -> int:
        """Return how many networks were trained, on all sets together."""
        return sum(len(one.accuracies) for one in self.scores)

    @property
    def mean(self) -> float:
        """Return the mean of the means of the sets."""
        return statistics.fmean(one.mean for one in self.scores)

    @property
    def std(self) -> float | None:
        """Return the deviation of the means of the sets (n - 1); a single one has none."""
        means = [one.mean for one in self.scores]
        return statistics.stdev(means) if len(means) > 1 else None


def replicated(plan: Plan, store: Store | None) -> tuple[Replicated, ...]:
    """Return the methods of a plan that were distilled from several seeds; others are left out."""
    if len(plan.variants) < 2:
        return ()
    methods = methods_of(evidence_of(plan, store))
    return tuple(one for method in methods if len(method.replicates) > 1 for one in _of(method))


def _of(method: Method) -> Iterator[Replicated]:
    seeds = tuple(one.seed for one in method.replicates if one.seed is not None)
    scores = [score for one in method.replicates for score in one.scores]
    for kind, *place in dict.fromkeys((one.set, *one.place) for one in scores):
        network, protocol, on = place
        found = method.scores(kind, network, protocol, on)
        yield Replicated(method.named.row, seeds, found)
