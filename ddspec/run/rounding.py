"""What an export adds to a plan: the set in 8 bits, and networks trained on that. Pure.

These stages are no part of a spec. Their keys are ordinary ones, so a second export finds them.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from ddspec.canon import Digest, Json
from ddspec.plan.ir import Plan, Stage, stage_key
from ddspec.run.scores import SETS, Judged, accuracy_of, judged
from ddspec.wire.work import RelabelWork, RoundWork

ROUND = "round"
"""Label of the stage that rounds."""
SET, LABELS = "set", "labels"
"""Names of the inputs that an evaluation takes of a set."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two trainings from one seed: on the set as it was learned, and on its 8 bits."""

    network: str
    protocol: str
    on: str
    before: Stage
    after: Stage


@dataclass(frozen=True, slots=True)
class Rounding:
    """The stages of an export."""

    plan: Plan
    """Of one variant: the learned set, which is there, what is made of it, and what that needs."""
    learned: Stage
    rounded: Stage
    pairs: tuple[Pair, ...]
    """Empty where nothing is to be evaluated."""
    labels: str
    """What networks learn from, as in a `Score`."""
    recorded: Stage | None = None
    """What teachers say of views of the rounded images, where that is recorded."""

    @property
    def left(self) -> tuple[Stage, ...]:
        """The stages without the learned set, which an export never makes."""
        return tuple(stage for stage in self.plan if stage.label != self.learned.label)


def with_rounding(plan: Plan, *, evaluate: bool) -> Rounding:
    """Return what an export of the distilled set of a plan of one variant does.

    Evaluations of the rounded set are those of the learned one, seeds and all, on another input;
    where teachers recorded labels, they record them of the rounded images too.
    """
    found = [one for one in judged(plan) if one.set == SETS[0]]
    learned = plan.stage(found[0].stage.upstream[SET])
    rounded = _made(ROUND, learned)
    new: dict[str, Stage] = {ROUND: rounded}
    pairs = tuple(_pairs(plan, found, new)) if evaluate else ()
    kept = _leading_to([*new.values(), *(pair.before for pair in pairs)], plan, learned.label)
    # what the learned set was made from is of no concern: it is there, or nothing is exported
    there = replace(learned, upstream={}, inputs={})
    stages = (there if stage.label == learned.label else stage for stage in plan)
    whole = (*(stage for stage in stages if stage.label in kept), *new.values())
    alone = Plan(plan.name, plan.variants, whole, plan.presets)
    recorded = next((one for one in new.values() if isinstance(one.work, RelabelWork)), None)
    return Rounding(alone, there, rounded, pairs, found[0].labels, recorded)


def _made(label: str, source: Stage) -> Stage:
    work = RoundWork()
    inputs = {} if source.key is None else {SET: source.key}
    key = None if source.key is None else stage_key(work, inputs)
    return Stage(label, work, {SET: source.label}, inputs, key, threads=source.threads)


def _pairs(plan: Plan, found: Sequence[Judged], new: dict[str, Stage]) -> Iterator[Pair]:
    """Yield the trainings of both sets; adds the stages of the rounded one to `new`."""
    for one in found:
        over = {SET: new[ROUND]}
        if LABELS in one.stage.upstream:
            recorded = plan.stage(one.stage.upstream[LABELS])
            label = f"{recorded.label}/rounded"
            over[LABELS] = new.setdefault(label, _instead(recorded, label, {SET: new[ROUND]}))
        kind, _, rest = one.stage.label.partition("/")
        label = f"{kind}/rounded/{rest}"
        new[label] = _instead(one.stage, label, over)
        yield Pair(one.network, one.protocol, one.on, one.stage, new[label])


def _instead(stage: Stage, label: str, over: Mapping[str, Stage]) -> Stage:
    """Return the same work on some other inputs."""
    upstream = {**stage.upstream, **{name: one.label for name, one in over.items()}}
    if stage.key is None:
        return replace(stage, label=label, upstream=upstream)
    inputs = {**stage.inputs, **{name: one.key or "" for name, one in over.items()}}
    key = stage_key(stage.work, inputs)
    return replace(stage, label=label, upstream=upstream, inputs=inputs, key=key)


def _leading_to(ends: Iterable[Stage], plan: Plan, learned: str) -> set[str]:
    """Return the labels of what some stages need, and of those of the plan among them.

    What stands above the learned set is left out, unless something else needs it too.
    """
    own = {stage.label for stage in plan}
    waiting, found = [label for end in ends for label in (end.label, *end.upstream.values())], set()
    while waiting:
        label = waiting.pop()
        if label in own and label not in found:
            found.add(label)
            waiting += () if label == learned else plan.stage(label).upstream.values()
    return found


@dataclass(frozen=True, slots=True)
class Paired:
    """Accuracies of one network and protocol on both sets, as fractions, pair by pair."""

    network: str
    protocol: str
    on: str
    planned: int
    before: tuple[float, ...]
    after: tuple[float, ...]

    @property
    def difference(self) -> float:
        """Return how far the rounded set is ahead, in the mean."""
        return statistics.fmean(self._differences)

    @property
    def standard_error(self) -> float | None:
        """Return that of the difference: the same seeds on both sides; one pair has none."""
        if len(self.before) < 2:
            return None
        return statistics.stdev(self._differences) / math.sqrt(len(self.before))

    @property
    def _differences(self) -> list[float]:
        return [after - before for before, after in zip(self.before, self.after, strict=True)]

    def plain(self) -> dict[str, Json]:
        """Return it as JSON has it."""
        return {
            "network": self.network,
            "protocol": self.protocol,
            "on": self.on,
            "repeats": len(self.before),
            "repeats_planned": self.planned,
            "before": _spread(self.before),
            "after": _spread(self.after),
            "difference": self.difference,
            "standard_error": self.standard_error,
        }


def paired(
    pairs: Iterable[Pair], metrics: Mapping[Digest, Mapping[str, JsonValue]]
) -> tuple[Paired, ...]:
    """Gather the pairs of which both are measured; those of one network and protocol together."""
    groups: dict[tuple[str, str, str], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault((pair.network, pair.protocol, pair.on), []).append(pair)
    found = []
    for place, members in groups.items():
        both = [(accuracy, other) for pair in members for accuracy, other in _both(pair, metrics)]
        if both:
            before, after = zip(*both, strict=True)
            found.append(Paired(*place, len(members), before, after))
    return tuple(found)


def _both(
    pair: Pair, metrics: Mapping[Digest, Mapping[str, JsonValue]]
) -> Iterator[tuple[float, float]]:
    found = [accuracy_of(metrics.get(one.key or "", {})) for one in (pair.before, pair.after)]
    if found[0] is not None and found[1] is not None:
        yield found[0], found[1]


def _spread(values: Sequence[float]) -> dict[str, Json]:
    std = statistics.stdev(values) if len(values) > 1 else None
    return {
        "accuracy_mean": statistics.fmean(values),
        "accuracy_std": std,
        "accuracies": list(values),
    }
