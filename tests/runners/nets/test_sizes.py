"""The planner refuses the images that a network cannot take, and no others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import TypeAdapter

from ddspec.errors import DdspecError
from ddspec.plan.check_networks import network_findings
from ddspec.plan.ir import DataFacts
from ddspec.spec.load import load_text
from ddspec.spec.network import CLASSIC_LEAST, NetworkSpec
from ddspec_runners.nets.make import make_network

NETWORK: TypeAdapter[NetworkSpec] = TypeAdapter(NetworkSpec)
SIZES = (7, 8, 9, 15, 16, 17, 28, 31, 32, 33, 63, 64)

NETWORKS: dict[str, dict[str, Any]] = {
    **{f"convnet{depth}": {"kind": "convnet", "depth": depth} for depth in (1, 3, 5, 6)},
    "convnet, no pooling": {"kind": "convnet", "depth": 6, "pooling": "none"},
    "convnet, odd groups": {"kind": "convnet", "depth": 2, "width": 6, "norm": "group"},
    **{f"resnet_ap, {stem}": {"kind": "resnet_ap", "stem": stem} for stem in ("mid", "small")},
    **{model: {"kind": "classic", "model": model} for model in CLASSIC_LEAST},
    "resnet18 of torchvision": {"kind": "torchvision", "model": "resnet18"},
}


def is_planned(network: dict[str, Any], channels: int, size: int) -> bool:
    head = "name: x\npreset: dm\ndataset: {kind: cifar10}\nbudget: {images_per_class: 1}\n"
    spec = load_text(f"{head}network: {json.dumps(network)}\n", "x.yaml").experiment
    facts = DataFacts("x", "x", None, (), size=size, channels=channels)
    found = list(network_findings(spec, facts))
    return not any(each.severity == "error" and each.path[0] == "network" for each in found)


def is_made(network: dict[str, Any], channels: int, size: int) -> bool:
    spec = NETWORK.validate_python(network)
    try:
        make_network(spec, channels=channels, size=size, classes=10)
    except DdspecError:
        return False
    return True


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())
def test_a_network_is_made_of_what_is_planned(network: dict[str, Any]) -> None:
    channels = (3,) if network["kind"] == "torchvision" else (1, 3, 4)
    shapes = [(each, size) for each in channels for size in SIZES]
    planned = {shape: is_planned(network, *shape) for shape in shapes}

    assert planned == {shape: is_made(network, *shape) for shape in shapes}
