"""Matching of what trained networks keep in their batch norms.

Yin, Xing and Shen, "Squeeze, Recover and Relabel at ImageNet Scale From A New Perspective",
NeurIPS 2023, section 3.2 and official code (SRe2L); Yu et al., "Teddy", ECCV 2024, Eq. 7, which
sums over several networks. Shape letters as in `ddspec_runners.nets.base`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from ddspec.spec.method import StatisticsMatcherSpec
from ddspec_runners.nets.base import Moments, Network, Params

Entropy: TypeAlias = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Teacher:
    """A trained network; its tensors never change."""

    params: Params
    statistics: Params
    """Running means and variances, by which its batch norms go."""


@dataclass(frozen=True, slots=True)
class StatisticsMatcher:
    """How far the views of a batch are from what teachers know of real images."""

    spec: StatisticsMatcherSpec
    network: Network

    def gradient(
        self, teachers: Sequence[Teacher], views: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the loss of `views` (N, C, H, W), a scalar, and its gradient in them.

        The loss is `of_teacher` summed over teachers, and `prior`, which knows no teacher. Each
        graph is freed before the next one's begins: memory does not grow with the teachers. An
        ensemble's cross-entropy stands inside the sum of Eq. 7, so it counts once a teacher.
        """
        leaf = views.detach().requires_grad_()
        loss, gradient = leaf.new_zeros(()), torch.zeros_like(views)
        for term in self._terms(teachers, leaf, labels):
            loss = loss + term.detach()
            gradient = gradient + torch.autograd.grad(term, leaf)[0]
        return loss, gradient

    def _terms(
        self, teachers: Sequence[Teacher], views: Tensor, labels: Tensor
    ) -> Iterator[Tensor]:
        entropy = self._entropy(teachers, views, labels)
        for teacher in teachers:
            yield self.of_teacher(teacher, views, entropy)
        if self.spec.total_variation or self.spec.l2:
            yield self.prior(views)

    def _entropy(self, teachers: Sequence[Teacher], views: Tensor, labels: Tensor) -> Entropy:
        if self.spec.classifier != "ensemble" or len(teachers) == 1:
            return lambda logits: F.cross_entropy(logits, labels)
        with torch.no_grad():
            seen = [self.network.observe(t.params, t.statistics, views).logits for t in teachers]
            mean = torch.stack(seen).mean(0)
        return _tangent(mean, labels)

    def of_teacher(self, teacher: Teacher, views: Tensor, entropy: Entropy) -> Tensor:
        """Return weighted cross-entropy, and distance to the teacher's statistics, a scalar.

        `entropy` turns logits (N, K) into a scalar. The teacher is in evaluation mode: its batch
        norms go by running statistics, and what enters them is compared with these.
        """
        seen = self.network.observe(teacher.params, teacher.statistics, views)
        return self.spec.cross_entropy * entropy(
            seen.logits
        ) + self.spec.batch_norm * self.distance(seen.norms, teacher.statistics)

    def distance(self, norms: dict[str, Moments], statistics: Params) -> Tensor:
        """Return the sum over batch norms of |var - running var| + |mean - running mean|.

        Norms are Euclidean, over channels; variances of the batch are biased, as in SRe2L's code,
        which also weighs the first layer of the forward pass by `first_layer`.
        """
        distances = [
            torch.linalg.vector_norm(moments.var - statistics[f"{name}.running_var"])
            + torch.linalg.vector_norm(moments.mean - statistics[f"{name}.running_mean"])
            for name, moments in norms.items()
        ]
        first, *others = distances
        return torch.stack([self.spec.first_layer * first, *others]).sum()

    def prior(self, views: Tensor) -> Tensor:
        """Return weighted total variation and length of `views` (N, C, H, W), a scalar.

        As SRe2L's code has them: the four Euclidean norms, over the whole batch, of differences
        between neighbours (across, down, and both diagonals); and the mean norm of an image.
        """
        right, down = views[..., :, 1:], views[..., 1:, :]
        steps = (
            right - views[..., :, :-1],
            down - views[..., :-1, :],
            down[..., :, :-1] - right[..., :-1, :],
            down[..., :, 1:] - views[..., :-1, :-1],
        )
        variation = torch.stack([torch.linalg.vector_norm(step) for step in steps]).sum()
        length: Tensor = torch.linalg.vector_norm(views.flatten(1), dim=1).mean()
        return self.spec.total_variation * variation + self.spec.l2 * length


def _tangent(mean: Tensor, labels: Tensor) -> Entropy:
    """Return the cross-entropy of `mean` (N, K), with the slope that each teacher's share has.

    Of n teachers each moves the mean by 1/n, and the loss counts n times: the slope in the logits
    of each is that in the mean, so that one graph at a time gives what the joint one would.
    """
    leaf = mean.detach().requires_grad_()
    with torch.enable_grad():
        loss = F.cross_entropy(leaf, labels)
        (slope,) = torch.autograd.grad(loss, leaf)
    value = loss.detach()

    def entropy(logits: Tensor) -> Tensor:
        share = (logits * slope).sum()
        return value + (share - share.detach())

    return entropy
