"""What is known of the results of one experiment, wherever it is known from.

Tables, comparisons, reports and figures read this, and neither plans nor stores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ddspec.canon import Digest, Json, digest
from ddspec.plan.comparable import protocol_digest, test_set_digest
from ddspec.plan.ir import Plan, Variant
from ddspec.run.costs import Cost, costs_of
from ddspec.run.curves import Curve, curves
from ddspec.run.row_names import row_name
from ddspec.run.scores import SETS, Score, scores
from ddspec.run.stored import Damage, Stored
from ddspec.spec.experiment import Experiment
from ddspec.store.store import Store
from ddspec.wire.work import EvaluateWork

__all__ = ["Cost", "Damage", "Evidence", "Method", "evidence_of", "methods_of"]

_NOT_METHOD = frozenset({"name", "title", "seed", "expect", "resources"})


@dataclass(frozen=True, slots=True)
class Evidence:
    """The results of one experiment, and what decides whether others compare with them."""

    document: str
    """Where it is from, as a person named it."""
    name: str
    """Of the spec."""
    variant: str = ""
    """Empty without a matrix."""
    title: str = ""
    settings: Mapping[str, Json] = field(default_factory=dict, repr=False, compare=False)
    """What a matrix sets for the variant, by dotted path; empty without one, and of files."""
    method: Digest | None = None
    """Of what the spec asks for apart from seed, names, titles, expectations and resources: equal
    for replicates, of which an imported set has none. None where a file of results does not tell.
    """
    row: str = ""
    """What a table calls the method."""
    seed: int | None = None
    dataset: str = ""
    """Its title; empty where a file of results does not tell, as all that follows."""
    images_per_class: int | None = None
    protocol: Digest | None = None
    """Of how networks are trained and judged, whatever that is called."""
    test_set: Digest | None = None
    """Of the images that accuracy is measured on."""
    scores: tuple[Score, ...] = ()
    cost: Cost = field(default_factory=Cost)
    """Behind the distilled set."""
    costs: Mapping[str, Cost] = field(default_factory=dict)
    """Behind each set that takes work, by its name; of snapshots as well (`to-100`)."""
    curves: tuple[Curve, ...] = ()
    """Accuracies over outer loops, where snapshots are judged."""
    missing: tuple[str, ...] = ()
    """Labels of stages that are not in the store, and without which scores lack."""
    damaged: tuple[Damage, ...] = ()
    """Stored outputs that are not what was published; those that scores need are missing too."""
    plan: Plan | None = field(default=None, repr=False, compare=False)
    """Of this variant alone; None of a file of results."""

    @property
    def of(self) -> str:
        """Return name and variant: `composition/dm`."""
        return f"{self.name}/{self.variant}" if self.variant else self.name

    def plain(self) -> dict[str, Json]:
        """Return what lets a file of results stand for its document, without the scores."""
        return {
            "row": self.row,
            "seed": self.seed,
            "method": self.method,
            "dataset": self.dataset,
            "images_per_class": self.images_per_class,
            "protocol": self.protocol,
            "test_set": self.test_set,
            "cost": self.cost.plain(),
            "costs": {name: cost.plain() for name, cost in self.costs.items()},
            "missing": list(self.missing),
            **({"damaged": [one.plain() for one in self.damaged]} if self.damaged else {}),
        }


@dataclass(frozen=True, slots=True)
class Method:
    """Replicates of one experiment: the same but for the seed."""

    replicates: tuple[Evidence, ...]
    """At least one; by seed."""

    @property
    def first(self) -> Evidence:
        """Return what stands for all of them where they are alike."""
        return self.replicates[0]

    @property
    def named(self) -> Evidence:
        """Return the first of those that are called as most of them are.

        One experiment may be in several specs, and stands for a replicate of another one's.
        """
        often = Counter((one.row, one.name) for one in self.replicates)
        return max(self.replicates, key=lambda one: often[one.row, one.name])

    def scores(self, set: str, network: str, protocol: str, on: str) -> tuple[Score, ...]:
        """Return the score of each replicate that has one."""
        place = (set, network, protocol, on)
        return tuple(
            score
            for one in self.replicates
            for score in one.scores
            if (score.set, *score.place) == place
        )

    def levels(
        self, set: str, network: str, protocol: str, on: str
    ) -> tuple[tuple[float, ...], ...]:
        """Return accuracies, as fractions: one inner tuple a replicate, one number a repeat."""
        return tuple(one.accuracies for one in self.scores(set, network, protocol, on))


def evidence_of(plan: Plan, store: Store | None, document: str = "") -> tuple[Evidence, ...]:
    """Return what a store knows of each variant of a plan; nothing is run, or changed."""
    stored = Stored(store)
    return tuple(_of_variant(plan, variant, stored, document) for variant in plan.variants)


def methods_of(evidence: Iterable[Evidence]) -> tuple[Method, ...]:
    """Group replicates, in the order of their first appearance.

    Of what has the same seed too, as one experiment in several specs, that with more accuracies
    counts, else that with the shortest row. What does not tell its method stands alone.
    """
    groups: dict[object, dict[int | None, Evidence]] = {}
    for number, one in enumerate(evidence):
        group = groups.setdefault(number if one.method is None else one.method, {})
        before = group.get(one.seed)
        if before is None or _rank(one) > _rank(before):
            group[one.seed] = one
    return tuple(
        Method(tuple(group[seed] for seed in sorted(group, key=_order)))
        for group in groups.values()
    )


def method_digest(experiment: Experiment) -> Digest:
    """Return the digest of what replicates have in common.

    Seeds make no replicates of an imported set: it is the same one under all of them.
    """
    left_out = set(_NOT_METHOD if experiment.imported is None else _NOT_METHOD - {"seed"})
    asked: Json = experiment.model_dump(mode="json", exclude_none=True, exclude=left_out)
    return digest(asked)


def _of_variant(plan: Plan, variant: Variant, stored: Stored, document: str) -> Evidence:
    alone, asked = plan.of(variant.name), variant.experiment
    metrics = stored.metrics(alone)
    costs = costs_of(alone, stored)
    return Evidence(
        document=document,
        name=plan.name,
        variant=variant.name,
        title=asked.title or "",
        settings=variant.settings,
        method=method_digest(asked),
        row=row_name(plan, variant),
        seed=asked.seed,
        dataset=variant.data.title,
        images_per_class=asked.budget.images_per_class,
        protocol=protocol_digest(alone),
        test_set=test_set_digest(alone),
        scores=scores(alone, metrics),
        cost=costs.get(SETS[0], Cost()),
        costs=costs,
        curves=curves(alone, metrics),
        missing=_missing(alone, stored),
        damaged=stored.damage(alone),
        plan=alone,
    )


def _missing(plan: Plan, stored: Stored) -> tuple[str, ...]:
    """Return the evaluations that are not there, and what they would need first."""
    left = {
        stage.label
        for stage in plan
        if isinstance(stage.work, EvaluateWork) and stored.result(stage) is None
    }
    waiting = list(left)
    while waiting:
        above = plan.stage(waiting.pop()).upstream.values()
        new = [one for one in above if one not in left and stored.result(plan.stage(one)) is None]
        left.update(new)
        waiting += new
    return tuple(stage.label for stage in plan if stage.label in left)


def _rank(one: Evidence) -> tuple[int, int]:
    return sum(len(score.accuracies) for score in one.scores), -len(one.row)


def _order(seed: int | None) -> int:
    return -1 if seed is None else seed
