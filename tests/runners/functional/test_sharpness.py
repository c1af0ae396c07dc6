"""GSAM's gradient against the definition, number by number, on a network written out."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ddspec.spec.network import ConvNetSpec
from ddspec.spec.pool import SharpnessSpec
from ddspec_runners.augment.none import Identity
from ddspec_runners.functional.sharpness import ascended, flattened
from ddspec_runners.nets.convnet import ConvNet
from ddspec_runners.pools.training import Training
from ddspec_runners.rng import generator

NETWORK = ConvNet(ConvNetSpec(kind="convnet", depth=1, width=4, norm="batch"), 2, 4, 3)
CASES = [
    pytest.param({"rho": 0.5, "alpha": 0.4, "adaptive": True}, id="adaptive"),
    pytest.param({"rho": 0.05, "alpha": 1.0, "adaptive": False}, id="plain"),
    pytest.param({"rho": 0.5, "alpha": 0.0, "adaptive": True}, id="without the orthogonal part"),
]


def plain_gsam(w: list[float], slope: Any, said: dict[str, Any]) -> list[float]:
    """Algorithm 1 of the paper over plain lists; FTD's code adds 1e-12 to every divisor."""

    def norm(v: list[float]) -> float:
        return math.sqrt(math.fsum(x * x for x in v))

    g = slope(w)
    sizes = [abs(x) for x in w] if said["adaptive"] else [1.0] * len(w)
    longest = norm([s * x for s, x in zip(sizes, g, strict=True)]) + 1e-12
    up = [said["rho"] * s * s * x / longest for s, x in zip(sizes, g, strict=True)]
    h = slope([x + e for x, e in zip(w, up, strict=True)])
    cosine = math.fsum(x * y for x, y in zip(g, h, strict=True)) / (norm(g) * norm(h) + 1e-12)
    orthogonal = [x - cosine * norm(g) * y / (norm(h) + 1e-12) for x, y in zip(g, h, strict=True)]
    return [y - said["alpha"] * x for x, y in zip(orthogonal, h, strict=True)]


class PlainNet(nn.Module):
    """The same network as a module: convolution, batch norm, ReLU, average pooling, linear."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.linear = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        maps = nn.functional.avg_pool2d(torch.relu(self.norm(self.conv(x))), 2)
        out: Tensor = self.linear(maps.flatten(1))
        return out


def batch() -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(3)
    images = torch.randn(6, 2, 4, 4, generator=rng, dtype=torch.float64)
    return images, torch.tensor([0, 1, 2, 0, 1, 2])


def params() -> dict[str, Tensor]:
    drawn = NETWORK.init(generator("gsam"))
    return {name: value.double() for name, value in drawn.items()}


def training(said: dict[str, Any]) -> Training:
    return Training(NETWORK, Identity(), 0.0, SharpnessSpec.model_validate(said))


@pytest.mark.parametrize("said", CASES)
def test_a_step_takes_the_gradient_of_the_definition(said: dict[str, Any]) -> None:
    net, (images, labels) = PlainNet().double(), batch()
    start = [value for tensor in params().values() for value in tensor.flatten().tolist()]

    def slope(w: list[float]) -> list[float]:
        nn.utils.vector_to_parameters(torch.tensor(w, dtype=torch.float64), net.parameters())
        loss = nn.functional.cross_entropy(net.train()(images), labels)
        grads = torch.autograd.grad(loss, list(net.parameters()))
        return [value for grad in grads for value in grad.flatten().tolist()]

    expected = plain_gsam(start, slope, said)
    buffers = {name: value.double() for name, value in NETWORK.buffers().items()}
    found = training(said).slope(params(), images, labels, generator("x"), buffers)

    ours = torch.cat([grad.flatten() for grad in found.gradient.values()])
    # about a hundred sums of numbers below 10, each exact to 1e-16 of them
    torch.testing.assert_close(
        ours, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-12
    )


def test_running_statistics_move_once_and_by_the_first_pass() -> None:
    images, labels = batch()
    buffers = {name: value.double() for name, value in NETWORK.buffers().items()}
    plain = Training(NETWORK, Identity(), 0.0)

    once = plain.slope(params(), images, labels, generator("x"), buffers)
    twice = training({"rho": 2.0}).slope(params(), images, labels, generator("x"), buffers)

    assert once.buffers
    assert twice.buffers
    assert all(torch.equal(twice.buffers[name], value) for name, value in once.buffers.items())
    assert torch.equal(once.loss, twice.loss)
    assert torch.equal(once.correct, twice.correct)


@pytest.mark.parametrize("adaptive", [True, False])
def test_the_ascent_is_as_long_as_rho_says(adaptive: bool) -> None:
    w, g = {"a": torch.tensor([1.0, -2.0, 4.0])}, {"a": torch.tensor([3.0, 1.0, -2.0])}
    said = SharpnessSpec(rho=0.5, adaptive=adaptive)

    moved = ascended(w, g, said)["a"] - w["a"]

    length = (moved / w["a"]).norm() if adaptive else moved.norm()
    assert float(length) == pytest.approx(0.5, abs=1e-6)


def test_what_is_left_of_the_first_gradient_is_orthogonal_to_the_second() -> None:
    g, h = {"a": torch.tensor([3.0, 1.0])}, {"a": torch.tensor([0.0, 2.0])}

    found = flattened(g, h, SharpnessSpec(alpha=0.4))["a"]

    assert found.tolist() == pytest.approx([-0.4 * 3.0, 2.0])


def test_a_gradient_of_zero_moves_nothing() -> None:
    still = {"a": torch.zeros(3)}

    assert torch.equal(ascended({"a": torch.ones(3)}, still, SharpnessSpec())["a"], torch.ones(3))
    assert torch.equal(flattened(still, still, SharpnessSpec())["a"], torch.zeros(3))
