"""Networks by name, and what may not be asked of them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from ddspec.spec.base import written
from ddspec.spec.network import NetworkSpec, network_name, norm_of

NETWORK: TypeAdapter[NetworkSpec] = TypeAdapter(NetworkSpec)


def network(kind: str, **settings: Any) -> NetworkSpec:
    return NETWORK.validate_python({"kind": kind, **settings})


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (network("convnet"), "convnet3"),
        (network("convnet", pooling="average", activation="relu"), "convnet3"),
        (network("convnet", depth=2, width=32, norm="batch"), "convnet2-w32-batch"),
        (network("convnet", pooling="max"), "convnet3-maxpool"),
        (network("convnet", norm="none", pooling="none"), "convnet3-none-nopool"),
        (network("convnet", activation="leaky_relu"), "convnet3-leaky_relu"),
        (network("resnet_ap", stem="small", width=32), "resnet_ap10-small-w32"),
        (network("resnet_ap", width=64), "resnet_ap10"),
        (network("classic", model="vgg11", norm="batch"), "classic-vgg11-batch"),
        (network("torchvision", model="resnet50", stem="cifar"), "resnet50-cifar"),
        (network("torchvision", model="mobilenet_v2", dropout=0.2), "mobilenet_v2-drop02"),
        (
            network("torchvision", model="efficientnet_b0", dropout=0.2, stochastic_depth=0.1),
            "efficientnet_b0-drop02-depth01",
        ),
    ],
)
def test_a_network_is_named_by_what_is_not_usual(found: NetworkSpec, name: str) -> None:
    assert network_name(found) == name


@pytest.mark.parametrize(
    ("settings", "norm"),
    [
        ({"model": "mlp"}, "none"),
        ({"model": "alexnet"}, "none"),
        ({"model": "alexnet", "norm": "batch"}, "batch"),
        ({"model": "resnet18_ap"}, "instance"),
        ({"model": "densenet121"}, "batch"),
    ],
)
def test_a_classic_network_has_the_norm_of_its_code(settings: dict[str, str], norm: str) -> None:
    assert norm_of(network("classic", **settings)) == norm


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "classic", "model": "mlp", "norm": "batch"}, "`mlp` has no norm"),
        ({"kind": "classic", "model": "lenet", "norm": "instance"}, "`lenet` has no norm"),
        ({"kind": "torchvision", "model": "resnet18", "dropout": 0.2}, "has no dropout"),
        (
            {"kind": "torchvision", "model": "mobilenet_v2", "stochastic_depth": 0.2},
            "has no stochastic depth",
        ),
        ({"kind": "torchvision", "model": "mobilenet_v2", "dropout": 1.5}, "less than or equal"),
        ({"kind": "convnet", "depth": 7}, "less than or equal to 6"),
    ],
)
def test_what_a_network_does_not_have_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        NETWORK.validate_python(settings)


def test_what_is_left_out_is_no_part_of_an_identity() -> None:
    assert written(network("convnet", depth=3)) == {
        "kind": "convnet", "depth": 3, "width": 128, "norm": "instance",
    }  # fmt: skip
