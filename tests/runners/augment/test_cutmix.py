"""CutMix: whose pixels and whose labels, and in which shares."""

from __future__ import annotations

from math import sqrt

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from ddspec_runners.augment import cutmix

SIZE = 8
SEEDS = range(20)


def seeded(seed: int) -> Generator:
    return torch.Generator().manual_seed(seed)


def images(n: int = 5) -> Tensor:
    return torch.randn(n, 2, SIZE, SIZE, generator=seeded(100), dtype=torch.float64)


def labels(n: int = 5) -> Tensor:
    return torch.arange(n) % 3


@pytest.mark.parametrize("seed", SEEDS)
def test_mixed_images_agree_with_a_loop_over_pixels(seed: int) -> None:
    x = images()
    draw = cutmix.draw(5, SIZE, seeded(seed), 1.0)
    top, left, bottom, right = draw.box
    expected = x.clone()
    for i, partner in enumerate(draw.partner.tolist()):
        for row in range(top, bottom):
            for column in range(left, right):
                expected[i, :, row, column] = x[partner, :, row, column]

    mixed, _ = cutmix.apply(x, labels(), draw)

    assert mixed.equal(expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_share_kept_is_the_count_of_pixels_kept(seed: int) -> None:
    draw = cutmix.draw(2, SIZE, seeded(seed), 1.0)
    own = torch.stack((torch.zeros(1, SIZE, SIZE), torch.ones(1, SIZE, SIZE)))
    swapped = cutmix.CutMixDraw(True, draw.lam, draw.box, torch.tensor([1, 0]), SIZE)

    mixed, targets = cutmix.apply(own, torch.tensor([0, 1]), swapped)

    # Shares are multiples of 1/64, exact in binary.
    assert targets.kept == 1 - mixed[0].sum().item() / SIZE**2
    assert targets.partner_y.tolist() == [1, 0]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_box_has_the_published_size_about_its_centre_cut_at_the_border(seed: int) -> None:
    size = 11
    draw = cutmix.draw(3, size, seeded(seed), 1.0)
    half = int(size * sqrt(1 - draw.lam)) // 2

    boxes = {
        (max(0, i - half), max(0, j - half), min(size, i + half), min(size, j + half))
        for i in range(size)
        for j in range(size)
    }

    assert draw.box in boxes


def test_the_loss_is_that_of_soft_labels_by_area() -> None:
    draw = cutmix.draw(5, SIZE, seeded(0), 1.0)
    logits = torch.randn(5, 3, generator=seeded(1), dtype=torch.float64)
    one_hot = F.one_hot(labels(), 3).double()
    soft = draw.kept * one_hot + (1 - draw.kept) * one_hot[draw.partner]
    expected = -(soft * logits.log_softmax(1)).sum(1).mean()

    _, by_index = cutmix.apply(images(), labels(), draw)
    _, by_weight = cutmix.apply(images(), one_hot, draw)

    assert 0 < draw.kept < 1
    torch.testing.assert_close(by_index.loss(logits), expected)
    torch.testing.assert_close(by_weight.loss(logits), expected)


def test_without_mixing_images_and_loss_are_what_they_were() -> None:
    x, y = images(), labels()
    logits = torch.randn(5, 3, generator=seeded(1))
    draw = cutmix.draw(5, SIZE, seeded(0), 0.0)

    mixed, targets = cutmix.apply(x, y, draw)

    assert mixed is x
    assert targets.kept == draw.kept == 1
    assert targets.loss(logits).equal(F.cross_entropy(logits, y))


def test_mixing_changes_neither_images_nor_labels_given() -> None:
    x, y = images(), labels()
    x_before, y_before = x.clone(), y.clone()

    cutmix.apply(x, y, cutmix.draw(5, SIZE, seeded(0), 1.0))

    assert x.equal(x_before)
    assert y.equal(y_before)


def test_a_mixed_image_is_differentiable_in_both_its_sources() -> None:
    x = images(3).requires_grad_()
    draw = cutmix.draw(3, SIZE, seeded(2), 1.0)

    def curved(x: Tensor) -> Tensor:
        return cutmix.apply(x, labels(3), draw)[0].square().sum((1, 2, 3))

    assert torch.autograd.gradcheck(curved, (x,))
    assert torch.autograd.gradgradcheck(curved, (x,))


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_batches_are_mixed_as_often_as_asked(probability: float) -> None:
    calls, rng = 2_000, seeded(3)

    active = sum(cutmix.draw(2, SIZE, rng, probability).active for _ in range(calls))

    # Five standard deviations of a binomial count: none for 0 and 1.
    assert abs(active - calls * probability) <= 5 * sqrt(calls * probability * (1 - probability))


def test_lambda_is_uniform_and_partners_are_permutations() -> None:
    calls, rng = 2_000, seeded(4)

    draws = [cutmix.draw(4, SIZE, rng, 0.5) for _ in range(calls)]

    counts = torch.tensor([draw.lam for draw in draws]).histc(10, 0, 1)
    assert (counts - calls / 10).abs().max() < 5 * sqrt(calls * 0.1 * 0.9)
    assert all(sorted(draw.partner.tolist()) == [0, 1, 2, 3] for draw in draws)
    first = torch.stack([draw.partner[0] for draw in draws]).bincount(minlength=4)
    assert (first - calls / 4).abs().max() < 5 * sqrt(calls * 0.25 * 0.75)


def test_what_a_draw_consumes_does_not_depend_on_what_it_draws() -> None:
    def consumed(seed: int, probability: float) -> int:
        rng = seeded(seed)
        cutmix.draw(5, SIZE, rng, probability)
        following = torch.rand(4, generator=rng)
        stream = torch.rand(100, generator=seeded(seed)).unfold(0, 4, 1)
        return int(stream.eq(following).all(1).nonzero().item())

    assert len({consumed(seed, p) for seed in SEEDS for p in (0.0, 0.5, 1.0)}) == 1
