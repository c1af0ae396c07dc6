"""What every matcher promises, checked on every row of the table, and on broken ones.

The network is smooth, because finite differences across a kink of ReLU mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from ddspec.spec.method import DistributionMatcherSpec, GradientMatcherSpec, MatcherSpec
from ddspec_runners.functional.gradients import image_gradient
from ddspec_runners.matchers.base import Matcher
from ddspec_runners.matchers.gradient import GradientMatcher, GradientTarget
from ddspec_runners.matchers.table import MATCHERS, make_matcher
from ddspec_runners.nets.base import Observed

CLASSES = (0, 2, 1)
Check = Callable[[Matcher[Any]], None]


@dataclass(frozen=True)
class TanhNetwork:
    """One convolution, tanh, one linear layer."""

    def init(self, rng: Generator) -> dict[str, Tensor]:
        shapes = {"conv.weight": (2, 1, 3, 3), "conv.bias": (2,), "linear.weight": (3, 18)}
        return {
            name: torch.randn(shape, generator=rng, dtype=torch.float64) / 2
            for name, shape in shapes.items()
        }

    def buffers(self) -> dict[str, Tensor]:
        return {}

    def apply(self, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
        return self.features(params, None, x) @ params["linear.weight"].T

    def train_step(
        self,
        params: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        x: Tensor,
        rng: Generator | None = None,
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        return self.apply(params, x), buffers

    def predict(
        self, params: Mapping[str, Tensor], buffers: Mapping[str, Tensor], x: Tensor
    ) -> Tensor:
        return self.apply(params, x)

    def features(
        self, params: Mapping[str, Tensor], buffers: Mapping[str, Tensor] | None, x: Tensor
    ) -> Tensor:
        x = F.conv2d(x, params["conv.weight"], params["conv.bias"], padding=1)
        return torch.tanh(x).flatten(1)

    def observe(
        self, params: Mapping[str, Tensor], buffers: Mapping[str, Tensor] | None, x: Tensor
    ) -> Observed:
        return Observed(self.apply(params, x), self.features(params, buffers, x), {})


def seeded(seed: int) -> Generator:
    return torch.Generator().manual_seed(seed)


def batch(seed: int, n: int) -> Tensor:
    return torch.randn(n, 1, 3, 3, generator=seeded(seed), dtype=torch.float64)


def params(seed: int = 1) -> dict[str, Tensor]:
    return TanhNetwork().init(seeded(seed))


def real() -> list[Tensor]:
    return [batch(10 + k, 4) for k in range(len(CLASSES))]


def synthetic() -> list[Tensor]:
    return [batch(20 + k, 2) for k in range(len(CLASSES))]


def losses(
    matcher: Matcher[Any],
    learned: Sequence[Tensor],
    *,
    against: Sequence[Tensor] | None = None,
    classes: Sequence[int] = CLASSES,
    network: int = 1,
) -> Tensor:
    target = matcher.target(params(network), real() if against is None else against, classes)
    return matcher.loss(learned, target)


def slopes(matcher: Matcher[Any], learned: Sequence[Tensor], **changes: Any) -> list[Tensor]:
    leaves = [images.clone().requires_grad_() for images in learned]
    return list(torch.autograd.grad(losses(matcher, leaves, **changes).sum(), leaves))


def check_there_is_one_value_a_class(matcher: Matcher[Any]) -> None:
    values = losses(matcher, synthetic())

    assert values.shape == (len(CLASSES),)
    assert values.gt(0).all()


def check_every_image_gets_a_gradient(matcher: Matcher[Any]) -> None:
    for slope in slopes(matcher, synthetic()):
        assert slope.flatten(1).norm(dim=1).gt(1e-6).all()


def check_gradient_agrees_with_finite_differences(matcher: Matcher[Any]) -> None:
    target = matcher.target(params(), real(), CLASSES)
    leaves = tuple(images.requires_grad_() for images in synthetic())

    assert torch.autograd.gradcheck(lambda *learned: matcher.loss(learned, target), leaves)


def check_it_is_a_function_of_its_arguments_alone(matcher: Matcher[Any]) -> None:
    first = losses(matcher, synthetic())

    losses(matcher, synthetic(), network=2)

    assert torch.equal(losses(matcher, synthetic()), first)


def check_it_depends_on_the_network(matcher: Matcher[Any]) -> None:
    if "it_depends_on_the_network" in matcher.exempt:
        pytest.skip(matcher.exempt["it_depends_on_the_network"])
    first = losses(matcher, synthetic())

    assert not torch.allclose(losses(matcher, synthetic(), network=2), first)


def check_it_leaves_its_arguments_as_they_were(matcher: Matcher[Any]) -> None:
    weights, learned, images = params(), synthetic(), real()
    matcher.loss(learned, matcher.target(weights, images, CLASSES))

    expected = [*params().values(), *synthetic(), *real()]
    given = [*weights.values(), *learned, *images]
    assert all(torch.equal(a, b) for a, b in zip(given, expected, strict=True))
    assert not any(tensor.requires_grad for tensor in given)


def check_real_images_are_a_fixed_point(matcher: Matcher[Any]) -> None:
    if "real_images_are_a_fixed_point" in matcher.exempt:
        pytest.skip(matcher.exempt["real_images_are_a_fixed_point"])
    values = losses(matcher, real())

    # cosine leaves 1e-6 / (product of norms) a row, here 5 rows of norms above 0.1
    assert values.abs().max() < 5e-4


def check_permuting_images_of_a_class_permutes_gradients(matcher: Matcher[Any]) -> None:
    before = slopes(matcher, synthetic())
    after = slopes(matcher, [images.flip(0) for images in synthetic()])

    for one, other in zip(before, after, strict=True):
        assert torch.allclose(one, other.flip(0), rtol=1e-9, atol=1e-12)


def check_the_order_of_real_images_does_not_matter(matcher: Matcher[Any]) -> None:
    flipped = [images.flip(0) for images in real()]

    assert torch.allclose(
        losses(matcher, synthetic(), against=flipped), losses(matcher, synthetic()), rtol=1e-9
    )


def check_repeating_every_image_changes_nothing(matcher: Matcher[Any]) -> None:
    twice = [images.repeat(2, 1, 1, 1) for images in synthetic()]

    assert torch.allclose(losses(matcher, twice), losses(matcher, synthetic()), rtol=1e-9)


def check_classes_separate(matcher: Matcher[Any]) -> None:
    together = losses(matcher, synthetic())
    alone = [
        losses(matcher, [learned], against=[images], classes=[label])
        for learned, images, label in zip(synthetic(), real(), CLASSES, strict=True)
    ]

    assert torch.equal(torch.cat(alone), together)


CHECKS: Mapping[str, Check] = {
    name.removeprefix("check_"): value
    for name, value in sorted(globals().items())
    if name.startswith("check_")
}

SPECS: Mapping[str, MatcherSpec] = {
    f"{distance} over {parameters}": GradientMatcherSpec.model_validate(
        {"kind": "gradient", "distance": distance, "parameters": parameters}
    )
    for distance in ("squared", "l1", "channel_mean", "cosine")
    for parameters in ("kernels", "matrices", "all")
} | {
    name: DistributionMatcherSpec.model_validate({"kind": "distribution", **settings})
    for name, settings in {
        "means of embedding": {},
        "means of embedding, classified": {"cross_entropy": {"weight": 0.5, "by_accuracy": False}},
        "means of pixels": {"features": "pixels"},
    }.items()
}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_matcher_keeps_its_promises(spec: GradientMatcherSpec, check: Check) -> None:
    check(make_matcher(spec, TanhNetwork()))


def test_every_row_of_the_table_is_checked() -> None:
    assert {spec.kind for spec in SPECS.values()} == set(MATCHERS)


def test_the_gradient_of_images_is_that_of_the_sum_of_losses() -> None:
    matcher = make_matcher(SPECS["squared over all"], TanhNetwork())
    images = synthetic()[0]
    target = matcher.target(params(), real()[:1], [0])
    values, (slope,) = image_gradient(lambda x: matcher.loss(x, target), [images])

    assert torch.equal(slope, slopes(matcher, [images], against=real()[:1], classes=[0])[0])
    assert not values.requires_grad
    assert not images.requires_grad


# --- matchers that break one promise each ---------------------------------------------------------


@dataclass(frozen=True)
class Broken(GradientMatcher):
    """A gradient matcher whose `loss` some subclass spoils."""

    state: list[int] = field(default_factory=list)

    def sound(self, learned: Sequence[Tensor], target: GradientTarget) -> Tensor:
        return GradientMatcher.loss(self, learned, target)


class GlobalDraws(Broken):
    def loss(self, synthetic: Sequence[Tensor], target: GradientTarget) -> Tensor:
        return self.sound([x + 0.1 * torch.randn_like(x) for x in synthetic], target)


class SkippedClass(Broken):
    def loss(self, synthetic: Sequence[Tensor], target: GradientTarget) -> Tensor:
        return self.sound(synthetic, target) * torch.tensor([1.0, 0.0, 1.0])


class FirstOrder(Broken):
    def loss(self, synthetic: Sequence[Tensor], target: GradientTarget) -> Tensor:
        halves = [(x + x.detach()) / 2 for x in synthetic]
        return self.sound(halves, target)


class OrderDependent(Broken):
    def loss(self, synthetic: Sequence[Tensor], target: GradientTarget) -> Tensor:
        weighted = [
            x * torch.linspace(1, 2, len(x), dtype=x.dtype).view(-1, 1, 1, 1) for x in synthetic
        ]
        return self.sound(weighted, target)


class SumForMean(Broken):
    def loss(self, synthetic: Sequence[Tensor], target: GradientTarget) -> Tensor:
        return self.sound(synthetic, target) * len(synthetic[0])


class DeadGradient(Broken):
    def loss(self, synthetic: Sequence[Tensor], target: GradientTarget) -> Tensor:
        first = [torch.cat((x[:1].detach(), x[1:])) for x in synthetic]
        return self.sound(first, target)


class HiddenState(Broken):
    def loss(self, synthetic: Sequence[Tensor], target: GradientTarget) -> Tensor:
        self.state.append(1)
        return self.sound(synthetic, target) * len(self.state)


class MixedClasses(Broken):
    def loss(self, synthetic: Sequence[Tensor], target: GradientTarget) -> Tensor:
        values = self.sound(synthetic, target)
        return values + 0.01 * values.sum()


class OneValue(Broken):
    def loss(self, synthetic: Sequence[Tensor], target: GradientTarget) -> Tensor:
        return self.sound(synthetic, target).sum()


class ScribblesOnParameters(Broken):
    def target(
        self,
        params: Mapping[str, Tensor],
        real: Sequence[Tensor],
        classes: Sequence[int],
        statistics: Mapping[str, Tensor] | None = None,
    ) -> GradientTarget:
        for value in params.values():
            value.mul_(0.99)
        return GradientMatcher.target(self, params, real, classes, statistics)


BREAKS: Mapping[type[Broken], str] = {
    GlobalDraws: "it_is_a_function_of_its_arguments_alone",
    SkippedClass: "there_is_one_value_a_class",
    FirstOrder: "gradient_agrees_with_finite_differences",
    OrderDependent: "permuting_images_of_a_class_permutes_gradients",
    SumForMean: "repeating_every_image_changes_nothing",
    DeadGradient: "every_image_gets_a_gradient",
    HiddenState: "it_is_a_function_of_its_arguments_alone",
    MixedClasses: "classes_separate",
    OneValue: "there_is_one_value_a_class",
    ScribblesOnParameters: "it_leaves_its_arguments_as_they_were",
}


@pytest.mark.parametrize(("broken", "check"), BREAKS.items())
def test_a_broken_matcher_is_found_out(broken: type[Broken], check: str) -> None:
    matcher = broken(SPECS["squared over kernels"], TanhNetwork())

    with pytest.raises((AssertionError, RuntimeError)):
        CHECKS[check](matcher)
