"""What happened, as the journal tells it: attempts over time, and where stages ran."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ddspec.canon import Json
from ddspec.plan.ir import Plan, own_label
from ddspec.report.figures import WIDTH, Figure
from ddspec.report.subject import Shelf
from ddspec.store.journal import Entry
from ddspec.store.store import Store

ROWS = 24
"""Stages that have a row of their own in the timeline; of more, one row a kind."""
SPELL_S = 30.0
"""No idle spell is shown longer than this, or than a twentieth of the working time."""
SHARE = 0.05
DONE = "published"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a stage."""

    label: str
    number: int
    """Of the attempts at this output, from 1 on."""
    host: str
    """`host 1`: reports are passed on, and names of machines are nobody's business."""
    device: str
    executor: str
    started: float
    """Seconds since 1970."""
    ended: float
    outcome: str
    """`published`, `failed`, `interrupted` or `again`."""
    reason: str = ""

    @property
    def seconds(self) -> float:
        """Return how long it took."""
        return max(0.0, self.ended - self.started)


@dataclass(frozen=True, slots=True)
class History:
    """All attempts at the stages of a plan, oldest first."""

    attempts: tuple[Attempt, ...] = ()
    damaged: tuple[str, ...] = ()
    """Labels of stages whose records cannot be read."""

    @property
    def unsuccessful(self) -> tuple[Attempt, ...]:
        """Return the attempts that led to no output."""
        return tuple(one for one in self.attempts if one.outcome != DONE)


def history_of(plan: Plan, store: Store | None) -> History:
    """Read the journal of every stage; what cannot be read is named, and left out."""
    found: list[tuple[str, int, Entry]] = []
    damaged = []
    for stage in plan:
        if store is None or stage.key is None:
            continue
        try:
            entries = store.journal.entries(stage.key)
            found += [(stage.label, at, _checked(one)) for at, one in enumerate(entries, start=1)]
        except (OSError, ValueError, TypeError, AttributeError):
            damaged.append(stage.label)
    found.sort(key=lambda one: (one[2].started, one[0]))
    hosts = dict.fromkeys(entry.host for _, _, entry in found)
    names = {host: f"host {number}" for number, host in enumerate(hosts, start=1)}
    attempts = (_attempt(label, at, one, names[one.host]) for label, at, one in found)
    return History(tuple(attempts), tuple(damaged))


def _checked(entry: Entry) -> Entry:
    """Return an entry that can be shown; ValueError for others."""
    times: tuple[object, ...] = (entry.started, entry.ended)
    if not all(isinstance(one, int | float) and math.isfinite(one) for one in times):
        raise ValueError("its times are none")
    words: tuple[object, ...] = (entry.host, entry.outcome, entry.reason, entry.executor)
    if not all(isinstance(word, str) for word in words):
        raise ValueError("its words are none")
    told: tuple[object, ...] = (entry.engine, entry.place)
    if not all(isinstance(one, Mapping) for one in told):
        raise ValueError("it tells no place")
    return entry


def _attempt(label: str, number: int, entry: Entry, host: str) -> Attempt:
    return Attempt(
        label,
        number,
        host,
        device_words(entry.engine),
        entry.executor,
        entry.started,
        entry.ended,
        entry.outcome,
        entry.reason,
    )


def device_words(engine: Mapping[str, object]) -> str:
    """Return a device as people call it: the driver's name, else what kind it is."""
    name, kind = engine.get("device_name"), engine.get("device")
    return str(name or kind or "")


def timeline(history: History, name: str) -> Figure | None:
    """Return when which stage was worked on; None where nothing was.

    Long idle spells are cut short, for a run that was taken up a week later is mostly idle.
    """
    if not history.attempts:
        return None
    labels = dict.fromkeys(one.label for one in history.attempts)
    rows = {label: label if len(labels) <= ROWS else _kind(label) for label in labels}
    moved, idle = _without_idling(history.attempts)
    seconds, unit = _unit(max(stop for _, stop in moved))
    spans: list[Json] = [
        {
            "row": rows[one.label],
            "start": start / seconds,
            "stop": stop / seconds,
            "group": "finished" if one.outcome == DONE else one.outcome,
        }
        for one, (start, stop) in zip(history.attempts, moved, strict=True)
    ]
    asked: dict[str, Json] = {
        "kind": "timeline",
        "x": {"label": f"{unit} since the first start"},
        "spans": spans,
        "width": 2 * WIDTH,
    }
    return Figure(name, _told(history, idle, one_a_stage=len(labels) <= ROWS), asked)


def _told(history: History, idle: int, *, one_a_stage: bool) -> str:
    count = len(history.attempts)
    each = "stage" if one_a_stage else "kind of stage"
    words = f"{count:,} attempt{'' if count == 1 else 's'}, one row a {each}."
    if idle:
        words += f" {idle:,} idle spell{'' if idle == 1 else 's'} cut short."
    return words


def _kind(label: str) -> str:
    return own_label(label).partition("/")[0]


def _without_idling(attempts: Sequence[Attempt]) -> tuple[list[tuple[float, float]], int]:
    """Return start and stop of attempts, oldest first, from 0 on; and how many spells were cut."""
    longest = max(SPELL_S, SHARE * sum(one.seconds for one in attempts))
    first = attempts[0].started
    cut, until, spells = 0.0, 0.0, 0
    moved = []
    for one in attempts:
        start = one.started - first
        if start - until > longest:
            cut += start - until - longest
            spells += 1
        until = max(until, start + one.seconds)
        moved.append((start - cut, start - cut + one.seconds))
    return moved, spells


def _unit(whole_s: float) -> tuple[float, str]:
    if whole_s < 180:
        return 1.0, "seconds"
    return (60.0, "minutes") if whole_s < 3 * 3600 else (3600.0, "hours")


@dataclass(frozen=True, slots=True)
class Environment:
    """Where some stages ran."""

    facts: Mapping[str, str]
    """Versions, device, threads and image, by name."""
    stages: int
    kinds: tuple[str, ...]


FACTS = {
    "python": "Python",
    "torch": "PyTorch",
    "numpy": "NumPy",
    "machine": "machine",
    "threads": "threads",
    "source": "runners",
}
"""What an engine tells, by the name that people know it by."""
DIGEST = 12
"""Characters of a digest that people compare."""


def environments(shelf: Shelf) -> tuple[Environment, ...]:
    """Return where the stages ran, those of most stages first."""
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for one in shelf.kept:
        if one.result is not None:
            engine = dict(one.result.engine)
            facts = tuple(_facts(engine, _image(shelf.store, one.stage.key)))
            groups.setdefault(facts, []).append(one.kind)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    return tuple(
        Environment(dict(facts), len(kinds), tuple(Counter(kinds))) for facts, kinds in ordered
    )


def _facts(engine: Mapping[str, Json], image: str) -> Iterable[tuple[str, str]]:
    yield "device", device_words(engine) or "not told"
    for name, title in FACTS.items():
        if name in engine:
            told = str(engine[name])
            yield title, told[:DIGEST] if name == "source" else told
    if image:
        yield "image", image


def _image(store: Store | None, key: str | None) -> str:
    """Return the image in which the output was made; empty for a process of the machine itself."""
    if store is None or key is None:
        return ""
    try:
        entries = [one for one in store.journal.entries(key) if one.outcome == DONE]
        image = entries[-1].place.get("image") if entries else None
    except (OSError, ValueError, TypeError, AttributeError):
        return ""  # it was named among those whose records cannot be read
    return image if isinstance(image, str) else ""
