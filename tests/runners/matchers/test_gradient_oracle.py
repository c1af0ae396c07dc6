"""Gradient matching against loops over rows, on every kind of network, in float64.

The oracle asks a network for logits and torch for derivatives, and shares nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

from ddspec.spec.method import GradientMatcherSpec
from ddspec.spec.network import NetworkSpec
from ddspec_runners.functional.gradients import image_gradient
from ddspec_runners.matchers.table import make_matcher
from ddspec_runners.nets.base import Network
from ddspec_runners.nets.make import make_network

CHANNELS, CLASSES, LABEL = 2, 3, 1
DISTANCES = ("squared", "l1", "channel_mean", "cosine")
PARAMETERS = ("kernels", "matrices", "all")
SMALL = {"kind": "convnet", "depth": 2, "width": 4}
NETWORKS: dict[str, dict[str, Any]] = {
    **{f"ConvNet, {n} norm": {**SMALL, "norm": n} for n in ("instance", "group", "layer", "batch")},
    "ConvNet without norm": {**SMALL, "norm": "none"},
    "ConvNet, swish and maximum": {**SMALL, "activation": "swish", "pooling": "max"},
    "ResNetAP": {"kind": "resnet_ap", "stem": "small", "width": 2},
    "ResNetAP, batch norm": {"kind": "resnet_ap", "stem": "small", "width": 2, "norm": "batch"},
}


def network_of(name: str) -> Network:
    spec = TypeAdapter(NetworkSpec).validate_python(NETWORKS[name])
    return make_network(spec, channels=CHANNELS, size=size_of(name), classes=CLASSES)


def size_of(name: str) -> int:
    return 16 if "ResNet" in name else 8


def params_of(network: Network) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(4)
    return {name: value.double() for name, value in network.init(rng).items()}


def images(name: str, seed: int, n: int) -> Tensor:
    rng, size = torch.Generator().manual_seed(seed), size_of(name)
    return torch.randn(n, CHANNELS, size, size, generator=rng, dtype=torch.float64)


# --- the oracle -----------------------------------------------------------------------------------


def gradients(network: Network, params: Mapping[str, Tensor], x: Tensor) -> dict[str, Tensor]:
    """Return the gradient of the mean cross-entropy, as a function of `x`."""
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    logits = network.apply(leaves, x)
    shares = logits.exp() / logits.exp().sum(1, keepdim=True)
    loss = -shares[:, LABEL].log().sum() / len(x)
    found = torch.autograd.grad(loss, list(leaves.values()), create_graph=True)
    return dict(zip(leaves, found, strict=True))


def compared(grads: Mapping[str, Tensor], parameters: str) -> list[Tensor]:
    least = {"kernels": 4, "matrices": 2, "all": 1}[parameters]
    return [grad for grad in grads.values() if grad.ndim >= least]


def distance(kind: str, real: list[Tensor], synthetic: list[Tensor]) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for r, s in zip(real, synthetic, strict=True):
        for a, b in zip(r, s, strict=True):  # rows: output channels, outputs, elements of a vector
            a, b = a.reshape(-1), b.reshape(-1)
            if kind == "squared":
                total = total + ((a - b) ** 2).sum()
            elif kind == "l1":
                total = total + (a - b).abs().sum()
            elif kind == "channel_mean":
                total = total + (a - b).abs().sum() / len(a)
            elif r.ndim > 1:
                # a row of zeros (of a dead ReLU) has no direction: its length counts as constant
                norms = (a @ a).sqrt() * (b @ b).sqrt() if a.any() and b.any() else 0
                total = total + 1 - (a @ b) / (norms + 1e-6)
    return total


def oracle(
    network: Network, spec: GradientMatcherSpec, real: Tensor, learned: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the loss and its gradient in the learned images."""
    params, leaf = params_of(network), learned.clone().requires_grad_()
    wanted = [g.detach() for g in compared(gradients(network, params, real), spec.parameters)]
    given = compared(gradients(network, params, leaf), spec.parameters)
    loss = distance(spec.distance, wanted, given)
    return loss.detach(), torch.autograd.grad(loss, leaf)[0]


def ours(
    network: Network, spec: GradientMatcherSpec, real: Tensor, learned: Tensor
) -> tuple[Tensor, Tensor]:
    matcher = make_matcher(spec, network)
    target = matcher.target(params_of(network), [real], [LABEL])
    values, (slope,) = image_gradient(lambda x: matcher.loss(x, target), [learned])
    return values[0], slope


def spec_of(kind: str, parameters: str = "all") -> GradientMatcherSpec:
    return GradientMatcherSpec.model_validate(
        {"kind": "gradient", "distance": kind, "parameters": parameters}
    )


# --- equal, everywhere ----------------------------------------------------------------------------


def agree(name: str, spec: GradientMatcherSpec, real: Tensor, learned: Tensor) -> Tensor:
    """Assert that ours is the oracle's, and return the gradient."""
    network = network_of(name)
    loss, slope = oracle(network, spec, real, learned)
    value, gradient = ours(network, spec, real, learned)

    # some 1e4 terms of 1e-16, through twenty layers: 1e-8 is far from both and from any rule
    assert loss.isfinite()
    assert abs(value - loss) <= 1e-8 * loss
    assert (gradient - slope).abs().max() <= 1e-8 * slope.abs().max()
    return gradient


@pytest.mark.parametrize("parameters", PARAMETERS)
@pytest.mark.parametrize("kind", DISTANCES)
@pytest.mark.parametrize("name", NETWORKS)
def test_loss_and_image_gradient_are_those_of_the_oracle(
    name: str, kind: str, parameters: str
) -> None:
    slope = agree(name, spec_of(kind, parameters), images(name, 1, 4), images(name, 2, 3))

    assert slope.flatten(1).abs().amax(1).gt(1e-6).all()


@pytest.mark.parametrize("kind", DISTANCES)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_image_gradient_is_the_slope_of_the_loss(name: str, kind: str) -> None:
    network, spec = network_of(name), spec_of(kind)
    real, learned, direction = images(name, 1, 4), images(name, 2, 3), images(name, 3, 3)
    step = 1e-6 * direction / direction.norm()
    _, slope = ours(network, spec, real, learned)
    up, _ = ours(network, spec, real, learned + step)
    down, _ = ours(network, spec, real, learned - step)

    # no kink of ReLU lies within 1e-6 of these images; rounding of the losses (1e-15 of some 10)
    # over 2e-6 leaves 1e-8, curvature 1e-12 times the third derivative
    assert ((up - down) / 2).item() == pytest.approx((slope * step).sum().item(), rel=1e-5)


@pytest.mark.parametrize("kind", DISTANCES)
@pytest.mark.parametrize("name", NETWORKS)
def test_one_image_a_side_is_enough(name: str, kind: str) -> None:
    agree(name, spec_of(kind), images(name, 1, 1), images(name, 2, 1))


@pytest.mark.parametrize("kind", DISTANCES)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_images_on_both_sides_are_no_distance_apart(name: str, kind: str) -> None:
    network, spec, x = network_of(name), spec_of(kind), images(name, 1, 3)
    value, slope = ours(network, spec, x, x)

    if kind == "cosine":  # each row leaves 1e-6 / (|p|^2 + 1e-6), a dead one all
        loss, _ = oracle(network, spec, x, x)
        assert value.item() == pytest.approx(loss.item(), rel=1e-8)
    else:  # two orders of summation: torch has one for a gradient, one for its graph
        assert value < 1e-12
        assert kind != "squared" or slope.abs().max() < 1e-12


@pytest.mark.parametrize("kind", DISTANCES)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("level", [0.0, 1.0, -1.0])
def test_constant_images_give_finite_numbers(name: str, kind: str, level: float) -> None:
    flat = torch.full_like(images(name, 2, 2), level)
    value, slope = ours(network_of(name), spec_of(kind), images(name, 1, 4), flat)

    assert value.isfinite()
    assert slope.isfinite().all()


@pytest.mark.parametrize("scale", [1e-6, 1e4])
@pytest.mark.parametrize("kind", DISTANCES)
@pytest.mark.parametrize("name", NETWORKS)
def test_extreme_images_give_finite_numbers(name: str, kind: str, scale: float) -> None:
    learned = images(name, 2, 3) * scale
    value, slope = ours(network_of(name), spec_of(kind), images(name, 1, 4), learned)

    assert value.isfinite()
    assert slope.isfinite().all()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_order_of_images_and_the_other_classes_do_not_matter(name: str) -> None:
    network, spec = network_of(name), spec_of("cosine", "matrices")
    real, learned = images(name, 1, 4), images(name, 2, 3)
    matcher, params = make_matcher(spec, network), params_of(network)
    both = matcher.target(params, [real, learned], [LABEL, 0])
    together = matcher.loss([learned, real], both)
    value, slope = ours(network, spec, real, learned)
    turned, other = ours(network, spec, real.flip(0), learned.flip(0))

    assert torch.equal(together[0].detach(), value)
    assert turned.item() == pytest.approx(value.item(), rel=1e-10)
    assert torch.allclose(other.flip(0), slope, rtol=1e-8, atol=1e-10)
