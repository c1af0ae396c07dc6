"""A picture of a synthetic set: one row a class."""

from __future__ import annotations

from PIL import Image
from torch import Tensor

CELL = 48
"""Smallest side of an image in the picture, in pixels: 8x8 digits must be recognisable."""
LONGEST = 8192
"""Largest side of the picture, in pixels; beyond it images are shrunk."""
GAP = 2
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def grid_of(pixels: Tensor) -> Image.Image:
    """Draw pixel-space images (K, n, C, H, W), clamped to [0, 1], as K rows of n cells.

    Small images are enlarged by a whole factor with nearest neighbours, so that their pixels stay
    visible. Cells are shrunk where the picture would pass 8192 px. 1, 3 or 4 channels.
    """
    rows, columns, channels, size, _ = pixels.shape
    whole = size * -(-CELL // size)
    cell = max(1, min(whole, LONGEST // max(rows, columns) - GAP))
    resample = Image.Resampling.NEAREST if cell >= size else Image.Resampling.BOX
    mode = MODES[channels]
    width, height = columns * (cell + GAP) + GAP, rows * (cell + GAP) + GAP
    sheet = Image.new(mode, (width, height), (128,) * channels if channels > 1 else 128)
    # rounded to the nearest of 256 levels
    levels = (pixels.clamp(0, 1) * 255 + 0.5).byte().permute(0, 1, 3, 4, 2).contiguous()
    for row in range(rows):
        for column in range(columns):
            tile = Image.frombytes(mode, (size, size), levels[row, column].numpy().tobytes())
            corner = (GAP + column * (cell + GAP), GAP + row * (cell + GAP))
            sheet.paste(tile.resize((cell, cell), resample), corner)
    return sheet
