"""Networks of DC's and IDC's codes against torch's own modules, put together as those codes do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ddspec.errors import DdspecError, Exit
from ddspec.spec.network import CLASSIC_LEAST, ClassicSpec
from ddspec_runners.nets.base import Network, Params
from ddspec_runners.nets.make import CLASSIC, make_network
from ddspec_runners.rng import generator


def make(model: str, norm: str | None = None, *, channels: int = 3, size: int = 32) -> Network:
    spec = ClassicSpec.model_validate({"kind": "classic", "model": model, "norm": norm})
    return make_network(spec, channels=channels, size=size, classes=10)


def double_params(network: Network) -> dict[str, Tensor]:
    """Return parameters in float64, with norms away from their start."""
    return {
        name: p.double()
        + (0.1 * torch.randn(p.shape, generator=generator(name)) if "norm" in name else 0.0)
        for name, p in network.init(generator("init")).items()
    }


# --- the oracle: nn.Module, filled in the order of its own parameters -----------------------------


def norm_layer(norm: str, channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels) if norm == "batch" else nn.GroupNorm(channels, channels)


def mlp(_norm: str, channels: int, size: int) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(channels * size * size, 128),
        nn.ReLU(),
        nn.Linear(128, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def lenet(_norm: str, channels: int, size: int) -> nn.Module:
    sides = {(3, 32): 5, (1, 28): 5, (4, 17): 1}
    return nn.Sequential(
        nn.Conv2d(channels, 6, 5, padding=2 if channels == 1 else 0),
        nn.ReLU(),
        nn.MaxPool2d(2, 2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2, 2),
        nn.Flatten(),
        nn.Linear(16 * sides[channels, size] ** 2, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


def chain(norm: str, channels: int, size: int, plan: list[Any], side: int) -> nn.Module:
    """Widths with kernels, and "M" for max pooling; the first convolution pads 28 px to 32."""
    layers: list[nn.Module] = []
    fan_in, extra = channels, 2 if (channels, size) == (1, 28) else 0
    for step in plan:
        if step == "M":
            layers.append(nn.MaxPool2d(2, 2))
            continue
        width, kernel = step
        layers.append(nn.Conv2d(fan_in, width, kernel, padding=kernel // 2 + extra))
        layers += [] if norm == "none" else [norm_layer(norm, width)]
        layers.append(nn.ReLU())
        fan_in, extra = width, 0
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(fan_in * side * side, 10))


def alexnet(norm: str, channels: int, size: int) -> nn.Module:
    plan = [(128, 5), "M", (192, 5), "M", (256, 3), (192, 3), (192, 3), "M"]
    return chain(norm, channels, size, plan, {8: 1, 17: 2}.get(size, 4))


def vgg11(norm: str, channels: int, size: int) -> nn.Module:
    widths = [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"]
    return chain(norm, channels, size, ["M" if w == "M" else (w, 3) for w in widths], 1)


class Residual(nn.Module):
    """A basic block; `pool` halves by an average, `stride` by leaving out."""

    def __init__(self, norm: str, fan_in: int, width: int, *, stride: int, pool: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(fan_in, width, 3, stride=stride, padding=1, bias=False),
            norm_layer(norm, width),
            nn.ReLU(),
            nn.AvgPool2d(pool),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            norm_layer(norm, width),
        )
        self.shortcut: nn.Module = nn.Identity()
        if fan_in != width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(fan_in, width, 1, stride=stride, bias=False),
                nn.AvgPool2d(pool),
                norm_layer(norm, width),
            )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.main(x) + self.shortcut(x))


def resnet(
    norm: str, channels: int, first: int, blocks: int, *, averaged: bool, last: int
) -> nn.Module:
    layers: list[nn.Module] = [
        nn.Conv2d(channels, first, 3, padding=1, bias=False),
        norm_layer(norm, first),
        nn.ReLU(),
    ]
    fan_in = first
    for width in (first, 2 * first, 4 * first, 8 * first):
        for _ in range(blocks):
            half = 1 if fan_in == width else 2
            stride, pool = (1, half) if averaged else (half, 1)
            layers.append(Residual(norm, fan_in, width, stride=stride, pool=pool))
            fan_in = width
    layers += [] if averaged else [nn.AvgPool2d(last)]
    side = last if averaged else 1
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(fan_in * side * side, 10))


def resnet18(norm: str, channels: int, size: int) -> nn.Module:
    return resnet(norm, channels, 64, 2, averaged=False, last=-(-size // 8))


def resnet18_ap(norm: str, channels: int, size: int) -> nn.Module:
    return resnet(norm, channels, 64, 2, averaged=True, last=size // 8)


def resnet10(norm: str, channels: int, size: int) -> nn.Module:
    return resnet(norm, channels, 32, 1, averaged=False, last=-(-size // 8))


class Growing(nn.Module):
    def __init__(self, norm: str, fan_in: int, growth: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            norm_layer(norm, fan_in),
            nn.ReLU(),
            nn.Conv2d(fan_in, 4 * growth, 1, bias=False),
            norm_layer(norm, 4 * growth),
            nn.ReLU(),
            nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.layers(x), x), 1)


def densenet(norm: str, channels: int, size: int, growth: int) -> nn.Module:
    width = 2 * growth
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1, bias=False)]
    for index, count in enumerate((6, 12, 24, 16)):
        for _ in range(count):
            layers.append(Growing(norm, width, growth))
            width += growth
        if index < 3:
            half = math.floor(0.5 * width)
            layers += [norm_layer(norm, width), nn.ReLU()]
            layers += [nn.Conv2d(width, half, 1, bias=False), nn.AvgPool2d(2)]
            width = half
    layers += [norm_layer(norm, width), nn.ReLU(), nn.AvgPool2d(size // 8), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def densenet121(norm: str, channels: int, size: int) -> nn.Module:
    return densenet(norm, channels, size, 32)


def densenet_cifar(norm: str, channels: int, size: int) -> nn.Module:
    return densenet(norm, channels, size, 12)


ORACLES = {
    each.__name__: each
    for each in (
        mlp, lenet, alexnet, vgg11, resnet18, resnet18_ap, resnet10, densenet121, densenet_cifar,
    )
}  # fmt: skip
CASES = {
    "mlp": ("mlp", "none", 3, 32),
    "mlp-digits": ("mlp", "none", 1, 8),
    "lenet": ("lenet", "none", 3, 32),
    "lenet-28px": ("lenet", "none", 1, 28),
    "lenet-odd": ("lenet", "none", 4, 17),
    "alexnet": ("alexnet", "none", 3, 32),
    "alexnet-28px": ("alexnet", "none", 1, 28),
    "alexnet-batch": ("alexnet", "batch", 3, 8),
    "alexnet-odd": ("alexnet", "none", 4, 17),
    "vgg11": ("vgg11", "instance", 3, 32),
    "vgg11-batch-28px": ("vgg11", "batch", 1, 28),
    "resnet18": ("resnet18", "instance", 3, 17),
    "resnet18-batch-28px": ("resnet18", "batch", 1, 28),
    "resnet18_ap": ("resnet18_ap", "instance", 3, 17),
    "resnet18_ap-batch-28px": ("resnet18_ap", "batch", 1, 28),
    "resnet10": ("resnet10", "batch", 3, 32),
    "resnet10-instance": ("resnet10", "instance", 4, 16),
    "densenet121": ("densenet121", "batch", 3, 16),
    "densenet_cifar": ("densenet_cifar", "batch", 3, 32),
}


@pytest.mark.parametrize("name", CASES)
def test_training_and_predicting_are_those_of_the_modules(name: str) -> None:
    model, norm, channels, size = CASES[name]
    network = make(model, None if norm == "none" else norm, channels=channels, size=size)
    params, modules = double_params(network), ORACLES[model](norm, channels, size).double()
    with torch.no_grad():
        for own, given in zip(modules.parameters(), params.values(), strict=True):
            own.copy_(given)
    buffers: Params = {name: buffer.double() for name, buffer in network.buffers().items()}
    shape = (2, 2, channels, size, size)
    batches = torch.randn(shape, generator=generator("x"), dtype=torch.float64)

    for batch in batches:
        expected = modules.train()(batch)
        logits, buffers = network.train_step(params, buffers, batch)

    # the same float64 operations; sums of up to 4,608 products in another order
    torch.testing.assert_close(logits, expected, rtol=1e-10, atol=1e-10)
    theirs = [b for b in modules.buffers() if b.is_floating_point()]
    for mine, other in zip(buffers.values(), theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-12)
    predicted = network.predict(params, buffers, batches[0])
    torch.testing.assert_close(predicted, modules.eval()(batches[0]), rtol=1e-10, atol=1e-10)


# --- facts: read off the official modules, in colour at 32 px and grey at 28 ----------------------

COUNTS: Mapping[str, tuple[int, int | None]] = {
    "mlp": (411_146, 118_282),
    "lenet": (62_006, 61_706),
    "alexnet": (1_872_202, 1_865_802),
    "vgg11": (9_231_114, 9_229_962),
    "resnet18": (11_173_962, 11_172_810),
    "resnet18_ap": (11_250_762, 11_213_770),
    "resnet10": (1_228_970, None),
    "densenet121": (6_956_298, None),
    "densenet_cifar": (1_000_618, None),
}


def count(network: Network) -> int:
    return sum(p.numel() for p in network.init(generator("a")).values())


def test_every_network_has_its_numbers_here() -> None:
    assert set(COUNTS) == set(CLASSIC) == set(CLASSIC_LEAST)


@pytest.mark.parametrize("model", COUNTS)
def test_the_number_of_parameters_is_that_of_the_official_code(model: str) -> None:
    colour, grey = COUNTS[model]

    assert count(make(model)) == colour
    assert grey is None or count(make(model, channels=1, size=28)) == grey


def test_batch_norm_gives_alexnet_a_scale_and_a_shift_of_every_map() -> None:
    assert count(make("alexnet", "batch")) == 1_874_122


@pytest.mark.parametrize(
    "model", ["lenet", "alexnet", "resnet18_ap", "resnet10", "densenet_cifar", "mlp"]
)
def test_weights_start_as_in_the_code(model: str) -> None:
    params = make(model).init(generator("a"))

    for name, p in params.items():
        if p.ndim < 2:
            continue
        bound = 1 / math.sqrt(p[0].numel())
        std = math.sqrt(2 / (p.shape[0] * p[0, 0].numel())) if p.ndim == 4 else bound / math.sqrt(3)
        if model == "resnet10" and p.ndim == 4:
            # the standard error of a normal sample's deviation is std / sqrt(2 n): 5 of them
            assert p.std().item() == pytest.approx(std, rel=5 / math.sqrt(2 * p.numel())), name
            continue
        # a uniform sample's deviation has a relative standard error of 1 / sqrt(5 n): 5 of them
        expected = pytest.approx(bound / math.sqrt(3), rel=5 / math.sqrt(5 * p.numel()))
        assert p.std().item() == expected, name
        assert p.abs().max() <= bound, name


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", CLASSIC)
def test_the_least_image_is_taken_and_a_smaller_one_refused(model: str) -> None:
    least = CLASSIC_LEAST[model]
    network = make(model, size=least)
    x = torch.zeros(2, 3, least, least)

    assert network.apply(network.init(generator("a")), x).shape == (2, 10)
    with pytest.raises(DdspecError, match=f"at least {least} px") as caught:
        make(model, size=least - 1)
    assert caught.value.exit is Exit.INVALID
