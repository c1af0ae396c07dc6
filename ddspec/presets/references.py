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
    """Return what a `source:` refers to: `idc-code, argument.py`; None for `ours: a reason`."""
    key = source.replace(":", ",").split(",", 1)[0].strip()
    return references().get(key)
