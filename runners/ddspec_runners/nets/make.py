"""From a spec's network to the network."""

from __future__ import annotations

from ddspec.spec.network import (
    ClassicSpec,
    ConvNetSpec,
    NetworkSpec,
    ResNetApSpec,
    TorchvisionSpec,
    network_name,
)
from ddspec_runners.faults import BadJob
from ddspec_runners.nets.base import Network
from ddspec_runners.nets.convnet import ConvNet
from ddspec_runners.nets.resnet_ap import ResNetAp
from ddspec_runners.nets.torchvision import ARCHITECTURES, TorchvisionNetwork


def make_network(spec: NetworkSpec, *, channels: int, size: int, classes: int) -> Network:
    """Return the network for images (N, channels, size, size) of `classes` classes.

    Raises:
        DdspecError: the architecture cannot take images of that size.
        BadJob: this version does not have the architecture.
    """
    match spec:
        case ConvNetSpec():
            return ConvNet(spec, channels, size, classes)
        case ResNetApSpec():
            return ResNetAp(spec, channels, size, classes)
        case ClassicSpec():
            raise BadJob(f"this version has no network `{network_name(spec)}`")
        case TorchvisionSpec() if spec.model not in ARCHITECTURES:
            raise BadJob(f"this version has no network `{network_name(spec)}`")
        case TorchvisionSpec():
            return TorchvisionNetwork(spec, channels=channels, size=size, classes=classes)
