"""IDX files, the format of MNIST and Fashion-MNIST."""

from __future__ import annotations

import numpy as np

from ddspec_runners.data.corpus import ArrayPart, Bytes
from ddspec_runners.faults import BadData

UNSIGNED_BYTES = 8
"""Type code of uint8 in the third byte of an IDX header."""


def parse_idx(content: bytes, *, dimensions: int, name: str) -> Bytes:
    """Return the array of an IDX file of unsigned bytes.

    Raises BadData, naming the file, where the header is foreign or the length is not its product.
    """
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes([0, 0, UNSIGNED_BYTES, dimensions]):
        raise BadData(f"{name} is not an IDX file of unsigned bytes in {dimensions} dimensions")
    shape = tuple(np.frombuffer(content, ">u4", dimensions, 4).tolist())
    expected = start + int(np.prod(shape, dtype=object))
    if len(content) != expected:
        raise BadData(f"{name} has {len(content)} bytes, its header says {expected}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def idx_part(images: bytes, labels: bytes, *, name: str, classes: int) -> ArrayPart:
    """Return one split from the contents of its two files."""
    pixels = parse_idx(images, dimensions=3, name=f"{name} images")
    numbers = parse_idx(labels, dimensions=1, name=f"{name} labels").astype(np.int64)
    if len(pixels) != len(numbers):
        raise BadData(f"{name} has {len(pixels)} images and {len(numbers)} labels")
    if len(numbers) and numbers.max() >= classes:
        raise BadData(f"{name} has label {numbers.max()}, but only {classes} classes")
    return ArrayPart(pixels[:, None], numbers)
