"""How well a trained network classifies a prepared split."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ddspec_runners.evaluation.examples import Images
from ddspec_runners.nets.base import Network, Params

BATCH = 128
"""Images at once, some 5 GB of activations for ResNetAP-10 at 224 px.

Fixed, because the rounding of a forward pass may depend on it.
"""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Counts over a whole split."""

    confusion: Tensor
    """int64 (K, K): images of class [row] that were called class [column]."""
    loss: float
    """Mean cross-entropy over the images, summed in float64."""

    @property
    def images(self) -> int:
        """Number of images."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Fraction of all images that were called what they are."""
        return int(self.confusion.trace()) / self.images

    @property
    def per_class(self) -> tuple[float | None, ...]:
        """The same for each class; None where the split has no image of it."""
        return tuple(
            int(row[label]) / int(row.sum()) if int(row.sum()) else None
            for label, row in enumerate(self.confusion)
        )


@torch.no_grad()
def measure(network: Network, params: Params, buffers: Params, split: Images) -> Measurement:
    """Classify every image of `split`, not augmented, and count."""
    example = next(iter(params.values()))
    classes = len(split.classes)
    cells = torch.zeros(classes * classes, dtype=torch.int64, device=example.device)
    loss = torch.zeros((), dtype=torch.float64, device=example.device)
    for start in range(0, len(split), BATCH):
        part = slice(start, start + BATCH)
        images = split.gather(part, dtype=example.dtype, device=example.device)
        labels = split.labels[part].to(example.device)
        logits = network.predict(params, buffers, images)
        cells += torch.bincount(labels * classes + logits.argmax(1), minlength=classes * classes)
        loss += F.cross_entropy(logits.double(), labels, reduction="sum")
    return Measurement(cells.view(classes, classes).cpu(), float(loss) / len(split))
