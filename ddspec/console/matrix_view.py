"""The variants of a matrix: what it sets, and what they share."""

from __future__ import annotations

from collections.abc import Mapping

from ddspec.canon import Json
from ddspec.console.layout import INDENT, wrapped
from ddspec.console.setting_words import cut, value_words
from ddspec.plan.ir import Plan
from ddspec.plan.why import axes_of
from ddspec.spec.experiment import Experiment
from ddspec.visible import visible

AXES_SHOWN = 12
VALUES_SHOWN = 12

BEARS: Mapping[str, tuple[str, ...]] = {
    "what": ("dataset",),
    "budget": ("budget", "parameterization", "labels", "dataset", "evaluate.protocol"),
    "pool": ("pool", "network", "dataset", "matcher.features"),
    "schedule": ("loops", "perturbation", "pool", "seed", "matcher.models_per_image"),
    "matcher": ("matcher", "loops", "update", "init", "precision", "budget", "parameterization"),
    "inner": ("inner", "resources"),
    "imported": ("imported",),
    "evaluator": ("evaluate", "network"),
}
"""Settings that a section of the overview speaks of."""


def matrix_lines(plan: Plan, width: int) -> list[str]:
    """Return the axes of a matrix with their values, and how much its variants share."""
    axes = axes_of(variant.settings for variant in plan.variants)
    names = list(axes)[:AXES_SHOWN]
    widest = max((len(name) for name in names), default=0)
    rows = [f"{visible(name):<{widest}}  {_values(axes[name])}" for name in names]
    more = len(axes) - AXES_SHOWN
    rows += [f"and {more} more setting{'' if more == 1 else 's'}"] if more > 0 else []
    room = width - INDENT
    lines = [
        f" {'matrix' if not at else '':<{INDENT - 1}}{cut(row, room)}"
        for at, row in enumerate(rows)
    ]
    return [*lines, *wrapped("", _shared(plan), width)]


def varies(section: str, plan: Plan) -> bool:
    """Return whether what a section says is of the first variant, and may not be of others."""
    first = _parts(section, plan.variants[0].experiment)
    return any(_parts(section, one.experiment) != first for one in plan.variants[1:])


def _parts(section: str, experiment: Experiment) -> tuple[object, ...]:
    found = []
    for name in BEARS[section]:
        part, _, setting = name.partition(".")
        whole = vars(experiment)[part]
        found.append(vars(whole).get(setting) if setting else whole)
    return tuple(found)


def _values(axis: Json) -> str:
    listed = axis if isinstance(axis, list) else []
    values = [value_words(value) for value in listed]
    # a section has commas of its own
    between = " · " if any(isinstance(value, dict) for value in listed) else ", "
    if len(values) <= VALUES_SHOWN:
        return between.join(values)
    first = between.join(values[: VALUES_SHOWN // 2])
    return f"{first}, … {values[-1]} ({len(values):,} values)"


def _shared(plan: Plan) -> list[str]:
    needed = sum(len(variant.labels) for variant in plan.variants)
    stages = len(plan.stages)
    saved = needed - stages
    alone = len(plan.variants) == 1
    who = "1 variant needs" if alone else f"{len(plan.variants):,} variants need"
    words = [f"{who} {needed:,} stages"]
    words += [f"{saved:,} of them are shared: {stages:,} in all"] if saved else []
    if not alone:
        words.append(f"pieces marked * as in `{plan.variants[0].name}`")
    return words
