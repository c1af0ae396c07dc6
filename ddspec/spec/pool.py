"""Where networks start: recorded, fresh, cut down, given, or kept in a queue."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from ddspec.spec.augmentation import AugmentationSpec
from ddspec.spec.base import Count, Fraction, Natural, NonNegative, Positive, SpecModel, Text
from ddspec.spec.optimizer import DecaySpec, OptimizerSpec, SgdSpec

RecordPrecision = Literal["float32", "bfloat16"]
Models = Annotated[int, Field(strict=True, ge=1, le=1000)]
MOST_RECORDED = 2_000
"""Networks of a run: a plan lists the epoch of each, for every run."""


class VarySpec(SpecModel):
    """How pool members differ besides their seed: member i takes entry i, cycling."""

    learning_rate: tuple[Positive, ...] = ()
    augmentation: tuple[AugmentationSpec, ...] = ()


class RecordRangeSpec(SpecModel):
    """Record the network after epochs `first`, `first + every`, … up to `last`."""

    every: Count = 1
    first: Natural = 0
    """0 is the network before training."""
    last: Natural | None = None
    """By default the pool's `epochs`."""


class SharpnessSpec(SpecModel):
    """Train towards flat minima by GSAM (Zhuang et al., ICLR 2022), as FTD trains its experts."""

    rho: Positive = 0.01
    """Radius of the ascent step."""
    alpha: NonNegative = 0.4
    """Weight of the gradient's part that is orthogonal to the perturbed one."""
    adaptive: bool = True
    """Scale the ascent step by the size of each parameter."""


class RecordedPoolSpec(SpecModel):
    """Networks recorded early in training on real data (Acc-DD section 4.2); 0 epochs is random.

    Expert trajectories are runs with `record: every_epoch`; converged networks are those after
    many epochs.
    """

    kind: Literal["recorded"]
    models: Models = 5
    """Training runs; each gives one network, or as many as `record` says."""
    epochs: Natural = 2
    """The snapshot taken; never chosen by looking at a test split."""
    batch: Count = 64
    optimizer: OptimizerSpec = Field(default_factory=SgdSpec)
    decay: DecaySpec | None = None
    vary: VarySpec = Field(default_factory=VarySpec)
    record: Literal["last", "every_epoch"] | RecordRangeSpec | None = None
    """Which networks of a run are kept, 2,000 at most; by default `last`. `every_epoch` begins with
    epoch 0."""
    augmentation: AugmentationSpec | None = None
    """What training images go through; by default `augmentation.training`."""
    cutmix: Fraction | None = None
    """Probability of CutMix; by default `augmentation.cutmix`."""
    sharpness: SharpnessSpec | None = None
    """By default plain steps."""
    record_precision: RecordPrecision | None = None
    """Of the files, by default that of training; `bfloat16` halves them and keeps 8 binary digits
    of every number."""

    @model_validator(mode="after")
    def _countable(self) -> Self:
        if (count := len(self._recorded())) > MOST_RECORDED:
            raise ValueError(
                f"`record` keeps {count:,} networks of a run, {MOST_RECORDED:,} are the most"
            )
        return self

    def epochs_recorded(self) -> tuple[int, ...]:
        """Return the epochs after which a run is recorded, in order."""
        return tuple(self._recorded())

    def _recorded(self) -> range:
        match self.record:
            case None | "last":
                return range(self.epochs, self.epochs + 1)
            case "every_epoch":
                return range(self.epochs + 1)
            case RecordRangeSpec() as span:
                last = self.epochs if span.last is None else span.last
                return range(span.first, last + 1, span.every)


class FreshPoolSpec(SpecModel):
    """A new random network for every outer loop, drawn from the seed when it is needed.

    What DC, DSA, DM and IDC do; a `recorded` pool of 0 epochs holds a few random networks instead.
    """

    kind: Literal["fresh"]


class OnlinePoolSpec(SpecModel):
    """A queue of networks that lives across outer loops and is trained on real data (IDM).

    Each outer loop one network of it is drawn; the oldest leaves when there are more than `most`.
    """

    kind: Literal["online"]
    start: Models = 3
    """Random networks in the queue before the first outer loop."""
    every: Count = 30
    """Outer loops between two new random networks."""
    most: Models = 100
    trained: Count = 2
    """Networks, drawn at random, that are trained in each outer loop."""
    steps: Count = 10
    """Mini-batches that each of them takes."""
    batch: Count = 256
    optimizer: OptimizerSpec = Field(default_factory=SgdSpec)

    @model_validator(mode="after")
    def _started(self) -> Self:
        if self.start > self.most:
            raise ValueError("`start` must not exceed `most`")
        return self


class TorchvisionWeightsSpec(SpecModel):
    """Weights that torchvision publishes for the architecture of `network`, by their name."""

    kind: Literal["torchvision"]
    weights: Literal["imagenet1k_v1"] = "imagenet1k_v1"
    """The file lies under the data directory, where `torch.hub` would have put it."""


class FileWeightsSpec(SpecModel):
    """Weights in a file of one's own: a safetensors file, or one that torch loads weights from."""

    kind: Literal["file"]
    path: Text
    """File under the data directory; a location, so no part of the identity."""
    sha256: Annotated[str, Field(strict=True, pattern=r"^[0-9a-f]{64}$")]
    """Digest of the file; another file is refused."""


WeightsSpec: TypeAlias = Annotated[
    TorchvisionWeightsSpec | FileWeightsSpec, Field(discriminator="kind")
]


class CheckpointsPoolSpec(SpecModel):
    """Networks that were trained elsewhere."""

    kind: Literal["checkpoints"]
    weights: Annotated[tuple[WeightsSpec, ...], Field(min_length=1, max_length=1000)]
    """One network each."""

    @property
    def models(self) -> int:
        """How many networks there are."""
        return len(self.weights)


class TrainedSourceSpec(SpecModel):
    """The converged network that others are cut from is trained here, on the training split."""

    kind: Literal["trained"]
    epochs: Count
    batch: Count = 64
    optimizer: OptimizerSpec = Field(default_factory=SgdSpec)
    decay: DecaySpec | None = None
    augmentation: AugmentationSpec | None = None
    """By default `augmentation.training`."""


ConvergedSpec = Annotated[
    TrainedSourceSpec | TorchvisionWeightsSpec | FileWeightsSpec, Field(discriminator="kind")
]


class PrunedPoolSpec(SpecModel):
    """Networks cut from a converged one by structured random pruning (Teddy, posterior pool).

    At least one of the targets is given; the network is cut until it meets them all.
    """

    kind: Literal["pruned"]
    models: Models = 10
    converged: ConvergedSpec
    """The network that they are cut from."""
    flops: Positive | None = None
    """Multiply-accumulate operations of one image that are left, at most; ResNet-18 has 1.8e9."""
    parameters: Count | None = None
    """Parameters that are left, at most."""
    epochs: Annotated[tuple[Natural, ...], Field(min_length=1)] = (0,)
    """Epochs of fine-tuning; member i takes entry i, cycling."""
    batch: Count = 64
    optimizer: OptimizerSpec = Field(default_factory=SgdSpec)

    @model_validator(mode="after")
    def _targeted(self) -> Self:
        if self.flops is None and self.parameters is None:
            raise ValueError("a pruned pool needs `flops`, `parameters` or both")
        return self


PoolSpec = Annotated[
    RecordedPoolSpec | FreshPoolSpec | OnlinePoolSpec | CheckpointsPoolSpec | PrunedPoolSpec,
    Field(discriminator="kind"),
]
