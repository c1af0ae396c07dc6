"""Every resolved setting of an experiment, with where its value comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ddspec.errors import Place
from ddspec.plan.imports import idle
from ddspec.plan.ir import Plan
from ddspec.plan.leaves import leaves
from ddspec.plan.past import Said
from ddspec.plan.why import axes_of
from ddspec.visible import visible

if TYPE_CHECKING:
    from ddspec.spec.load import Loaded
    from ddspec.spec.origins import Origin

DEFAULT = "default"
UNREAD = "reaches nothing here"


def settings_of(loaded: Loaded) -> Iterator[Said]:
    """Yield the settings of a spec in its order, each with the file and line that says it.

    What is left out and means nothing (`pool.sharpness` of a pool without) is left out here too.
    """
    presets, unread = ", ".join(loaded.presets), idle(loaded.experiment)
    for path, value, origin in loaded.settings():
        if value is not None or origin.kind != DEFAULT:
            where = DEFAULT if origin.place is None else where_of(origin.place)
            note = UNREAD if path[0] in unread else _note(origin, presets)
            yield Said(".".join(path), value, where, note)


def settings_in(plan: Plan, file: str) -> Iterator[Said]:
    """Yield the settings of a plan file, which no longer knows where they were written."""
    spec = plan.experiment.model_dump(mode="json", exclude_none=True)
    unread = idle(plan.experiment)
    return (
        Said(path, value, file, UNREAD if path.partition(".")[0] in unread else "")
        for path, value in leaves(spec)
    )


def over_variants(settings: Sequence[Said], plan: Plan) -> tuple[Said, ...]:
    """Return settings with all the values that the variants of a matrix give them, as lists."""
    axes = axes_of(variant.settings for variant in plan.variants)
    return tuple(
        replace(one, value=axes[one.path]) if one.path in axes else one for one in settings
    )


def where_of(place: Place) -> str:
    """Return a place as people write it, `specs/x.yaml:12`."""
    return visible(f"{place.file}:{place.line}" if place.line else place.file)


def _note(origin: Origin, preset: str) -> str:
    match origin.kind:
        case "preset":
            return f"preset {preset}: {origin.source}" if origin.source else f"preset {preset}"
        case "extends":
            return origin.note or "extended"
        case "matrix":
            return "matrix"
        case "spec" | "default":
            return ""
