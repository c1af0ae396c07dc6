"""What an evaluation trains on: a decoded synthetic set, or real images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from ddspec.canon import Digest
from ddspec.spec.learned import as_used
from ddspec_runners.artifacts import SyntheticSet, read_synthetic_set
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.data.whitening import Whitening
from ddspec_runners.faults import BadJob
from ddspec_runners.functional.placement import placed
from ddspec_runners.labels.teaching import log_labels
from ddspec_runners.parameterization.base import Parameterization
from ddspec_runners.parameterization.make import decode_set, make_parameterization
from ddspec_runners.pools.training import nearby

RESIDENT_BYTES = 512 * 2**20
"""Real images up to this size are normalised once and kept; more are read batch by batch."""


class Images(Protocol):
    """Labelled real images as networks see them, in the order of a prepared split."""

    def __len__(self) -> int: ...
    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes in label order."""
        ...

    @property
    def labels(self) -> Tensor:
        """int64 (N,), on the CPU."""
        ...

    def gather(
        self, indices: Tensor | slice, *, dtype: torch.dtype, device: torch.device | None
    ) -> Tensor:
        """Return images (n, C, H, W), normalised or whitened."""
        ...


class Examples(Protocol):
    """Normalised images with labels, in an order of their own."""

    def __len__(self) -> int: ...
    @property
    def size(self) -> int:
        """Side of the images, in pixels."""
        ...

    @property
    def made(self) -> Digest | None:
        """Key of the stage that made a synthetic set; None of real images."""
        ...

    @property
    def rate(self) -> float | None:
        """The learning rate that was learned with a set; None where none was."""
        ...

    @property
    def soft(self) -> Tensor | None:
        """Logarithms of the images' own soft labels, (N, K), on their device; None of hard ones."""
        ...

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return images (b, C, H, W) and labels (b,) at `indices`, int64 on the CPU."""
        ...


@dataclass(frozen=True, slots=True)
class Resident:
    """Examples that lie normalised in the memory of a device."""

    images: Tensor
    """(N, C, H, W), normalised."""
    labels: Tensor
    """int64 (N,), on the same device."""
    soft: Tensor | None = None
    """Logarithms of soft labels (N, K), on the same device."""
    rate: float | None = None
    """The learning rate that was learned with the images."""
    made: Digest | None = None
    """Key of the stage that made them."""

    def __len__(self) -> int:
        return len(self.images)

    @property
    def size(self) -> int:
        """Side of the images, in pixels."""
        return self.images.shape[-1]

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images and labels at `indices`."""
        where = placed(indices, self.labels.device)
        return self.images[where], self.labels[where]


@dataclass(frozen=True, slots=True)
class Mapped:
    """Real images that are too many to keep as floats; the same numbers, batch by batch."""

    split: PreparedSplit
    dtype: torch.dtype
    device: torch.device

    def __len__(self) -> int:
        return len(self.split)

    @property
    def size(self) -> int:
        """Side of the images, in pixels."""
        return self.split.card.size

    @property
    def made(self) -> None:
        """No stage made real images."""

    @property
    def rate(self) -> None:
        """Nothing is learned with them."""

    @property
    def soft(self) -> None:
        """Their labels are hard."""

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images and labels at `indices`."""
        images = self.split.gather(indices, dtype=self.dtype, device=self.device)
        return images, placed(self.split.labels[indices], self.device)


def real_examples(split: PreparedSplit, *, dtype: torch.dtype, device: torch.device) -> Examples:
    """Return a prepared split as examples; bytes of larger ones lie on an accelerator, if any."""
    if split.images.size * dtype.itemsize > RESIDENT_BYTES:
        return Mapped(nearby(split, device), dtype, device)
    images = split.gather(slice(None), dtype=dtype, device=device)
    return Resident(images, split.labels.to(device))


def synthetic_examples(
    stored: SyntheticSet,
    *,
    dtype: torch.dtype,
    device: torch.device,
    whitening: Whitening | None = None,
) -> Resident:
    """Return a synthetic set as examples: decoded class by class, then as networks are fed.

    With a `whitening` all sets are fed whitened; one in ZCA space always is.
    """
    card = stored.card
    parameterization = make_parameterization(
        as_used(card.parameterization), mean=card.mean, std=card.std, whitening=whitening
    )
    per_class = parameterization.count(card.images_per_class)
    classes, _, *shape = card.shape
    images = torch.empty((classes, per_class, *shape), dtype=dtype, device=device)
    labels = torch.empty((classes, per_class), dtype=torch.int64, device=device)
    for row in range(classes):
        learned = stored.images[row : row + 1].to(device=device, dtype=dtype)
        images[row], labels[row] = decode_set(
            parameterization, learned, stored.labels[row : row + 1].to(device)
        )
    return Resident(
        images.flatten(0, 1),
        labels.flatten(),
        soft=_soft(stored, parameterization, dtype, device),
        rate=card.learned_lr,
        made=card.provenance.key,
    )


def _soft(
    stored: SyntheticSet,
    parameterization: Parameterization,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor | None:
    """Return the logarithms of the soft labels of all decoded images; None where there are none."""
    logarithms = log_labels(stored, dtype)
    if logarithms is None:
        return None
    views = parameterization.labels(logarithms.movedim(-1, 0)).movedim(0, -1)
    return views.flatten(0, 1).to(device)


def examples_for(
    folder: Path,
    test: PreparedSplit,
    *,
    on_real: bool,
    dtype: torch.dtype,
    device: torch.device,
    whitening: Whitening | None = None,
) -> Examples:
    """Return the examples in `folder`; raises BadJob where they do not belong to `test`.

    With a `whitening` images are whitened instead of normalised, those of a set in ZCA space as
    they were learned.
    """
    if on_real:
        split = PreparedSplit.open(folder)
        _same_task(split, test)
        fed = split if whitening is None else split.whitened(whitening)
        return real_examples(fed, dtype=dtype, device=device)
    stored = read_synthetic_set(folder)
    _same_task(stored.card, test)
    if stored.card.covers.start or stored.card.covers.stop != stored.card.covers.of:
        raise BadJob("a shard of a set cannot be evaluated before it is merged")
    if stored.card.parameterization.space == "zca" and whitening is None:
        raise BadJob("the set is whitened, and the protocol does not whiten test images")
    return synthetic_examples(stored, dtype=dtype, device=device, whitening=whitening)


class _Described(Protocol):
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def mean(self) -> tuple[float, ...]: ...
    @property
    def std(self) -> tuple[float, ...]: ...


def _same_task(trained: _Described, test: PreparedSplit) -> None:
    if trained.classes != test.classes:
        raise BadJob("the set and the test split have other classes or another order of them")
    if (trained.mean, trained.std) != (test.mean, test.std):
        raise BadJob("the set and the test split are normalised by other values")
