"""The first spec for somebody's images: short, commented, and right as it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

COLUMN = 32
"""Where comments begin beside settings."""

SHORT = (
    "loops: {outer_loops: 10, snapshots: []}",
    "evaluate: {repeats: 2, baselines: {random: 2}}",
)
"""What makes a first try short with any preset."""
SHORTER = (
    "loops: {outer_loops: 10, inner_steps: 10, snapshots: []}",
    "inner: {steps: 2}",
    "evaluate:",
    "  {repeats: 2, baselines: {random: 2, init: 0}, protocol: {name: short, steps: 200}}",
)
"""The same with those that match gradients of networks trained on real images: on CPUs too."""
ON_REAL = frozenset({"acc_dd", "idc"})

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})


@dataclass(frozen=True, slots=True)
class Starter:
    """What a first spec says."""

    name: str
    head: tuple[str, ...]
    """Lines of the comment at the top: what is distilled, what was found."""
    dataset: tuple[tuple[str, str], ...]
    """Settings of the dataset as YAML, each with its comment."""
    images_per_class: int
    preset: str
    extra: tuple[str, ...] = ()
    """Further lines that this dataset needs."""


def starter_text(starter: Starter, schema: str) -> str:
    """Return the spec; `schema` is where its schema will lie, seen from it."""
    lines = [
        f"# yaml-language-server: $schema={schema}",
        "#",
        *(f"# {line}".rstrip() for line in starter.head),
        f"name: {starter.name}",
        "",
        beside(f"preset: {starter.preset}", "a published method: gives all that is not said here;"),
        beside("", "`ddspec plan FILE --values` shows it, with sources"),
        "",
        "dataset:",
        *(beside(f"  {setting}", comment) for setting, comment in starter.dataset),
        "",
        "budget:",
        beside(f"  images_per_class: {starter.images_per_class}", "synthetic images of each class"),
        "",
        *([*starter.extra, ""] if starter.extra else []),
        *_overrides(starter),
    ]
    return "\n".join(lines) + "\n"


def _overrides(starter: Starter) -> Iterator[str]:
    yield "# Any setting of the preset can be overridden; for a first, short try for example:"
    yield "#"
    for line in SHORTER if starter.preset in ON_REAL else SHORT:
        yield f"# {line}"
    yield "#"
    yield "# One plan for several budgets, which share their networks:"
    yield "#"
    yield f"# matrix: {{budget.images_per_class: [1, {max(2, starter.images_per_class)}]}}"
    yield "#"
    yield "# All of it with three seeds, so that intervals speak of the method:"
    yield "#"
    yield "# replicates: 3"


def beside(setting: str, comment: str) -> str:
    """Return a setting with a comment to its right."""
    return f"{setting:<{COLUMN - 1}} # {comment}" if comment else setting


# --- scalars --------------------------------------------------------------------------------------


def name_of(text: str) -> str:
    """Return a name that a spec may have, made from any text."""
    slug = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")
    return slug[:63].rstrip("-_") or "mine"


def quoted(text: str) -> str:
    """Return text as a YAML scalar, in quotes where it needs them."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    plain = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08X}" for char in plain)
