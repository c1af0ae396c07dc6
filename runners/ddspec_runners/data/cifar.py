"""CIFAR's pickled batches, read by an unpickler that can build arrays and nothing else."""

from __future__ import annotations

import codecs
import io
import pickle  # noqa: TID251 - the published files are pickles; they are read restricted
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from ddspec_runners.data.corpus import ArrayPart
from ddspec_runners.faults import BadData

ROW = 3 * 32 * 32
_RECONSTRUCT = np.empty(0).__reduce__()[0]

ADMITTED: Mapping[tuple[str, str], object] = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): codecs.encode,
}
"""All that a batch may name; everything else is refused before it is imported."""


class _Restricted(pickle.Unpickler):
    def __init__(self, file: BinaryIO, name: str) -> None:
        super().__init__(file, encoding="bytes")
        self._name = name

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the admitted constructors; raises BadData for any other name."""
        if (module, name) not in ADMITTED:
            raise BadData(f"{self._name} asks for `{module}.{name}`, which no CIFAR batch needs")
        return ADMITTED[module, name]


def parse_batch(content: bytes, *, labels: bytes, classes: int, name: str) -> ArrayPart:
    """Return the images (N, 3, 32, 32) and labels of one batch file.

    `labels` is the key of the labels, `labels` or `fine_labels`. Raises BadData, naming the file,
    where it is not a batch; nothing that it names is ever executed.
    """
    try:
        batch = _Restricted(io.BytesIO(content), name).load()
    except BadData:
        raise
    except Exception as error:  # a damaged pickle raises whatever its opcodes stumble on
        raise BadData(f"{name} is not a pickle: {type(error).__name__}: {error}") from error
    rows = batch.get(b"data") if isinstance(batch, dict) else None
    numbers = batch.get(labels) if isinstance(batch, dict) else None
    if not isinstance(rows, np.ndarray) or not isinstance(numbers, list):
        raise BadData(f"{name} has no `data` or `{labels.decode()}`")
    if rows.dtype != np.uint8 or rows.shape != (len(numbers), ROW):
        raise BadData(f"{name} holds {rows.dtype} {rows.shape}, not uint8 {(len(numbers), ROW)}")
    if not all(isinstance(n, int) and 0 <= n < classes for n in numbers):
        raise BadData(f"{name} has labels outside of 0 … {classes - 1}")
    return ArrayPart(rows.reshape(-1, 3, 32, 32), np.array(numbers, dtype=np.int64))


def join(parts: Sequence[ArrayPart]) -> ArrayPart:
    """Return batches one after the other."""
    return ArrayPart(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )
