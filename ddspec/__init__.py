"""Dataset distillation as a reviewed plan.

    plan = ddspec.compile_plan(ddspec.load("specs/digits.yaml").experiment)

Names are imported when they are first used, so that `import ddspec` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddspec.version import __version__

if TYPE_CHECKING:
    from ddspec.plan.compile import compile_plan as compile_plan
    from ddspec.plan.diff import diff as diff
    from ddspec.spec.load import load_spec as load

__all__ = ["__version__", "compile_plan", "diff", "load"]


def __getattr__(name: str) -> object:
    match name:
        case "load":
            from ddspec.spec.load import load_spec

            return load_spec
        case "compile_plan":
            from ddspec.plan.compile import compile_plan

            return compile_plan
        case "diff":
            from ddspec.plan.diff import diff

            return diff
        case _:
            raise AttributeError(f"module 'ddspec' has no attribute {name!r}")
