"""ResNetAP-10 against torch's own modules, put together from the paper's description."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from ddspec.errors import DdspecError
from ddspec.spec.network import ResNetApSpec
from ddspec_runners.nets.resnet_ap import ResNetAp
from ddspec_runners.rng import generator


def make(
    stem: str, size: int, norm: str = "instance", channels: int = 3, width: int | None = None
) -> ResNetAp:
    settings = {"kind": "resnet_ap", "stem": stem, "norm": norm, "width": width}
    spec = ResNetApSpec.model_validate(settings)
    return ResNetAp(spec, channels, size, 10)


class ReferenceBlock(nn.Module):
    def __init__(self, norm: str, fan_in: int, width: int, pool: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(fan_in, width, 3, padding=1, bias=False),
            reference_norm(norm, width),
            nn.ReLU(),
            nn.AvgPool2d(pool),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            reference_norm(norm, width),
        )
        self.shortcut = (
            nn.Sequential(
                nn.Conv2d(fan_in, width, 1, bias=False),
                nn.AvgPool2d(pool),
                reference_norm(norm, width),
            )
            if fan_in != width
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.main(x) + self.shortcut(x))


def reference_norm(norm: str, channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels) if norm == "batch" else nn.GroupNorm(channels, channels)


def reference(network: ResNetAp, params: dict[str, Tensor]) -> nn.Module:
    kernel, pool = {"large": (7, 4), "mid": (3, 2), "small": (3, 1)}[network.spec.stem]
    norm, first = network.spec.norm, network.spec.width or 64
    modules = nn.Sequential(
        nn.Conv2d(network.channels, first, kernel, padding=kernel // 2, bias=False),
        reference_norm(norm, first),
        nn.ReLU(),
        nn.AvgPool2d(pool),
        ReferenceBlock(norm, first, first, 1),
        ReferenceBlock(norm, first, 2 * first, 2),
        ReferenceBlock(norm, 2 * first, 4 * first, 2),
        ReferenceBlock(norm, 4 * first, 8 * first, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8 * first, network.classes),
    ).double()
    with torch.no_grad():
        for own, given in zip(modules.parameters(), params.values(), strict=True):
            own.copy_(given)
    return modules


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(make("large", 64), id="large"),
        pytest.param(make("mid", 33), id="mid-odd"),
        pytest.param(make("small", 16, channels=1), id="small-grey"),
        pytest.param(make("small", 16, norm="batch"), id="small-batch"),
        pytest.param(make("small", 17, channels=4, width=8), id="small-narrow"),
    ],
)
def test_logits_are_those_of_the_modules(network: ResNetAp) -> None:
    params = {
        name: p.double()
        + (0.1 * torch.randn(p.shape, generator=generator(name)) if ".norm" in name else 0.0)
        for name, p in network.init(generator("init")).items()
    }
    shape = (2, network.channels, network.size, network.size)
    x = torch.randn(shape, generator=generator("x"), dtype=torch.float64)

    logits = network.apply(params, x)

    # the same float64 operations; sums of up to 4,608 products in another order
    torch.testing.assert_close(logits, reference(network, params)(x), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    ("network", "count"),
    [
        pytest.param(make("large", 224), 4_910_922, id="published"),
        # the rest is read off IDC's official modules
        pytest.param(make("mid", 112), 4_903_242, id="mid"),
        pytest.param(make("small", 32, width=32), 1_228_970, id="cifar"),
    ],
)
def test_the_number_of_parameters_is_the_published_one(network: ResNetAp, count: int) -> None:
    params = network.init(generator("a"))

    assert sum(p.numel() for p in params.values()) == count


def test_kernels_start_from_the_fan_out_law() -> None:
    params = make("small", 32).init(generator("a"))

    for name, p in params.items():
        if p.ndim == 4:
            std = math.sqrt(2 / (p.shape[0] * p.shape[2] * p.shape[3]))
            # the standard error of a sample's deviation is std / sqrt(2 n): 5 of them
            tolerance = 5 * std / math.sqrt(2 * p.numel())
            assert p.double().std().item() == pytest.approx(std, abs=tolerance), name


@pytest.mark.parametrize(("stem", "size"), [("large", 63), ("mid", 31), ("small", 15)])
def test_images_too_small_for_the_stem_are_refused(stem: str, size: int) -> None:
    with pytest.raises(DdspecError, match=f"at least {size + 1} px"):
        make(stem, size)
