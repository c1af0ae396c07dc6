"""Jinja2 for Markdown: whatever a template prints is escaped, unless we made it Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import jinja2

from ddspec.console.markdown_text import Markdown, code, escaped, marker, prose

TEMPLATES = Path(__file__).with_name("templates")
CELL = 60
"""Characters of a value that a table shows."""


def piece(template: str, name: str) -> Callable[..., str]:
    """Return one macro of a template, to be called with what it shows."""
    found: Callable[..., str] = vars(_template(template).module)[name]
    return found


def cell(text: object, width: int = CELL) -> Markdown:
    """Return a value for a table, cropped."""
    return escaped(cropped(text, width))


def cropped(text: object, width: int) -> str:
    """Return a text of at most `width` characters."""
    plain = str(text)
    return plain if len(plain) <= width else f"{plain[: width - 1]}…"


def joined(parts: Iterable[object], between: str) -> Markdown:
    """Return parts, each escaped, with our own text between them."""
    return Markdown(between.join(escaped(part) for part in parts))


@cache
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        finalize=escaped,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # HTML's rules; `finalize` has ours
    )
    environment.globals.update(
        cell=cell, code=code, cropped=cropped, joined=joined, marker=marker, prose=prose
    )
    return environment.get_template(name)
