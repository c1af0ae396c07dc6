"""Works: what a stage asks of a runner, one class per kind.

A work holds everything that can change the output, and nothing else. `revision` is raised whenever
the numerics of a kind change; golden numeric tests force the bump.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ddspec.canon import Digest
from ddspec.spec.augmentation import AugmentationSpec
from ddspec.spec.base import Count
from ddspec.spec.method import (
    MAX_LOOPS,
    AnyUpdateSpec,
    ExpertLabelsSpec,
    FreshPoolSpec,
    InitSpec,
    InnerSpec,
    LearnedLabelsSpec,
    MatcherSpec,
    OnlinePoolSpec,
    ParameterizationSpec,
    StatisticsMatcherSpec,
)
from ddspec.spec.network import NetworkSpec
from ddspec.wire.imported import ImportWork
from ddspec.wire.judging import EvaluateWork, RelabelWork, Teachers
from ddspec.wire.model import Precision, WorkModel
from ddspec.wire.networks import CheckpointWork, PretrainWork, PruneWork
from ddspec.wire.schedule import Schedule, Seed


class SourceModel(BaseModel):
    """Which images and labels: by content and rule, never by path."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """`digits`, `mnist`, …, or `folder` for any class-per-folder tree."""
    content: Digest
    """Published checksum of a built-in set, or digest of the lock of a folder."""
    classes: tuple[str, ...]
    """Class names in label order (folder names for a folder)."""
    size: int
    channels: int
    validation: float
    """Fraction of each class of the training split that is held out for choices."""
    holdout: float = 0.0
    """Fraction of each class that is the test split, where the source has no split of its own."""
    mean: tuple[float, ...] | None = None
    """Published per-channel mean in [0, 1]; None is computed from the training split."""
    std: tuple[float, ...] | None = None
    corrupt: int | None = None
    """Images of a split that may be undecodable and are left out; None is none."""


class PrepareWork(WorkModel):
    """Decode one split of a dataset into a memory-mapped uint8 tensor.

    Writes `images.npy` uint8 [N, C, H, W], `labels.npy` int64 [N], both ordered by class, then by
    source order; and `dataset.json`. `train` leaves out what validation holds out.
    """

    kind: Literal["prepare"] = "prepare"
    revision: Literal[1] = 1
    source: SourceModel
    split: Literal["train", "validation", "test"]


class ClassRange(BaseModel):
    """A shard: classes start..stop-1 of all `of` classes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: int
    stop: int
    of: int


class DistillWork(WorkModel):
    """Run outer loops start..stop-1 and publish the synthetic set.

    Inputs: `train`, `pool/0` … `pool/N-1` unless `networks` says otherwise, and `previous` (the
    segment before) where start > 0. Of pool inputs with S recorded networks each, member m of the
    schedule is number m % S of input m // S; experts are inputs whole.
    Writes the files of a synthetic set and `state.safetensors`, where the next segment goes on.
    """

    kind: Literal["distill"] = "distill"
    revision: Literal[1] = 1
    network: NetworkSpec
    images_per_class: Count
    classes: ClassRange | None = None
    """The shard; None is all classes."""
    start: Annotated[int, Field(ge=0, le=MAX_LOOPS)]
    stop: Annotated[int, Field(ge=1, le=MAX_LOOPS)]
    inner_steps: Count
    schedule: Schedule
    schedule_digest: Digest
    """Of the rows that are read; the runner draws them again and compares."""
    inner: InnerSpec
    matcher: MatcherSpec
    matching_augmentation: AugmentationSpec
    training_augmentation: AugmentationSpec
    cutmix: float
    parameterization: ParameterizationSpec
    init: InitSpec
    update: AnyUpdateSpec
    """Its learning rate is the effective one: `scaling` is resolved to `none` by the planner."""
    seed: Seed
    """Root of the streams of draws; `init` draws under (*seed, "init")."""
    precision: Precision
    networks: Annotated[FreshPoolSpec | OnlinePoolSpec, Field(discriminator="kind")] | None = None
    """Networks that no stage makes; None are those of the inputs."""
    record: tuple[int, ...] | None = None
    """Epochs at which each pool input was recorded; None is one network an input."""
    labels: Annotated[LearnedLabelsSpec | ExpertLabelsSpec, Field(discriminator="kind")] | None = (
        None
    )
    """Labels that distillation makes; None are those of the classes."""
    loops: int | None = None
    """All outer loops of the chain, where the learning rate of the images depends on it."""

    @property
    def rows(self) -> range:
        """Rows of the schedule that are read here."""
        return rows_read(self.matcher, self.images_per_class, self.start, self.stop)


def rows_read(matcher: MatcherSpec, images_per_class: int, start: int, stop: int) -> range:
    """Return the rows of a schedule that outer loops start..stop-1 read: one each.

    Under statistics matching one for each network of each image index, in every outer loop.
    """
    if isinstance(matcher, StatisticsMatcherSpec):
        return range(images_per_class * matcher.models_per_image)
    return range(start, stop)


class RandomSelection(BaseModel):
    """Random real images of each class, without replacement."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["random"] = "random"


class InitSelection(BaseModel):
    """The synthetic set as it is before learning: the same draw as `distill` starts from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["init"] = "init"
    parameterization: ParameterizationSpec
    init: InitSpec


class HerdingSelection(BaseModel):
    """Real images of each class whose mean feature approaches that of the class."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["herding"] = "herding"
    network: NetworkSpec
    """Of the input `network`: whose features they are."""


class KCenterSelection(BaseModel):
    """Real images of each class that leave no other one far, begun with the most central one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["k_center"] = "k_center"
    network: NetworkSpec
    """Of the input `network`: whose features they are."""


class ForgettingSelection(BaseModel):
    """Real images of each class that were forgotten most often while `network` was trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["forgetting"] = "forgetting"


Selection = Annotated[
    RandomSelection | InitSelection | HerdingSelection | KCenterSelection | ForgettingSelection,
    Field(discriminator="kind"),
]


class SelectWork(WorkModel):
    """Choose a set instead of learning one. Writes a synthetic set.

    Inputs: `train`; `network`, trained with `events`, where its features or events choose.
    """

    kind: Literal["select"] = "select"
    revision: Literal[1] = 1
    selection: Selection
    images_per_class: Count
    seed: Seed


class MergeWork(WorkModel):
    """Join class shards into the set that an unsharded distillation would have published.

    Inputs: `shard/0` …. The output is published under the key of the unsharded stage.
    """

    kind: Literal["merge"] = "merge"
    revision: Literal[1] = 1
    shards: Count


class RoundWork(WorkModel):
    """Turn a set into the images that it is used as, in 8 bits. Writes a synthetic set of pixels.

    Input: `set`, whole. Values become multiples of 1/255, limited to [0, 1]; labels that lie with
    the set stay as they are, each decoded image with those of the one that it came from.
    """

    kind: Literal["round"] = "round"
    revision: Literal[1] = 1


Work = Annotated[
    PrepareWork
    | PretrainWork
    | CheckpointWork
    | PruneWork
    | DistillWork
    | ImportWork
    | SelectWork
    | MergeWork
    | RoundWork
    | RelabelWork
    | EvaluateWork,
    Field(discriminator="kind"),
]

__all__ = [
    "CheckpointWork",
    "ClassRange",
    "DistillWork",
    "EvaluateWork",
    "ForgettingSelection",
    "HerdingSelection",
    "ImportWork",
    "InitSelection",
    "KCenterSelection",
    "MergeWork",
    "Precision",
    "PrepareWork",
    "PretrainWork",
    "PruneWork",
    "RandomSelection",
    "RelabelWork",
    "RoundWork",
    "SelectWork",
    "Selection",
    "SourceModel",
    "Teachers",
    "Work",
    "WorkModel",
    "rows_read",
]
