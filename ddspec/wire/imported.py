"""The work that takes over a synthetic set which somebody else distilled."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ddspec.spec.base import Count, Fraction, Natural, Positive
from ddspec.spec.imported import Holds, Layout, Sha256
from ddspec.spec.learned import ParameterizationSpec, Space
from ddspec.wire.model import WorkModel


class ImportedFile(BaseModel):
    """A file by its content; where it lies is said by the job's location, as `file/I`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content: Sha256
    holds: Holds | None = None
    """Of `mtt`; None is images there, and images with their labels elsewhere."""


class ImportWork(WorkModel):
    """Take a synthetic set from files of official code, after comparing each with its digest.

    Inputs: `train`, whose classes and statistics the set is described by. Writes the files of a
    synthetic set.
    """

    kind: Literal["import"] = "import"
    revision: Literal[1] = 1
    layout: Layout
    files: Annotated[tuple[ImportedFile, ...], Field(min_length=1, max_length=1000)]
    space: Space
    """Of the numbers in the files; the set is stored in that of `parameterization`."""
    mean: tuple[Fraction, ...] | None = None
    """Of `normalised`, per channel; None is the training split's."""
    std: tuple[Positive, ...] | None = None
    experiment: Natural = 0
    """Of `dc`: which of the sets in the file."""
    order: Annotated[tuple[Natural, ...], Field(min_length=1)] | None = None
    """Label in the dataset of each label in the files; None is the same."""
    labels: Literal["learned", "expert"] | None = None
    """Labels in the files are logits that were learned, or an expert's probabilities; None are
    those of the classes."""
    learned_lr: Positive | None = None
    images_per_class: Count
    parameterization: ParameterizationSpec
