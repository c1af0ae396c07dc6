"""Load a synthetic set for training elsewhere: `ddspec_runners.load_synthetic(path)`."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.learned import as_used
from ddspec_runners.artifacts import SyntheticSet, read_synthetic_set
from ddspec_runners.augment.make import make_policy
from ddspec_runners.card import Card
from ddspec_runners.data.whitening import Whitening
from ddspec_runners.evaluation.batches import mixed
from ddspec_runners.evaluation.examples import synthetic_examples
from ddspec_runners.faults import BadData
from ddspec_runners.labels.recording import FACTS, Recording
from ddspec_runners.parameterization.make import make_parameterization

LABELS = "labels"
"""The folder of recorded labels beside a set."""


class SyntheticDataset(Dataset[tuple[Tensor, int | Tensor]]):
    """A synthetic set, decoded and normalised: item i is an image (C, H, W) and its label.

    The label is the number of the class, or the probabilities of all classes (K,) where labels were
    learned with the images or are an expert's. `torch.nn.functional.cross_entropy` takes batches of
    either, so the loop is the same:

        for images, labels in DataLoader(load_synthetic("results/mtt"), 256, shuffle=True):
            loss = F.cross_entropy(network(augment(images)), labels)

    Where teachers label each view of an image (`card.labels` is `soft`), `epoch` gives the views as
    they were recorded, and what teachers said:

        dataset, t = load_synthetic("results/sre2l"), 20.0
        for epoch in range(dataset.epochs):
            for views, labels in dataset.epoch(epoch, temperature=t):
                found = F.log_softmax(network(views) / t, 1)
                loss = F.kl_div(found, labels, reduction="batchmean")
    """

    def __init__(self, stored: SyntheticSet, recording: Recording | None = None) -> None:
        self._stored = stored
        self._recording = recording
        examples = synthetic_examples(stored, dtype=stored.images.dtype, device=torch.device("cpu"))
        self.x: Tensor = examples.images
        """All images as networks are fed, (N, C, H, W)."""
        self.y: Tensor = examples.labels
        """Numbers of their classes, int64 (N,)."""
        self.soft: Tensor | None = None if examples.soft is None else examples.soft.exp()
        """Probabilities (N, K) that were learned or are an expert's; None where there are none."""
        if recording is not None:
            _require_fit(recording, stored.card, len(self.x))

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, int | Tensor]:
        """Return one normalised image (C, H, W) and its label, a number or (K,) probabilities."""
        return self.x[index], int(self.y[index]) if self.soft is None else self.soft[index]

    @property
    def epochs(self) -> int:
        """Whole epochs of views that teachers have labelled; 0 where nothing was recorded."""
        found = self._recording
        return 0 if found is None else found.facts.steps // found.facts.batches

    def epoch(
        self, number: int, *, temperature: float | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of an epoch (from 0): views (b, C, H, W), probabilities (b, K).

        Views are augmented and mixed as recorded. Probabilities are those of the teachers' logits
        divided by `temperature`, by default that of the recipe, else 1. Raises BadData where
        nothing was recorded, where the file is damaged, and where there is no such epoch.
        """
        if self._recording is None:
            raise BadData("no labels of views lie beside the set: name their folder by `labels`")
        if not 0 <= number < self.epochs:
            raise BadData(f"there is no epoch {number}: {self.epochs} were recorded, from 0")
        teaching = None if self.recipe is None else self.recipe.teaching
        if temperature is None:
            temperature = 1.0 if teaching is None else teaching.temperature
        return self._views(self._recording, number, temperature)

    def _views(
        self, recording: Recording, number: int, temperature: float
    ) -> Iterator[tuple[Tensor, Tensor]]:
        facts = recording.facts
        policy = make_policy(facts.augmentation, mean=self.card.mean, std=self.card.std)
        for t in range(number * facts.batches, (number + 1) * facts.batches):
            draw = recording.draw(t)
            seen = policy.apply(self.x[draw.indices], draw.augmentation)
            views, _ = mixed(seen, self.y[draw.indices], draw.mix)
            yield views, (recording.logits(t).to(views.dtype) / temperature).softmax(1)

    @property
    def card(self) -> Card:
        """Space, normalisation, decoding, classes in order and provenance."""
        return self._stored.card

    @property
    def recipe(self) -> ProtocolSpec | None:
        """How to train on the set, where its card knows."""
        return self.card.protocol

    @property
    def learning_rate(self) -> float | None:
        """The learning rate of networks that was learned with the images; None where none was."""
        return self.card.learned_lr

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


def load_synthetic(
    path: str | PathLike[str], labels: str | PathLike[str] | None = None
) -> SyntheticDataset:
    """Return the synthetic set at `path`, ready for a `DataLoader`.

    `path` is the folder of a set, or its `synthetic.safetensors` alone, which holds the card; no
    store is needed. `labels` is the folder of what teachers said of its views, by default `labels`
    beside the set, if it is there. Raises `ddspec_runners.faults.BadData`, saying what is wrong
    with the file, where it is missing, damaged, or was not written by ddspec.
    """
    stored = read_synthetic_set(Path(path))
    beside = Path(path) / LABELS
    if labels is None and not (beside / FACTS).is_file():
        return SyntheticDataset(stored)
    return SyntheticDataset(stored, Recording.open(beside if labels is None else Path(labels)))


def _require_fit(recording: Recording, card: Card, images: int) -> None:
    facts = recording.facts
    told = (facts.set, facts.images, facts.classes, facts.size)
    if told != (card.provenance.key, images, len(card.classes), card.size):
        raise BadData(f"the labels at {recording.folder} were recorded of another set")
    if facts.zca is not None and not card.whitened:
        raise BadData(
            f"the labels at {recording.folder} are of whitened views, and the set is not whitened"
        )
