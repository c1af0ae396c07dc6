"""Prepared splits: memory-mapped uint8 images ordered by class, and the queues that walk them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from ddspec.canon import Digest
from ddspec.wire.schedule import Seed
from ddspec_runners.data.whitening import Whitening
from ddspec_runners.faults import BadData
from ddspec_runners.functional.placement import channels, placed
from ddspec_runners.rng import generator

IMAGES, LABELS, FACTS = "images.npy", "labels.npy", "dataset.json"


class DatasetCard(BaseModel):
    """`dataset.json`: what a prepared split is, and how its bytes become floats."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["ddspec.dataset/1"] = "ddspec.dataset/1"
    name: str
    split: Literal["train", "validation", "test"]
    content: Digest
    """Of the source, as the work names it."""
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    """Images of each class in this split."""
    size: int
    channels: int
    mean: tuple[float, ...]
    """Per channel, of the training split in [0, 1]; the same in every split."""
    std: tuple[float, ...]
    test_split: str
    """How the test split is defined, for cards and reports."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PreparedSplit:
    """Images and labels of one split, class-major."""

    card: DatasetCard
    images: npt.NDArray[np.uint8]
    """Pixels (N, C, H, W), ordered by class; a view of the file, paged in when read."""
    labels: Tensor
    """int64 (N,), ascending, on the CPU."""
    held: Tensor | None = None
    """The same pixels in the memory of a device, where `resident` put them there."""
    whitening: Whitening | None = None
    """How networks see the images where they are whitened instead of normalised."""

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Map the split that `prepare` wrote to `folder`; raises BadData if it is not whole."""
        try:
            card = DatasetCard.model_validate_json((folder / FACTS).read_bytes())
            # copy-on-write pages: torch wants writable memory, and the file must never change
            images = np.load(folder / IMAGES, mmap_mode="c")
            labels = torch.from_numpy(np.load(folder / LABELS))
        except (OSError, ValueError, EOFError) as error:  # ValidationError is a ValueError
            raise BadData(f"{folder} is not a prepared split: {error}") from error
        shape = (sum(card.counts), card.channels, card.size, card.size)
        if images.shape != shape or images.dtype != np.uint8:
            raise BadData(
                f"{folder / IMAGES} is {images.dtype} {images.shape}, "
                f"but {FACTS} says uint8 {shape}"
            )
        expected = torch.arange(len(card.counts)).repeat_interleave(torch.tensor(card.counts))
        if not torch.equal(labels, expected):
            raise BadData(f"{folder / LABELS} does not hold the class counts of {FACTS}")
        return cls(card, images, labels)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the K classes in label order."""
        return self.card.classes

    @property
    def counts(self) -> tuple[int, ...]:
        """Images of each class."""
        return self.card.counts

    @property
    def mean(self) -> tuple[float, ...]:
        """Per-channel mean of the training split, in [0, 1]."""
        return self.card.mean

    @property
    def std(self) -> tuple[float, ...]:
        """Per-channel deviation of the training split, in [0, 1]."""
        return self.card.std

    def of_class(self, label: int) -> slice:
        """Return the range of indices that holds one class."""
        start = sum(self.counts[:label])
        return slice(start, start + self.counts[label])

    def gather(
        self,
        indices: Tensor | slice,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
    ) -> Tensor:
        """Return normalised images (n, C, H, W): (byte / 255 - mean) / std in `dtype`.

        A split that is `whitened` gives whitened ones instead.
        """
        return self.normalise(self.pixels(indices, dtype=dtype, device=device))

    def pixels(
        self,
        indices: Tensor | slice,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | None = None,
    ) -> Tensor:
        """Return images (n, C, H, W) in pixel space, byte / 255 in [0, 1]."""
        if self.held is not None:
            chosen = self.held[_on(indices, self.held.device)]
        elif isinstance(indices, Tensor):
            chosen = torch.from_numpy(self.images[indices.cpu().numpy()])
        else:
            chosen = torch.from_numpy(self.images[indices])
        return placed(chosen, device).to(dtype) / 255

    def normalise(self, pixels: Tensor) -> Tensor:
        """Return pixel-space images (..., C, H, W) as networks see them, as `gather` does."""
        if self.whitening is not None:
            return self.whitening.apply(pixels)
        return (pixels - channels(self.mean, pixels)) / channels(self.std, pixels)

    def resident(self, device: torch.device) -> PreparedSplit:
        """Return the split with its bytes in the memory of `device`, for repeated gathers."""
        return replace(self, held=torch.from_numpy(self.images).to(device))

    def whitened(self, whitening: Whitening) -> PreparedSplit:
        """Return the split with images that are whitened whenever they are gathered."""
        return replace(self, whitening=whitening)


@dataclass(frozen=True, slots=True)
class Queue:
    """Mini-batches without replacement over n things, as a pure function of the position.

    Batch t is slice t mod m of the permutation of epoch t div m, with m batches an epoch. `drop`
    leaves the incomplete last batch of an epoch out; a batch is never larger than n.
    """

    seed: Seed
    """Path of the permutations; the epoch is appended."""
    n: int
    batch: int
    drop: bool = True

    @property
    def size(self) -> int:
        """Length of a full batch."""
        return min(self.batch, self.n)

    @property
    def batches(self) -> int:
        """Number of batches in an epoch."""
        return self.n // self.size if self.drop else -(-self.n // self.size)

    def permutation(self, epoch: int) -> Tensor:
        """Draw the order of one epoch: int64 (n,)."""
        return _permutation(self.seed, self.n, epoch).clone()

    def indices(self, t: int) -> Tensor:
        """Return the indices of batch t, counted over all epochs: int64, in [0, n)."""
        epoch, position = divmod(t, self.batches)
        start = position * self.size
        return _permutation(self.seed, self.n, epoch)[start : start + self.size].clone()


@lru_cache(maxsize=256)
def _permutation(seed: Seed, n: int, epoch: int) -> Tensor:
    """Draw an order; kept, because every batch of an epoch asks for it. Never hand it out."""
    return torch.randperm(n, generator=generator(*seed, epoch))


def _on(indices: Tensor | slice, device: torch.device) -> Tensor | slice:
    return placed(indices, device) if isinstance(indices, Tensor) else indices
