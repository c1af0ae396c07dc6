"""A set as one file of numpy arrays, none of which needs pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ddspec.canon import Json
from ddspec_analysis.export_set import RoundedSet, learned_arrays

FILE = "train.npz"


def write(found: RoundedSet, folder: Path, exact: Path | None) -> dict[str, Json]:
    """Write `train.npz`: images uint8 (N, H, W, C), labels int64 (N,), classes, mean, std.

    `soft_labels` float32 (N, K) where labels lie with the images. With the folder of the learned
    set in `exact` also what it holds, exactly.
    """
    arrays: dict[str, NDArray[Any]] = {
        "images": np.concatenate(list(found.images())),
        "labels": np.repeat(np.arange(len(found.classes), dtype=np.int64), found.per_class),
        "classes": np.array(found.classes),
        "mean": np.array(found.card["mean"]),
        "std": np.array(found.card["std"]),
    }
    soft = found.soft_labels()
    if soft is not None:
        arrays["soft_labels"] = soft.reshape(found.count, -1)
    if exact is not None:
        arrays |= learned_arrays(exact)
    np.savez_compressed(folder / FILE, allow_pickle=False, **arrays)
    return {"arrays": list(arrays)}
