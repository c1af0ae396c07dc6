"""From a spec's network to the network."""

from __future__ import annotations

from collections.abc import Mapping

from ddspec.spec.network import (
    ClassicSpec,
    ConvNetSpec,
    NetworkSpec,
    ResNetApSpec,
    TorchvisionSpec,
)
from ddspec_runners.nets.base import Network
from ddspec_runners.nets.chains import Chain, LeNet, Mlp
from ddspec_runners.nets.classic import ClassicNetwork
from ddspec_runners.nets.convnet import ConvNet
from ddspec_runners.nets.densenet import DenseNet
from ddspec_runners.nets.resnet import ResNet
from ddspec_runners.nets.resnet_ap import ResNetAp
from ddspec_runners.nets.torchvision import TorchvisionNetwork

CLASSIC: Mapping[str, type[ClassicNetwork]] = {
    "mlp": Mlp,
    "lenet": LeNet,
    "alexnet": Chain,
    "vgg11": Chain,
    "resnet18": ResNet,
    "resnet18_ap": ResNet,
    "resnet10": ResNet,
    "densenet121": DenseNet,
    "densenet_cifar": DenseNet,
}


def make_network(spec: NetworkSpec, *, channels: int, size: int, classes: int) -> Network:
    """Return the network for images (N, channels, size, size) of `classes` classes.

    Raises:
        DdspecError: the architecture cannot take images of that size.
    """
    match spec:
        case ConvNetSpec():
            return ConvNet(spec, channels, size, classes)
        case ResNetApSpec():
            return ResNetAp(spec, channels, size, classes)
        case ClassicSpec():
            return CLASSIC[spec.model](spec, channels, size, classes)
        case TorchvisionSpec():
            return TorchvisionNetwork(spec, channels=channels, size=size, classes=classes)
