"""The augmentations of DSA and IDC, image by image, from drawn numbers."""

from __future__ import annotations

from collections.abc import Mapping
from math import cos, sin
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

Draws: TypeAlias = Mapping[str, Tensor]


def augmented(x: Tensor, spec: Any, draws: Draws) -> Tensor:
    """Return images after a policy; a draw of one row serves them all."""
    if spec.kind == "none":
        return x
    order = [*spec.operations]
    if spec.kind == "dsa":
        todo = [order[int(draws["choice"][0])]]
    else:
        one_of = [name for name in ("crop", "scale", "rotate") if name in order]
        todo = [name for name in ("flip", "color") if name in order]
        todo += [one_of[int(draws["choice"][0])]] if one_of else []
        todo += ["cutout"] if "cutout" in order else []
    rows = [i if len(next(iter(draws.values()))) > 1 else 0 for i in range(len(x))]
    images = []
    for image, row in zip(x, rows, strict=True):
        for name in todo:
            image = OPERATIONS[name](image, {key: draw[row] for key, draw in draws.items()})
        images.append(image)
    return torch.stack(images)


def _flip(image: Tensor, draw: Draws) -> Tensor:
    return image.flip(-1) if draw["flip"] == 1 else image


def _color(image: Tensor, draw: Draws) -> Tensor:
    image = image + draw["brightness"].double()
    grey = image.mean(0, keepdim=True)
    image = (image - grey) * draw["saturation"].double() + grey
    return (image - image.mean()) * draw["contrast"].double() + image.mean()


def _crop(image: Tensor, draw: Draws) -> Tensor:
    (down, right), size = draw["crop"].int().tolist(), image.shape[-1]
    big = F.pad(image, (size, size, size, size))
    return big[:, size + down : 2 * size + down, size + right : 2 * size + right]


def _affine(image: Tensor, theta: list[list[float]]) -> Tensor:
    matrix = torch.tensor([theta], dtype=image.dtype)
    grid = F.affine_grid(matrix, [1, *image.shape], align_corners=True)
    return F.grid_sample(image[None], grid, align_corners=True)[0]


def _scale(image: Tensor, draw: Draws) -> Tensor:
    x, y = draw["scale"].tolist()
    return _affine(image, [[x, 0, 0], [0, y, 0]])


def _rotate(image: Tensor, draw: Draws) -> Tensor:
    angle = draw["angle"].item()
    return _affine(image, [[cos(angle), -sin(angle), 0], [sin(angle), cos(angle), 0]])


def _cutout(image: Tensor, draw: Draws) -> Tensor:
    top, bottom, left, right = draw["cutout"].int().tolist()
    mask = torch.ones_like(image)
    mask[:, top:bottom, left:right] = 0
    return image * mask


OPERATIONS = {
    "flip": _flip,
    "color": _color,
    "crop": _crop,
    "scale": _scale,
    "rotate": _rotate,
    "cutout": _cutout,
}
