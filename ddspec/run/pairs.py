"""Which results of two documents stand side by side, and whether their numbers compare. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ddspec.run.evidence import Evidence, Method, methods_of
from ddspec.run.scores import Score
from ddspec.spec.variant_names import base_of

FULL = "full"
"""The set of all real images, which has no budget."""


@dataclass(frozen=True, slots=True)
class Unlike:
    """A fact in which two results differ, so that their numbers do not compare."""

    fact: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Accuracies of one set and network on both sides."""

    variant: str
    """What the methods are called, where a document has several; else empty."""
    before: tuple[Score, ...]
    """At least one, one a replicate."""
    after: tuple[Score, ...]
    unlike: tuple[Unlike, ...] = ()
    """Empty where the numbers compare."""
    untold: tuple[str, ...] = ()
    """Facts that a file of results does not tell, and that were taken to be alike."""

    @property
    def set(self) -> str:
        """Name of the set."""
        return self.after[0].set

    @property
    def place(self) -> tuple[str, str, str]:
        """Network, protocol and split, as the side after calls them."""
        return self.after[0].place

    @property
    def runs(self) -> tuple[frozenset[str], frozenset[str]]:
        """The keys of the evaluations of both sides; empty where they are not known."""
        return _keys(self.before), _keys(self.after)

    @property
    def is_same(self) -> bool:
        """Whether the sides share evaluations: then they are no two measurements."""
        one, other = self.runs
        return bool(one & other)

    @property
    def difference(self) -> float:
        """How far the mean after is ahead of that before, as a fraction; each set counts once."""
        return _mean(self.after) - _mean(self.before)

    @property
    def standard_error(self) -> float | None:
        """That of the difference, over sets where both sides have several, else over networks.

        None where they share evaluations, or either side has nothing repeated.
        """
        several = min(len(self.before), len(self.after)) > 1
        errors = [_error(side, several=several) for side in (self.before, self.after)]
        known = [error for error in errors if error is not None]
        return None if self.is_same or len(known) < len(errors) else math.hypot(*known)


@dataclass(frozen=True, slots=True)
class Alone:
    """Results that one side has and the other lacks."""

    side: Literal["before", "after"]
    variant: str
    """As in a `Pair`."""
    results: tuple[tuple[str, str], ...]
    """Sets and networks; at least one."""


@dataclass(frozen=True, slots=True)
class Paired:
    """Two documents' results side by side."""

    pairs: tuple[Pair, ...]
    alone: tuple[Alone, ...] = ()


def paired(before: Iterable[Evidence], after: Iterable[Evidence]) -> Paired:
    """Pair the results of two documents: variants by name, sets and networks of each.

    Replicates are joined. A document of one method is paired with each one of the other, where
    they share no name.
    """
    old, new = methods_of(before), methods_of(after)
    pairs: list[Pair] = []
    alone: list[Alone | None] = []
    matched = list(_matched(old, new))
    for name, was, now in matched:
        found = _pairs_of(name, was, now)
        pairs += found
        alone += [_left("before", name, was, found), _left("after", name, now, found)]
    used = {id(method) for _, *both in matched for method in both}
    alone += [_left("before", _name(one), one, ()) for one in old if id(one) not in used]
    alone += [_left("after", _name(one), one, ()) for one in new if id(one) not in used]
    return Paired(tuple(pairs), tuple(one for one in alone if one is not None))


def _matched(
    before: Sequence[Method], after: Sequence[Method]
) -> Iterator[tuple[str, Method, Method]]:
    if len(before) == len(after) == 1:
        yield "", before[0], after[0]
        return
    names = {name: one for one in before for name in _variants(one)}
    shared = [(one, sorted(_variants(one) & names.keys())) for one in after]
    if any(found for _, found in shared):
        yield from ((_name(one), names[found[0]], one) for one, found in shared if found)
    elif len(before) == 1:
        yield from ((_name(one) if len(after) > 1 else "", before[0], one) for one in after)
    elif len(after) == 1:
        yield from ((_name(one), one, after[0]) for one in before)


def _variants(method: Method) -> frozenset[str]:
    """Return the names under which a method is found: its variants, without their seeds too."""
    names = (one.variant for one in method.replicates)
    return frozenset(found for name in names for found in (name, base_of(name)) if found)


def _name(method: Method) -> str:
    """Return what a method is called: its variant, less the seed where it has several of them."""
    if len(method.replicates) == 1:
        return method.first.variant
    return base_of(method.named.variant) or method.named.row


def _pairs_of(name: str, before: Method, after: Method) -> list[Pair]:
    old, new = _scores(before), _scores(after)
    facts = _facts(before.first, after.first)
    untold = tuple(fact for fact, (was, now) in facts.items() if was is None or now is None)
    return [
        Pair(name, old[at], new[at], _unlike(facts, old[at][0], new[at][0]), untold)
        for at in new
        if at in old
    ]


def _scores(method: Method) -> dict[tuple[str, str], tuple[Score, ...]]:
    """Return scores by set and network, one a replicate that has it."""
    found: dict[tuple[str, str], dict[int, Score]] = {}
    for number, one in enumerate(method.replicates):
        for score in one.scores:
            found.setdefault((score.set, score.network), {})[number] = score
    return {at: tuple(scores.values()) for at, scores in found.items()}


Fact = tuple[str, str]
"""What is compared of a fact, and what a person reads of it."""


def _facts(before: Evidence, after: Evidence) -> Mapping[str, tuple[Fact | None, Fact | None]]:
    """Return by name what each side says; None where a file of results does not tell."""
    sides = (before, after)
    protocols = [None if one.protocol is None else (one.protocol, "") for one in sides]
    tests = [None if one.test_set is None else (one.test_set, one.dataset) for one in sides]
    budgets = [
        None if one.images_per_class is None else (count := str(one.images_per_class), count)
        for one in sides
    ]
    return {
        "protocol": (protocols[0], protocols[1]),
        "test set": (tests[0], tests[1]),
        "images per class": (budgets[0], budgets[1]),
    }


def _unlike(
    facts: Mapping[str, tuple[Fact | None, Fact | None]], before: Score, after: Score
) -> tuple[Unlike, ...]:
    told = dict(facts)
    if before.set == FULL:
        del told["images per class"]
    found = [
        Unlike("split", before.on, after.on),
        Unlike("label kind", before.labels, after.labels),
    ]
    unlike = [one for one in found if one.before != one.after]
    for fact, (was, now) in told.items():
        if was is not None and now is not None and was[0] != now[0]:
            words = (was[1], now[1])
            if fact == "protocol":
                words = (before.protocol, after.protocol)
            unlike.append(Unlike(fact, *_told_apart(words)))
    if (None in told["protocol"]) and before.protocol != after.protocol:
        unlike.append(Unlike("protocol", before.protocol, after.protocol))
    return tuple(sorted(unlike, key=lambda one: ORDER.index(one.fact)))


ORDER = ("protocol", "test set", "split", "label kind", "images per class")
"""Facts, as messages list them."""


def _told_apart(words: tuple[str, str]) -> tuple[str, str]:
    """Return two names; where they are the same, with what tells them apart."""
    return words if words[0] != words[1] else (words[0], f"{words[1]} of other content")


def _left(
    side: Literal["before", "after"], name: str, method: Method, found: Sequence[Pair]
) -> Alone | None:
    """Return what one side has beside its pairs; None where that is nothing."""
    both = {(pair.set, pair.place[0]) for pair in found}
    left = tuple(at for at in _scores(method) if at not in both)
    return Alone(side, name, left) if left else None


def _keys(scores: Iterable[Score]) -> frozenset[str]:
    return frozenset(key for score in scores for key in score.keys)


def _mean(scores: Sequence[Score]) -> float:
    return statistics.fmean(score.mean for score in scores)


def _error(scores: Sequence[Score], *, several: bool) -> float | None:
    """Return the standard error of a side's mean, over sets, or over the networks of one set."""
    if several:
        return statistics.stdev(score.mean for score in scores) / math.sqrt(len(scores))
    errors = [score.standard_error for score in scores]
    known = [error for error in errors if error is not None]
    return None if len(known) < len(errors) else math.hypot(*known) / len(errors)
