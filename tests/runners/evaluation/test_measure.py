from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from ddspec_runners.data.prepared import DatasetCard, PreparedSplit
from ddspec_runners.evaluation.measure import Measurement, measure


class ByBrightness:
    """Calls an image by the class whose level its first pixel is nearest to."""

    def init(self, rng: Generator) -> dict[str, Tensor]:
        return {}

    def buffers(self) -> dict[str, Tensor]:
        return {}

    def apply(self, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
        raise AssertionError("an evaluation predicts")

    def train_step(
        self,
        params: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        x: Tensor,
        rng: Generator | None = None,
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        raise AssertionError("an evaluation predicts")

    def predict(
        self, params: Mapping[str, Tensor], buffers: Mapping[str, Tensor], x: Tensor
    ) -> Tensor:
        return -10 * (x[:, 0, 0, 0, None] - params["levels"]).abs()

    def features(
        self, params: Mapping[str, Tensor], buffers: Mapping[str, Tensor], x: Tensor
    ) -> Tensor:
        raise AssertionError("an evaluation predicts")


def split_of(levels: list[int], labels: list[int], classes: int) -> PreparedSplit:
    card = DatasetCard(
        name="shapes",
        split="test",
        content="0" * 64,
        classes=tuple("abcdef"[:classes]),
        counts=tuple(labels.count(c) for c in range(classes)),
        size=1,
        channels=1,
        mean=(0.0,),
        std=(1.0,),
        test_split="made up",
    )
    images = np.array(levels, np.uint8).reshape(-1, 1, 1, 1)
    return PreparedSplit(card, images, torch.tensor(labels))


LEVELS = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)


def test_every_image_is_counted_in_its_row_and_column() -> None:
    split = split_of([0, 255, 128, 128, 0, 255], [0, 0, 0, 1, 1, 1], 3)

    found = measure(ByBrightness(), {"levels": LEVELS}, {}, split)

    assert found.confusion.tolist() == [[1, 1, 1], [1, 1, 1], [0, 0, 0]]
    assert found.accuracy == 2 / 6
    assert found.per_class == (1 / 3, 1 / 3, None)


def test_the_loss_is_the_mean_over_images_whatever_the_batches() -> None:
    levels = [(37 * i) % 256 for i in range(600)]
    labels = sorted(i % 3 for i in range(600))
    split = split_of(levels, labels, 3)

    found = measure(ByBrightness(), {"levels": LEVELS}, {}, split)

    total = 0.0
    for level, label in zip(levels, labels, strict=True):
        logits = [-10 * abs(level / 255 - float(c)) for c in LEVELS]
        total += float(np.log(np.sum(np.exp(logits)))) - logits[label]
    # float64 on both sides, 600 terms
    assert found.loss == pytest.approx(total / 600, rel=1e-12)
    assert found.images == 600


def test_accuracy_is_over_images_not_over_classes() -> None:
    found = Measurement(torch.tensor([[9, 0], [1, 0]]), loss=0.0)

    assert found.accuracy == 0.9
    assert found.per_class == (1.0, 0.0)
