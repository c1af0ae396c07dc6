"""Filter-normalised Gaussian perturbation of a network.

Zhang et al., "Accelerating Dataset Distillation via Model Augmentation", CVPR 2023, section 4.3,
Eq. 3; the normalisation is that of Li et al., "Visualizing the Loss Landscape of Neural Nets",
NeurIPS 2018.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ddspec.wire.schedule import NANO, ScheduleRow
from ddspec_runners.nets.base import Params
from ddspec_runners.rng import generator

EPSILON = 1e-10
"""Added to the norm of a direction's filter, as in the official code."""


def perturb(params: Params, row: ScheduleRow) -> dict[str, Tensor]:
    """Return theta + sum_i c_i d_i, with coefficients and direction seeds of a schedule's row.

    Each direction is Gaussian, each of its filters rescaled to the norm of the same filter of
    theta (the unperturbed one, for every direction). A filter is a slice along the first dimension
    of a tensor with 2 or more, so the rows of the classifier count. Tensors of one dimension
    (biases, scales and shifts of norms) are neither drawn nor moved, and are returned as they are.
    A direction depends on its seed and the shapes alone: it is drawn in float32 on the CPU, then
    taken to the precision and device of theta.
    """
    moved = dict(params)
    norms = {name: _filter_norms(p) for name, p in params.items() if p.ndim >= 2}
    for coefficient, seed in zip(row.coefficients, row.directions, strict=True):
        rng = generator("direction", seed)
        for name, norm in norms.items():
            direction = _gaussian_like(params[name], rng)
            scale = norm / (_filter_norms(direction) + EPSILON)
            moved[name] = moved[name] + direction * (scale * (coefficient / NANO))
    return moved


def _gaussian_like(tensor: Tensor, rng: Generator) -> Tensor:
    drawn = torch.randn(tensor.shape, generator=rng, dtype=torch.float32)
    return drawn.to(device=tensor.device, dtype=tensor.dtype)


def _filter_norms(tensor: Tensor) -> Tensor:
    """Return the Euclidean norm of every slice along the first dimension, (O, 1, ...)."""
    norms: Tensor = torch.linalg.vector_norm(tensor.flatten(1), dim=1)
    return norms.view(-1, *(1,) * (tensor.ndim - 1))
