"""How a student learns from soft labels: Kullback-Leibler divergence at a temperature.

Hinton et al., "Distilling the Knowledge in a Neural Network", 2015; here as in the official code of
SRe2L (Yin et al., NeurIPS 2023): the mean over a batch, with or without the squared temperature.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ddspec.spec.evaluate import TeachingSpec
from ddspec_runners.artifacts import SyntheticSet
from ddspec_runners.augment.cutmix import Targets


@dataclass(frozen=True, slots=True)
class Taught:
    """What a batch is to be learned as."""

    soft: Tensor
    """Probabilities (N, K), at the temperature of `teaching`."""
    teaching: TeachingSpec

    def loss(self, logits: Tensor) -> Tensor:
        """Return the mean over the batch of KL(labels || softmax(logits / T)), for logits (N, K).

        Times T^2 where `teaching` says so. At T = 1 it is the cross-entropy less the entropy of the
        labels, so both have the same gradient.
        """
        temperature = self.teaching.temperature
        found = F.log_softmax(logits / temperature, 1)
        loss = F.kl_div(found, self.soft, reduction="batchmean")
        return loss * temperature**2 if self.teaching.squared else loss

    def split(self, cuts: int) -> list[Taught]:
        """Return the same for parts of the batch, cut as `Tensor.tensor_split` does."""
        return [Taught(part, self.teaching) for part in self.soft.tensor_split(cuts)]


def from_logits(logits: Tensor, teaching: TeachingSpec) -> Taught:
    """Return what teachers say of a batch, (N, K) logits or log-probabilities, as it is learned."""
    return Taught((logits / teaching.temperature).softmax(1), teaching)


def from_mixed(targets: Targets, teaching: TeachingSpec) -> Taught:
    """Return the labels of a mixed batch of which `y` and `partner_y` are probabilities (N, K)."""
    if targets.kept == 1:
        return Taught(targets.y, teaching)
    soft = targets.kept * targets.y + (1 - targets.kept) * targets.partner_y
    return Taught(soft, teaching)


def log_labels(stored: SyntheticSet, dtype: torch.dtype) -> Tensor | None:
    """Return the logarithms of a set's own soft labels at temperature 1, (K', n, K), or None.

    Those that were learned are logits; those of an expert are probabilities already.
    """
    if stored.soft_labels is None:
        return None
    soft = stored.soft_labels.to(dtype)
    return soft.log() if stored.card.labels == "expert" else torch.log_softmax(soft, -1)
