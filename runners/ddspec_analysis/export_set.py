"""A set that was rounded to 8 bits, read without the numerical stack of the runners."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

Bytes = NDArray[np.uint8]

TENSORS, WHITENING = "synthetic.safetensors", "whitening.safetensors"
LEVELS = 255
OFF = 1e-3
"""How far a value may be from a level, in levels: float32 holds them to 1e-5."""


@dataclass(frozen=True, slots=True)
class RoundedSet:
    """The images of a set as they are used, in 8 bits, class after class."""

    path: Path
    card: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path) -> RoundedSet:
        """Open a folder; raises ValueError where there is no set of plain pixels."""
        path = folder / TENSORS
        try:
            with safe_open(path, framework="np") as file:
                card = json.loads((file.metadata() or {})["ddspec"])
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise ValueError(f"{path} cannot be read as a set: {error}") from None
        shape = card["parameterization"]
        if (shape["kind"], shape["space"]) != ("pixels", "pixel"):
            raise ValueError(f"{path} holds no plain pixels")
        return cls(path, card)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names in the order of labels."""
        return tuple(self.card["classes"])

    @property
    def per_class(self) -> int:
        """Images of each class."""
        return int(self.card["images_per_class"])

    @property
    def count(self) -> int:
        """All images."""
        return len(self.classes) * self.per_class

    def images(self) -> Iterator[Bytes]:
        """Yield the images (n, H, W, C) of each class; ValueError where they are not rounded."""
        with safe_open(self.path, framework="np") as file:
            stored = file.get_slice("images")
            for label in range(len(self.classes)):
                values = stored[label].astype(np.float64) * LEVELS
                found = np.rint(values)
                if not (np.abs(values - found).max() < OFF and 0 <= found.min() <= found.max()):
                    raise ValueError(f"{self.path} holds values that are not of 8 bits")
                if found.max() > LEVELS:
                    raise ValueError(f"{self.path} holds values above {LEVELS}")
                yield np.ascontiguousarray(np.moveaxis(found.astype(np.uint8), 1, -1))

    def soft_labels(self) -> NDArray[np.float32] | None:
        """Return the probabilities (K, n, K) that lie with the images; None of hard labels.

        Learned ones are kept as logits, and are learned from as the softmax of them.
        """
        if self.card["labels"] not in ("learned", "expert"):
            return None
        with safe_open(self.path, framework="np") as file:
            soft = file.get_tensor("soft_labels").astype(np.float64)
        if self.card["labels"] == "learned":
            soft = np.exp(soft - soft.max(-1, keepdims=True))
            soft /= soft.sum(-1, keepdims=True)
        found: NDArray[np.float32] = soft.astype(np.float32)
        return found


def learned_arrays(folder: Path) -> dict[str, NDArray[Any]]:
    """Return what a learned set holds, exactly: `learned`, its space, and the whitening of ZCA."""
    try:
        with safe_open(folder / TENSORS, framework="np") as file:
            card = file.metadata()["ddspec"]
            found = {"learned": file.get_tensor("images"), "learned_card": np.array(card)}
            if "soft_labels" in file.keys():  # noqa: SIM118
                found["learned_soft_labels"] = file.get_tensor("soft_labels")
        if (folder / WHITENING).is_file():
            with safe_open(folder / WHITENING, framework="np") as file:
                names = list(file.keys())
                found |= {f"whitening_{name}": file.get_tensor(name) for name in names}
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / TENSORS} cannot be read as a set: {error}") from None
    space = json.loads(card)["parameterization"]["space"]
    return found | {"learned_space": np.array(space)}
