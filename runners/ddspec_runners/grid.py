"""A picture of a synthetic set: one row a class, or ten classes a row where each has one image."""

from __future__ import annotations

from PIL import Image
from torch import Tensor

CELL = 48
"""Smallest side of an image in the picture, in pixels: 8x8 digits must be recognisable."""
LONGEST = 8192
"""Largest side of the picture, in pixels; beyond it images are shrunk."""
GAP = 2
CLASSES_A_ROW = 10
"""Where every class has a single image."""
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def grid_of(pixels: Tensor) -> Image.Image:
    """Draw pixel-space images (K, n, C, H, W), clamped to [0, 1], as K rows of n cells.

    With one image a class, classes follow each other in rows of ten. Small images are enlarged by
    a whole factor with nearest neighbours, so that their pixels stay visible. Cells are shrunk
    where the picture would pass 8192 px. 1, 3 or 4 channels.
    """
    classes, count, channels, size, _ = pixels.shape
    columns = min(classes, CLASSES_A_ROW) if count == 1 else count
    rows = -(-classes * count // columns)
    whole = size * -(-CELL // size)
    cell = max(1, min(whole, LONGEST // max(rows, columns) - GAP))
    resample = Image.Resampling.NEAREST if cell >= size else Image.Resampling.BOX
    mode = MODES[channels]
    width, height = columns * (cell + GAP) + GAP, rows * (cell + GAP) + GAP
    sheet = Image.new(mode, (width, height), (128,) * channels if channels > 1 else 128)
    # rounded to the nearest of 256 levels
    levels = (pixels.flatten(0, 1).clamp(0, 1) * 255 + 0.5).byte().permute(0, 2, 3, 1).contiguous()
    for index, level in enumerate(levels):
        row, column = divmod(index, columns)
        tile = Image.frombytes(mode, (size, size), level.numpy().tobytes())
        corner = (GAP + column * (cell + GAP), GAP + row * (cell + GAP))
        sheet.paste(tile.resize((cell, cell), resample), corner)
    return sheet
