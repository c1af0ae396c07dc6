"""A set as Parquet, in the layout that `datasets.load_dataset` reads without a script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ddspec.canon import Json
from ddspec_analysis.export_png import encoded
from ddspec_analysis.export_set import RoundedSet

SHARD_BYTES = 500 * 10**6
"""Of the pixels of a file at most, which is what the hub asks for."""
GROUP = 100
"""Images that are read together."""


def write(found: RoundedSet, folder: Path) -> dict[str, Json]:
    """Write `data/train-00000-of-0000N.parquet`: `image`, `label`, `soft_labels` where there are.

    Return the features as their schema says them, and the sizes that a dataset card tells.
    """
    features = features_of(found)
    schema = _schema(found, features)
    sizes = _shards(found)
    (folder / "data").mkdir()
    rows = _rows(found)
    written = 0
    for index, size in enumerate(sizes):
        path = folder / "data" / f"train-{index:05}-of-{len(sizes):05}.parquet"
        with pq.ParquetWriter(path, schema) as writer:
            for first in range(0, size, GROUP):
                count = min(GROUP, size - first)
                table = pa.Table.from_pylist([next(rows) for _ in range(count)], schema)
                written += table.nbytes
                writer.write_table(table)
    return {"features": features, "num_bytes": written, "num_examples": found.count}


def features_of(found: RoundedSet) -> dict[str, Json]:
    """Return the columns in the words of `datasets`."""
    columns: dict[str, Json] = {
        "image": {"_type": "Image"},
        "label": {"names": list(found.classes), "_type": "ClassLabel"},
    }
    if found.soft_labels() is not None:
        inner: Json = {"dtype": "float32", "_type": "Value"}
        columns["soft_labels"] = {
            "feature": inner, "length": len(found.classes), "_type": "Sequence"
        }  # fmt: skip
    return columns


def _schema(found: RoundedSet, features: dict[str, Json]) -> Any:
    fields = [
        pa.field("image", pa.struct({"bytes": pa.binary(), "path": pa.string()})),
        pa.field("label", pa.int64()),
    ]
    if "soft_labels" in features:
        fields.append(pa.field("soft_labels", pa.list_(pa.float32(), len(found.classes))))
    told = json.dumps({"info": {"features": features}})
    return pa.schema(fields, metadata={"huggingface": told})


def _shards(found: RoundedSet) -> list[int]:
    """Return how many images each file holds; their sizes differ by at most one."""
    pixels = found.count * int(found.card["size"]) ** 2 * int(found.card["channels"])
    files = min(found.count, -(-pixels // SHARD_BYTES))
    bounds = [found.count * index // files for index in range(files + 1)]
    return [stop - start for start, stop in pairwise(bounds)]


def _rows(found: RoundedSet) -> Iterator[dict[str, Any]]:
    soft = found.soft_labels()
    for label, images in enumerate(found.images()):
        for index, image in enumerate(images):
            picture = {"bytes": encoded(image), "path": f"{label:05}-{index:05}.png"}
            row = {"image": picture, "label": label}
            yield row if soft is None else {**row, "soft_labels": soft[label, index]}
