"""The version of this distribution, for whoever must not import the package above it."""

from __future__ import annotations

__version__ = "0.1.0"
