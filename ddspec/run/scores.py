"""Accuracies of a plan's evaluations, gathered per set, network and protocol. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import get_args

from pydantic import JsonValue

from ddspec.canon import Digest, Json
from ddspec.plan.ir import Stage
from ddspec.spec.baselines import SetName
from ddspec.spec.evaluate import Reported
from ddspec.spec.network import network_name
from ddspec.wire.work import DistillWork, EvaluateWork, ImportWork, MergeWork

SETS: tuple[str, ...] = get_args(SetName)
"""In the order of tables: what was made, then what it is compared with."""


HARD = "hard"


@dataclass(frozen=True, slots=True)
class Rate:
    """The learning rate of networks under a protocol that takes the one learned with the set."""

    value: float
    learned: bool
    """False for sets without one, as baselines: then it is the optimiser's."""

    def plain(self) -> dict[str, Json]:
        """Return it as it is printed with `--json`."""
        return {"learning_rate": self.value, "learned_rate": self.learned}


@dataclass(frozen=True, slots=True)
class Score:
    """Test accuracies, as fractions, of the networks trained on one set under one protocol."""

    set: str
    network: str
    protocol: str
    on: str
    """The split of real images that was predicted: `test` or `validation`."""
    accuracies: tuple[float, ...]
    """One a repeat, in their order."""
    planned: int
    """Repeats that the plan asks for."""
    keys: tuple[Digest, ...] = ()
    """Of the evaluations, in the order of `accuracies`; empty where they are not known."""
    best: tuple[float, ...] = ()
    """The same of the networks that were best on validation images while they were trained; empty
    where nobody looked."""
    labels: str = HARD
    """What networks learn from: `hard` labels of classes, `soft` ones of teachers, `learned` with
    the images, or of an `expert`."""
    rate: Rate | None = None
    """Where the protocol takes a learned rate, the one that was used; None elsewhere."""

    @property
    def place(self) -> tuple[str, str, str]:
        """Return network, protocol and split: scores of one place may be compared."""
        return (self.network, self.protocol, self.on)

    @property
    def judged(self) -> str:
        """Return protocol, split and labels in words: under the same, accuracies may be compared.

        Hard labels go without saying.
        """
        labels = "" if self.labels == HARD else f" with {self.labels} labels"
        return f"{self.protocol} on {self.on}{labels}"

    @property
    def mean(self) -> float:
        """Return the mean accuracy over repeats."""
        return statistics.fmean(self.accuracies)

    @property
    def std(self) -> float | None:
        """Return the sample standard deviation (n - 1) over repeats; one repeat has none."""
        return statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else None

    @property
    def standard_error(self) -> float | None:
        """Return the standard error of the mean; one repeat has none."""
        return None if self.std is None else self.std / math.sqrt(len(self.accuracies))

    @property
    def on_validation(self) -> Score | None:
        """Return the score of the networks that were best on validation images, or None."""
        return replace(self, accuracies=self.best, best=(), keys=()) if self.best else None

    def plain(self) -> dict[str, Json]:
        """Return the score as it is printed with `--json`."""
        best = self.on_validation
        return self._figures() | ({"best_on_validation": best._spread()} if best else {})

    def _figures(self) -> dict[str, Json]:
        return {
            "set": self.set,
            "network": self.network,
            "protocol": self.protocol,
            "on": self.on,
            "labels": self.labels,
            **self._spread(),
            "keys": list(self.keys),
            **({} if self.rate is None else self.rate.plain()),
        }

    def _spread(self) -> dict[str, Json]:
        return {
            "accuracy_mean": self.mean,
            "accuracy_std": self.std,
            "repeats": len(self.accuracies),
            "repeats_planned": self.planned,
            "accuracies": list(self.accuracies),
        }


@dataclass(frozen=True, slots=True)
class Gain:
    """How far one mean accuracy is ahead of another, both as fractions."""

    difference: float
    standard_error: float | None
    """Of the difference of two independent means; None where either has a single repeat."""


def same_runs(one: Score, other: Score) -> bool:
    """Return whether two scores are of the very same evaluations, and so one measurement."""
    return bool(one.keys) and one.keys == other.keys


def gain(ahead: Score, behind: Score) -> Gain:
    """Return the difference of two means and its standard error; no error of the same runs."""
    if same_runs(ahead, behind):
        return Gain(0.0, None)
    errors = (ahead.standard_error, behind.standard_error)
    error = None if None in errors else math.hypot(*(e for e in errors if e is not None))
    return Gain(ahead.mean - behind.mean, error)


def scores(
    stages: Iterable[Stage], metrics: Mapping[Digest, Mapping[str, JsonValue]]
) -> tuple[Score, ...]:
    """Gather the accuracies of evaluations that have one; sets in the order of `SETS`.

    `metrics` holds the figures of finished stages by key. A set without a finished evaluation has
    no score.
    """
    found = (one for one in gathered(stages, metrics) if one.set in SETS)
    return tuple(sorted(found, key=lambda score: SETS.index(score.set)))


def gathered(
    stages: Iterable[Stage], metrics: Mapping[Digest, Mapping[str, JsonValue]]
) -> Iterator[Score]:
    """Yield the scores of all sets, those of snapshots under names of their own."""
    groups: dict[tuple[str, str, str, str], list[Judged]] = {}
    for one in judged(stages):
        groups.setdefault(one.group, []).append(one)
    for group, members in groups.items():
        known = _accuracies([one.stage for one in members], metrics)
        if known:
            yield Score(
                *group,
                tuple(known.values()),
                planned=len(members),
                keys=tuple(known),
                best=tuple(value for key in known for value in _best_of(metrics[key])),
                labels=members[0].labels,
                rate=_rate_of(metrics[next(iter(known))]),
            )


@dataclass(frozen=True, slots=True)
class Judged:
    """An evaluation of a plan, and what it is of."""

    stage: Stage
    set: str
    """One of `SETS`; of a snapshot after L outer loops `to-L`, which is none of them."""
    network: str
    protocol: str
    on: str
    """The split of real images that is predicted."""
    loops: int | None
    """After which the set was taken, where the stages tell it."""
    reported: Reported | None
    """What publications report under the protocol."""
    labels: str = HARD
    """What the network learns from, as in a `Score`."""

    @property
    def group(self) -> tuple[str, str, str, str]:
        """Return what repeats have in common."""
        return (self.set, self.network, self.protocol, self.on)


def judged(stages: Iterable[Stage]) -> Iterator[Judged]:
    """Yield the evaluations of one experiment, in their order.

    Works say what they are of: in a matrix one stage may be of the last set of one variant and of
    a snapshot of another, whatever its label. Of an experiment the set of the most loops is last.
    """
    by_label = {stage.label: stage for stage in stages}
    found = [stage for stage in by_label.values() if isinstance(stage.work, EvaluateWork)]
    loops = {stage.label: _loops(stage.upstream["set"], by_label) for stage in found}
    last = max((number for number in loops.values() if number is not None), default=None)
    for stage in found:
        if isinstance(stage.work, EvaluateWork):
            name, number = set_of(stage.work), loops[stage.label]
            protocol = stage.work.protocol
            on = stage.upstream["test"].removeprefix("prepare/")
            network = network_name(stage.work.network)
            snapshot = name == SETS[0] and number != last
            shown = f"to-{number}" if snapshot else name
            labels = _labels(stage, stage.work, by_label)
            yield Judged(
                stage, shown, network, protocol.name, on, number, protocol.reported, labels
            )


def set_of(work: EvaluateWork) -> str:
    """Return the set that a work is of, a snapshot's or not: its seed path names it."""
    return str(work.seed[2])


def _loops(label: str, stages: Mapping[str, Stage]) -> int | None:
    """Return after how many loops a set was taken; None where it was not distilled."""
    made = _maker(label, stages)
    return made.stop if isinstance(made, DistillWork) else None


def _labels(stage: Stage, work: EvaluateWork, stages: Mapping[str, Stage]) -> str:
    """Return what a network learns from: whoever labels views, or the set's own labels."""
    if work.protocol.teaching is None:
        return HARD
    if "labels" in stage.upstream or work.teachers is not None:
        return "soft"
    made = _maker(stage.upstream["set"], stages)
    if isinstance(made, ImportWork):
        return made.labels or HARD
    return HARD if made is None or made.labels is None else made.labels.kind


def _maker(label: str, stages: Mapping[str, Stage]) -> DistillWork | ImportWork | None:
    """Return the work that learned a set, or took it from files; None where none did."""
    made = stages.get(label)
    if made is not None and isinstance(made.work, MergeWork):
        return _maker(made.upstream["shard/0"], stages)
    work = None if made is None else made.work
    return work if isinstance(work, DistillWork | ImportWork) else None


def _rate_of(metrics: Mapping[str, object]) -> Rate | None:
    """Return the learning rate among a stage's figures; None where it goes without saying."""
    value, learned = metrics.get("learning_rate"), metrics.get("learned_rate")
    if not isinstance(value, int | float) or not isinstance(learned, bool):
        return None
    return Rate(value, learned)


def _best_of(metrics: Mapping[str, object]) -> tuple[float, ...]:
    """Return the accuracy of the network that was best on validation; nothing where none is."""
    found = metrics.get("best_on_validation")
    value = accuracy_of(found) if isinstance(found, Mapping) else None
    return () if value is None else (value,)


def _accuracies(
    stages: Iterable[Stage], metrics: Mapping[Digest, Mapping[str, JsonValue]]
) -> dict[Digest, float]:
    """Return accuracies by key."""
    keys = [stage.key for stage in stages if stage.key is not None]
    values = {key: accuracy_of(metrics.get(key, {})) for key in keys}
    return {key: value for key, value in values.items() if value is not None}


def accuracy_of(metrics: Mapping[str, object]) -> float | None:
    """Return the accuracy among a stage's figures, as a fraction; JSON may write 1.0 as 1.

    What is no finite number is none.
    """
    value = metrics.get("accuracy")
    if not isinstance(value, int | float) or not -math.inf < value < math.inf:
        return None
    try:
        return float(value)
    except OverflowError:  # JSON has integers of any size
        return None
