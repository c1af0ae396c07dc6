"""Distribution matching: synthetic images of a class with the mean features of its real ones.

Zhao and Bilen, "Dataset Condensation with Distribution Matching", WACV 2023 (equation 6; the
linear kernel on pixels is the baseline of the supplement's Table T6); Zhao et al., "Improved
Distribution Matching for Dataset Condensation", CVPR 2023 (the cross-entropy term).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ddspec.spec.method import DistributionMatcherSpec
from ddspec_runners.faults import BadJob
from ddspec_runners.nets.base import Network, Params

SLICE_PIXELS = 2**14
"""Of the images that go through a network at once on a CPU: their maps stay in its cache, which
halves the time of 256 images of 32 px at width 128. Results do not depend on who else is there."""
LEAST_SLICE = 2


@dataclass(frozen=True, slots=True)
class DistributionTarget:
    """The network that was used, and the mean features of each class's real images."""

    params: Params
    statistics: Params | None
    """Running statistics that batch norm goes by; None are those of the images."""
    classes: tuple[int, ...]
    means: Tensor
    """(K, D)"""
    cross_entropy: Tensor | float
    """Weight of the network's own loss on the synthetic images, a scalar; 0 leaves it out."""


@dataclass(frozen=True, slots=True)
class DistributionMatcher:
    """Squared distance of mean features; all classes that are handed over share a pass."""

    spec: DistributionMatcherSpec
    network: Network

    @property
    def blocks(self) -> Literal["class", "whole"]:
        """Tell what separates: under batch norm by batches no class does."""
        own = self.spec.features == "pixels" or self.spec.batch_norm == "running"
        return "class" if own or not self.network.buffers() else "whole"

    @property
    def exempt(self) -> Mapping[str, str]:
        """Name the promises that cannot be kept: by the classification term, and by pixels."""
        promises: dict[str, str] = {}
        if self.spec.cross_entropy is not None:
            promises["real_images_are_a_fixed_point"] = "real images have a classification loss too"
        if self.spec.features == "pixels":
            promises["it_depends_on_the_network"] = "pixels are what they are without one"
        return promises

    def target(
        self,
        params: Params,
        real: Sequence[Tensor],
        classes: Sequence[int],
        statistics: Params | None = None,
        accuracy: Tensor | None = None,
    ) -> DistributionTarget:
        """Return the mean features of each class's real images, and what the term weighs.

        Raises BadJob where the term is weighed by an `accuracy` that nobody has measured.
        """
        with torch.no_grad():
            features, _ = self._seen(params, statistics, _joined(real), classified=False)
            means = class_means(features, [len(images) for images in real])
        return DistributionTarget(params, statistics, tuple(classes), means, self._weight(accuracy))

    def loss(self, synthetic: Sequence[Tensor], target: DistributionTarget) -> Tensor:
        """Return the squared distances summed over features, (K,), and the weighted term."""
        sizes, x = [len(images) for images in synthetic], _joined(synthetic)
        classified = self.spec.cross_entropy is not None
        features, logits = self._seen(target.params, target.statistics, x, classified=classified)
        distances = (class_means(features, sizes) - target.means).square().sum(1)
        if logits is None:
            return distances
        labels = torch.cat(
            [
                torch.full((size,), label, device=x.device)
                for size, label in zip(sizes, target.classes, strict=True)
            ]
        )
        losses = F.cross_entropy(logits, labels, reduction="none")
        return distances + class_means(losses, sizes) * target.cross_entropy

    def _seen(
        self, params: Params, statistics: Params | None, x: Tensor, *, classified: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Return features (N, D) of images, and logits (N, K) if they are to be `classified`."""
        if self.spec.features == "pixels":
            return x.flatten(1), None
        parts = torch.split(x, self._slice(x))
        if not classified:
            features = [self.network.features(params, statistics, part) for part in parts]
            return _joined(features), None
        seen = [self.network.observe(params, statistics, part) for part in parts]
        return _joined([s.features for s in seen]), _joined([s.logits for s in seen])

    def _slice(self, x: Tensor) -> int:
        """Return how many images go through the network at once."""
        if self.blocks == "whole" or x.device.type != "cpu":
            return len(x)
        return max(LEAST_SLICE, SLICE_PIXELS // (x.shape[-2] * x.shape[-1]))

    def _weight(self, accuracy: Tensor | None) -> Tensor | float:
        term = self.spec.cross_entropy
        if term is None:
            return 0.0
        if not term.by_accuracy:
            return term.weight
        if accuracy is None:
            raise BadJob("`cross_entropy` is weighed by an accuracy that nobody measures")
        return accuracy * term.weight


def class_means(values: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return the mean over each class of (N, ...), whose first `sizes[0]` rows are the first class.

    The result is (K, ...).
    """
    if len(set(sizes)) == 1:
        return values.reshape(len(sizes), sizes[0], *values.shape[1:]).mean(1)
    return torch.stack([part.mean(0) for part in torch.split(values, list(sizes))])


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """Return parts (n, ...) after each other; one part is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))
