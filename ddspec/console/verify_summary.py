"""Expectations of many specs: counts by table, then what was measured, with the evidence.

Plain text of at most 100 columns, accuracies in percent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from ddspec.canon import Json
from ddspec.console.columns import columns
from ddspec.console.layout import wrapped
from ddspec.console.verify_view import (
    LAW,
    WIDTH,
    Left,
    Verified,
    counted,
    difference,
    left_words,
    measured,
    named,
    published,
    repeats,
)
from ddspec.errors import Diagnostic
from ddspec.run.judgement import Verdict
from ddspec.run.tally import Tally, tallies
from ddspec.run.verification import Claim
from ddspec.run.witness import Witness
from ddspec.visible import visible

SHORT = 8
"""Digits of a key."""
KEYS_SHOWN = 5
DAMAGED_SHOWN = 5
ALWAYS = (Verdict.REPRODUCED, Verdict.WITHIN, Verdict.OFF, Verdict.NOT_RUN)
"""Verdicts that have a column also where nothing has them."""
HEADS = {
    Verdict.REPRODUCED: "reproduced",
    Verdict.WITHIN: "within",
    Verdict.UNSURE: "unsure",
    Verdict.OFF: "off",
    Verdict.NOT_COMPARABLE: "not compared",
    Verdict.NOT_RUN: "not run",
}
PLACE = 36
"""Columns of a table's name."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What several documents expect, and how it stands."""

    documents: Sequence[Verified]
    """Those that expect something, or were named."""
    left: Left
    """Of all of them, where what they share counts once."""
    problems: Sequence[Diagnostic] = ()
    """Why others could not be read."""
    exit: int = 0
    every: bool = False
    """Whether what was not run is listed too."""

    @property
    def claims(self) -> list[Claim]:
        """Return the expectations of all documents."""
        return [claim for one in self.documents for claim in one.claims]

    @property
    def device(self) -> str:
        """Return what times are of; empty for none."""
        return next((one.device for one in self.documents if one.device), "")

    @property
    def tallies(self) -> tuple[Tally, ...]:
        """Return the counts of each table."""
        return tallies(self.claims)

    def listed(self, one: Verified) -> list[tuple[Claim, Witness | None]]:
        """Return the expectations of a document that are told one by one."""
        pairs = zip(one.claims, one.witnesses, strict=True)
        return [(claim, found) for claim, found in pairs if self.every or claim.measured]

    def plain(self) -> dict[str, Json]:
        """Return it as it is printed with `--json`."""
        return {
            "format": "ddspec.verification/1",
            "documents": [one.plain() for one in self.documents],
            "tables": [one.plain() for one in self.tallies],
            "left": self.left.plain(),
            "device": self.device or None,
            "problems": [str(problem) for problem in self.problems],
            "exit": self.exit,
        }


def render_summary(found: Summary) -> str:
    """Return the table of tables, what was measured, and what is left to run."""
    lines = [_headline(found), "", *tally_lines(found.tallies)]
    for one in found.documents:
        if chosen := found.listed(one):
            lines += ["", *_measured(one, chosen)]
    return "\n".join([*lines, "", *_footer(found)])


def shown_verdicts(found: Sequence[Tally]) -> list[Verdict]:
    """Return the verdicts that have a column."""
    return [one for one in Verdict if one in ALWAYS or any(row.count(one) for row in found)]


def tally_lines(found: Sequence[Tally]) -> list[str]:
    """Return the counts of each table, and of all where there are several."""
    verdicts = shown_verdicts(found)
    rows = [("paper", "table", "rows", *(HEADS[one] for one in verdicts))]
    paper = ""
    for one in found:
        name = "" if one.paper == paper else one.paper
        paper = one.paper
        counts = (str(one.count(verdict) or "-") for verdict in verdicts)
        rows.append((_cropped(name), _cropped(one.table or "-"), str(one.rows), *counts))
    if len(found) > 1:
        sums = (sum(one.count(verdict) for one in found) for verdict in verdicts)
        rows.append(("", "together", str(sum(one.rows for one in found)), *map(str, sums)))
    return columns(rows, left=2)


def evidence(witness: Witness) -> list[str]:
    """Return in words which evaluations a verdict rests on, who made them and when."""
    parts = [f"evaluations {_short(witness.keys)}"]
    parts += [f"set {_short(witness.sets)}"] if witness.sets else []
    parts += [visible(device) for device in witness.devices]
    if witness.dates:
        parts.append(" to ".join(dict.fromkeys((witness.dates[0], witness.dates[-1]))))
    if witness.recorded:
        parts.append(f"recorded in {visible(witness.recorded)}")
    return parts


def _short(keys: Sequence[str]) -> str:
    more = len(keys) - KEYS_SHOWN
    shown = " ".join(key[:SHORT] for key in keys[:KEYS_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown


def damage(one: Verified) -> list[str]:
    """Return which stored evaluations of a document are damaged; a few of many."""
    told = [f"{visible(label)}: {visible(why)}" for label, why in one.damaged.items()]
    more = len(told) - DAMAGED_SHOWN
    return [*told[:DAMAGED_SHOWN], *([f"and {more} more"] if more > 0 else [])]


def _headline(found: Summary) -> str:
    count = sum(bool(one.claims) for one in found.documents)
    specs = "spec" if count == 1 else "specs"
    return f"{len(found.claims):,} published rows of {count:,} {specs}"


def _measured(one: Verified, chosen: Sequence[tuple[Claim, Witness | None]]) -> Iterator[str]:
    yield f" {visible(one.file)} · {visible(one.title)}"[:WIDTH]
    table = [_row(claim) for claim, _ in chosen]
    for line, (claim, witness) in zip(columns(table, left=2), chosen, strict=True):
        yield f"  {line}"
        if claim.note:
            yield from wrapped("", [visible(claim.note)], WIDTH)
        if witness is not None:
            yield from wrapped("", evidence(witness), WIDTH)
            yield from wrapped("", [f"`{visible(one.makes(claim))}`"], WIDTH)


def _row(claim: Claim) -> tuple[str, ...]:
    return (
        *named(claim),
        published(claim),
        measured(claim),
        f"n {repeats(claim)}",
        "-" if claim.measured is None else f"{_is_off(claim)} {difference(claim)}",
        claim.verdict.value,
    )


def _is_off(claim: Claim) -> str:
    return "ahead by" if claim.expected.accuracy is None else "off by"


def _footer(found: Summary) -> Iterator[str]:
    yield from wrapped("together", counted(found.claims), WIDTH)
    if found.left.stages:
        yield from wrapped("left to run", left_words(found.left, found.device), WIDTH)
    for one in found.documents:
        if one.damaged:
            yield from wrapped("damaged", [visible(one.file), *damage(one)], WIDTH)
    for reason in dict.fromkeys(c.judgement.reason for c in found.claims if c.judgement.reason):
        yield from wrapped("no compare", [visible(reason)], WIDTH)
    if broken := dict.fromkeys(p.place.file for p in found.problems if p.place is not None):
        yield from wrapped(
            "not read", [visible(PurePath(file).as_posix()) for file in broken], WIDTH
        )
    if any(claim.measured for claim in found.claims):
        yield from wrapped("how", LAW, WIDTH)
    if not found.every and any(claim.measured is None for claim in found.claims):
        yield from wrapped("next", ["`--all` lists what was not run, too"], WIDTH)


def _cropped(text: str) -> str:
    shown = visible(text)
    return shown if len(shown) <= PLACE else f"{shown[: PLACE - 1]}…"
