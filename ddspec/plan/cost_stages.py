"""What each kind of stage takes, in one experiment."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ddspec.plan import cost_disk as disk
from ddspec.plan.cost_distill import Distilling
from ddspec.plan.cost_networks import NetworkCost, network_cost
from ddspec.plan.cost_sets import learned_bytes, queue_bytes
from ddspec.plan.cost_tally import WIDTHS, Tally, predicted, trained
from ddspec.plan.ir import DataFacts, Plan
from ddspec.spec.baselines import REAL
from ddspec.spec.learned import as_used, views_of
from ddspec.spec.method import (
    ExpertLabelsSpec,
    FreshPoolSpec,
    LearnedLabelsSpec,
    OnlinePoolSpec,
    PrunedPoolSpec,
    SoftLabelsSpec,
)
from ddspec.spec.network import NetworkSpec
from ddspec.wire.work import (
    CheckpointWork,
    DistillWork,
    EvaluateWork,
    HerdingSelection,
    ImportWork,
    InitSelection,
    KCenterSelection,
    Precision,
    PrepareWork,
    PretrainWork,
    PruneWork,
    RelabelWork,
    SelectWork,
    Teachers,
)

PARAMETER_COPIES = 4
"""Parameters, gradients, momentum and the update."""
TEST_BATCH = 128
"""Images that are classified at once, as runners do."""
RESIDENT_BYTES = 8 * 2**30
"""Splits up to this size are counted as held by an accelerator while networks are trained on them:
runners hold those of at most a quarter of its free memory, and which device it is the plan leaves
open."""
CHOSEN = 8
"""Kernels for each image that herding or k-center chooses: distances and the least of them."""
REAL_BYTES = 512 * 2**20
"""Real images that an evaluation trains on lie there as numbers up to this size."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one stage takes; None where the images or classes of the dataset are not known."""

    flops: int | None = 0
    """Floating-point operations of networks; decoding and copying count as none."""
    output_bytes: int | None = 0
    memory_bytes: int = 0
    """Tensors at their peak: networks, what backward passes keep, images that stay on the device;
    neither the engine itself nor what its libraries set aside."""
    resident_bytes: int = 0
    """Part of it that only an accelerator holds: images, which a CPU maps from disk, and classes
    that share a pass there."""
    parameters: int = 0
    """Of the network that the stage trains or learns with."""
    traffic_bytes: int = 0
    """What kernels read and write, one after the other; for forecasts alone."""
    kernels: int = 0
    """Kernels that are started; for forecasts alone."""
    images: int | None = 0
    """Images that are decoded."""
    precision: Precision = "float32"


@dataclass(frozen=True, slots=True)
class Counting:
    """Counts over the works of a plan of one variant."""

    plan: Plan

    @property
    def data(self) -> DataFacts:
        """The dataset."""
        return self.plan.data

    def network(self, network: NetworkSpec) -> NetworkCost:
        """Return the cost of a network for the images and classes of the dataset."""
        data = self.data
        return network_cost(
            network, channels=data.channels, size=data.size, classes=max(1, len(data.classes))
        )

    def prepare(self, work: PrepareWork) -> Cost:
        """Count what decoding one split takes."""
        images = self.split_images(work.split)
        if images is None:
            return Cost(flops=0, output_bytes=None, images=None)
        return Cost(output_bytes=disk.split_bytes(self.data, images), images=images)

    def pretrain(self, work: PretrainWork) -> Cost:
        """Count a training on the training split."""
        network = self.network(work.network)
        kept = 1 if work.record is None else len(work.record)
        ascents = 2 if work.sharpness else 1  # GSAM takes the gradient at two points
        mixed = work.augmentation.kind != "none" or work.cutmix > 0
        tally = self._epochs(network, work.epochs * ascents, work.batch, augmented=mixed)
        return _cost(
            tally,
            network,
            work.precision,
            self.trainee_bytes(network, work.batch, work.precision)
            + self._whitening(work.zca is not None, work.precision),
            resident_bytes=self.resident_bytes(),
            output_bytes=kept * disk.network_bytes(network, _recorded_width(work))
            + (disk.events_bytes(self.data) if work.events else 0),
        )

    def checkpoint(self, work: CheckpointWork) -> Cost:
        """Count a network that is copied."""
        network = self.network(work.network)
        size = disk.network_bytes(network, _width(work.precision))
        return Cost(output_bytes=size, parameters=network.parameters)

    def prune(self, work: PruneWork) -> Cost:
        """Count the fine-tuning of what is left."""
        left = self.network(work.network).cut(work.flops, work.parameters)
        return _cost(
            self._epochs(left, work.epochs, work.batch, augmented=True),
            left,
            work.precision,
            self.trainee_bytes(left, work.batch, work.precision),
            resident_bytes=self.resident_bytes(),
            output_bytes=disk.network_bytes(left, _width(work.precision)),
        )

    def _of_pool(self, network: NetworkSpec) -> NetworkCost:
        """Return the cost of a network of the pool, which may have been cut."""
        pool, whole = self.plan.experiment.pool, self.network(network)
        return whole.cut(pool.flops, pool.parameters) if isinstance(pool, PrunedPoolSpec) else whole

    def _epochs(
        self, network: NetworkCost, epochs: int, batch: int, *, augmented: bool
    ) -> Tally | None:
        """Return training on the training split; an incomplete last batch is left out."""
        images = self.data.train
        if images is None:
            return None
        batches = max(1, images // batch)
        once = trained(network, batches * min(images, batch), batches, augmented=augmented)
        return once * epochs

    def distilling(self, work: DistillWork) -> Distilling:
        """Return the counts of a distillation."""
        return Distilling(work, self.data, self._of_pool(work.network))

    def distill(self, work: DistillWork) -> Cost:
        """Count some outer loops."""
        count = self.distilling(work)
        loop = count.loop()
        return _cost(
            None if loop is None else loop * (work.stop - work.start),
            count.network,
            work.precision,
            _width(work.precision) * count.memory()
            + self._whitening(work.parameterization.space == "zca", work.precision),
            resident_bytes=self.resident_bytes() + _width(work.precision) * count.shared_numbers(),
            output_bytes=self.learned_bytes(work.network, count.classes, work.start, work.stop),
        )

    def evaluate(self, work: EvaluateWork) -> Cost:
        """Count a training on a set, and the test."""
        network = self.network(work.network)
        tested = self.split_images(self.plan.experiment.evaluate.on)
        images = self.data.train if work.on_real else self._images_of(work)
        width, protocol = _width(work.precision), work.protocol
        parts = protocol.accumulate or 1
        at_once = -(-min(protocol.batch, images or protocol.batch) // parts)
        memory = self.trainee_bytes(network, at_once, work.precision)
        memory = max(memory, width * TEST_BATCH * network.forward)
        memory += self._whitening(protocol.zca is not None, work.precision)
        if tested is None or images is None:
            return _cost(None, network, work.precision, memory, output_bytes=None)
        epochs = protocol.epochs if isinstance(protocol.epochs, int) else None
        passed, batches = _passed(epochs, protocol.steps, protocol.batch, images)
        mixed = protocol.augmentation.kind != "none" or protocol.cutmix > 0 or bool(protocol.mixup)
        tally = trained(network, passed, batches * parts, augmented=mixed)
        tally += predicted(network, tested, TEST_BATCH)
        if work.best_on_validation is not None:
            tally += predicted(network, tested, TEST_BATCH)  # the best network besides the last
            looks = min(work.best_on_validation, batches)
            tally += predicted(network, self.data.validation or 0, TEST_BATCH) * looks
        if work.teachers is not None:
            tally += self._taught(work.teachers, passed, protocol.batch)
            teacher = self._of_pool(work.teachers.network)
            memory += width * self._asked(work.teachers) * teacher.parameters
            memory += width * min(protocol.batch, images) * teacher.forward
        examples = width * images * self.image_floats()
        held = 0 if work.on_real and examples > REAL_BYTES else examples
        written = disk.figures_bytes(self.data, batches)
        return _cost(tally, network, work.precision, memory + held, output_bytes=written)

    def relabel(self, work: RelabelWork) -> Cost:
        """Count what teachers say of all views of a set."""
        teacher = self._of_pool(work.teachers.network)
        images = self._images_of(work)
        views, batches = _passed(work.epochs, work.steps, work.batch, images)
        labels = disk.labels_bytes(self.data, work, views, batches)
        known = bool(self.data.classes)
        taught = self._taught(work.teachers, views, max(1, views // max(1, batches)))
        return _cost(
            taught if known else None,
            teacher,
            work.precision,
            _width(work.precision)
            * (
                self._asked(work.teachers) * teacher.parameters
                + min(work.batch, images or work.batch) * teacher.forward
                + images * self.image_floats()
            )
            + self._whitening(work.zca is not None, work.precision),
            output_bytes=labels if known else None,
        )

    def _taught(self, teachers: Teachers, images: int, batch: int) -> Tally:
        network = self._of_pool(teachers.network)
        return predicted(network, images, batch) * self._asked(teachers)

    def _asked(self, teachers: Teachers) -> int:
        """Return how many networks say what an image shows."""
        labels, pool = self.plan.experiment.labels, self.plan.experiment.pool
        several = isinstance(labels, SoftLabelsSpec) and labels.teachers == "pool"
        inputs = 1
        if several and not isinstance(pool, FreshPoolSpec | OnlinePoolSpec):
            inputs = pool.models
        return inputs * (1 if teachers.record is None else len(teachers.record))

    def split_images(self, split: str) -> int | None:
        """Return how many images a split has."""
        data = self.data
        return {"train": data.train, "validation": data.validation}.get(split, data.test)

    def _images_of(self, work: EvaluateWork | RelabelWork) -> int:
        """Return the decoded images of the set that a work is about.

        Its seed path names it: (seed, "evaluate", set, network, repeat).
        """
        experiment = self.plan.experiment
        images = experiment.budget.images_per_class
        if REAL.isdisjoint(map(str, work.seed)):
            images = views_of(as_used(experiment.parameterization), images)
        return images * len(self.data.classes)

    def trainee_bytes(self, network: NetworkCost, images: int, precision: Precision) -> int:
        """Return what training a network on batches of so many images holds."""
        return _width(precision) * (PARAMETER_COPIES * network.parameters + images * network.kept)

    def _whitening(self, there: bool, precision: Precision) -> int:
        """Return what the transform and its inverse take beside a network."""
        return disk.whitening_bytes(self.data, _width(precision)) if there else 0

    def resident_bytes(self) -> int:
        """Return what the training split takes where it lies on the device."""
        size = (self.data.train or 0) * self.image_floats()
        return size if size <= RESIDENT_BYTES else 0

    def image_floats(self) -> int:
        """Return the numbers of one image."""
        return self.data.channels * self.data.size**2

    def select(self, work: SelectWork) -> Cost:
        """Count a choice of images, which are kept in float32 at any precision."""
        size = None
        if self.data.classes:
            size = disk.set_bytes(self.data, len(self.data.classes), work.images_per_class, 4)
            size += disk.RESULT
        match work.selection:
            case InitSelection(parameterization=shape) if size and shape.space == "zca":
                return Cost(output_bytes=size + disk.whitening_bytes(self.data, 4))
            case HerdingSelection(network=spec) | KCenterSelection(network=spec):
                network, images = self.network(spec), self.data.train
                chosen = work.images_per_class * len(self.data.classes)
                tally = None
                if images is not None:
                    tally = predicted(network, images, TEST_BATCH) + Tally(kernels=CHOSEN * chosen)
                precision = self.plan.experiment.precision
                held = _width(precision) * (network.parameters + TEST_BATCH * network.forward)
                return _cost(tally, network, precision, held, output_bytes=size)
            case _:
                return Cost(output_bytes=size)

    def imported(self, work: ImportWork) -> Cost:
        """Count a set that is copied from files, with the whitening that it was made in."""
        classes, images = len(self.data.classes), work.images_per_class
        if not classes:
            return Cost(output_bytes=None)
        size = disk.set_bytes(self.data, classes, images, 4) + disk.RESULT
        if work.labels is not None:
            size += disk.soft_bytes(classes, classes * images, 4)
        whitened = work.parameterization.space == "zca"
        return Cost(output_bytes=size + (disk.whitening_bytes(self.data, 4) if whitened else 0))

    def merge(self) -> Cost:
        """Count the joining of shards."""
        experiment = self.plan.experiment
        classes, loops = len(self.data.classes), experiment.loops.outer_loops
        written = self.learned_bytes(experiment.network, classes, 0, loops)
        return Cost(output_bytes=written)

    def rounding(self) -> Cost:
        """Count the decoding of a learned set, whose images are kept at the width they have."""
        experiment, classes = self.plan.experiment, len(self.data.classes)
        images = experiment.budget.images_per_class
        views = views_of(as_used(experiment.parameterization), images)
        width = _width(experiment.precision)
        written = disk.set_bytes(self.data, classes, views, width)
        if isinstance(experiment.labels, LearnedLabelsSpec | ExpertLabelsSpec):
            written += disk.soft_bytes(classes, views * classes, width)
        held = 8 * (images + 2 * views) * self.image_floats()  # of one class, in float64
        return Cost(output_bytes=written + disk.RESULT if classes else None, memory_bytes=held)

    def learned_bytes(
        self, network: NetworkSpec, classes: int, start: int, stop: int
    ) -> int | None:
        """Return what distillation publishes; None where only a lock can tell the classes."""
        if not classes:
            return None
        written = learned_bytes(self.plan.experiment, self.data, classes, start, stop)
        pool = self.plan.experiment.pool
        if isinstance(pool, OnlinePoolSpec):
            width = _width(self.plan.experiment.precision)
            written += queue_bytes(pool, self.network(network), stop, width)
        return written + disk.RESULT


def _cost(
    tally: Tally | None,
    network: NetworkCost,
    precision: Precision,
    memory_bytes: int,
    *,
    output_bytes: int | None,
    resident_bytes: int = 0,
) -> Cost:
    whole = Cost(
        flops=None,
        output_bytes=output_bytes,
        memory_bytes=memory_bytes + resident_bytes,
        resident_bytes=resident_bytes,
        parameters=network.parameters,
        precision=precision,
    )
    if tally is None:
        return whole
    return replace(
        whole,
        flops=tally.flops,
        traffic_bytes=_width(precision) * tally.numbers,
        kernels=tally.kernels,
    )


def _width(precision: Precision) -> int:
    return WIDTHS[precision]


def _recorded_width(work: PretrainWork) -> int:
    return (
        2
        if work.record_precision == "bfloat16"
        else _width(work.record_precision or work.precision)
    )


def _passed(epochs: int | None, steps: int | None, batch: int, images: int) -> tuple[int, int]:
    """Return how many images so many epochs or steps pass, and in how many batches.

    The incomplete last batch of an epoch is kept.
    """
    batches = -(-images // batch)
    if steps is None:
        return images * (epochs or 0), batches * (epochs or 0)
    whole, rest = divmod(steps, max(1, batches))
    return whole * images + min(images, rest * batch), steps
