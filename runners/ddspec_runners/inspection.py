"""Say what is in files of official code, for whoever writes a spec that imports them.

A process of its own: a question as JSON on stdin, an answer as JSON on stdout; what is wrong with
the files goes to stderr with exit 65. Nothing is written.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ddspec.canon import Json
from ddspec.spec.imported import Holds, Layout
from ddspec.spec.learned import Space
from ddspec.wire.job import JobExit
from ddspec_runners.faults import BadData
from ddspec_runners.imports.layouts import Found, found, holds_of
from ddspec_runners.imports.reading import Opened, opened
from ddspec_runners.imports.values import Range, contradiction


class Question(BaseModel):
    """Which files, and what is said of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layout: Layout
    files: Annotated[tuple[Path, ...], Field(min_length=1)]
    experiment: int = 0
    space: Space | None = None
    """If given, values that cannot be of it are an error."""


def main() -> int:
    """Answer the question on stdin."""
    try:
        question = Question.model_validate_json(sys.stdin.buffer.read())
    except ValidationError as error:
        sys.stderr.write(f"bad question: {error}\n")
        return JobExit.BAD_JOB
    try:
        answer = looked_at(question)
    except BadData as error:
        sys.stderr.write(f"{error}\n")
        return JobExit.BAD_DATA
    json.dump(answer, sys.stdout)
    return JobExit.DONE


def looked_at(question: Question) -> dict[str, Json]:
    """Return what the files hold: digests, shapes, range of the values, labels.

    Raises BadData as the import itself would, where they are no files of the layout or hold values
    that are not of the space.
    """
    files = [opened(path) for path in question.files]
    roles = _roles(files, question.layout)
    there = found(list(zip(files, roles, strict=True)), question.layout, question.experiment)
    values = Range.of(there.images)
    problem = contradiction(values, question.space) if question.space else ""
    if problem:
        raise BadData(f"{question.files[0]}: {problem}")
    return {
        "files": [
            {"sha256": file.digest, "holds": role} for file, role in zip(files, roles, strict=True)
        ],
        "experiments": there.experiments,
        "shape": list(there.images.shape),
        "dtype": str(there.images.dtype).removeprefix("torch."),
        "low": values.low,
        "high": values.high,
        "mean": values.mean,
        "std": values.std,
        "near": values.near,
        "pixels": values.pixels,
        "labels": _labels(there),
    }


def _roles(files: Sequence[Opened], layout: Layout) -> list[Holds | None]:
    return [holds_of(file) if layout == "mtt" else None for file in files]


def _labels(there: Found) -> Json:
    """Return what labels are; None where no file has any."""
    told = there.labels
    if told is None:
        return None
    if told.ndim == 2:
        sums = bool(((told.sum(1) - 1).abs() <= 1e-3).all()) and bool((told >= 0).all())
        return {"kind": "expert" if sums else "learned", "classes": told.shape[1]}
    named, counts = torch.unique(told, return_counts=True)
    return {
        "kind": "hard",
        "low": int(named[0]),
        "high": int(named[-1]),
        "classes": len(named),
        "even": bool((counts == counts[0]).all()),
        "ordered": bool((told.diff() >= 0).all()),
    }


if __name__ == "__main__":
    sys.exit(main())
