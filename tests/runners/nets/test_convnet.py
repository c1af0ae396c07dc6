"""ConvNet against torch's own modules, put together as the field's code does."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from ddspec.errors import DdspecError, Exit
from ddspec.spec.network import Activation, ConvNetSpec, Norm, Pooling
from ddspec_runners.nets.base import Params
from ddspec_runners.nets.convnet import ConvNet
from ddspec_runners.rng import generator


def spec(depth: int = 3, width: int = 128, norm: Norm = "instance") -> ConvNetSpec:
    return ConvNetSpec(kind="convnet", depth=depth, width=width, norm=norm)


def variant(pooling: Pooling | None = None, activation: Activation | None = None) -> ConvNetSpec:
    return ConvNetSpec(
        kind="convnet", depth=2, width=8, norm="group", pooling=pooling, activation=activation
    )


def double_params(network: ConvNet) -> dict[str, Tensor]:
    """Return parameters in float64, with norms away from their start."""
    return {
        name: p.double()
        + (0.1 * torch.randn(p.shape, generator=generator(name)) if ".norm" in name else 0.0)
        for name, p in network.init(generator("init")).items()
    }


# --- the oracle: nn.Module, filled in the order of its own parameters -----------------------------


def reference_norm(norm: Norm, channels: int, side: int) -> nn.Module:
    match norm:
        case "instance":
            return nn.GroupNorm(channels, channels)
        case "group":
            return nn.GroupNorm(4, channels)
        case "layer":
            return nn.LayerNorm([channels, side, side])
        case "batch":
            return nn.BatchNorm2d(channels)
        case "none":
            return nn.Identity()


class Swish(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / (1 + (-x).exp())


POOLINGS = {"average": nn.AvgPool2d(2, 2), "max": nn.MaxPool2d(2, 2), "none": nn.Identity()}
ACTIVATIONS = {
    "relu": nn.ReLU(),
    "sigmoid": nn.Sigmoid(),
    "leaky_relu": nn.LeakyReLU(0.01),
    "swish": Swish(),
}


def reference(network: ConvNet, params: dict[str, Tensor]) -> nn.Module:
    layers: list[nn.Module] = []
    side, fan_in, width = network.size, network.channels, network.spec.width
    pooling, activation = network.spec.pooling or "average", network.spec.activation or "relu"
    for depth in range(network.spec.depth):
        wide = depth == 0 and (network.channels, network.size) == (1, 28)
        layers.append(nn.Conv2d(fan_in, width, kernel_size=3, padding=3 if wide else 1))
        side = 32 if wide else side
        layers += [reference_norm(network.spec.norm, width, side), ACTIVATIONS[activation]]
        layers.append(POOLINGS[pooling])
        side, fan_in = side if pooling == "none" else side // 2, width
    layers += [nn.Flatten(), nn.Linear(width * side * side, network.classes)]
    modules = nn.Sequential(*layers).double()
    with torch.no_grad():
        for own, given in zip(modules.parameters(), params.values(), strict=True):
            own.copy_(given)
    return modules


UNPOOLED = ConvNetSpec(kind="convnet", pooling="none")
NETWORKS = {
    "instance": ConvNet(spec(3, 8), 3, 32, 10),
    "digits": ConvNet(spec(2, 8), 1, 8, 10),
    "28px": ConvNet(spec(3, 4), 1, 28, 10),
    "28px-colour": ConvNet(spec(2, 4), 3, 28, 10),
    "odd": ConvNet(spec(2, 4, "layer"), 3, 11, 5),
    "group": ConvNet(spec(2, 8, "group"), 3, 8, 5),
    "layer-28px": ConvNet(spec(2, 4, "layer"), 1, 28, 5),
    "batch": ConvNet(spec(2, 4, "batch"), 3, 8, 5),
    "none": ConvNet(spec(2, 4, "none"), 3, 8, 5),
    "deepest": ConvNet(spec(6, 4), 4, 64, 5),
    "28px-deep": ConvNet(spec(5, 4, "none"), 1, 28, 5),
    "max": ConvNet(variant(pooling="max"), 3, 9, 5),
    "unpooled": ConvNet(variant(pooling="none"), 3, 7, 5),
    "unpooled-28px": ConvNet(variant(pooling="none"), 1, 28, 5),
    "sigmoid": ConvNet(variant(activation="sigmoid"), 3, 8, 5),
    "leaky_relu": ConvNet(variant(activation="leaky_relu"), 4, 8, 5),
    "swish": ConvNet(variant(activation="swish", pooling="average"), 3, 8, 5),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_are_those_of_the_modules(name: str) -> None:
    network = NETWORKS[name]
    params = double_params(network)
    shape = (4, network.channels, network.size, network.size)
    x = torch.randn(shape, generator=generator("x"), dtype=torch.float64)

    logits = network.apply(params, x)

    # the same float64 operations; only their order inside a kernel may differ
    torch.testing.assert_close(logits, reference(network, params)(x), rtol=1e-12, atol=1e-12)


def test_running_statistics_move_and_serve_as_those_of_the_modules() -> None:
    network = NETWORKS["batch"]
    params = double_params(network)
    modules = reference(network, params)
    buffers: Params = {name: buffer.double() for name, buffer in network.buffers().items()}
    x = torch.randn((3, 5, 3, 8, 8), generator=generator("x"), dtype=torch.float64)

    for batch in x:
        modules.train()(batch)
        _, buffers = network.train_step(params, buffers, batch)

    theirs = [b for b in modules.buffers() if b.is_floating_point()]
    for mine, own in zip(buffers.values(), theirs, strict=True):
        torch.testing.assert_close(mine, own, rtol=1e-12, atol=1e-12)
    predicted = network.predict(params, buffers, x[0])
    torch.testing.assert_close(predicted, modules.eval()(x[0]), rtol=1e-12, atol=1e-12)


# --- facts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "count"),
    [
        pytest.param(ConvNet(spec(3), 3, 32, 10), 320_010, id="cifar10"),
        pytest.param(ConvNet(spec(3), 3, 32, 100), 504_420, id="cifar100"),
        pytest.param(ConvNet(spec(4), 3, 64, 200), 857_160, id="tiny_imagenet"),
        pytest.param(ConvNet(spec(3), 1, 28, 10), 317_706, id="mnist-padded-to-32"),
        pytest.param(ConvNet(spec(2, 32), 1, 8, 10), 10_986, id="digits"),
        # the rest is read off DC's official modules at 32 px
        pytest.param(ConvNet(spec(1), 3, 32, 10), 331_530, id="D1"),
        pytest.param(ConvNet(spec(2), 3, 32, 10), 233_610, id="D2"),
        pytest.param(ConvNet(spec(4), 3, 32, 10), 452_490, id="D4"),
        pytest.param(ConvNet(spec(3, 32), 3, 32, 10), 24_714, id="W32"),
        pytest.param(ConvNet(spec(3, 64), 3, 32, 10), 86_282, id="W64"),
        pytest.param(ConvNet(spec(3, 256), 3, 32, 10), 1_229_834, id="W256"),
        pytest.param(ConvNet(spec(3, 128, "layer"), 3, 32, 10), 663_306, id="layer"),
        pytest.param(ConvNet(spec(3, 128, "none"), 3, 32, 10), 319_242, id="none"),
        pytest.param(ConvNet(UNPOOLED, 3, 32, 10), 1_610_250, id="no-pooling"),
    ],
)
def test_the_number_of_parameters_is_the_published_one(network: ConvNet, count: int) -> None:
    assert sum(p.numel() for p in network.init(generator("a")).values()) == count


def test_digits_end_in_two_by_two_maps() -> None:
    params = ConvNet(spec(2, 32), 1, 8, 10).init(generator("a"))

    assert list(params) == [
        "block0.conv.weight", "block0.conv.bias", "block0.norm.weight", "block0.norm.bias",
        "block1.conv.weight", "block1.conv.bias", "block1.norm.weight", "block1.norm.bias",
        "classifier.weight", "classifier.bias",
    ]  # fmt: skip
    assert params["classifier.weight"].shape == (10, 32 * 2 * 2)


def test_initial_values_follow_torch_defaults() -> None:
    network = ConvNet(spec(3, 64), 3, 32, 10)
    params = network.init(generator("a"))

    for name, p in params.items():
        if ".norm" in name:
            assert p.equal(torch.full_like(p, 1.0 if name.endswith("weight") else 0.0))
            continue
        weight = params[name.removesuffix(".bias") + ".weight" if name.endswith(".bias") else name]
        bound = 1 / math.sqrt(weight[0].numel())
        assert p.abs().max() <= bound
        # x^2 of a uniform x has mean b^2/3 and standard deviation b^2 sqrt(4/45): 5 of them
        tolerance = 5 * bound**2 * math.sqrt(4 / 45 / p.numel())
        assert p.double().square().mean().item() == pytest.approx(bound**2 / 3, abs=tolerance)


# --- invariances ----------------------------------------------------------------------------------


def test_instance_norm_forgets_the_bias_and_the_scale_of_a_filter() -> None:
    network = NETWORKS["digits"]
    params = double_params(network)
    x = 1e4 * torch.randn((3, 1, 8, 8), generator=generator("x"), dtype=torch.float64)
    factors = torch.linspace(1.0, 9.0, 8, dtype=torch.float64)
    scaled = {
        **params,
        "block0.conv.weight": params["block0.conv.weight"] * factors.view(-1, 1, 1, 1),
        "block0.conv.bias": params["block0.conv.bias"] + 7.0,
    }

    # eps 1e-5 against variances of about 1e8 * fan-in * weight^2 = 3e7: below 1e-12 of a logit
    torch.testing.assert_close(
        network.apply(scaled, x), network.apply(params, x), rtol=1e-10, atol=1e-10
    )


def test_the_order_of_hidden_filters_does_not_matter() -> None:
    network = NETWORKS["instance"]
    params = double_params(network)
    order = torch.randperm(8, generator=generator("order"))
    x = torch.randn((2, 3, 32, 32), generator=generator("x"), dtype=torch.float64)
    first = {name: p[order] for name, p in params.items() if name.startswith("block0.")}
    second = {"block1.conv.weight": params["block1.conv.weight"][:, order]}

    shuffled = network.apply({**params, **first, **second}, x)

    torch.testing.assert_close(shuffled, network.apply(params, x), rtol=1e-12, atol=1e-12)


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "size", "words"),
    [
        pytest.param(spec(4), 8, "leaves nothing of 8 px", id="too deep"),
        pytest.param(spec(6), 28, "leaves nothing of 28 px", id="too deep when padded"),
        pytest.param(spec(2, 6, "group"), 8, "4 equal groups", id="odd groups"),
    ],
)
def test_an_impossible_network_is_refused(wanted: ConvNetSpec, size: int, words: str) -> None:
    with pytest.raises(DdspecError, match=words) as caught:
        ConvNet(wanted, 1, size, 10)

    assert caught.value.exit is Exit.INVALID
