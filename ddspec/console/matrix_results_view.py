"""The tables at the end of a run of a matrix: a line a variant for each network and protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ddspec.console.results_view import StageLine, page
from ddspec.run.scores import SETS, Score


@dataclass(frozen=True, slots=True)
class VariantScores:
    """A variant and its accuracies."""

    name: str
    scores: tuple[Score, ...]


def render_matrix(
    title: str,
    variants: Sequence[VariantScores],
    stages: Iterable[StageLine],
    files: Mapping[str, str],
) -> str:
    """Return the final tables of a matrix: accuracies in percent with their standard deviation."""
    return page(title, _blocks(variants), tuple(stages), files)


def _blocks(variants: Sequence[VariantScores]) -> list[list[str]]:
    places = dict.fromkeys(score.place for one in variants for score in one.scores)
    return [_block(place, variants) for place in places]


def _block(place: tuple[str, str, str], variants: Sequence[VariantScores]) -> list[str]:
    network, protocol, on = place
    found = {
        one.name: {score.set: score for score in one.scores if score.place == place}
        for one in variants
    }
    sets = [name for name in SETS if any(name in row for row in found.values())]
    width = max(len("variant"), *map(len, found))
    head = "".join(f"{name:>19}" for name in sets)
    rows = [
        f" {name:<{width}}" + "".join(f"{_cell(row.get(one)):>19}" for one in sets)
        for name, row in found.items()
    ]
    about = f" {network} by protocol {protocol}, on the {on} split; networks in brackets"
    return [about, f" {'variant':<{width}}{head}", *(row.rstrip() for row in rows)]


def _cell(score: Score | None) -> str:
    if score is None:
        return "-"
    spread = "" if score.std is None else f" ± {100 * score.std:.1f}"
    count = str(len(score.accuracies))
    if len(score.accuracies) < score.planned:
        count += f"/{score.planned}"
    return f"{100 * score.mean:.1f}{spread} ({count})"
