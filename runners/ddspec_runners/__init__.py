"""The numerical half of ddspec: what runs inside jobs, and `load_synthetic` for what they made."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddspec_runners.load import load_synthetic

__all__ = ["load_synthetic"]


def __getattr__(name: str) -> object:
    # the loader needs torch; those who import a light module of this package do not
    if name == "load_synthetic":
        from ddspec_runners.load import load_synthetic

        return load_synthetic
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
