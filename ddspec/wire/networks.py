"""Works that make networks: trained here, taken over, or cut down."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ddspec.spec.augmentation import AugmentationSpec
from ddspec.spec.base import Count, Fraction, Natural, Positive
from ddspec.spec.network import NetworkSpec
from ddspec.spec.optimizer import DecaySpec, OptimizerSpec
from ddspec.spec.pool import RecordPrecision, SharpnessSpec
from ddspec.wire.model import Precision, WorkModel
from ddspec.wire.schedule import Seed


class PretrainWork(WorkModel):
    """Train one pool member on real data and record its parameters after `epochs` epochs.

    Inputs: `train`. Writes `network.safetensors`, or `epoch-E.safetensors` for each E of `record`;
    and `events.safetensors` where `events` asks for it. Baselines choose by such a network too.
    """

    kind: Literal["pretrain"] = "pretrain"
    revision: Literal[1] = 1
    network: NetworkSpec
    epochs: Natural
    batch: Count
    optimizer: OptimizerSpec
    decay: DecaySpec | None
    augmentation: AugmentationSpec
    cutmix: Fraction
    seed: Seed
    precision: Precision
    record: Annotated[tuple[Natural, ...], Field(min_length=1)] | None = None
    """Epochs after which the network is recorded; None is the last alone."""
    sharpness: SharpnessSpec | None = None
    zca: Positive | None = None
    """Images are whitened with this eps."""
    record_precision: RecordPrecision | None = None
    """Of the numbers in the files; None is that of the training."""
    events: bool | None = None
    """Record of each image how often it was forgotten, and in which epoch it was first learned."""

    @model_validator(mode="after")
    def _reached(self) -> Self:
        if self.record is not None and max(self.record) > self.epochs:
            raise ValueError("`record` names an epoch after the last of the training")
        return self


class CheckpointWork(WorkModel):
    """Take over a network that was trained elsewhere, after comparing its file with a digest.

    No inputs; the job's location says where the file lies. Writes `network.safetensors`.
    """

    kind: Literal["checkpoint"] = "checkpoint"
    revision: Literal[1] = 1
    network: NetworkSpec
    channels: Count
    """Of the images that it takes."""
    size: Count
    """Their side, pixels."""
    classes: Count
    content: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
    """SHA-256 of the file, or as many of its first digits as its publisher gives."""
    precision: Precision


class PruneWork(WorkModel):
    """Cut a network down at random, whole channels at a time, and train it on for some epochs.

    Inputs: `train`, `network`. Writes `network.safetensors` with the channels that are left.
    """

    kind: Literal["prune"] = "prune"
    revision: Literal[1] = 1
    network: NetworkSpec
    flops: Positive | None = None
    """Multiply-accumulate operations of one image that are left at most."""
    parameters: Count | None = None
    epochs: Natural
    batch: Count
    optimizer: OptimizerSpec
    augmentation: AugmentationSpec
    cutmix: Fraction
    seed: Seed
    precision: Precision
    zca: Positive | None = None
    """Images are whitened with this eps."""
