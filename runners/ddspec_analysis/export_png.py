"""A set as pictures: a folder for each class, as `ImageFolder` of torchvision reads them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from ddspec.canon import Json
from ddspec_analysis.export_names import folders_of
from ddspec_analysis.export_set import Bytes, RoundedSet

TRAIN, CLASSES, SOFT = "train", "classes.json", "soft_labels.npz"


def encoded(image: Bytes) -> bytes:
    """Return an image (H, W, C) of 1, 3 or 4 channels as a PNG; grey stays grey."""
    buffer = io.BytesIO()
    plain = image[..., 0] if image.shape[-1] == 1 else image
    Image.fromarray(plain).save(buffer, format="PNG")
    return buffer.getvalue()


def write(found: RoundedSet, folder: Path) -> dict[str, Json]:
    """Write `train/CLASS/0000.png`, `classes.json`, and `soft_labels.npz` where there are some."""
    folders = folders_of(found.classes)
    width = max(4, len(str(found.per_class - 1)))
    names: list[str] = []
    for name, images in zip(folders, found.images(), strict=True):
        (folder / TRAIN / name).mkdir(parents=True)
        for index, image in enumerate(images):
            names.append(f"{TRAIN}/{name}/{index:0{width}}.png")
            (folder / names[-1]).write_bytes(encoded(image))
    rows: list[Json] = [
        {"label": label, "name": name, "folder": place}
        for label, (name, place) in enumerate(zip(found.classes, folders, strict=True))
    ]
    text = json.dumps({"format": "ddspec.classes/1", "classes": rows}, indent=2, ensure_ascii=False)
    (folder / CLASSES).write_text(text + "\n", encoding="utf-8")
    soft = found.soft_labels()
    if soft is not None:
        flat = soft.reshape(found.count, -1)
        np.savez_compressed(folder / SOFT, files=np.array(names), soft_labels=flat)
    return {"folders": list(folders)}
