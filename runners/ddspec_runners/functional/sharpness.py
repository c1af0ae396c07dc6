"""GSAM: gradients that lead to flat minima.

Zhuang et al., "Surrogate Gap Minimization Improves Sharpness-Aware Training", ICLR 2022, Algorithm
1; the adaptive ascent is that of Kwon et al., "ASAM", ICML 2021. FTD trains its experts so (Du et
al., CVPR 2023), and what is left open there follows its code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from ddspec.spec.pool import SharpnessSpec

EPSILON = 1e-12
"""Added to norms that something is divided by (FTD's code)."""


def ascended(
    params: Mapping[str, Tensor], gradient: Mapping[str, Tensor], spec: SharpnessSpec
) -> dict[str, Tensor]:
    """Return w + e, where the loss is nearly largest within `rho` of w.

    With the gradient g over all parameters, e = rho g / |g|; adaptive e = rho w^2 g / | |w| g |,
    so that each parameter moves by its own size. `rho` does not follow the learning rate.
    """
    sized = [p.abs() * gradient[name] for name, p in params.items()]
    scale = spec.rho / (_norm(sized if spec.adaptive else gradient.values()) + EPSILON)
    return {
        name: p + scale * gradient[name] * (p * p if spec.adaptive else 1.0)
        for name, p in params.items()
    }


def flattened(
    gradient: Mapping[str, Tensor], above: Mapping[str, Tensor], spec: SharpnessSpec
) -> dict[str, Tensor]:
    """Return h - alpha g', the gradient that the optimiser takes.

    h (`above`) is the gradient at w + e, and g' the part of g (`gradient`) that is orthogonal to
    it: g' = g - cos(g, h) |g| h / |h|. Going up along g' narrows the gap between both losses.
    """
    here, there = _norm(gradient.values()), _norm(above.values())
    product = torch.stack([(gradient[name] * h).sum() for name, h in above.items()]).sum()
    along = product / (there * here + EPSILON) * here / (there + EPSILON)
    return {name: h - spec.alpha * (gradient[name] - along * h) for name, h in above.items()}


def _norm(tensors: Iterable[Tensor]) -> Tensor:
    norm: Tensor = torch.stack([tensor.norm() for tensor in tensors]).norm()
    return norm
