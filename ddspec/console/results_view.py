"""The table at the end of a run: accuracies, wall time, and where the images are.

Plain text, because `ddspec run` with everything in the store prints only this, and importing rich
would cost it more than its own work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from ddspec.console.curves_view import curve_blocks
from ddspec.console.durations import duration
from ddspec.console.layout import wrapped
from ddspec.plan.labels import folded
from ddspec.run.curves import Curve
from ddspec.run.scores import HARD, Score, gain

WIDTH = 100
LINES_SHOWN = 6
"""Of what a runner said last; all that is kept of it was shown when it failed."""


class StageLine(Protocol):
    """What the table says of one stage."""

    @property
    def label(self) -> str:
        """Its address."""
        ...

    @property
    def state(self) -> str:
        """What became of it, in words."""
        ...

    @property
    def seconds(self) -> float | None:
        """Wall time of the work over all attempts; None where it is not known."""
        ...

    @property
    def reason(self) -> str:
        """Why it failed or is blocked; empty where it did not or is not."""
        ...


def render_results(
    title: str,
    scores: Sequence[Score],
    stages: Iterable[StageLine],
    files: Mapping[str, str],
    curves: Sequence[Curve] = (),
) -> str:
    """Return the final table; `files` names paths by what lies there. At most 100 columns.

    Accuracies are printed in percent with their standard deviation, differences in points with
    their standard error. Where sets are learned from labels of several kinds, the kinds stand
    beside them, and differences between two kinds are marked as not alike. Networks that were best
    on validation images stand in blocks of their own, behind those of the last step; accuracies
    over outer loops come last.
    """
    best = [one for score in scores if (one := score.on_validation)]
    blocks = [
        *_accuracy_blocks(scores),
        *_accuracy_blocks(best, ", where best on validation"),
        *curve_blocks(curves),
    ]
    return page(title, blocks, tuple(stages), files)


def page(
    title: str,
    accuracies: Iterable[Sequence[str]],
    stages: Sequence[StageLine],
    files: Mapping[str, str],
) -> str:
    """Return blocks of accuracies between a title and what became of stages and files."""
    blocks = [[title], *accuracies, stage_block(stages), failure_block(stages), file_block(files)]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _accuracy_blocks(scores: Sequence[Score], which: str = "") -> list[list[str]]:
    """Return one block a network and protocol, in the order of the distilled set's evaluations."""
    asked = dict.fromkeys(score.place for score in scores)
    return [
        _accuracy_block(place, [score for score in scores if score.place == place], which)
        for place in asked
    ]


def _accuracy_block(place: tuple[str, str, str], scores: Sequence[Score], which: str) -> list[str]:
    network, protocol, on = place
    learned = next((score for score in scores if score.set == "distilled"), None)
    several = any(score.labels != HARD for score in scores)
    labels = f"{'labels':>8}" if several else ""
    return [
        f" {network} by protocol {protocol}, on the {on} split{which}",
        f" {'set':<12}{'accuracy':>9} {'std':>9} {'networks':>10}{labels}   distilled is ahead by",
        *(_accuracy_row(score, learned, labelled=several) for score in scores),
        *rate_lines(scores),
    ]


def rate_lines(scores: Iterable[Score]) -> list[str]:
    """Return which sets were trained on at a learned rate, and which at the protocol's.

    Nothing where the protocol takes no learned rate.
    """
    rates = {score.set: score.rate for score in scores if score.rate is not None}
    if not rates:
        return []
    whose = {True: "learned with it", False: "the protocol's"}
    told = [f"{name} {rate.value:.3g} ({whose[rate.learned]})" for name, rate in rates.items()]
    return wrapped("rates", told, WIDTH)


def _accuracy_row(score: Score, learned: Score | None, *, labelled: bool) -> str:
    spread = "-" if score.std is None else f"± {100 * score.std:.1f}"
    count = str(len(score.accuracies))
    if len(score.accuracies) < score.planned:
        count += f" of {score.planned}"
    ahead = "" if learned is None or learned is score else _ahead(learned, score)
    labels = f"{score.labels:>8}" if labelled else ""
    figures = f"{100 * score.mean:>7.1f} % {spread:>9} {count:>10}"
    return f" {score.set:<12}{figures}{labels}   {ahead}".rstrip()


def _ahead(learned: Score, other: Score) -> str:
    found = gain(learned, other)
    points = f"{100 * found.difference:+.1f} points"
    if found.standard_error is not None:
        points += f", standard error {100 * found.standard_error:.1f}"
    return points if learned.labels == other.labels else f"{points}, not alike"


def stage_block(stages: Sequence[StageLine]) -> list[str]:
    """Return how long each kind of stage took, and what became of it."""
    head = f" {'stage':<12}{'n':>4}{'wall time':>12}   state"
    groups: dict[str, list[StageLine]] = {}
    for stage in stages:
        groups.setdefault(stage.label.partition("@")[0].split("/")[0], []).append(stage)
    return [head, *(_stage_row(kind, members) for kind, members in groups.items())]


def _stage_row(kind: str, members: Sequence[StageLine]) -> str:
    known = [stage.seconds for stage in members if stage.seconds is not None]
    total = duration(sum(known)) if known else "-"
    return f" {kind:<12}{len(members):>4}{total:>12}   {count_states(members)}"


def count_states(stages: Iterable[StageLine]) -> str:
    """Return how many stages are in each state, in the order of first appearance."""
    counts: dict[str, int] = {}
    for stage in stages:
        counts[stage.state] = counts.get(stage.state, 0) + 1
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{count} {state}" for state, count in counts.items())


def failure_block(stages: Iterable[StageLine]) -> list[str]:
    """Return why stages failed, once for those that failed together."""
    reasons: dict[str, list[str]] = {}
    for stage in stages:
        if stage.state == "failed":
            reasons.setdefault(stage.reason, []).append(stage.label)
    return [
        line
        for reason, labels in reasons.items()
        for line in (
            f" failed: {', '.join(folded(labels))}",
            *(f"    {told}" for told in reason.splitlines()[-LINES_SHOWN:]),
        )
    ]


def file_block(files: Mapping[str, str]) -> list[str]:
    """Return where things lie."""
    return [f" {name:<12}{path}" for name, path in files.items()]
