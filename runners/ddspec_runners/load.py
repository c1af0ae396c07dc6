"""Load a synthetic set for training elsewhere: `ddspec_runners.load_synthetic(path)`."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.learned import as_used
from ddspec_runners.artifacts import SyntheticSet, read_synthetic_set
from ddspec_runners.card import Card
from ddspec_runners.data.whitening import Whitening
from ddspec_runners.evaluation.examples import synthetic_examples
from ddspec_runners.parameterization.make import make_parameterization


class SyntheticDataset(Dataset[tuple[Tensor, int]]):
    """A synthetic set, decoded and normalised: item i is an image (C, H, W) and its label."""

    def __init__(self, stored: SyntheticSet) -> None:
        self._stored = stored
        examples = synthetic_examples(stored, dtype=stored.images.dtype, device=torch.device("cpu"))
        self.x: Tensor = examples.images
        """All images as networks are fed, (N, C, H, W)."""
        self.y: Tensor = examples.labels
        """int64 (N,)."""

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return one normalised image (C, H, W) and its label."""
        return self.x[index], int(self.y[index])

    @property
    def card(self) -> Card:
        """Space, normalisation, decoding, classes in order and provenance."""
        return self._stored.card

    @property
    def recipe(self) -> ProtocolSpec | None:
        """How to train on the set, where its card knows."""
        return self.card.protocol

    @property
    def learned(self) -> Tensor:
        """The tensor as it was learned, (K, n, C, H, W), in the space that the card names."""
        return self._stored.images

    def images(self) -> Tensor:
        """Return the decoded images (N, C, H, W) in pixel space.

        Nothing is clamped: learned values may lie somewhat outside of [0, 1]. Raises BadJob for
        whitened images whose `whitening.safetensors` does not lie beside them.
        """
        card = self.card
        spec = as_used(card.parameterization)
        decoder = make_parameterization(spec, mean=card.mean, std=card.std)
        decoded = decoder.decode(self.learned)
        return card.space(self.whitening).to_pixel(decoded).flatten(0, 1)

    @property
    def whitening(self) -> Whitening | None:
        """Of a set in ZCA space: `apply` turns pixels in [0, 1] into what its networks see."""
        return self._stored.whitening


def load_synthetic(path: str | PathLike[str]) -> SyntheticDataset:
    """Return the synthetic set at `path`, ready for a `DataLoader`.

    `path` is the folder of a set, or its `synthetic.safetensors` alone, which holds the card; no
    store is needed. Raises `ddspec_runners.faults.BadData`, saying what is wrong with the file,
    where it is missing, damaged, or was not written by ddspec.
    """
    return SyntheticDataset(read_synthetic_set(Path(path)))
