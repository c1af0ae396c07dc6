"""Dropout and stochastic depth whose masks are drawn outside, from a named generator."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Generator, Tensor, nn

from ddspec_runners.functional.placement import placed

MASK = "mask"


class Masked(nn.Module):
    """A factor of each image, or of each feature of each image, that a call is given as a buffer.

    A factor is zero with probability `p` and 1 / (1 - p) otherwise.
    """

    def __init__(self, p: float, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.p = p
        self.shape = shape
        """Of the factors of one image."""
        self.register_buffer(MASK, torch.empty(0))

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` (N, ...) times its factors."""
        return x * self.get_buffer(MASK)

    def draw(self, x: Tensor, rng: Generator) -> Tensor:
        """Draw the factors of images `x` (N, ...) on the CPU, and return them where `x` is."""
        kept = torch.empty(len(x), *self.shape).bernoulli_(1.0 - self.p, generator=rng)
        kept = placed(kept, x.device, x.dtype)
        return kept / (1.0 - self.p) if self.p < 1.0 else kept


def set_masks(modules: nn.Module) -> None:
    """Put `Masked` in the place of dropout and stochastic depth, in torchvision's modules.

    Dropout must stand before the last linear layer. What leaves out nothing is taken away.
    """
    for name, p, shape in list(_places(modules)):
        modules.set_submodule(name, Masked(p, shape) if p else nn.Identity())


def masks(modules: nn.Module, x: Tensor, rng: Generator | None) -> dict[str, Tensor]:
    """Draw all masks for images `x` (N, C, H, W), in the order of the forward pass.

    Raises:
        ValueError: there are masks to draw, and no generator.
    """
    drawn: dict[str, Tensor] = {}
    for name, module in modules.named_modules():
        if isinstance(module, Masked):
            if rng is None:
                raise ValueError("dropout and stochastic depth need a generator for their masks")
            drawn[f"{name}.{MASK}"] = module.draw(x, rng)
    return drawn


def _places(modules: nn.Module) -> Iterator[tuple[str, float, tuple[int, ...]]]:
    """Yield name, chance and shape of all that the forward pass leaves out at random."""
    from torchvision.models.efficientnet import MBConv

    for name, module in modules.named_modules():
        if isinstance(module, MBConv):
            # a block without a shortcut is never left out
            p = float(module.stochastic_depth.p) if module.use_res_connect else 0.0
            yield f"{name}.stochastic_depth", p, (1, 1, 1)
        elif isinstance(module, nn.Dropout):
            yield name, module.p, (_entering_classifier(modules),)


def _entering_classifier(modules: nn.Module) -> int:
    return [each.in_features for each in modules.modules() if isinstance(each, nn.Linear)][-1]
