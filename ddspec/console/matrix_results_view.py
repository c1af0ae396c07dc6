"""The tables at the end of a run of a matrix: a line a variant for each network and protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ddspec.console.layout import wrapped
from ddspec.console.results_view import WIDTH, StageLine, page
from ddspec.run.curves import Curve
from ddspec.run.scores import HARD, SETS, Score


@dataclass(frozen=True, slots=True)
class VariantScores:
    """A variant and its accuracies."""

    name: str
    scores: tuple[Score, ...]
    curves: tuple[Curve, ...] = ()
    """Accuracies of the distilled set over outer loops, where they were asked for."""


def render_matrix(
    title: str,
    variants: Sequence[VariantScores],
    stages: Iterable[StageLine],
    files: Mapping[str, str],
) -> str:
    """Return the final tables of a matrix: accuracies in percent with their standard deviation.

    Those of networks that were best on validation images, and those over outer loops, stand behind
    those of the last step.
    """
    best = [
        replace(one, scores=tuple(s for score in one.scores if (s := score.on_validation)))
        for one in variants
    ]
    blocks = [*_blocks(variants), *_blocks(best, ", where best on validation"), *_curves(variants)]
    return page(title, blocks, tuple(stages), files)


def _blocks(variants: Sequence[VariantScores], which: str = "") -> list[list[str]]:
    blocks = []
    for place in dict.fromkeys(score.place for one in variants for score in one.scores):
        found = {
            one.name: {score.set: score for score in one.scores if score.place == place}
            for one in variants
        }
        sets = [name for name in SETS if any(name in row for row in found.values())]
        blocks.append(_block(place, which, sets, found))
    return blocks


def _curves(variants: Sequence[VariantScores]) -> list[list[str]]:
    """Return a block of each place: a column for each number of outer loops."""
    blocks = []
    for place in dict.fromkeys(curve.place for one in variants for curve in one.curves):
        found = {
            one.name: {
                f"{point.loops} loops": point.score
                for curve in one.curves
                for point in curve.points
                if curve.place == place
            }
            for one in variants
        }
        columns = {name for row in found.values() for name in row}
        ordered = sorted(columns, key=lambda name: int(name.partition(" ")[0]))
        blocks.append(_block(place, ", over outer loops", ordered, found))
    return blocks


def _block(
    place: tuple[str, str, str],
    which: str,
    columns: Sequence[str],
    found: Mapping[str, Mapping[str, Score]],
) -> list[str]:
    network, protocol, on = place
    width = max(len("variant"), *map(len, found))
    head = "".join(f"{name:>19}" for name in columns)
    rows = [
        f" {name:<{width}}" + "".join(f"{_cell(row.get(one)):>19}" for one in columns)
        for name, row in found.items()
    ]
    about = f" {network} by protocol {protocol}, on the {on} split{which}; networks in brackets"
    table = [about, f" {'variant':<{width}}{head}", *(row.rstrip() for row in rows)]
    return [*table, *_labels(found), *_rates(found)]


def _labels(found: Mapping[str, Mapping[str, Score]]) -> list[str]:
    """Return which cells are of labels that are not hard; nothing where all are."""
    kinds: dict[str, list[str]] = {}
    for name, row in found.items():
        for column, score in row.items():
            if score.labels != HARD:
                kinds.setdefault(score.labels, []).append(f"{name} ({column})")
    return [line for kind in kinds for line in wrapped(f"{kind} labels", kinds[kind], WIDTH)]


def _rates(found: Mapping[str, Mapping[str, Score]]) -> list[str]:
    """Return at which rates networks were trained where the protocol takes learned ones."""
    told = [
        f"{name} ({column}) {score.rate.value:.3g}{'' if score.rate.learned else ', not learned'}"
        for name, row in found.items()
        for column, score in row.items()
        if score.rate is not None
    ]
    return wrapped("rates", told, WIDTH) if told else []


def _cell(score: Score | None) -> str:
    if score is None:
        return "-"
    spread = "" if score.std is None else f" ± {100 * score.std:.1f}"
    count = str(len(score.accuracies))
    if len(score.accuracies) < score.planned:
        count += f"/{score.planned}"
    return f"{100 * score.mean:.1f}{spread} ({count})"
