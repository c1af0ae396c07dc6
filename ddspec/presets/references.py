"""What the sources of presets and protocols refer to: papers and official codes, by short keys."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from ddspec.spec.base import Name, SpecModel, Text
from ddspec.spec.explain import validate
from ddspec.spec.nodes import compose
from ddspec.spec.source import read_source

FILE = Path(__file__).with_name("references.yaml")


class Reference(SpecModel):
    """A paper or a repository."""

    short: Text
    """What tables and messages call it."""
    cite: Text
    url: Text


class ReferencesFile(SpecModel):
    """The file `references.yaml`."""

    format: Literal["ddspec.references/1"]
    papers: dict[Name, Reference]
    code: dict[Name, Reference]


@cache
def references() -> Mapping[str, Reference]:
    """Return all references by their keys."""
    source = read_source(FILE, sections=ReferencesFile.model_fields)
    read = validate(compose(source), ReferencesFile)
    return {**read.papers, **read.code}


def reference_of(source: str) -> Reference | None:
    """Return what a `source:` refers to, by key (`idc-code, argument.py`) or short name.

    None for what begins with `ours: ` and a reason.
    """
    first = source.replace(":", ",").split(",", 1)[0].strip()
    known = references()
    return known.get(first) or next((one for one in known.values() if one.short == first), None)
