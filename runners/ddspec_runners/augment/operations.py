"""The operations of DSA and IDC: how each makes its parameters of uniform numbers.

A row of a draw is always `COLUMNS` numbers wide, and each operation reads its own columns. So a
spec that lists one operation more leaves the parameters of the others as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import pi

import torch
from torch import Generator, Tensor

from ddspec.spec.augmentation import DsaSpec, IdcAugmentationSpec, Operation
from ddspec_runners.augment import geometry
from ddspec_runners.augment.base import Draws, integers, per_image, uniforms
from ddspec_runners.augment.color import color

Strengths = DsaSpec | IdcAugmentationSpec


def _draw_flip(unit: Tensor, strengths: Strengths, size: int) -> Draws:
    return {"flip": (unit[:, 0] < 0.5).float()}


def _draw_color(unit: Tensor, strengths: Strengths, size: int) -> Draws:
    return {
        "brightness": (unit[:, 0] - 0.5) * strengths.brightness,
        "saturation": unit[:, 1] * strengths.saturation,
        "contrast": unit[:, 2] + strengths.contrast,
    }


def _draw_crop(unit: Tensor, strengths: Strengths, size: int) -> Draws:
    largest = int(size * strengths.crop + 0.5)
    return {"crop": integers(unit, 2 * largest + 1) - largest}


def _draw_scale(unit: Tensor, strengths: Strengths, size: int) -> Draws:
    least = 1 / strengths.scale
    return {"scale": least + unit * (strengths.scale - least)}


def _draw_rotate(unit: Tensor, strengths: Strengths, size: int) -> Draws:
    return {"angle": (2 * unit[:, 0] - 1) * strengths.rotate * pi / 180}


def _draw_cutout(unit: Tensor, strengths: Strengths, size: int) -> Draws:
    side = int(size * strengths.cutout + 0.5)
    # The official code centres an even square on the corners of pixels, of which there is one more.
    first = integers(unit, size + 1 - side % 2) - side // 2
    box = torch.stack((first, first + side), -1)
    return {"cutout": box.clamp(0, size).flatten(1)}


@dataclass(frozen=True, slots=True)
class Step:
    """One operation."""

    columns: slice
    """Its columns of the table of uniform numbers."""
    draw: Callable[[Tensor, Strengths, int], Draws]
    """From those columns (R, ·), the strengths and the image side to its draws."""
    apply: Callable[[Tensor, Draws], Tensor]


OPERATIONS: Mapping[Operation, Step] = {
    "flip": Step(slice(1, 2), _draw_flip, geometry.flip),
    "color": Step(slice(2, 5), _draw_color, color),
    "crop": Step(slice(5, 7), _draw_crop, geometry.crop),
    "scale": Step(slice(7, 9), _draw_scale, geometry.scale),
    "rotate": Step(slice(9, 10), _draw_rotate, geometry.rotate),
    "cutout": Step(slice(10, 12), _draw_cutout, geometry.cutout),
}
COLUMNS = 12
"""Column 0 is the choice among operations."""


def draw_operations(
    strengths: Strengths,
    exclusive: Sequence[Operation],
    n: int,
    size: int,
    rng: Generator,
    shared: bool,
) -> Draws:
    """Return the draws of every listed operation, and `choice` among the `exclusive` ones.

    The parameters of operations that were not chosen are drawn too: what is consumed does not
    depend on what comes out. `choice` is one number for the whole call, repeated in every row.
    """
    unit = uniforms(n, COLUMNS, rng, shared=shared)
    draws: dict[str, Tensor] = {}
    if exclusive:
        draws["choice"] = integers(unit[:1, 0], len(exclusive)).repeat(len(unit))
    for name in strengths.operations:
        step = OPERATIONS[name]
        draws.update(step.draw(unit[:, step.columns], strengths, size))
    return {name: draw.float() for name, draw in draws.items()}


def apply_chosen(x: Tensor, draws: Draws, exclusive: Sequence[Operation]) -> Tensor:
    """Return each image after the one operation that its row of `choice` names.

    Rows drawn in one call agree, and then nothing else is computed; concatenated rows may differ.
    """
    if not exclusive:
        return x
    choice = draws["choice"]
    present = sorted({int(value) for value in choice.tolist()})
    if len(present) == 1:
        return OPERATIONS[exclusive[present[0]]].apply(x, draws)
    chosen = per_image(choice, x)
    out = x
    for index in present:
        out = torch.where(chosen == index, OPERATIONS[exclusive[index]].apply(x, draws), out)
    return out
