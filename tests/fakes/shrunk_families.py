"""Published presets of the other families on a tiny dataset: all pieces, in smaller counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shrunk_presets import published

from ddspec.spec.network import ConvNetSpec
from ddspec.wire.schedule import Schedule
from ddspec.wire.work import DistillWork

LOOPS, BUDGET = 5, 2
EPOCHS = 4
"""Of the experts and teachers that lie there: each is recorded after epochs 0 to 4."""


def shrunk_family(preset: str, norm: str, **changes: Any) -> DistillWork:
    """Return a preset's work for the tiny dataset; `changes` are by field, nested by section."""
    work = published(preset)
    network = ConvNetSpec(kind="convnet", depth=2, width=4, norm=norm)  # type: ignore[arg-type]
    record = None if work.record is None else tuple(range(EPOCHS))
    plain: dict[str, Any] = work.model_dump(mode="python") | {
        "network": network,
        "images_per_class": BUDGET,
        "stop": LOOPS,
        "record": record,
        "seed": (7, "distill"),
        "precision": "float64",
        "loops": None if work.loops is None else LOOPS,
    }
    plain = _laid(plain, changes)
    starts = plain["matcher"].get("max_start")
    members = 2 if record is None or starts else len(record)
    apart = plain["matcher"].get("models_per_image", 1)
    schedule = Schedule(
        seed=(7, "schedule"),
        members=members,
        perturbation=work.schedule.perturbation,
        starts=starts,
        apart=apart if apart > 1 else None,
    )
    plain |= {"schedule": schedule, "schedule_digest": "0" * 64}
    draft = DistillWork.model_validate(plain)
    rows = draft.rows
    digest = schedule.digest(rows.start, rows.stop)
    return draft.model_copy(update={"schedule_digest": digest})


def _laid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested settings with others laid over them."""
    laid = dict(below)
    for name, value in above.items():
        under = laid.get(name)
        both = isinstance(value, Mapping) and isinstance(under, Mapping)
        laid[name] = _laid(under, value) if both else value
    return laid
