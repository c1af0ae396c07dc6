"""A page of specs as Markdown: what each is, how long it takes, and what was measured of it.

Whatever specs and records say is escaped. The same files give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ddspec.canon import Digest, Json
from ddspec.console.durations import duration, time_span
from ddspec.console.markdown_tables import table
from ddspec.console.markdown_text import Markdown, code, escaped, link, prose, quoted
from ddspec.plan.forecast import Span
from ddspec.run.recorded import Record
from ddspec.run.scores import SETS, Score, gain

MARK = "<!-- made by `ddspec gallery`, do not edit -->"
"""The first line of a page, by which it is known."""
WHOLE = "full"
"""The whole training split: no baseline to be ahead of."""
SHOWN_MOVES = 5


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One spec of a gallery."""

    path: str
    """From the folder of the gallery."""
    command: str
    name: str
    title: str
    facts: str
    """Its data and budget, or its variants, in words."""
    about: str
    """What the first lines of its file say; empty where they say nothing."""
    plan: Digest
    expected: int
    """Published numbers that it names."""
    papers: tuple[str, ...]
    """Where those were published."""
    forecast: Span | None
    """How long it takes on the gallery's device; None before its data are locked."""
    record: Record | None = None
    record_path: str = ""
    picture: str = ""
    """From the folder of the gallery; empty for none."""
    figures: tuple[str, ...] = ()
    """Drawings that lie beside it and that it names; from the folder of the gallery."""
    moves: tuple[str, ...] = ()
    """What has changed since it was measured; nothing where that is exactly this plan."""
    verdicts: tuple[str, ...] = ()
    """How the measured stands to what was published, in words."""

    @property
    def folder(self) -> str:
        """Return the folder that it lies in, `.` for the gallery's own."""
        return PurePosixPath(self.path).parent.as_posix()

    @property
    def state(self) -> str:
        """Return whether it was measured, in a word."""
        if self.record is None:
            return "not run yet"
        return "stale" if self.moves else "measured"

    def plain(self) -> dict[str, Json]:
        """Return it as it is printed with `--json`."""
        return {
            "path": self.path,
            "name": self.name,
            "title": self.title,
            "plan": self.plan,
            "state": self.state,
            "moves": list(self.moves),
            "published": self.expected,
            "forecast_seconds": None if self.forecast is None else self.forecast.plain(),
            "record": self.record_path if self.record else None,
            "picture": self.picture or None,
            "command": self.command,
        }


@dataclass(frozen=True, slots=True)
class Row:
    """One variant on one network, beside the best of its baselines."""

    variant: str
    score: Score
    baseline: Score | None
    whole: Score | None


def gallery_page(exhibits: Sequence[Exhibit], device: str) -> str:
    """Return the page, of each folder the quickest first; `device` names what forecasts are of."""
    states = [one.state for one in exhibits]
    counts = [f"{states.count(name)} {name}" for name in ("measured", "stale", "not run yet")]
    lines = [
        MARK,
        "# Specs",
        "",
        f"{len(exhibits)} specs: {', '.join(one for one in counts if one[0] != '0')}. Accuracies "
        "are in percent, with the standard deviation over n networks that were trained on one set; "
        "differences in points, with their standard error. Times of measured ones are the work of "
        "all stages, one after the other; of others they are a forecast by formula for one "
        f"{escaped(device)}; some of those need a `ddspec lock` of their data first. Commands are "
        "given from the folder that holds this one.",
    ]
    for folder in _folders(exhibits):
        lines += ["", *_group(folder, [one for one in exhibits if one.folder == folder])]
    return "\n".join(lines) + "\n"


def rows_of(record: Record) -> list[Row]:
    """Return the distilled sets of a record, each on each network."""
    return [
        _row(variant, score, scores)
        for variant, scores in record.scores.items()
        for score in scores
        if score.set == SETS[0]
    ]


def _row(variant: str, score: Score, scores: Sequence[Score]) -> Row:
    beside = [one for one in scores if one.place == score.place and one.set != SETS[0]]
    whole = next((one for one in beside if one.set == WHOLE), None)
    others = [one for one in beside if one.set in SETS and one.set != WHOLE]
    alike = [one for one in others if one.labels == score.labels]
    best = max(alike or others, key=lambda one: one.mean, default=None)
    return Row(variant, score, best, whole)


def _folders(exhibits: Sequence[Exhibit]) -> list[str]:
    """Return the folders, the gallery's own first."""
    return sorted({one.folder for one in exhibits}, key=lambda folder: (folder != ".", folder))


def _group(folder: str, exhibits: Sequence[Exhibit]) -> Iterator[str]:
    papers = dict.fromkeys(paper for one in exhibits for paper in one.papers)
    heading = "Experiments" if folder == "." else folder
    told = f" · {escaped(next(iter(papers)))}" if len(papers) == 1 and folder != "." else ""
    yield f"## {escaped(heading)}{told}"
    done = [(one, one.record) for one in exhibits if one.record is not None]
    for one, record in sorted(done, key=lambda pair: pair[1].seconds or math.inf):
        yield ""
        yield from _measured(one, record)
    if waiting := [one for one in exhibits if one.record is None]:
        yield ""
        yield from _waiting(waiting)


def _measured(one: Exhibit, record: Record) -> Iterator[str]:
    yield f"### {_linked(one.path, one.name)} · {escaped(one.title)}"
    if one.picture:
        yield ""
        yield f"!{link(escaped(f'Images of {one.name}'), quoted(one.picture))}"
    yield ""
    yield str(prose(one.about or one.facts))
    yield ""
    yield str(code(one.command))
    yield ""
    yield from _accuracies(rows_of(record))
    yield ""
    yield " · ".join(_footer(one, record))


def _accuracies(found: Sequence[Row]) -> list[str]:
    several = any(one.variant for one in found)
    whole = any(one.whole for one in found)
    head = [
        *(["variant"] if several else []),
        *("network", "distilled", "best baseline", "ahead by"),
        *(["all images"] if whole else []),
    ]
    rows = [
        [
            *([one.variant] if several else []),
            one.score.network,
            _whole(_accuracy(one.score)),
            _whole("" if one.baseline is None else f"{one.baseline.set} {_accuracy(one.baseline)}"),
            _whole("" if one.baseline is None else _ahead(one.score, one.baseline)),
            *([_whole("" if one.whole is None else _accuracy(one.whole))] if whole else []),
        ]
        for one in found
    ]
    first = 2 if several else 1
    return table(head, rows, right=range(first, first + 4))


def _accuracy(score: Score) -> str:
    spread = "" if score.std is None else f" ± {100 * score.std:.1f}"
    return f"{100 * score.mean:.1f}{spread} (n {len(score.accuracies)})"


def _ahead(score: Score, other: Score) -> str:
    found = gain(score, other)
    error = "" if found.standard_error is None else f" ± {100 * found.standard_error:.1f}"
    alike = "" if score.labels == other.labels else f", {other.labels} labels"
    return f"{100 * found.difference:+.1f}{error}{alike}"


def _footer(one: Exhibit, record: Record) -> Iterator[str]:
    if one.moves:
        shown = [str(prose(told)) for told in one.moves[:SHOWN_MOVES]]
        more = len(one.moves) - len(shown)
        shown += [f"and {more} more"] if more else []
        yield f"**stale: measured for an older plan** ({'; '.join(shown)})"
    else:
        yield f"measured for exactly this plan {code(one.plan[:12])}"
    if record.seconds is not None:
        yield f"{duration(record.seconds)} of work"
    yield from map(escaped, record.devices)
    yield escaped(" to ".join(dict.fromkeys((record.dates[0], record.dates[-1]))))
    yield from (f"published rows: {escaped(verdict)}" for verdict in one.verdicts)
    yield str(_linked(one.record_path, "results"))
    yield from (str(_linked(path, PurePosixPath(path).name)) for path in one.figures)


def _waiting(exhibits: Sequence[Exhibit]) -> list[str]:
    head = ("not run yet", "what, and its command", "published", "time")
    rows = [
        (
            _linked(one.path, one.name),
            Markdown(f"{escaped(one.title)} · {escaped(one.facts)}<br>{code(one.command)}"),
            one.expected or "",
            _whole("after a lock" if one.forecast is None else time_span(one.forecast)),
        )
        for one in exhibits
    ]
    return table(head, rows, right=(2, 3))


def _whole(text: str) -> Markdown:
    """Return a text that no narrow column breaks."""
    return Markdown(escaped(text).replace(" ", "&nbsp;").replace("-", "&#8209;"))


def _linked(path: str, text: str) -> Markdown:
    return link(escaped(text), quoted(path))
