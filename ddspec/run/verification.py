"""What a plan expects, beside what its evaluations found. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from ddspec.canon import Digest, Json
from ddspec.errors import DdspecError, Exit
from ddspec.plan.ir import Plan
from ddspec.run.evidence import method_digest
from ddspec.run.judgement import Judgement, Verdict, verdict_on, why_not
from ddspec.run.scores import HARD, SETS, Score, gathered, judged
from ddspec.spec.evaluate import REPORTED, Reported
from ddspec.spec.experiment import ExpectSpec
from ddspec.spec.network import network_name
from ddspec.spec.variant_names import base_of

_COMPARED = frozenset(SETS[1:])
"""Sets that a distilled one is compared with."""

Metrics = Mapping[Digest, Mapping[str, JsonValue]]


@dataclass(frozen=True, slots=True)
class Claim:
    """One expectation of one variant, and how it stands."""

    variant: str
    """Empty without a matrix; of replicates, what they are of."""
    expected: ExpectSpec
    set: str
    network: str
    protocol: str
    """By which the spec judges it; empty where it does not."""
    on: str
    planned: int
    """Networks that the plan trains for it, of all replicates."""
    reported: Reported | None
    """What publications report of a distilled set under that protocol; here the last step counts,
    of the set after the last loop."""
    measured: Score | None
    """Of all replicates together."""
    sample: Score | None
    """What is judged of it: the means of sets where there are several, else the same."""
    other: Score | None
    """What it is to be above, where that is expected."""
    judgement: Judgement
    labels: str = HARD
    """What networks learn from."""
    variants: tuple[str, ...] = ()
    """The replicates that it is of; the variant alone where there is one."""
    others: tuple[str, ...] = ()
    """Those of what it is to be above."""
    sets: int = 1
    """How many of the variants were measured."""

    @property
    def verdict(self) -> Verdict:
        """Return what is said of it."""
        return self.judgement.verdict

    @property
    def note(self) -> str | None:
        """Return how what is published was taken otherwise than what is measured, and labels.

        Hard labels on both sides go without saying; None where all does.
        """
        words = REPORTED.get(self.reported) if self.reported is not None else None
        told = [] if words is None else [f"the paper reports {words}, ours is the last"]
        other = self.other.labels if self.other is not None else self.labels
        if other != self.labels:
            told.append(f"with {self.labels} labels, what it is to be above with {other} ones")
        elif self.labels != HARD:
            told.append(f"with {self.labels} labels")
        if self.sets > 1:
            over = "sets" if self.sample is not self.measured else "networks"
            told.append(f"over {self.sets} sets of different seeds, ± of measured over {over}")
        return "; ".join(told) or None

    @property
    def is_left(self) -> bool:
        """Return whether a run of the plan would add to what is known."""
        if self.verdict is Verdict.NOT_COMPARABLE:
            return False
        known = 0 if self.measured is None else len(self.measured.accuracies)
        return known < self.planned or self.verdict is Verdict.NOT_RUN

    def plain(self) -> dict[str, Json]:
        """Return it as it is printed with `--json`."""
        return {
            "variant": self.variant,
            "variants": list(self.variants),
            "sets": self.sets,
            "set": self.set,
            "network": self.network,
            "protocol": self.protocol,
            "on": self.on,
            "reported": self.reported,
            "labels": self.labels,
            "note": self.note,
            "expected": self.expected.model_dump(mode="json", exclude_none=True),
            "measured": None if self.measured is None else self.measured.plain(),
            "mean": None if self.sample is None else self.sample.mean,
            "std": None if self.sample is None else self.sample.std,
            "other": None if self.other is None else self.other.plain(),
            "repeats_planned": self.planned,
            **self.judgement.plain(),
        }


@dataclass(frozen=True, slots=True)
class _Bench:
    """How a plan judges one set on one network."""

    protocol: str
    on: str
    planned: int
    reported: Reported | None
    labels: str


def claims_of(plan: Plan, metrics: Metrics) -> tuple[Claim, ...]:
    """Return every expectation of every variant of a plan, in their order; replicates share them.

    `metrics` holds the figures of finished stages by key. Raises `DdspecError` (invalid) where one
    is to be above a variant that the matrix does not have.
    """
    alone = {variant.name: plan.of(variant.name) for variant in plan.variants}
    found = {name: tuple(gathered(one, metrics)) for name, one in alone.items()}
    return tuple(
        _claim(family, alone, expected, found)
        for family in _families(plan)
        for expected in alone[family[0]].experiment.expect
    )


def named_by(names: Iterable[str], above: str) -> tuple[str, ...]:
    """Return the variants that an order names: one of that very name, or the replicates of it."""
    names = tuple(names)
    return (above,) if above in names else tuple(one for one in names if base_of(one) == above)


def _families(plan: Plan) -> list[tuple[str, ...]]:
    """Return the names of variants that differ in nothing but the seed, together."""
    families: dict[object, list[str]] = {}
    for one in plan.variants:
        asked = one.experiment
        replicate = "seed" in one.settings and base_of(one.name) != one.name
        same = (base_of(one.name), method_digest(asked), asked.expect)
        families.setdefault(same if replicate else one.name, []).append(one.name)
    return [tuple(names) for names in families.values()]


def _claim(
    family: tuple[str, ...],
    alone: Mapping[str, Plan],
    expected: ExpectSpec,
    found: Mapping[str, tuple[Score, ...]],
) -> Claim:
    plan, above = alone[family[0]], expected.above
    kind = expected.set or SETS[0]
    network = expected.network or network_name(plan.experiment.network)
    bench = _benches(plan).get((kind, network))
    others = () if above is None else named_by(alone, above)
    if above is not None and not others:
        raise DdspecError(
            f"`{family[0]}` is expected to be above `{above}`, which is no variant",
            exit=Exit.INVALID,
        )
    sets = [one for name in family if (one := _score(found[name], kind, network))]
    beside = [one for name in others if (one := _score(found[name], kind, network))]
    measured = _pooled(sets)
    sample, other = _levels(sets, beside, ordered=bool(others)) or (measured, _pooled(beside))
    return Claim(
        variant=base_of(family[0]) if len(family) > 1 else family[0],
        expected=expected,
        set=kind,
        network=network,
        protocol="" if bench is None else bench.protocol,
        on="" if bench is None else bench.on,
        planned=0 if bench is None else bench.planned * len(family),
        reported=None if bench is None else _reported(bench, kind),
        measured=measured,
        sample=sample,
        other=_pooled(beside),
        judgement=_judgement(expected, bench, sample, other),
        labels=HARD if bench is None else bench.labels,
        variants=family,
        others=others,
        sets=len(sets),
    )


def _pooled(sets: Sequence[Score]) -> Score | None:
    """Return the accuracies of replicates as those of one set."""
    if len(sets) < 2:
        return sets[0] if sets else None
    return replace(
        sets[0],
        accuracies=tuple(value for one in sets for value in one.accuracies),
        planned=sum(one.planned for one in sets),
        keys=tuple(key for one in sets for key in one.keys),
        best=tuple(value for one in sets for value in one.best),
    )


def _levels(
    sets: Sequence[Score], beside: Sequence[Score], *, ordered: bool
) -> tuple[Score, Score | None] | None:
    """Return what is judged over sets, where there are several of each; None over networks.

    Networks that were trained on one set tell nothing of another set of the same method.
    """
    if len(sets) < 2 or (ordered and len(beside) < 2):
        return None
    return _means(sets), _means(beside) if ordered else None


def _means(sets: Sequence[Score]) -> Score:
    means = tuple(one.mean for one in sets)
    return replace(sets[0], accuracies=means, planned=len(means), keys=(), best=())


def _reported(bench: _Bench, kind: str) -> Reported | None:
    """Return what is reported of a set; of those it is compared with, papers do not say it."""
    return None if kind in _COMPARED else bench.reported


def _judgement(
    expected: ExpectSpec, bench: _Bench | None, measured: Score | None, other: Score | None
) -> Judgement:
    if bench is None:
        return Judgement(Verdict.NOT_COMPARABLE, reason="the spec does not evaluate it")
    if reason := why_not(expected, bench.protocol, bench.on):
        return Judgement(Verdict.NOT_COMPARABLE, reason=reason)
    return verdict_on(expected, measured, other)


def _benches(plan: Plan) -> dict[tuple[str, str], _Bench]:
    found: dict[tuple[str, str], _Bench] = {}
    for one in judged(plan):
        place = (one.set, one.network)
        before = found[place].planned if place in found else 0
        found[place] = _Bench(one.protocol, one.on, before + 1, one.reported, one.labels)
    return found


def _score(found: tuple[Score, ...], kind: str, network: str) -> Score | None:
    return next((one for one in found if (one.set, one.network) == (kind, network)), None)
