"""Some variants of a plan, with the stages that they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase

from ddspec.errors import DdspecError, Exit
from ddspec.plan.ir import Plan
from ddspec.visible import visible


def restricted(plan: Plan, patterns: Sequence[str]) -> Plan:
    """Return the plan of the variants that match one of some globs; all where there are none.

    Stages keep the labels that they have in the whole plan. Raises `DdspecError` (usage) where a
    pattern matches no variant.
    """
    if not patterns:
        return plan
    names = [variant.name for variant in plan.variants if plan.is_matrix]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise DdspecError(
                f"no variant is called `{visible(pattern[:80])}`",
                exit=Exit.USAGE,
                hint=known_variants(pattern, names),
            )
    kept = tuple(
        variant
        for variant in plan.variants
        if any(fnmatchcase(variant.name, pattern) for pattern in patterns)
    )
    labels = {label for variant in kept for label in variant.labels}
    stages = tuple(stage for stage in plan if stage.label in labels)
    return replace(plan, variants=kept, stages=stages)


def known_variants(pattern: str, names: Sequence[str]) -> str:
    """Return what a name that is none may have meant, else which there are."""
    if not names:
        return "the spec has no `matrix`"
    close = get_close_matches(pattern, names, n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    shown = ", ".join(f"`{name}`" for name in names[:5])
    return f"there are {shown}" + (f" and {len(names) - 5} more" if len(names) > 5 else "")
