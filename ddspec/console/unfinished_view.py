"""What is missing from results and what is damaged, in words with the way out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import fill

from ddspec.plan.labels import folded
from ddspec.run.evidence import Evidence
from ddspec.run.stored import NO_ACCURACY, Damage
from ddspec.visible import visible

WIDTH = 100
LABELS_SHOWN = 6
NAMES_SHOWN = 6
DOCUMENTS_SHOWN = 8


def unfinished_lines(evidence: Sequence[Evidence]) -> list[str]:
    """Return what each document lacks, and by which command it is made; nothing if all is there.

    Documents of which nothing is known are counted, and the first of them named.
    """
    begun = {one.document for one in evidence if one.scores}
    waiting = [one for one in evidence if one.missing and one.document in begun]
    lines = [
        line
        for document in dict.fromkeys(one.document for one in waiting)
        for line in _of_document(document, [one for one in waiting if one.document == document])
    ]
    unknown = [
        name for name in dict.fromkeys(one.document for one in evidence) if name not in begun
    ]
    return [*lines, *_unknown(unknown)]


def damaged_lines(damaged: Iterable[Damage]) -> list[str]:
    """Return each damaged output once, with where it lies and the way out."""
    once = {one.key: one for one in damaged}
    lines = [
        line
        for one in once.values()
        for line in (
            f" damaged: {visible(one.label)}, key {one.key[:16]}: {visible(one.problem)}",
            f"   {visible(one.path)}",
        )
    ]
    return [*lines, *_ways(one.problem for one in once.values())]


def _ways(problems: Iterable[str]) -> list[str]:
    """Return what to do about damage, for each kind of it."""
    published = {problem == NO_ACCURACY for problem in problems}
    again = "   `ddspec run` sets it aside and makes it again; `ddspec verify --store` reads all"
    odd = "   what was published without an accuracy is made again once its folder is removed"
    return [*([again] if False in published else []), *([odd] if True in published else [])]


def _words(labels: Iterable[str]) -> str:
    """Return labels of stages, folded, the first of them named."""
    shown = folded(labels)
    more = len(shown) - LABELS_SHOWN
    return ", ".join(shown[:LABELS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _of_document(document: str, evidence: Sequence[Evidence]) -> list[str]:
    """Return what a document lacks; variants that lack the same share their words."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for one in evidence:
        groups.setdefault(one.missing, []).append(one.variant)
    told = "; ".join(_words(labels) + _of(names) for labels, names in groups.items())
    of_file = all(one.plan is None for one in evidence)
    way = "" if of_file else f"; `ddspec run {document}` goes on"
    return _fitted(f"missing in {document}: {told}{way}")


def _of(variants: Sequence[str]) -> str:
    names = list(filter(None, variants))
    if not names:
        return ""
    more = len(names) - NAMES_SHOWN
    return f" of {', '.join(names[:NAMES_SHOWN])}" + (f" and {more} more" if more > 0 else "")


def _unknown(documents: Sequence[str]) -> list[str]:
    if not documents:
        return []
    shown = ", ".join(documents[:DOCUMENTS_SHOWN])
    more = len(documents) - DOCUMENTS_SHOWN
    rest = f" and {more:,} more" if more > 0 else ""
    return _fitted(f"nothing is in the store yet of {shown}{rest}")


def _fitted(text: str) -> list[str]:
    return fill(
        visible(text),
        WIDTH,
        initial_indent=" ",
        subsequent_indent="   ",
        break_on_hyphens=False,
    ).split("\n")
