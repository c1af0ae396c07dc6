"""With which labels synthetic images are trained on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ddspec.spec.base import Fraction, Positive, SpecModel


class HardLabelsSpec(SpecModel):
    """Each image has the label of its class."""

    kind: Literal["hard"]


class LearnedLabelsSpec(SpecModel):
    """Labels are learned along with the images, as logits of a softmax, by SGD.

    They start with 0.99 for the class of the image.
    """

    kind: Literal["learned"]
    learning_rate: Positive
    momentum: Fraction = 0.5


class ExpertLabelsSpec(SpecModel):
    """What the expert that is being followed says of the images, softmaxed (TESLA on ImageNet).

    Computed again in each outer loop; those of the last one are kept with the set.
    """

    kind: Literal["expert"]


class SoftLabelsSpec(SpecModel):
    """What trained networks say of each view of an image (SRe2L, Teddy).

    How a student learns from them, temperature included, is said by the protocol.
    """

    kind: Literal["soft"]
    teachers: Literal["one", "pool"] = "one"
    """The first network of the pool (of several snapshots of a run, the last), or all of them."""
    average: Literal["logits", "probabilities"] = "logits"
    """What is averaged over several teachers."""
    stored: Literal["per_view", "online"] = "per_view"
    """`per_view` records views and labels in a stage of their own, in float16; `online` asks the
    teachers while the student is trained."""
    batch_norm: Literal["running", "batch"] = "running"
    """Statistics of the teachers' batch norms; `batch` is what SRe2L's code does on CIFAR-100."""


LabelsSpec = Annotated[
    HardLabelsSpec | LearnedLabelsSpec | ExpertLabelsSpec | SoftLabelsSpec,
    Field(discriminator="kind"),
]
