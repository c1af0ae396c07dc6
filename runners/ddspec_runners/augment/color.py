"""Brightness, saturation and contrast on normalised images (Zhao and Bilen, ICML 2021).

A blend is written `factor * x + (1 - factor) * mean`, so that a factor of one changes no bit.
"""

from __future__ import annotations

from torch import Tensor

from ddspec_runners.augment.base import Draws, per_image


def brightness(x: Tensor, draws: Draws) -> Tensor:
    """Add `brightness`, (R,), to every pixel."""
    return x + per_image(draws["brightness"], x)


def saturation(x: Tensor, draws: Draws) -> Tensor:
    """Move each pixel away from the mean of its channels by the factor `saturation`, (R,).

    One channel is its own mean, so it stays exactly as it is.
    """
    return x if x.shape[1] == 1 else blend(x, x.mean(1, keepdim=True), draws["saturation"])


def contrast(x: Tensor, draws: Draws) -> Tensor:
    """Move each pixel away from the mean of its whole image by the factor `contrast`, (R,)."""
    return blend(x, x.mean((1, 2, 3), keepdim=True), draws["contrast"])


def color(x: Tensor, draws: Draws) -> Tensor:
    """Return brightness, saturation and contrast applied in that order.

    Without clamping the three commute, so the order matters to roundings alone.
    """
    return contrast(saturation(brightness(x, draws), draws), draws)


def blend(x: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    """Return `factor * x + (1 - factor) * other`, for a `factor` of (R,)."""
    weight = per_image(factor, x)
    return weight * x + (1 - weight) * other
