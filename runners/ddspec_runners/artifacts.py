"""Files of a stage, each written whole or not at all; and the folder of a synthetic set."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ddspec.canon import Json
from ddspec_runners.card import Card
from ddspec_runners.data.whitening import Whitening
from ddspec_runners.faults import BadData
from ddspec_runners.grid import grid_of

TENSORS, CARD, GRID = "synthetic.safetensors", "card.json", "grid.png"
WHITENING = "whitening.safetensors"
SOFT = "soft_labels"
SUM_OFF = 1e-3
"""How far the probabilities of an image may be from 1 together: rounding of float32 over a million
classes stays below."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it becomes `path`, durably, if the block succeeds."""
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        sync(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    sync(path.parent)


def sync(path: Path) -> None:
    """Force a file or a folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Json) -> None:
    """Write indented JSON; NaN and infinities raise ValueError."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text."""
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write safetensors; equal tensors and at most one entry of metadata give equal bytes."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic(path) as partial:
        # written by Python, so that a full disk is an OSError with its number
        partial.write_bytes(save(plain, metadata=dict(metadata) if metadata else None))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata of a safetensors file; raises BadData if damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        raise BadData(f"{path} cannot be read as safetensors: {error}") from error


def write_png(path: Path, image: Image.Image) -> None:
    """Write a PNG."""
    with atomic(path) as partial:
        image.save(partial, format="PNG")


@dataclass(frozen=True, slots=True)
class SyntheticSet:
    """A synthetic set as it is stored."""

    images: Tensor
    """The learned tensor (K', n, C, H, W), in the space that the card names."""
    labels: Tensor
    """int64 (K', n), in the numbering of all classes."""
    card: Card
    whitening: Whitening | None = None
    """Of images in ZCA space, where its file lies beside them."""
    soft_labels: Tensor | None = None
    """(K', n, K): logits where labels were learned, probabilities where an expert gave them; None
    where they are hard."""


def write_synthetic_set(
    folder: Path,
    images: Tensor,
    labels: Tensor,
    card: Card,
    whitening: Whitening | None = None,
    soft_labels: Tensor | None = None,
) -> None:
    """Write `synthetic.safetensors` (with the card inside), `card.json` and `grid.png`.

    A set in ZCA space also gets its `whitening.safetensors`, under the names of kornia's
    `ZCAWhitening`, so that test images can be whitened alike wherever it is used.

    Args:
        folder: An existing folder.
        images: The learned tensor (K', n, C, H, W), stored exactly; float32 or float64.
        labels: int64 (K', n), global labels.
        card: Of these images; raises ValueError where the two disagree.
        whitening: Of images in ZCA space; raises BadJob where it is missing.
        soft_labels: (K', n, K) in the type of the images, where the card says that labels were
            learned (logits) or are an expert's (probabilities).
    """
    problem = _disagreement(images, labels, card) or _wrong_soft_labels(soft_labels, images, card)
    if problem:
        raise ValueError(problem)
    metadata = {"ddspec": card.model_dump_json()}
    soft = {} if soft_labels is None else {SOFT: soft_labels}
    write_tensors(folder / TENSORS, {"images": images, "labels": labels} | soft, metadata)
    write_json(folder / CARD, card.model_dump(mode="json"))
    if card.whitened and whitening is not None:
        write_tensors(folder / WHITENING, whitening.tensors(images.dtype))
    pixels = card.space(whitening).to_pixel(images.detach().cpu())
    write_png(folder / GRID, grid_of(pixels))


def read_synthetic_set(path: Path) -> SyntheticSet:
    """Return the set in a folder, or in a `synthetic.safetensors` alone.

    The card is the one inside the tensor file. A `card.json` beside it may add the protocol, and
    that labels are soft, neither of which a stage that distils can know; it must agree with it in
    everything else. Raises BadData,
    naming the file, where it is missing, damaged, foreign or contradicts its card.
    """
    file = path / TENSORS if path.is_dir() else path
    if not file.is_file():
        raise BadData(f"there is no synthetic set at {path}: {file.name} is missing")
    tensors, metadata = read_tensors(file)
    if "ddspec" not in metadata or set(tensors) - {SOFT} != {"images", "labels"}:
        raise BadData(f"{file} was not written by ddspec: it has no card or other tensors")
    card = _card(metadata["ddspec"], f"the card inside {file}")
    beside = file.with_name(CARD)
    if beside.is_file():
        card = _with_recipe(card, beside)
    images, labels, soft = tensors["images"], tensors["labels"], tensors.get(SOFT)
    problem = _disagreement(images, labels, card) or _wrong_soft_labels(soft, images, card)
    if problem:
        raise BadData(f"{file} contradicts its card: {problem}")
    return SyntheticSet(images, labels, card, _whitening(file, card), soft)


def _whitening(file: Path, card: Card) -> Whitening | None:
    beside = file.with_name(WHITENING)
    if not card.whitened or not beside.is_file():
        return None
    tensors, _ = read_tensors(beside)
    return Whitening.of(tensors)


def labels_of(card: Card) -> Tensor:
    """Return the hard labels (K', n) of a set: each class's number, repeated."""
    rows = torch.arange(card.covers.start, card.covers.stop).unsqueeze(1)
    return rows.repeat(1, card.images_per_class)


def _card(text: str | bytes, name: str) -> Card:
    try:
        return Card.model_validate_json(text)
    except ValidationError as error:
        raise BadData(f"{name} is not one that this version reads: {error}") from error


def _with_recipe(inner: Card, path: Path) -> Card:
    outer = _card(path.read_bytes(), str(path))
    told = {"protocol": inner.protocol, "unpublished": inner.unpublished}
    taught = {"labels": inner.labels} if (inner.labels, outer.labels) == ("hard", "soft") else {}
    if outer.model_copy(update=told | taught) != inner:
        raise BadData(f"{path} contradicts the card inside {TENSORS}: one of them was changed")
    return outer


def _disagreement(images: Tensor, labels: Tensor, card: Card) -> str:
    if tuple(images.shape) != card.shape:
        return f"images are {tuple(images.shape)}, the card says {card.shape}"
    if images.dtype not in (torch.float32, torch.float64):
        return f"images are {images.dtype}, neither float32 nor float64"
    if not torch.equal(labels.cpu(), labels_of(card)):
        return "labels are not those of the classes that the card covers"
    if not bool(images.isfinite().all()):
        return "images hold NaN or infinite values"
    return ""


def _wrong_soft_labels(soft: Tensor | None, images: Tensor, card: Card) -> str:
    shape = card.soft_shape
    if shape is None:
        return "" if soft is None else f"it holds `{SOFT}`, and labels are {card.labels}"
    if soft is None:
        return f"labels are {card.labels}, and `{SOFT}` is missing"
    if tuple(soft.shape) != shape or soft.dtype != images.dtype:
        return f"`{SOFT}` are {soft.dtype} {tuple(soft.shape)}, not {images.dtype} {shape}"
    if not bool(soft.isfinite().all()):
        return f"`{SOFT}` hold NaN or infinite values"
    if card.labels == "expert" and not _probabilities(soft):
        return f"`{SOFT}` are no probabilities"
    return ""


def _probabilities(soft: Tensor) -> bool:
    return bool((soft >= 0).all()) and bool(((soft.sum(-1) - 1).abs() <= SUM_OFF).all())
