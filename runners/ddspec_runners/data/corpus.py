"""What readers return: images in source order, decoded as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Bytes: TypeAlias = npt.NDArray[np.uint8]
Indices: TypeAlias = npt.NDArray[np.int64]

BLOCK = 2048
"""Images handed on at once from memory."""


@dataclass(frozen=True, slots=True)
class Block:
    """Images that were decoded together."""

    images: Bytes
    """(b, C, H, W)."""
    kept: Indices
    """Which images of the split they are, (b,)."""
    left_out: tuple[str, ...] = ()
    """Images beside them that cannot be decoded, each with the reason."""

    @property
    def tried(self) -> int:
        """How many images were to be decoded."""
        return len(self.kept) + len(self.left_out)


class Part(Protocol):
    """One published split of a source."""

    @property
    def labels(self) -> Indices:
        """Label of each image in source order, int64 (N,)."""
        ...

    def blocks(self, indices: Indices) -> Iterator[Block]:
        """Yield the images at `indices` in that order, in blocks.

        Raises BadData, at the latest after the last block, where more images cannot be decoded
        than may be left out.
        """
        ...


@dataclass(frozen=True, slots=True)
class ArrayPart:
    """A split that is small enough to lie in memory."""

    images: Bytes
    """(N, C, H, W) in source order."""
    labels: Indices

    def blocks(self, indices: Indices) -> Iterator[Block]:
        """Yield the images at `indices`, in blocks."""
        for start in range(0, len(indices), BLOCK):
            chosen = indices[start : start + BLOCK]
            yield Block(self.images[chosen], chosen)


@dataclass(frozen=True, slots=True)
class Corpus:
    """A source as it was read."""

    train: Part
    test: Part | None
    """None where the source has no test split of its own; then a holdout of `train` is it."""
    test_split: str
    """How the test split is defined, unless it is a holdout."""
