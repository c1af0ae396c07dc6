"""The tools, by name: each answers a question, both plain JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from ddspec.canon import Json

TOOLS: Mapping[str, str] = {
    "compare": "ddspec_analysis.compare",
    "draw": "ddspec_analysis.draw",
    "sheet": "ddspec_analysis.sheet",
    "export": "ddspec_analysis.export",
    "versions": "ddspec_analysis.versions",
}
"""Modules with a function `answer(question) -> answer`; each loads only what it needs. It raises
`ValueError` with a message for people where a question cannot be answered."""


def tool(name: str) -> Callable[[Json], Json]:
    """Return a tool; raises KeyError where there is none of that name."""
    answer: Callable[[Json], Json] = import_module(TOOLS[name]).answer
    return answer
