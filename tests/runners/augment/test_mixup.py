"""Mixup against its definition."""

from __future__ import annotations

import math

import pytest
import torch

from ddspec_runners.augment import mixup
from ddspec_runners.rng import generator


def test_each_image_is_a_mean_of_itself_and_its_partner() -> None:
    rng = generator("mixup")
    x = torch.rand(5, 2, 3, 3, generator=rng, dtype=torch.float64)
    y = torch.tensor([0, 1, 2, 1, 0])
    drawn = mixup.draw(5, rng, 0.8)

    mixed, targets = mixup.apply(x, y, drawn)

    for i, partner in enumerate(drawn.partner.tolist()):
        for at in ((0, 0, 0), (1, 2, 1)):
            expected = drawn.kept * x[i][at] + (1 - drawn.kept) * x[partner][at]
            # two products and a sum of numbers below one
            assert mixed[i][at].item() == pytest.approx(expected.item(), abs=1e-15)
        assert targets.partner_y[i] == y[partner]
    assert targets.y.equal(y)
    assert targets.kept == drawn.kept


def test_the_loss_is_that_of_the_mixed_labels() -> None:
    rng = generator("loss")
    logits = torch.randn(5, 3, generator=rng, dtype=torch.float64)
    y = torch.tensor([0, 1, 2, 1, 0])
    drawn = mixup.draw(5, rng, 0.8)

    _, targets = mixup.apply(torch.zeros(5, 1, 2, 2), y, drawn)

    total = 0.0
    for row, own, other in zip(logits.tolist(), y, y[drawn.partner], strict=True):
        scale = math.log(sum(math.exp(value) for value in row))
        total += drawn.kept * (scale - row[own]) + (1 - drawn.kept) * (scale - row[other])
    assert targets.loss(logits).item() == pytest.approx(total / 5, abs=1e-14)


@pytest.mark.parametrize("alpha", [0.2, 0.8, 1.0, 4.0])
def test_shares_have_the_moments_of_the_beta_distribution(alpha: float) -> None:
    shares = torch.tensor(
        [mixup.draw(1, generator("beta", i), alpha).kept for i in range(2000)], dtype=torch.float64
    )

    variance = 1 / (4 * (2 * alpha + 1))
    # five standard errors of a mean of 2,000, and of a variance whose fourth moment is below 1 / 16
    assert abs(shares.mean().item() - 0.5) < 5 * math.sqrt(variance / 2000)
    assert abs(shares.var().item() - variance) < 5 * 0.25 / math.sqrt(2000)
    assert ((shares >= 0) & (shares <= 1)).all()


def test_what_is_consumed_depends_on_the_number_of_images_alone() -> None:
    after = []
    for alpha in (0.1, 8.0):
        rng = generator("consumed")
        mixup.draw(7, rng, alpha)
        after.append(torch.rand(1, generator=rng))

    assert after[0].equal(after[1])
