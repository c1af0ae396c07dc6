"""Gradients of the cross-entropy in the parameters, and of a loss in the images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ddspec_runners.nets.base import Network, Params


def watched(params: Params, names: tuple[str, ...]) -> dict[str, Tensor]:
    """Return the same parameters, those in `names` as fresh leaves that record gradients."""
    return {
        name: value.detach().requires_grad_() if name in names else value.detach()
        for name, value in params.items()
    }


def parameter_gradient(
    network: Network,
    leaves: Params,
    names: tuple[str, ...],
    images: Tensor,
    label: int,
    statistics: Params | None = None,
) -> tuple[Tensor, ...]:
    """Return the gradient of the mean cross-entropy of one class, as constants.

    `leaves` comes from `watched`; `images` is (N, C, H, W), normalised. Batch norm goes by the
    running `statistics`, which are constants too, or else by those of the images.
    """
    loss = _class_loss(network, leaves, images, label, statistics)
    return torch.autograd.grad(loss, [leaves[name] for name in names])


def differentiable_gradient(
    network: Network,
    leaves: Params,
    names: tuple[str, ...],
    images: Tensor,
    label: int,
    statistics: Params | None = None,
) -> tuple[Tensor, ...]:
    """Return the same gradient as a differentiable function of `images`."""
    return torch.autograd.grad(
        _class_loss(network, leaves, images, label, statistics),
        [leaves[name] for name in names],
        create_graph=True,
    )


def image_gradient(
    loss: Callable[[Sequence[Tensor]], Tensor], images: Sequence[Tensor]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return the values of `loss` at `images`, and the gradients of their sum, all detached."""
    leaves = [learned.detach().requires_grad_() for learned in images]
    values = loss(leaves)
    return values.detach(), torch.autograd.grad(values.sum(), leaves)


def _class_loss(
    network: Network, params: Params, images: Tensor, label: int, statistics: Params | None
) -> Tensor:
    target = torch.full((len(images),), label, device=images.device)
    if statistics is None:
        return F.cross_entropy(network.apply(params, images), target)
    return F.cross_entropy(network.predict(params, statistics, images), target)
