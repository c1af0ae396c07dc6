"""One training step's gradient: batch, augmentation, CutMix, cross-entropy.

Shared by the recording of pool members and by the networks that move inside distillation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ddspec.spec.pool import SharpnessSpec
from ddspec_runners.augment import cutmix
from ddspec_runners.augment.base import Policy
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.functional.placement import fits, placed
from ddspec_runners.functional.sharpness import ascended, flattened
from ddspec_runners.nets.base import Network, Params


def nearby(split: PreparedSplit, device: torch.device) -> PreparedSplit:
    """Return the split with its bytes on the device if they fit, else as it is, read by batch."""
    return split.resident(device) if fits(split.images.nbytes, device) else split


@dataclass(frozen=True, slots=True)
class Slope:
    """What one batch says: the gradient in every parameter, and how good the network was."""

    gradient: dict[str, Tensor]
    buffers: Params | None
    """Running statistics moved by the batch, where they were given."""
    loss: Tensor
    """Mean over the batch, a scalar."""
    correct: Tensor
    """Which images are classified as their own label, whatever was mixed into them; bool (b,)."""


@dataclass(frozen=True, slots=True)
class Training:
    """How networks are trained on a batch, wherever its images come from."""

    network: Network
    policy: Policy
    cutmix: float
    """Probability that a batch is mixed."""
    sharpness: SharpnessSpec | None = None
    """Where given, gradients are those of GSAM."""

    def slope(
        self,
        params: Params,
        images: Tensor,
        labels: Tensor,
        rng: Generator,
        buffers: Params | None = None,
    ) -> Slope:
        """Return the gradient on normalised images (b, C, H, W), augmented by draws from `rng`.

        Labels (b,) may lie on another device. Augmentation is drawn per image, then CutMix for the
        batch, then what the network itself leaves out. Without `buffers` no running statistics are
        kept, and nothing is left out.

        GSAM takes a second gradient on the same batch. It uses the batch's statistics as well, and
        moves no running ones, as in FTD's code; loss and hits are those of the first.
        """
        leaves = _leaves(params)
        labels, size = placed(labels, images.device), images.shape[-1]
        images = self.policy.apply(images, self.policy.draw(len(images), size, rng, shared=False))
        mix = cutmix.draw(len(images), size, rng, self.cutmix)
        images, targets = cutmix.apply(images, labels, mix)
        logits, moved = self._forward(leaves, buffers, images, rng)
        loss = targets.loss(logits)
        gradient = _gradient(loss, leaves)
        if self.sharpness is not None:
            above = _leaves(ascended(params, gradient, self.sharpness))
            second, _ = self._forward(above, buffers, images, rng)
            gradient = flattened(gradient, _gradient(targets.loss(second), above), self.sharpness)
        return Slope(
            gradient=gradient,
            buffers=moved,
            loss=loss.detach(),
            correct=logits.detach().argmax(1) == labels,
        )

    def _forward(
        self, leaves: Params, buffers: Params | None, images: Tensor, rng: Generator
    ) -> tuple[Tensor, Params | None]:
        if buffers is None:
            return self.network.apply(leaves, images), None
        return self.network.train_step(leaves, buffers, images, rng)


def _leaves(params: Params) -> dict[str, Tensor]:
    return {name: value.detach().requires_grad_() for name, value in params.items()}


def _gradient(loss: Tensor, leaves: Params) -> dict[str, Tensor]:
    grads = torch.autograd.grad(loss, list(leaves.values()))
    return dict(zip(leaves, grads, strict=True))


@dataclass(frozen=True, slots=True)
class RealTraining:
    """How networks are trained on real images of all classes."""

    network: Network
    split: PreparedSplit
    policy: Policy
    cutmix: float
    """Probability that a batch is mixed."""
    sharpness: SharpnessSpec | None = None
    """Where given, gradients are those of GSAM."""

    def slope(
        self, params: Params, indices: Tensor, rng: Generator, buffers: Params | None = None
    ) -> Slope:
        """Return the gradient on the batch `indices` (b,), as `Training` does.

        Images take the type and device of the parameters.
        """
        example = next(iter(params.values()))
        images = self.split.gather(indices, dtype=example.dtype, device=example.device)
        training = Training(self.network, self.policy, self.cutmix, self.sharpness)
        return training.slope(params, images, self.split.labels[indices], rng, buffers)
