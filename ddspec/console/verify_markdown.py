"""Expectations of many specs as Markdown: counts by table, then what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ddspec.console.markdown_tables import table
from ddspec.console.markdown_text import Markdown, code, escaped
from ddspec.console.verify_summary import (
    HEADS,
    Summary,
    damage,
    evidence,
    shown_verdicts,
)
from ddspec.console.verify_view import LAW, Verified, difference, left_words, percent, published
from ddspec.run.scores import SETS
from ddspec.run.tally import Tally
from ddspec.run.verification import Claim
from ddspec.run.witness import Witness

MEASURED = ("spec", "row", "published", "measured", "n", "off by", "verdict", "evidence")


def summary_markdown(found: Summary) -> str:
    """Return the tables, every text from elsewhere escaped."""
    lines = [*_tallies(found.tallies), "", *_measured(found), *_footer(found)]
    return "\n".join(lines)


def _tallies(found: Sequence[Tally]) -> list[str]:
    verdicts = shown_verdicts(found)
    rows = [
        (one.paper, one.table, one.rows, *(one.count(verdict) or "" for verdict in verdicts))
        for one in found
    ]
    return table(
        ("paper", "table", "rows", *(HEADS[one] for one in verdicts)), rows, right=range(2, 99)
    )


def _measured(found: Summary) -> list[str]:
    rows = [
        _row(one, claim, witness) for one in found.documents for claim, witness in found.listed(one)
    ]
    return table(MEASURED, rows, right=range(2, 6)) if rows else []


def _row(one: Verified, claim: Claim, witness: Witness | None) -> tuple[object, ...]:
    score, sample = claim.measured, claim.sample
    of = "" if claim.set == SETS[0] else f"{claim.set} on "
    told = [] if witness is None else [escaped(" · ".join(evidence(witness)))]
    told += [] if witness is None else [code(one.makes(claim))]
    return (
        code(one.file),
        " · ".join(part for part in (claim.variant, of + claim.network) if part),
        published(claim),
        "" if sample is None else percent(sample.mean, sample.std),
        f"{0 if score is None else len(score.accuracies)} of {claim.planned}",
        "" if score is None else difference(claim),
        Markdown(f"**{escaped(claim.verdict.value)}**"),
        Markdown("<br>".join(told)),
    )


def _footer(found: Summary) -> Iterator[str]:
    parts: list[str] = []
    if found.left.stages:
        parts.append(f"left to run: {', '.join(left_words(found.left, found.device))}")
    parts += [
        f"damaged in {one.file}: {'; '.join(damage(one))}" for one in found.documents if one.damaged
    ]
    parts += [f"not read: {problem}" for problem in found.problems]
    parts += LAW if any(claim.measured for claim in found.claims) else ()
    if parts:
        yield ""
        yield from (f"- {escaped(part)}" for part in parts)
