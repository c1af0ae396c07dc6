"""Accuracies of two results side by side, as plain text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ddspec.canon import Json
from ddspec.console.columns import columns
from ddspec.run.scores import Score, gain, same_runs
from ddspec.visible import visible

HEADING = ("set", "network", "before %", "after %", "difference", "standard error")


def render_scores(before: Sequence[Score], after: Sequence[Score]) -> str:
    """Return accuracies in percent, and what has results on one side only; empty without any.

    The standard error is that of the difference of two independent means. Accuracies of the very
    same evaluations have none: they are one measurement.
    """
    found = tuple(_pairs(before, after))
    rows = [_row(*pair) for pair in found]
    others = {(a.judged, b.judged) for a, b in found if a.judged != b.judged}
    notes = [f" before: {a}, after: {b}; these do not compare" for a, b in sorted(others)]
    notes += _alone("before", before, after) + _alone("after", after, before)
    table = columns([HEADING, *rows], left=2) if rows else []
    return "\n".join([*table, *map(visible, notes)])


def scores_json(before: Sequence[Score], after: Sequence[Score]) -> list[Json]:
    """Return every pair of accuracies with its difference, as fractions."""
    return [_json(*pair) for pair in _pairs(before, after)]


def _pairs(before: Sequence[Score], after: Sequence[Score]) -> Iterator[tuple[Score, Score]]:
    found = {(score.set, score.network): score for score in before}
    for score in after:
        if (score.set, score.network) in found:
            yield found[score.set, score.network], score


def _alone(side: str, scores: Sequence[Score], others: Sequence[Score]) -> list[str]:
    there = {(other.set, other.network) for other in others}
    names = [f"{one.set} on {one.network}" for one in scores if (one.set, one.network) not in there]
    return [f" only {side} has results of {', '.join(names)}"] if names else []


def _row(before: Score, after: Score) -> tuple[str, ...]:
    ahead = gain(after, before)
    error = "-" if ahead.standard_error is None else f"{100 * ahead.standard_error:.2f}"
    return (
        visible(after.set),
        visible(after.network),
        _accuracy(before),
        _accuracy(after),
        "same runs" if same_runs(before, after) else f"{100 * ahead.difference:+.2f}",
        error,
    )


def _json(before: Score, after: Score) -> Json:
    ahead = gain(after, before)
    return {
        "before": before.plain(),
        "after": after.plain(),
        "comparable": before.judged == after.judged,
        "same_runs": same_runs(before, after),
        "difference": ahead.difference,
        "standard_error": ahead.standard_error,
    }


def _accuracy(score: Score) -> str:
    spread = "" if score.std is None else f" ± {100 * score.std:.2f}"
    return f"{100 * score.mean:.2f}{spread} (n={len(score.accuracies)})"
