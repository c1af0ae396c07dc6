"""Stages that changed alike, as one row: neighbours that differ in a number, or in a variant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ddspec.plan.bearing import behind
from ddspec.plan.diff import Change, Status
from ddspec.plan.labels import folded, pattern

CAUSES_SHOWN = 3
LABELS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class StageGroup:
    """Stages that share a row."""

    status: Status
    label: str
    stages: int
    cause: str


def stage_groups(changes: Iterable[Change], settings: Sequence[str]) -> Iterator[StageGroup]:
    """Yield one row for stages that changed alike, with the cause; same ones are left out.

    Neighbours share a row, and so do the stages of all variants of a matrix. `settings` are the
    paths of those that differ.
    """
    moved = [(one, _likeness(one, settings)) for one in changes if one.status != "same"]
    plain = (pair for pair in moved if "@" not in pair[0].label)
    for (status, _, cause), run in groupby(plain, key=lambda pair: pair[1]):
        labels = [change.label for change, _ in run]
        yield StageGroup(status, _folded(labels), len(labels), cause)
    alike: dict[tuple[Status, str, str], list[str]] = {}
    for change, likeness in moved:
        if "@" in change.label:
            alike.setdefault(likeness, []).append(change.label)
    for (status, _, cause), labels in alike.items():
        yield StageGroup(status, _of_variants(labels), len(labels), cause)


def _likeness(change: Change, settings: Sequence[str]) -> tuple[Status, str, str]:
    own = change.label.partition("@")[0]
    paths = _causes(own.partition("/")[0], change, settings)
    cause = ", ".join(paths[:CAUSES_SHOWN])
    if change.status == "edited":
        cause = f"differs in {cause}" if paths else "has other inputs"
    if len(paths) > CAUSES_SHOWN:
        cause += f" and {len(paths) - CAUSES_SHOWN} more"
    return change.status, pattern(own), cause


def _causes(kind: str, change: Change, settings: Sequence[str]) -> list[str]:
    """Return the settings behind the fields that differ; a field that has none is named itself."""
    fields = [edit.path for edit in change.edits if edit.path != "schedule_digest"]
    return list(
        dict.fromkeys(path for one in fields for path in behind(kind, one, settings) or (one,))
    )


def _folded(labels: list[str]) -> str:
    shown = folded(labels)
    more = len(shown) - LABELS_SHOWN
    return ", ".join(shown[:LABELS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _of_variants(labels: list[str]) -> str:
    """Return one label for stages of variants: `evaluate/convnet3/0..4@*`."""
    owns = dict.fromkeys(label.partition("@")[0] for label in labels)
    names = dict.fromkeys(label.partition("@")[2] for label in labels)
    name = next(iter(names)) if len(names) == 1 else "*"
    return f"{_folded(sorted(owns, key=_numbered))}@{name}"


def _numbered(label: str) -> list[tuple[int, int, str]]:
    """Return by what labels are in the order of their numbers."""
    parts = label.split("/")
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]
