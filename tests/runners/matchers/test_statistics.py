"""The loss of statistics matching: by hand, by finite differences, and term by term."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from ddspec.spec.method import RollSpec, StatisticsMatcherSpec
from ddspec.spec.network import ConvNetSpec
from ddspec_runners.distillation.recover import shifts
from ddspec_runners.functional.params import cast
from ddspec_runners.matchers.statistics import StatisticsMatcher, Teacher
from ddspec_runners.nets.base import Moments, Network, Observed, Params
from ddspec_runners.nets.make import make_network
from ddspec_runners.rng import generator


def spec(**settings: Any) -> StatisticsMatcherSpec:
    return StatisticsMatcherSpec.model_validate({"kind": "statistics", **settings})


class OnePixel:
    """Two batch norms that see the image and its double; its two channels are the logits."""

    def observe(self, params: Params, buffers: Params | None, x: Tensor) -> Observed:
        flat = x.flatten(1)
        var, mean = torch.var_mean(flat, 0, correction=0)
        norms = {"first": Moments(mean, var), "second": Moments(2 * mean, 4 * var)}
        return Observed(flat, flat, norms)


BY_HAND = {
    "cross-entropy": ({"batch_norm": 0.0}, math.log(1 + math.exp(-2.0))),
    # images (3, 1) and (1, 3): means (2, 2), variances (1, 1); teacher: means 0 and variances 0.
    # first: |(1, 1)| + |(2, 2)| = 3 sqrt 2; second: |(4, 4)| + |(4, 4)| = 8 sqrt 2
    "batch norm": ({"cross_entropy": 0.0, "batch_norm": 0.1}, 1.1 * math.sqrt(2)),
    "first layer": (
        {"cross_entropy": 0.0, "batch_norm": 0.1, "first_layer": 10.0},
        3.8 * math.sqrt(2),
    ),
}


@pytest.mark.parametrize(("settings", "expected"), BY_HAND.values(), ids=BY_HAND)
def test_the_loss_of_two_images_of_one_pixel_is_that_of_paper_and_pencil(
    settings: Mapping[str, float], expected: float
) -> None:
    x = torch.tensor([[3.0, 1.0], [1.0, 3.0]], dtype=torch.float64).view(2, 2, 1, 1)
    zeros = torch.zeros(2, dtype=torch.float64)
    statistics = {f"{n}.running_{s}": zeros for n in ("first", "second") for s in ("mean", "var")}
    network: Any = OnePixel()
    matcher = StatisticsMatcher(spec(**settings), network)

    loss, _ = matcher.gradient([Teacher({}, statistics)], x, torch.tensor([0, 1]))

    # a handful of operations in float64
    assert loss.item() == pytest.approx(expected, rel=1e-14)


def test_total_variation_sums_four_norms_over_the_whole_batch() -> None:
    first = [[1.0, 2.0, 4.0], [0.0, 1.0, 1.0], [5.0, 0.0, 2.0]]
    x = torch.tensor([first, [[0.0] * 3, [0.0, 7.0, 0.0], [0.0] * 3]], dtype=torch.float64)
    network: Any = OnePixel()

    prior = StatisticsMatcher(spec(total_variation=0.5), network).prior(x[:, None])

    # squared differences of the first image, then 49 for each pair that has the lone pixel
    across = (1 + 4) + (1 + 0) + (25 + 4) + 2 * 49
    down = (1 + 1 + 9) + (25 + 1 + 1) + 2 * 49
    falling = (0 + 1) + (0 + 1) + 2 * 49
    rising = (4 + 9) + (16 + 1) + 2 * 49
    roots = math.sqrt(across) + math.sqrt(down) + math.sqrt(falling) + math.sqrt(rising)
    assert prior.item() == pytest.approx(0.5 * roots, rel=1e-14)


def test_length_is_the_mean_norm_of_an_image() -> None:
    x = torch.tensor([[3.0, 4.0], [0.0, 1.0]], dtype=torch.float64).view(2, 2, 1, 1)
    network: Any = OnePixel()

    assert StatisticsMatcher(spec(l2=0.5), network).prior(x).item() == pytest.approx(1.5, rel=1e-14)


def trained() -> tuple[Network, list[Teacher]]:
    network = make_network(
        ConvNetSpec(kind="convnet", depth=2, width=4, norm="batch"), channels=3, size=8, classes=3
    )
    teachers = []
    for seed in range(2):
        params = cast(network.init(generator(seed)), dtype=torch.float64)
        buffers = cast(network.buffers(), dtype=torch.float64)
        images = torch.randn(6, 3, 8, 8, generator=generator("real", seed), dtype=torch.float64)
        _, moved = network.train_step(params, buffers, images)
        teachers.append(Teacher(params, moved))
    return network, teachers


FULL = {"batch_norm": 0.3, "first_layer": 2.0, "total_variation": 0.01, "l2": 0.1}


def test_the_gradient_agrees_with_finite_differences() -> None:
    network, teachers = trained()
    matcher, labels = StatisticsMatcher(spec(**FULL), network), torch.tensor([0, 1, 2])
    x = torch.randn(3, 3, 8, 8, generator=generator("x"), dtype=torch.float64)
    along = torch.randn(x.shape, generator=generator("along"), dtype=torch.float64)

    _, gradient = matcher.gradient(teachers, x, labels)
    h = 1e-6
    high, low = (matcher.gradient(teachers, x + s * h * along, labels)[0] for s in (1, -1))

    # truncation h^2 = 1e-12 of the third derivative, rounding 1e-15 / h = 1e-9
    expected = (high - low) / (2 * h)
    torch.testing.assert_close((gradient * along).sum(), expected, rtol=1e-6, atol=0)


def test_the_gradient_of_several_teachers_is_that_of_the_sum_of_their_losses() -> None:
    network, teachers = trained()
    matcher, labels = StatisticsMatcher(spec(**FULL), network), torch.tensor([0, 1, 2])
    x = torch.randn(3, 3, 8, 8, generator=generator("x"), dtype=torch.float64)
    leaf = x.clone().requires_grad_()

    total = matcher.prior(leaf)
    for teacher in teachers:
        total = total + matcher.of_teacher(
            teacher, leaf, lambda logits: torch.nn.functional.cross_entropy(logits, labels)
        )
    (expected,) = torch.autograd.grad(total, leaf)
    loss, gradient = matcher.gradient(teachers, x, labels)

    torch.testing.assert_close(loss, total.detach(), rtol=1e-13, atol=0)
    torch.testing.assert_close(gradient, expected, rtol=1e-11, atol=1e-14)


def test_an_ensemble_is_judged_by_its_mean_logits_as_in_one_joint_graph() -> None:
    network, teachers = trained()
    settings = {**FULL, "cross_entropy": 0.7, "classifier": "ensemble"}
    matcher, labels = StatisticsMatcher(spec(**settings), network), torch.tensor([0, 1, 2])
    x = torch.randn(3, 3, 8, 8, generator=generator("x"), dtype=torch.float64)
    leaf = x.clone().requires_grad_()

    seen = [network.observe(t.params, t.statistics, leaf) for t in teachers]
    mean = (seen[0].logits + seen[1].logits) / 2
    chances = mean.exp() / mean.exp().sum(1, keepdim=True)
    total = matcher.prior(leaf) - 2 * 0.7 * chances.diagonal().log().mean()
    for teacher, observed in zip(teachers, seen, strict=True):
        total = total + 0.3 * matcher.distance(observed.norms, teacher.statistics)
    (expected,) = torch.autograd.grad(total, leaf)
    loss, gradient = matcher.gradient(teachers, x, labels)

    # some hundred operations in float64: 100 x 1e-16, with a margin
    torch.testing.assert_close(loss, total.detach(), rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-12)


def test_an_ensemble_of_one_is_a_teacher_by_itself() -> None:
    network, teachers = trained()
    x, labels = torch.randn(3, 3, 8, 8, generator=generator("x")).double(), torch.tensor([0, 1, 2])

    each, ensemble = (
        StatisticsMatcher(spec(**FULL, classifier=of), network).gradient(teachers[:1], x, labels)
        for of in ("each", "ensemble")
    )

    # the same operations in another order
    torch.testing.assert_close(each, ensemble, rtol=1e-12, atol=1e-14)


def test_a_teacher_is_judged_by_its_running_statistics() -> None:
    """What else is in a batch changes nothing of an image's logits."""
    network, teachers = trained()
    x = torch.randn(3, 3, 8, 8, generator=generator("x"), dtype=torch.float64)
    matcher = StatisticsMatcher(spec(batch_norm=0.0), network)

    together, _ = matcher.gradient(teachers[:1], x, torch.tensor([0, 1, 2]))
    alone = [matcher.gradient(teachers[:1], x[i : i + 1], torch.tensor([i]))[0] for i in range(3)]

    torch.testing.assert_close(together, torch.stack(alone).mean(), rtol=1e-12, atol=0)


def test_equal_statistics_have_no_distance_and_a_finite_gradient() -> None:
    network, teachers = trained()
    x = torch.randn(3, 3, 8, 8, generator=generator("x"), dtype=torch.float64)
    seen = network.observe(teachers[0].params, teachers[0].statistics, x).norms
    # only the first can be made equal: later ones depend on it
    own = {"block0.norm.running_mean": seen["block0.norm"].mean}
    own |= {"block0.norm.running_var": seen["block0.norm"].var}
    matcher = StatisticsMatcher(spec(batch_norm=1.0, cross_entropy=0.0), network)

    first = {"block0.norm": seen["block0.norm"]}
    assert matcher.distance(first, own).item() == 0
    _, gradient = matcher.gradient(
        [Teacher(teachers[0].params, {**teachers[0].statistics, **own})], x, torch.tensor([0, 1, 2])
    )
    assert gradient.isfinite().all()


@pytest.mark.parametrize(("low", "high"), [(0, 2), (-2, 1), (3, 3)])
def test_rolls_reach_both_ends_and_no_further(low: int, high: int) -> None:
    rng: Generator = generator("rolls")
    drawn = {shift for _ in range(200) for shift in shifts(RollSpec(low=low, high=high), rng)}

    assert drawn == set(range(low, high + 1))
