"""Works that judge a set: soft labels for it, and networks that are trained on it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ddspec.canon import Json
from ddspec.spec.augmentation import AugmentationSpec
from ddspec.spec.base import Count, Fraction, Natural, Positive
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.network import NetworkSpec
from ddspec.wire.model import Precision, WorkModel
from ddspec.wire.schedule import Seed


class Teachers(BaseModel):
    """Who says what an image shows: the inputs `teacher/0` …, all of one architecture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: NetworkSpec
    average: Literal["logits", "probabilities"]
    batch_norm: Literal["running", "batch"]
    record: Annotated[tuple[Natural, ...], Field(min_length=1)] | None = None
    """Of each input, the recorded epochs that take part; None is its only network."""


class RelabelWork(WorkModel):
    """Record the views that a student will see of a set, and what teachers say of each.

    Inputs: `set`, `teacher/0` …; `train` where images are whitened. Writes the draws of all views,
    and logits in float16.
    """

    kind: Literal["relabel"] = "relabel"
    revision: Literal[1] = 1
    teachers: Teachers
    epochs: Count | None = None
    steps: Count | None = None
    """As in the protocol: one of both."""
    batch: Count
    augmentation: AugmentationSpec
    cutmix: Fraction
    mixup: Positive | None = None
    seed: Seed
    precision: Precision
    zca: Positive | None = None
    """Networks see images whitened with this eps."""


class EvaluateWork(WorkModel):
    """Train one freshly initialised network on a set and measure its accuracy on real images.

    Inputs: `set` (a synthetic set, or a prepared split when `on_real`), `test` (a prepared split);
    `train` where the protocol whitens images; `validation` where networks are looked at on the
    way; `labels` (a relabelling of the set), or `teacher/0` … where `teachers` are asked while the
    network is trained.
    """

    kind: Literal["evaluate"] = "evaluate"
    revision: Literal[1] = 1
    network: NetworkSpec
    protocol: ProtocolSpec
    """With `epochs` as a number, or `steps`."""
    on_real: bool = False
    seed: Seed
    precision: Precision
    teachers: Teachers | None = None
    best_on_validation: Count | None = None
    """Evenly spaced looks at held-out images during training; the network that was best is tested
    besides the last. None looks never."""

    def identity(self) -> Json:
        """Return what is hashed; what a protocol is called and publications report is left out."""
        plain: Json = self.model_dump(
            mode="json", exclude_none=True, exclude={"protocol": {"name", "reported"}}
        )
        return plain
