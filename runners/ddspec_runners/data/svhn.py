"""SVHN's cropped digits: MATLAB files of version 5, read by scipy."""

from __future__ import annotations

import io

import numpy as np

from ddspec_runners.data.corpus import ArrayPart
from ddspec_runners.faults import BadData

SHAPE = (32, 32, 3)
"""Rows, columns and colours of each image; the images are the last axis."""
ZERO = 10
"""The label of the digit 0, as MATLAB counts from 1."""


def parse_mat(content: bytes, *, name: str) -> ArrayPart:
    """Return the images (N, 3, 32, 32) and labels 0 … 9 of one file, its label 10 as 0.

    Only for content whose checksum was found right. Raises BadData, naming the file, where it is
    not such a file.
    """
    # scipy's readers take a quarter of a second to load, and no other dataset needs them
    from scipy.io import loadmat

    try:
        found = loadmat(io.BytesIO(content), variable_names=("X", "y"))
    except Exception as error:  # a damaged file raises whatever its reader stumbles on
        raise BadData(f"{name} is no MATLAB file: {type(error).__name__}: {error}") from error
    if "X" not in found or "y" not in found:
        raise BadData(f"{name} has no `X` or no `y`")
    pixels, labels = found["X"], found["y"]
    count = labels.size
    if pixels.dtype != np.uint8 or pixels.shape != (*SHAPE, count) or labels.shape != (count, 1):
        raise BadData(
            f"{name} holds {pixels.dtype} {pixels.shape} and labels {labels.shape}, "
            f"not uint8 {(*SHAPE, 'N')} and labels {('N', 1)}"
        )
    if labels.dtype.kind not in "iu" or not ((labels >= 1) & (labels <= ZERO)).all():
        raise BadData(f"{name} has labels outside of 1 … {ZERO}")
    digits = labels.ravel().astype(np.int64) % ZERO
    return ArrayPart(np.ascontiguousarray(pixels.transpose(3, 2, 0, 1)), digits)
