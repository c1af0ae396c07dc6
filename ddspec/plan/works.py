"""The work of each stage: what the experiment means once defaults and scalings are resolved."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Literal

from ddspec.plan.ir import UNKNOWN, DataFacts
from ddspec.plan.pools import ZCA_EPS, epochs_recorded, schedule_members
from ddspec.plan.soft_labels import soft_labels, teachers_of
from ddspec.presets.protocols import idc_epochs
from ddspec.spec.augmentation import NoAugmentationSpec
from ddspec.spec.baselines import FeaturesSpec, Selected, SetName
from ddspec.spec.dataset import BuiltinDatasetSpec, DatasetSpec, ImageNetSubsetSpec
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.experiment import Experiment
from ddspec.spec.learned import as_used, views_of
from ddspec.spec.method import (
    AnyUpdateSpec,
    ExpertLabelsSpec,
    FreshPoolSpec,
    FrozenInnerSpec,
    GradientMatcherSpec,
    InitSpec,
    LearnedLabelsSpec,
    LoopsSpec,
    MatcherSpec,
    MultiFormationSpec,
    OnlinePoolSpec,
    ParameterizationSpec,
    SoftLabelsSpec,
    StatisticsMatcherSpec,
    TrajectoryMatcherSpec,
)
from ddspec.spec.network import NetworkSpec, network_name, norm_of
from ddspec.wire.schedule import Schedule
from ddspec.wire.work import (
    ClassRange,
    DistillWork,
    EvaluateWork,
    ForgettingSelection,
    HerdingSelection,
    InitSelection,
    KCenterSelection,
    PrepareWork,
    PretrainWork,
    RandomSelection,
    SelectWork,
    SourceModel,
    rows_read,
)

Split = Literal["train", "validation", "test"]


def prepare_work(experiment: Experiment, data: DataFacts, split: Split) -> PrepareWork:
    """Return how one split is decoded."""
    dataset = experiment.dataset
    corrupt = None if isinstance(dataset, BuiltinDatasetSpec) else dataset.corrupt
    source = SourceModel(
        name=data.name,
        content=data.content or UNKNOWN,
        classes=data.classes,
        size=data.size,
        channels=data.channels,
        validation=dataset.validation,
        holdout=data.holdout,
        mean=data.mean,
        std=data.std,
        corrupt=corrupt or None,  # none are allowed by default, so 0 is no other work
    )
    return PrepareWork(source=source, split=split)


def segments(loops: LoopsSpec) -> Iterator[tuple[int, int, str]]:
    """Yield (start, stop, suffix of the label) of each segment; the suffix is empty for one."""
    stops = (*loops.snapshots, loops.outer_loops)
    for start, stop in pairwise((0, *stops)):
        yield start, stop, f"/to-{stop}" if loops.snapshots else ""


def distill_work(experiment: Experiment, data: DataFacts, start: int, stop: int) -> DistillWork:
    """Return the segment start..stop-1 over all classes.

    The total number of loops is in it only where the learning rate depends on it, and what training
    images go through only where networks are trained on the way.
    """
    schedule = schedule_law(experiment)
    pool, labels, update = experiment.pool, experiment.labels, experiment.update
    drawn = isinstance(pool, FreshPoolSpec | OnlinePoolSpec)
    frozen = isinstance(experiment.inner, FrozenInnerSpec)
    trains = not frozen or isinstance(pool, OnlinePoolSpec)
    augmentation = experiment.augmentation
    images, matcher = experiment.budget.images_per_class, effective_matcher(experiment)
    rows = rows_read(matcher, images, start, stop)
    return DistillWork(
        network=experiment.network,
        images_per_class=images,
        start=start,
        stop=stop,
        inner_steps=experiment.loops.inner_steps,
        schedule=schedule,
        schedule_digest=schedule.digest(rows.start, rows.stop),
        inner=experiment.inner,
        matcher=matcher,
        matching_augmentation=augmentation.matching,
        training_augmentation=augmentation.training if trains else NoAugmentationSpec(),
        cutmix=augmentation.cutmix if trains else 0.0,
        parameterization=effective_shape(experiment),
        init=effective_init(experiment.init),
        update=effective_update(experiment, data),
        seed=(experiment.seed, "distill"),
        precision=experiment.precision,
        networks=pool if drawn else None,
        record=epochs_recorded(experiment),
        labels=labels if isinstance(labels, LearnedLabelsSpec | ExpertLabelsSpec) else None,
        loops=None if update.decay is None else experiment.loops.outer_loops,
    )


def schedule_law(experiment: Experiment) -> Schedule:
    """Return the law by which each outer loop picks a network and where a student starts.

    Under statistics matching each image index picks its networks.
    """
    matcher = experiment.matcher
    several = matcher.models_per_image if isinstance(matcher, StatisticsMatcherSpec) else 1
    return Schedule(
        seed=(experiment.seed, "schedule"),
        members=schedule_members(experiment),
        perturbation=experiment.perturbation,
        starts=matcher.max_start if isinstance(matcher, TrajectoryMatcherSpec) else None,
        apart=several if several > 1 else None,
    )


def shard_ranges(classes: int, shards: int) -> tuple[ClassRange, ...]:
    """Return contiguous shards of all classes whose sizes differ by at most one."""
    bounds = [classes * i // shards for i in range(shards + 1)]
    return tuple(ClassRange(start=start, stop=stop, of=classes) for start, stop in pairwise(bounds))


def random_work(experiment: Experiment, repeat: int) -> SelectWork:
    """Return the draw of real images of one repeat of the random baseline."""
    return SelectWork(
        selection=RandomSelection(),
        images_per_class=experiment.budget.images_per_class,
        seed=(experiment.seed, "select", "random", repeat),
    )


def features_work(experiment: Experiment) -> PretrainWork:
    """Return how the network is trained by whose features and events images are chosen.

    It depends on no method, so that specs of all methods share it; events are always recorded,
    so that another baseline finds the network there.
    """
    features = experiment.evaluate.baselines.features or FeaturesSpec()
    return PretrainWork(
        network=experiment.network,
        epochs=features.epochs,
        batch=features.batch,
        optimizer=features.optimizer,
        decay=features.decay,
        augmentation=features.augmentation,
        cutmix=0.0,
        seed=(experiment.seed, "select", "features"),
        precision=experiment.precision,
        events=True,
    )


def selected_work(experiment: Experiment, set_name: Selected) -> SelectWork:
    """Return the choice of real images by a trained network."""
    selection: HerdingSelection | KCenterSelection | ForgettingSelection
    match set_name:
        case "herding":
            selection = HerdingSelection(network=experiment.network)
        case "k_center":
            selection = KCenterSelection(network=experiment.network)
        case "forgetting":
            selection = ForgettingSelection()
    return SelectWork(
        selection=selection,
        images_per_class=experiment.budget.images_per_class,
        seed=(experiment.seed, "select", set_name),
    )


def init_work(experiment: Experiment) -> SelectWork:
    """Return the selection that reproduces where distillation starts: the same seed, the same set.

    Both tasks draw under (*seed, "init").
    """
    return SelectWork(
        selection=InitSelection(
            parameterization=effective_shape(experiment), init=effective_init(experiment.init)
        ),
        images_per_class=experiment.budget.images_per_class,
        seed=(experiment.seed, "distill"),
    )


def evaluate_work(
    experiment: Experiment,
    data: DataFacts,
    protocol: ProtocolSpec,
    network: NetworkSpec,
    *,
    set_name: SetName,
    repeat: int,
) -> EvaluateWork:
    """Return one training of a fresh network on a set, with epochs as a number."""
    soft = soft_labels(experiment) if set_name != "random_hard" else None
    return EvaluateWork(
        network=network,
        protocol=resolved(
            untaught(protocol) if set_name == "random_hard" else protocol,
            views_per_class(experiment, data, set_name),
            data,
        ),
        on_real=set_name == "full",
        seed=(experiment.seed, "evaluate", set_name, network_name(network), repeat),
        precision=experiment.precision,
        teachers=teachers_of(experiment) if soft and asks_online(soft, set_name) else None,
        best_on_validation=experiment.evaluate.best_on_validation,
    )


def untaught(protocol: ProtocolSpec) -> ProtocolSpec:
    """Return a protocol that learns from hard labels and is otherwise the same."""
    return protocol.model_copy(update={"teaching": None})


def asks_online(soft: SoftLabelsSpec, set_name: SetName) -> bool:
    """Tell whether teachers label while a student is trained; real images are never stored."""
    return soft.stored == "online" or set_name == "full"


def networks_of(experiment: Experiment) -> tuple[NetworkSpec, ...]:
    """Return the networks that judge the set."""
    return experiment.evaluate.networks or (experiment.network,)


def factor_of(experiment: Experiment) -> int:
    """Return the multi-formation factor; 1 where images are learned as they are."""
    shape = experiment.parameterization
    return shape.factor if isinstance(shape, MultiFormationSpec) else 1


def views_per_class(experiment: Experiment, data: DataFacts, set_name: SetName) -> int:
    """Return the decoded images a class of a set; for `full`, the mean over the classes."""
    budget = experiment.budget.images_per_class
    match set_name:
        case "distilled" | "init":
            return views_of(as_used(experiment.parameterization), budget)
        case "random" | "random_hard" | "herding" | "k_center" | "forgetting":
            return budget
        case "full":
            return (data.train or 0) // max(1, len(data.classes))


def base_size(dataset: DatasetSpec, size: int) -> int:
    """Return the side at which IDC's image learning rates are given (official code of IDC).

    28 for MNIST, but 32 for every other small set, Fashion-MNIST included; 224 for ImageNet, and
    here for folders of more than 128 pixels.
    """
    if isinstance(dataset, BuiltinDatasetSpec):
        return 28 if dataset.kind == "mnist" else 32
    return 224 if isinstance(dataset, ImageNetSubsetSpec) or size > 128 else 32


def effective_update(experiment: Experiment, data: DataFacts) -> AnyUpdateSpec:
    """Return the update with `scaling` worked out, in exact arithmetic and rounded once."""
    update = experiment.update
    if update.scaling == "none":
        return update
    scale = Fraction(experiment.budget.images_per_class, 10)
    scale *= Fraction(data.size, base_size(experiment.dataset, data.size)) ** 2
    rate = float(Fraction(repr(update.learning_rate)) * scale)
    return update.model_copy(update={"learning_rate": rate, "scaling": "none"})


def effective_matcher(experiment: Experiment) -> MatcherSpec:
    """Return the matcher without a word on batch norm where it says nothing new."""
    matcher = experiment.matcher
    if not isinstance(matcher, GradientMatcherSpec) or matcher.batch_norm is None:
        return matcher
    frozen = matcher.batch_norm == "frozen" and norm_of(experiment.network) == "batch"
    return matcher if frozen else matcher.model_copy(update={"batch_norm": None})


def effective_init(init: InitSpec) -> InitSpec:
    """Return the start without the choice of real images where none are used."""
    return InitSpec(kind="noise") if init.kind == "noise" else init


def effective_shape(experiment: Experiment) -> ParameterizationSpec:
    """Return the parameterisation with the default of its space written out, others left out."""
    shape = experiment.parameterization
    if isinstance(shape, MultiFormationSpec):
        shape = _plainly_formed(shape)
    if shape.space != "zca" or shape.zca_eps is not None:
        return shape
    return shape.model_copy(update={"zca_eps": ZCA_EPS})


def _plainly_formed(shape: MultiFormationSpec) -> MultiFormationSpec:
    """Return a formation without what says no more than the default."""
    decode = None if shape.decode == "single" or shape.factor == 1 else shape.decode
    used = None if (shape.used or "single") == (decode or "single") else shape.used
    return shape.model_copy(update={"decode": decode, "used": used})


def resolved(protocol: ProtocolSpec, views: int, data: DataFacts) -> ProtocolSpec:
    """Return a protocol with its epochs as a number, for a set of `views` images a class."""
    if protocol.epochs != "idc_by_size":
        return protocol
    epochs = idc_epochs(views_per_class=views, classes=len(data.classes))
    return protocol.model_copy(update={"epochs": epochs})
