"""Options that several verbs share, so that they read the same everywhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer


class Device(StrEnum):
    """Where stages compute; no part of what they compute."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


Document: TypeAlias = Annotated[
    Path, typer.Argument(metavar="SPEC|PLAN", help="A spec, or a plan file made from one.")
]
Spec: TypeAlias = Annotated[Path, typer.Argument(metavar="SPEC", help="A spec (YAML).")]
Computing: TypeAlias = Annotated[
    Device, typer.Option("--device", help="Where stages compute; auto takes a GPU if seen.")
]
AsJson: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON object to stdout instead of text.")
]
Home: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        envvar="DDSPEC_HOME",
        help="The store; by default `.ddspec` of the nearest parent, else of the repository.",
    ),
]
Data: TypeAlias = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", envvar="DDSPEC_DATA", help="Where the datasets are."),
]
Variants: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        metavar="NAME",
        help="Only this variant of the matrix; a glob, and repeated, more of them.",
    ),
]
