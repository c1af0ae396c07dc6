"""What is compared between real and synthetic images."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ddspec.spec.base import Count, NonNegative, Positive, SpecModel

Offset = Annotated[int, Field(strict=True, ge=-1024, le=1024)]


class GradientMatcherSpec(SpecModel):
    """Match, class by class, the gradient of the loss on real and on synthetic images."""

    kind: Literal["gradient"]
    distance: Literal["squared", "l1", "channel_mean", "cosine"]
    """`squared` and `l1` sum over elements (IDC), `channel_mean` absolute differences averaged
    within each output row (IDC's `l1_mean`); `cosine` sums 1 - cos over output rows (DC)."""
    parameters: Literal["kernels", "matrices", "all"] = "kernels"
    """`kernels`: convolutions only (IDC); `matrices`: every tensor of 2 or more dimensions (DC)."""
    real_batch: Count = 64
    """Real images per class and step."""
    max_views: Count = 128
    """Synthetic images (after decoding) per class and step; a fresh random subset when more."""
    batch_norm: Literal["batch", "frozen"] | None = None
    """Statistics of batch norm while gradients are taken, to be chosen where a network has any:
    those of each `batch`, which holds one class, or `frozen` ones, which 16 real images a class
    move before each inner step (DC's code)."""


class TrajectoryMatcherSpec(SpecModel):
    """Match where a student trained on the set ends with where an expert went (MTT).

    The loss is the squared distance of the student's last parameters to the expert's, over that
    of the expert's start to its end. The student's steps are those of `inner: {kind: unrolled}`,
    the experts a pool with `record: every_epoch`.
    """

    kind: Literal["trajectory"]
    expert_epochs: Count
    """Epochs of the expert that the student is to cover."""
    max_start: Count
    """Epochs at which a student may start: 0 to `max_start` - 1, drawn for each outer loop."""
    gradient: Literal["unrolled", "recomputed", "tesla"] = "unrolled"
    """`unrolled` keeps all graphs, `recomputed` gives the same in less memory, `tesla` drops the
    dependence of later gradients on earlier images, as TESLA's code does."""


class CrossEntropyTermSpec(SpecModel):
    """Add the classification loss of the network on synthetic images (IDM)."""

    weight: Positive
    by_accuracy: bool = True
    """Multiply it by the network's own accuracy on the real batches it was trained on."""


class DistributionMatcherSpec(SpecModel):
    """Match, class by class, the mean features of real and of synthetic images (DM)."""

    kind: Literal["distribution"]
    features: Literal["embedding", "pixels"] = "embedding"
    """`embedding`: what enters the classifier (DM, IDM); `pixels`: the augmented images themselves,
    as they are normalised, without any network (the baseline of DM's Table T6)."""
    statistic: Literal["mean"] = "mean"
    """Squared distance of class means, summed over features."""
    batch_norm: Literal["batch", "running"] = "batch"
    """Statistics of batch norm: of all classes in one batch (DM), or the running ones (IDM)."""
    cross_entropy: CrossEntropyTermSpec | None = None
    """By default there is no such term."""
    real_batch: Count = 256
    """Real images per class and step."""
    max_views: Count | None = None
    """Synthetic images per class and step; by default all."""


ONE_PASS_PIXELS = 2**20
"""Of the images that distribution matching sends through a network in one pass on an accelerator:
4 classes of 256 images of 32 px, whose maps take some 1.5 GB at width 128."""


def classes_together(images: int, size: int) -> int:
    """Return how many classes of so many images of `size` pixels a side share a pass there."""
    return max(1, ONE_PASS_PIXELS // (images * size**2))


class RollSpec(SpecModel):
    """Shift images around their borders by whole pixels, drawn in each axis for a whole batch."""

    low: Offset = 0
    high: Offset

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError("`low` must not exceed `high`")
        return self


class StatisticsMatcherSpec(SpecModel):
    """Match the statistics that trained networks keep in their batch norms (SRe2L, Teddy).

    For each network: `cross_entropy` x classification loss + `batch_norm` x the sum over layers of
    the norms of the differences of mean and of variance. A batch holds one image of each of
    `classes_per_batch` classes; batches are independent of each other. Views are those of
    `augmentation.matching`, one draw for a batch.
    """

    kind: Literal["statistics"]
    models_per_image: Count = 1
    """Different networks of the pool, drawn once for the i-th image of all classes (Teddy: 3)."""
    classes_per_batch: Count = 100
    batch_norm: NonNegative = 0.01
    first_layer: Positive = 1.0
    """Weight of the first batch norm against the others (SRe2L on ImageNet: 10)."""
    cross_entropy: NonNegative = 1.0
    classifier: Literal["each", "ensemble"] | None = None
    """Whose cross-entropy: each network's own (None too), or that of their mean logits (Teddy)."""
    total_variation: NonNegative = 0.0
    """Of the views, with SRe2L's definition: four norms over the whole batch."""
    l2: NonNegative = 0.0
    """Weight of the mean Euclidean norm of a view."""
    roll: RollSpec | None = None
    """After `augmentation.matching`; by default none."""
    keep: Literal["last", "best"] = "last"
    """The images after the last step, or those that had the smallest loss before one."""

    @model_validator(mode="after")
    def _compares(self) -> Self:
        if not (self.batch_norm or self.cross_entropy):
            raise ValueError("`batch_norm` and `cross_entropy` are both 0: nothing is matched")
        return self


MatcherSpec = Annotated[
    GradientMatcherSpec | TrajectoryMatcherSpec | DistributionMatcherSpec | StatisticsMatcherSpec,
    Field(discriminator="kind"),
]
