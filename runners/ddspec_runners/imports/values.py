"""Whether numbers can be what they are said to be: pixels, normalised, or whitened.

A set that is read in the wrong space loads, trains and scores like chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ddspec.spec.learned import Space

NEAR = (-0.1, 1.1)
"""Where pixels lie, also those that nobody clamped after the last steps (IDC clamps once an outer
loop)."""
PIXELS = 0.9
"""Share of a set's values within `NEAR` below which they are no pixels. Of real images, normalised,
29 % lie there (CIFAR-10), 14 % (Fashion-MNIST) or 4 % (MNIST); whitened, 62 % (CIFAR-10)."""
SURELY = 0.98
"""Share from which they are nothing but pixels."""
BYTES = 64.0
"""No normalised or whitened value is larger; the brightest byte is 255."""


@dataclass(frozen=True, slots=True)
class Range:
    """What is said of a set's values."""

    low: float
    high: float
    mean: float
    std: float
    near: float
    """Share of the values within `NEAR`."""

    @classmethod
    def of(cls, images: Tensor) -> Range:
        """Look at images of any shape, all values finite."""
        values = images.double()
        near = (values >= NEAR[0]) & (values <= NEAR[1])
        return cls(
            low=float(values.min()),
            high=float(values.max()),
            mean=float(values.mean()),
            std=float(torch.std(values, correction=0)),
            near=float(near.double().mean()),
        )

    @property
    def pixels(self) -> bool:
        """Whether they can hardly be anything but pixels."""
        return self.near >= SURELY


def contradiction(values: Range, space: Space) -> str:
    """Return why values are not of a space, with the way out; empty where they may be."""
    lie = f"values lie in [{values.low:.3g}, {values.high:.3g}]"
    if values.high > BYTES:
        return f"{lie}: these are bytes or worse, and no values of {space} space; divide by 255"
    if space == "pixel" and values.near < PIXELS:
        return (
            f"{lie}, {100 * values.near:.0f} % of them near [0, 1]: these are normalised or "
            "whitened, not pixels; say `space: normalised` or `space: zca`"
        )
    if space != "pixel" and values.pixels:
        return (
            f"{lie}: these are pixels, not {space}; say `space: pixel`. (`images_zca_N.pt` of "
            "MTT's code holds pixels too: whitened ones are in `images_N.pt`)"
        )
    return ""
