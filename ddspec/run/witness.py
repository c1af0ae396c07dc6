"""What stands behind a measured accuracy: which outputs of a store, and who made them when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from ddspec.canon import Digest, Json
from ddspec.plan.ir import Plan
from ddspec.run.scores import Score, accuracy_of
from ddspec.store.journal import Entry
from ddspec.store.store import Store
from ddspec.wire.work import EvaluateWork


@dataclass(frozen=True, slots=True)
class Witness:
    """Who made some outputs of a store, and when, as its journal tells."""

    keys: tuple[Digest, ...]
    devices: tuple[str, ...] = ()
    """In words, each once: `CPU (x86_64), 1 thread`."""
    versions: tuple[str, ...] = ()
    """Of PyTorch, each once."""
    dates: tuple[str, ...] = ()
    """Days in UTC on which they were finished, in order, each once: `2026-11-20`."""
    sets: tuple[Digest, ...] = ()
    """Keys of the sets that are judged."""
    recorded: str = ""
    """The file of committed results that tells it, where the store does not hold the outputs."""

    def plain(self) -> dict[str, Json]:
        """Return it as it is printed with `--json`."""
        return {
            "sets": list(self.sets),
            "keys": list(self.keys),
            "devices": list(self.devices),
            "torch": list(self.versions),
            "dates": list(self.dates),
            "recorded": self.recorded or None,
        }


def witness_of(keys: Iterable[Digest], store: Store | None) -> Witness:
    """Return who made some outputs; a journal that is damaged, or elsewhere, says nothing."""
    asked = tuple(dict.fromkeys(keys))
    found = [] if store is None else [entry for key in asked for entry in _published(store, key)]
    return Witness(
        asked,
        tuple(dict.fromkeys(device for one in found if (device := _device(one.engine)))),
        tuple(dict.fromkeys(torch for one in found if (torch := _text(one.engine.get("torch"))))),
        tuple(sorted({day for one in found if (day := _day(one.ended))})),
    )


def evaluated_set(plan: Plan, score: Score) -> Digest | None:
    """Return the key of the set that a score's networks were trained on; None where unknown.

    Of one experiment: of a matrix, ask the plan of a variant.
    """
    for stage in plan:
        if stage.key in score.keys and isinstance(stage.work, EvaluateWork):
            return plan.stage(stage.upstream["set"]).key
    return None


def damaged(plan: Plan, store: Store | None) -> dict[str, str]:
    """Return what is wrong with stored evaluations of a plan, by label; nothing is changed."""
    if store is None:
        return {}
    problems = (
        (stage.label, _problem(store, stage.key))
        for stage in plan
        if stage.key is not None
        and isinstance(stage.work, EvaluateWork)
        and store.layout.object(stage.key).exists()
    )
    return {label: problem for label, problem in problems if problem}


def _problem(store: Store, key: Digest) -> str:
    if problem := store.objects.problem(key):
        return problem
    result = store.result(key)
    return "" if result is not None and accuracy_of(result.metrics) is not None else "no accuracy"


def _published(store: Store, key: Digest) -> Iterator[Entry]:
    """Yield the attempt that put an output into the store; the last, where there are several."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        entries = [one for one in store.journal.entries(key) if one.outcome == "published"]
        yield from entries[-1:]


def _device(engine: Mapping[str, Json]) -> str:
    name, kind, threads = (engine.get(field) for field in ("device_name", "device", "threads"))
    if _text(name):
        return _text(name)
    if kind != "cpu":
        return _text(kind)
    machine = f" ({_text(engine.get('machine'))})" if _text(engine.get("machine")) else ""
    count = f", {threads} thread{'' if threads == 1 else 's'}" if isinstance(threads, int) else ""
    return f"CPU{machine}{count}"


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _day(seconds: object) -> str:
    if not isinstance(seconds, int | float):
        return ""
    with suppress(OverflowError, OSError, ValueError):
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    return ""
