"""The 1,797 hand-written digits that ship inside scikit-learn's wheel."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
from pathlib import Path

import numpy as np

from ddspec_runners.data.corpus import ArrayPart
from ddspec_runners.faults import BadData

LEVELS = 16
"""Largest value of the source; 0 … 16 become 0 … 255."""


def digits_file() -> Path:
    """Return where scikit-learn keeps the digits, without importing it."""
    found = importlib.util.find_spec("sklearn")
    if found is None or found.origin is None:
        raise BadData("the digits come with scikit-learn: install `ddspec[runners]`")
    return Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"


def read_digits(path: Path) -> ArrayPart:
    """Return all digits: uint8 (1797, 1, 8, 8) as round(value x 255 / 16), and their labels."""
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            table = np.loadtxt(file, delimiter=",", ndmin=2)
    except (OSError, EOFError, ValueError) as error:
        raise BadData(f"{path} cannot be read: {error}") from error
    if table.shape[1] != 65:
        raise BadData(f"{path} has {table.shape[1]} columns, not 64 pixels and a label")
    pixels = np.rint(table[:, :64] * 255 / LEVELS).astype(np.uint8)
    return ArrayPart(pixels.reshape(-1, 1, 8, 8), table[:, 64].astype(np.int64))


def content_of_digits(part: ArrayPart) -> str:
    """Return the SHA-256 over the image bytes, then the labels as bytes."""
    return hashlib.sha256(
        part.images.tobytes() + part.labels.astype(np.uint8).tobytes()
    ).hexdigest()
