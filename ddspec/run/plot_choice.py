"""Which results one figure may show: judged by one network, one protocol, on one test set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ddspec.errors import DdspecError, Exit
from ddspec.run.evidence import Evidence
from ddspec.run.scores import Score
from ddspec.visible import visible

FULL = "full"
NAMED = 6
"""Choices that a message names."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person wants to see of the results; None takes whatever there is."""

    sets: tuple[str, ...]
    network: str | None = None
    protocol: str | None = None
    labels: str | None = None
    on: str | None = None

    def takes(self, score: Score) -> bool:
        """Return whether a score is asked for; protocols by name, or by the start of a digest."""
        asked = (self.network, self.labels, self.on)
        told = (score.network, score.labels, score.on)
        return score.set in self.sets and all(
            one in (None, other) for one, other in zip(asked, told, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Result:
    """A score, and the experiment that it is of."""

    evidence: Evidence
    score: Score

    @property
    def protocol(self) -> str:
        """Return what says how networks were trained: by content where that is known."""
        return self.evidence.protocol or self.score.protocol

    @property
    def test_set(self) -> str:
        """Return what says on which images they were judged."""
        return f"{self.evidence.test_set or self.evidence.dataset} {self.score.on}"


def results_of(evidence: Iterable[Evidence], choice: Choice) -> tuple[Result, ...]:
    """Return the results that are asked for, of one network, protocol, test set and label kind.

    Those of full data come with them, where they were judged alike. Raises `DdspecError`: usage
    where nothing is found, refused where results of several kinds would stand in one figure.
    """
    every = _once([Result(one, score) for one in evidence for score in one.scores])
    found = [one for one in every if choice.takes(one.score) and _named(one, choice)]
    if not found:
        raise _nothing(every, choice)
    _require_one(found)
    full = [one for one in every if one.score.set == FULL and FULL not in choice.sets]
    alike = [fact.of for fact in FACTS]
    return (*found, *(one for one in full if all(of(one) == of(found[0]) for of in alike)))


def _once(results: Sequence[Result]) -> list[Result]:
    """Leave out what a file of results says of runs that a spec or plan among them has too."""
    known = {
        (one.evidence.variant, one.score.set, one.score.keys)
        for one in results
        if one.evidence.plan is not None
    }
    return [
        one
        for one in results
        if one.evidence.plan is not None
        or not one.score.keys
        or (one.evidence.variant, one.score.set, one.score.keys) not in known
    ]


def _named(result: Result, choice: Choice) -> bool:
    asked = choice.protocol
    return asked is None or asked == result.score.protocol or result.protocol.startswith(asked)


@dataclass(frozen=True, slots=True)
class _Fact:
    """What results of one figure have in common."""

    title: str
    of: Callable[[Result], str]
    word: Callable[[Result], str]
    """As a person chooses it."""
    option: str
    """Which does so; empty where only other documents do."""


def _protocol_word(result: Result) -> str:
    digest = result.evidence.protocol
    return result.score.protocol + (f" ({digest[:12]})" if digest else "")


FACTS: Sequence[_Fact] = (
    _Fact("networks", lambda one: one.score.network, lambda one: one.score.network, "--network"),
    _Fact("protocols", lambda one: one.protocol, _protocol_word, "--protocol"),
    _Fact("label kinds", lambda one: one.score.labels, lambda one: one.score.labels, "--labels"),
    _Fact("splits", lambda one: one.score.on, lambda one: one.score.on, "--on"),
    _Fact("test sets", lambda one: one.test_set, lambda one: _data_word(one.evidence), ""),
)


def _data_word(evidence: Evidence) -> str:
    digest = f" ({evidence.test_set[:12]})" if evidence.test_set else ""
    return f"{evidence.dataset or 'of ' + evidence.name}{digest}"


def _require_one(found: Sequence[Result]) -> None:
    problems, hints = [], []
    for fact in FACTS:
        counts: dict[str, list[Result]] = {}
        for one in found:
            counts.setdefault(fact.of(one), []).append(one)
        if len(counts) > 1:
            words = {fact.word(group[0]): len(group) for group in counts.values()}
            problems.append(f"{fact.title}: {_counted(words)}")
            name = next(iter(words)).partition(" (")[0]
            hints.append(f"`{fact.option} {name}`" if fact.option else "fewer documents")
    if problems:
        told = "\n".join(f"  {visible(problem)}" for problem in problems)
        raise DdspecError(
            f"accuracies that were not measured alike do not stand in one figure\n{told}",
            exit=Exit.REFUSED,
            hint=visible(f"choose with {', '.join(hints)}, or `--variant`"),
        )


def _counted(words: Mapping[str, int]) -> str:
    told = [f"{word} ({count})" for word, count in list(words.items())[:NAMED]]
    more = len(words) - NAMED
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")


def _nothing(every: Sequence[Result], choice: Choice) -> DdspecError:
    if not every:
        return DdspecError(
            "no results are in the store", exit=Exit.INVALID, hint="`ddspec run` makes them"
        )
    sets = sorted({one.score.set for one in every})
    networks = sorted({one.score.network for one in every})
    protocols = sorted({one.score.protocol for one in every})
    told = [f"sets {', '.join(sets[:NAMED])}", f"networks {', '.join(networks[:NAMED])}"]
    told.append(f"protocols {', '.join(protocols[:NAMED])}")
    return DdspecError(
        f"no results of {', '.join(choice.sets)} are as asked",
        exit=Exit.USAGE,
        hint=visible(f"there are {'; '.join(told)}"),
    )
