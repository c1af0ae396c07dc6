from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from ddspec.plan.cost_networks import NetworkCost, network_cost
from ddspec.spec.network import NetworkSpec

NETWORK: TypeAdapter[NetworkSpec] = TypeAdapter(NetworkSpec)


def cost(kind: str, shape: tuple[int, int, int], **settings: object) -> NetworkCost:
    network = NETWORK.validate_python({"kind": kind, **settings})
    channels, size, classes = shape
    return network_cost(network, channels=channels, size=size, classes=classes)


@pytest.mark.parametrize(
    ("found", "parameters"),
    [
        pytest.param(cost("convnet", (3, 32, 10)), 320_010, id="ConvNet-3, CIFAR-10"),
        pytest.param(cost("convnet", (3, 32, 100)), 504_420, id="ConvNet-3, CIFAR-100"),
        pytest.param(cost("convnet", (3, 64, 200), depth=4), 857_160, id="ConvNet-4, Tiny"),
        # 1 x 9 x 128 + 128 in place of the 3 channels of CIFAR; 28 pixels are padded to 32
        pytest.param(cost("convnet", (1, 28, 10)), 320_010 - 2 * 9 * 128, id="ConvNet-3, MNIST"),
        pytest.param(cost("resnet_ap", (3, 224, 10)), 4_910_922, id="ResNetAP-10"),
        pytest.param(
            cost("torchvision", (3, 224, 1000), model="resnet18"), 11_689_512, id="ResNet-18"
        ),
        pytest.param(
            cost("torchvision", (3, 224, 1000), model="efficientnet_b0"),
            5_288_548,
            id="EfficientNet-B0",
        ),
        pytest.param(
            cost("torchvision", (3, 224, 1000), model="resnet50"), 25_557_032, id="ResNet-50"
        ),
        pytest.param(
            cost("torchvision", (3, 224, 1000), model="resnet101"), 44_549_160, id="ResNet-101"
        ),
        pytest.param(
            cost("torchvision", (3, 224, 1000), model="densenet121"), 7_978_856, id="DenseNet-121"
        ),
        pytest.param(
            cost("torchvision", (3, 224, 1000), model="mobilenet_v2"), 3_504_872, id="MobileNetV2"
        ),
        pytest.param(
            cost("torchvision", (3, 224, 1000), model="shufflenet_v2_x1_0"),
            2_278_604,
            id="ShuffleNetV2",
        ),
        # 7 x 7 of the stem became 3 x 3
        pytest.param(
            cost("torchvision", (3, 32, 1000), model="resnet18", stem="cifar"),
            11_689_512 - (49 - 9) * 3 * 64,
            id="ResNet-18 for CIFAR",
        ),
        # kuangliu's DenseNet for CIFAR, which IDC's code took over
        pytest.param(
            cost("classic", (3, 32, 10), model="densenet121"), 6_956_298, id="DenseNet for CIFAR"
        ),
        pytest.param(
            cost("classic", (3, 32, 10), model="vgg11", norm="batch"), 9_231_114, id="VGG-11"
        ),
    ],
)
def test_parameters_are_the_published_ones(found: NetworkCost, parameters: int) -> None:
    assert found.parameters == parameters


@pytest.mark.parametrize(
    ("norm", "extra"),
    [
        ("none", 0),
        ("instance", 3 * 256),
        ("batch", 3 * 256),
        ("group", 3 * 256),
        # scale and shift of every element of maps of 32, 16 and 8 pixels a side
        ("layer", 2 * 128 * (32**2 + 16**2 + 8**2)),
    ],
)
def test_norms_hold_a_scale_and_a_shift(norm: str, extra: int) -> None:
    without = cost("convnet", (3, 32, 10), norm="none").parameters

    assert cost("convnet", (3, 32, 10), norm=norm).parameters - without == extra


def test_operations_are_twice_the_published_multiplications() -> None:
    # torchvision documents 1.81 and 0.39 billion multiplications at 224 pixels
    resnet = cost("torchvision", (3, 224, 1000), model="resnet18")
    efficientnet = cost("torchvision", (3, 224, 1000), model="efficientnet_b0")

    assert round(resnet.flops / 2e9, 2) == 1.81
    assert round(efficientnet.flops / 2e9, 2) == 0.39


def test_operations_of_one_layer_are_counted_by_hand() -> None:
    # 8 x 8 images of one channel: 9 x 4 products at 64 places, then 4 x 4 x 4 x 10 of the head
    found = cost("convnet", (1, 8, 10), depth=1, width=4, norm="none")

    assert found.flops == 2 * (9 * 4 * 64 + 64 * 10)
    assert found.stem_flops == 2 * 9 * 4 * 64
