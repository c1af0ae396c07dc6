"""Cutting a network down: what is left computes what the whole one does without those channels."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

from ddspec.plan.cost_networks import network_cost
from ddspec.spec.network import NetworkSpec
from ddspec_runners.faults import BadJob
from ddspec_runners.nets.base import Network
from ddspec_runners.nets.layer_calls import multiplications
from ddspec_runners.nets.make import make_network
from ddspec_runners.pools.pruning import SHARES, Shears
from ddspec_runners.rng import generator

NETWORK: TypeAdapter[Any] = TypeAdapter(NetworkSpec)
BATCH = {"norm": "batch"}
CONVNET = {"kind": "convnet", "depth": 2, "width": 6}
CASES = [
    pytest.param({**CONVNET, **BATCH}, 8, id="flattened maps behind batch norm"),
    pytest.param({**CONVNET, "norm": "instance"}, 8, id="instance norm"),
    pytest.param({**CONVNET, "norm": "none"}, 8, id="no norm"),
    pytest.param({"kind": "classic", "model": "mlp"}, 8, id="linear layers"),
    pytest.param({"kind": "classic", "model": "vgg11", **BATCH}, 32, id="a chain"),
    pytest.param({"kind": "classic", "model": "resnet10", **BATCH}, 16, id="shortcuts"),
    pytest.param({"kind": "resnet_ap", "depth": 10, "width": 8, **BATCH}, 64, id="averages"),
    pytest.param({"kind": "torchvision", "model": "resnet18"}, 32, id="torchvision"),
]


def made(spec: Any, size: int, channels: int = 3, classes: int = 5) -> Network:
    return make_network(
        NETWORK.validate_python(spec), channels=channels, size=size, classes=classes
    )


def whole(network: Network) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return parameters and statistics no two numbers of which are equal, float64."""
    rng = generator("whole")

    def drawn(tensors: dict[str, Tensor], shift: float) -> dict[str, Tensor]:
        return {
            name: torch.rand(t.shape, generator=rng, dtype=torch.float64) - shift
            for name, t in tensors.items()
        }

    params = drawn(network.init(generator("shapes")), 0.5)
    return params, {name: t + 0.1 for name, t in drawn(network.buffers(), 0.0).items()}


def shears(spec: Any, size: int, seed: int = 0) -> Shears:
    network = made(spec, size)
    return Shears.drawn(network, *whole(network), (seed,), channels=3, size=size)


def silenced(params: dict[str, Tensor], left: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the whole network with every channel at zero that is not left.

    Which those are is seen by their numbers, which are all different: scale and shift of a norm,
    or a bias and the weights that it comes with.
    """
    silent = {name: value.clone() for name, value in params.items()}
    for name, value in params.items():
        if value.ndim == 1:
            gone = ~torch.isin(value, left[name])
            silent[name][gone] = 0
            beside = name.removesuffix("bias") + "weight"
            if name.endswith("bias"):
                silent[beside][gone] = 0
    return silent


@pytest.mark.parametrize(("spec", "size"), CASES)
def test_what_is_left_computes_what_the_whole_does_without_the_channels(
    spec: Any, size: int
) -> None:
    tools = shears(spec, size)
    images = torch.rand(2, 3, size, size, generator=generator("images"), dtype=torch.float64)

    cut = tools.cut(SHARES // 3)

    without = silenced(dict(tools.params), cut.params)
    expected = tools.network.predict(without, tools.buffers, images)
    found = tools.network.predict(cut.params, cut.buffers, images)
    # float64: sums of zeros left out; logits are compared by their own size
    torch.testing.assert_close(
        found, expected, rtol=1e-10, atol=1e-10 * float(expected.abs().max())
    )
    assert found.shape == (2, 5)
    assert not torch.allclose(found, tools.network.predict(tools.params, tools.buffers, images))


@pytest.mark.parametrize(("spec", "size"), CASES)
def test_operations_and_parameters_are_those_that_a_plan_counts(spec: Any, size: int) -> None:
    network = made(spec, size)
    counted = network_cost(NETWORK.validate_python(spec), channels=3, size=size, classes=5)
    params = network.init(generator("x"))

    assert 2 * multiplications(network, params, channels=3, size=size) == counted.flops


def test_every_layer_loses_the_share_that_is_said_and_keeps_one_channel() -> None:
    tools = shears({**CONVNET, "width": 8, **BATCH}, 8)

    assert [tools.cut(share * SHARES // 4).channels for share in (0, 1, 2, 4)] == [16, 12, 8, 2]


def test_a_smaller_network_is_a_part_of_a_larger_one() -> None:
    tools = shears({**CONVNET, **BATCH}, 8)
    larger, smaller = tools.cut(SHARES // 6), tools.cut(SHARES // 2)

    for name, value in smaller.params.items():
        if value.ndim == 1:
            assert torch.isin(value, larger.params[name]).all()


@pytest.mark.parametrize(
    ("flops", "parameters"), [(40_000.0, None), (None, 500), (40_000.0, 500), (60_000.0, 500)]
)
def test_no_more_is_cut_than_the_targets_ask_for(
    flops: float | None, parameters: int | None
) -> None:
    tools = shears({**CONVNET, "width": 16, **BATCH}, 8)

    cut = tools.until(flops, parameters)

    def within(share: int) -> bool:
        one = tools.cut(share)
        few = parameters is None or one.parameters <= parameters
        return (flops is None or one.multiplications <= flops) and few

    first = next(share for share in range(0, SHARES + 1, SHARES // 16) if within(share))
    assert (
        cut.parameters == tools.cut(first).parameters == sum(map(Tensor.numel, cut.params.values()))
    )
    assert cut.multiplications == tools.cut(first).multiplications


def test_a_network_within_its_targets_stays_whole() -> None:
    tools = shears({**CONVNET, **BATCH}, 8)

    cut = tools.until(1e12, None)

    assert cut.params.keys() == tools.params.keys()
    assert all(torch.equal(cut.params[name], value) for name, value in tools.params.items())


def test_targets_that_no_network_meets_are_refused() -> None:
    with pytest.raises(BadJob, match=r"with one channel of every layer it has [0-9,]+ multipl"):
        shears({**CONVNET, **BATCH}, 8).until(1.0, None)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({**CONVNET, "width": 8, "norm": "group"}, id="group norm"),
        pytest.param({**CONVNET, "norm": "layer"}, id="layer norm"),
        pytest.param({"kind": "torchvision", "model": "mobilenet_v2"}, id="MobileNetV2"),
        pytest.param({"kind": "torchvision", "model": "shufflenet_v2_x1_0"}, id="ShuffleNetV2"),
        pytest.param({"kind": "torchvision", "model": "efficientnet_b0"}, id="EfficientNet"),
    ],
)
def test_networks_whose_channels_do_not_stand_alone_are_refused(spec: Any) -> None:
    with pytest.raises(BadJob, match=r"channels of `.*` cannot be cut: it"):
        shears(spec, 32)


def test_draws_follow_the_seed_alone() -> None:
    before = torch.get_rng_state()
    first = shears({**CONVNET, **BATCH}, 8).cut(SHARES // 2)
    assert torch.equal(torch.get_rng_state(), before)
    again = shears({**CONVNET, **BATCH}, 8).cut(SHARES // 2)
    other = shears({**CONVNET, **BATCH}, 8, seed=1).cut(SHARES // 2)

    assert all(torch.equal(again.params[name], value) for name, value in first.params.items())
    assert not all(torch.equal(other.params[name], value) for name, value in first.params.items())


def test_channels_that_are_added_to_each_other_leave_together() -> None:
    tools = shears({"kind": "classic", "model": "resnet10", **BATCH}, 16)

    by_name = {group.name: {part.tensor for part in group.slices} for group in tools.groups}

    assert "stage1.block0.conv2.weight" in by_name["stage1.block0.conv2"]
    assert "stage1.block0.shortcut.conv.weight" in by_name["stage1.block0.conv2"]
    assert "classifier.weight" in by_name["stage3.block0.conv2"]


def test_teddys_network_is_reached_from_an_untrained_resnet18() -> None:
    spec = {"kind": "torchvision", "model": "resnet18"}
    network = made(spec, 224, classes=1000)
    params, buffers = network.init(generator("x")), network.buffers()
    tools = Shears.drawn(network, params, buffers, (0,), channels=3, size=224)

    cut = tools.until(1.2e9, 7_720_000)

    assert multiplications(network, params, channels=3, size=224) == 1_814_073_344
    assert 1.19e9 < cut.multiplications <= 1.2e9
    assert 7.6e6 < cut.parameters <= 7.72e6
