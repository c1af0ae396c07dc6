"""What stages write, in bytes: tensors exactly, what describes them nearly, pictures roughly."""

from __future__ import annotations

from collections.abc import Sequence

from ddspec.plan.cost_networks import NetworkCost
from ddspec.plan.ir import DataFacts
from ddspec.spec.augmentation import (
    AugmentationSpec,
    DcAugmentationSpec,
    DsaSpec,
    IdcAugmentationSpec,
    ImageNetAugmentationSpec,
    NoAugmentationSpec,
    PadCropSpec,
)
from ddspec.wire.judging import RelabelWork

RESULT = 700
"""Of the result and the manifest that come with every output."""
DESCRIBED = 780
"""Of a description in JSON without what grows: classes, figures."""
HEADER = 78
"""Of one tensor's entry in the header of a file of tensors."""
PIXEL = 0.75
"""Of one channel of a pixel in a PNG: smooth images take .5, noisy ones .95."""
ENLARGED = 1.2
"""The same where images of less than 24 pixels are drawn several times as large."""
GRID_SIDE = 8192
"""Pictures of a set are no higher and no wider than so many pixels."""
QUEUE_COUNTS = 3
"""Numbers that a queue keeps of a network's training."""
FIGURES = 320
"""Of what an evaluation says in JSON, without what grows."""
CONFUSION = 9
"""Of one number of the confusion matrix, on a line of its own."""
PER_CLASS = 35
CURVE = 34
"""Of one point of a curve."""
CURVE_POINTS = 200
OPERATIONS = {"color": 3, "crop": 2, "cutout": 4, "flip": 1, "scale": 2, "rotate": 1}
"""Numbers that are drawn for each operation on an image."""
PART = 32 * 2**20
"""Of the logits of one file of recorded labels."""
ENTRIES = 16
"""Tensors of such a file at most, by the entries of its header."""


def split_bytes(data: DataFacts, images: int) -> int:
    """Return what a prepared split takes: a byte a value, a label of 8, a description."""
    return images * (data.channels * data.size**2 + 8) + DESCRIBED + _named(data.classes) + RESULT


def network_bytes(network: NetworkCost, width: int) -> int:
    """Return what one recorded network takes, with the statistics that it keeps."""
    tensors = (4 + 2 * (network.statistics > 0)) * network.layers + 2
    return width * (network.parameters + network.statistics) + HEADER * tensors


def events_bytes(data: DataFacts) -> int:
    """Return what is recorded of a training: two whole numbers of 8 bytes an image."""
    return 16 * (data.train or 0) + 2 * HEADER


def set_bytes(data: DataFacts, classes: int, images_per_class: int, width: int) -> int:
    """Return what a synthetic set takes, its card, a copy of that, and its picture."""
    images = classes * images_per_class
    labels = 8 * images
    described = 2 * (DESCRIBED + _named(data.classes))
    values = images * data.channels * data.size**2
    return width * values + labels + described + grid_bytes(data, classes, images_per_class)


def state_bytes(data: DataFacts, images: int, copies: int, width: int) -> int:
    """Return what the next segment goes on from: images, and copies in which they move."""
    return copies * (width * images * data.channels * data.size**2 + HEADER)


def soft_bytes(classes: int, images: int, width: int) -> int:
    """Return what soft labels take that lie with a set."""
    return width * images * classes + HEADER


def queue_bytes(network: NetworkCost, members: int, copies: int, width: int) -> int:
    """Return what a queue takes of networks, and of copies in which their parameters move."""
    held = (1 + copies) * network.parameters + network.statistics
    tensors = (1 + copies) * 4 * network.layers + 2 * network.layers * (network.statistics > 0)
    return members * (width * held + HEADER * (tensors + QUEUE_COUNTS))


def whitening_bytes(data: DataFacts, width: int) -> int:
    """Return what lies beside a whitened set: the mean image, the transform and its inverse."""
    numbers = data.channels * data.size**2
    return width * (2 * numbers**2 + numbers) + 3 * HEADER


def grid_bytes(data: DataFacts, classes: int, images_per_class: int) -> int:
    """Return what the picture of a set takes; images that do not fit are shrunk."""
    most = max(classes if images_per_class > 1 else 10, images_per_class)
    side = min(data.size, max(1, GRID_SIDE // most - 2))
    pixel = ENLARGED if data.size < 24 else PIXEL
    return round(pixel * classes * images_per_class * data.channels * side**2)


def figures_bytes(data: DataFacts, steps: int) -> int:
    """Return what an evaluation says: accuracies by class, who was taken for whom, a curve."""
    classes = len(data.classes)
    points = min(steps, CURVE_POINTS)
    return FIGURES + CONFUSION * classes**2 + PER_CLASS * classes + CURVE * points + RESULT


def _named(classes: Sequence[str]) -> int:
    """Return what the names of all classes take, each on a line of its own."""
    return sum(len(name) + 12 for name in classes)


def labels_bytes(data: DataFacts, work: RelabelWork, views: int, batches: int) -> int:
    """Return what a relabelling takes: logits in half precision, and how each view is made.

    That is the index of the image, its partner where batches are mixed, and what augmentation drew;
    of each batch the share and the box.
    """
    mixed = work.mixup is not None or work.cutmix > 0
    logits = 2 * len(data.classes) * views
    places = 4 * views * (1 + mixed + _drawn(work.augmentation))
    shares = batches * (24 if work.cutmix > 0 else 8 * mixed)
    header = ENTRIES * HEADER * (1 + logits // PART)
    return logits + places + shares + header + DESCRIBED + RESULT


def _drawn(augmentation: AugmentationSpec) -> int:
    """Return how many numbers are drawn for one image."""
    match augmentation:
        case NoAugmentationSpec():
            return 0
        case DsaSpec() | IdcAugmentationSpec() | DcAugmentationSpec():
            return 1 + sum(OPERATIONS[name] for name in augmentation.operations)
        case ImageNetAugmentationSpec():
            return 11
        case PadCropSpec():
            return 3
