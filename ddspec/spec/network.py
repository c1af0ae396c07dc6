"""Networks: which architectures a spec may name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ddspec.spec.base import Count, SpecModel

Norm = Literal["instance", "batch", "layer", "group", "none"]


class ConvNetSpec(SpecModel):
    """The field's ConvNet: depth x (conv 3x3, norm, ReLU, average pool 2), one linear layer."""

    kind: Literal["convnet"]
    depth: Annotated[int, Field(strict=True, ge=1, le=6)] = 3
    width: Count = 128
    norm: Norm = "instance"
    """`instance` is group norm with one group a channel and affine parameters; `group` has 4."""


class ResNetApSpec(SpecModel):
    """IDC's ResNetAP-10: strided convolutions replaced by average pooling."""

    kind: Literal["resnet_ap"]
    depth: Literal[10] = 10
    norm: Literal["instance", "batch"] = "instance"
    stem: Literal["large", "mid", "small"] = "large"
    """`large` for more than 128 px (7x7, pool 4), `mid` to 128 px (3x3, pool 2), `small` to 64."""


class TorchvisionSpec(SpecModel):
    """An architecture of torchvision, freshly initialised."""

    kind: Literal["torchvision"]
    model: Literal[
        "resnet18",
        "resnet50",
        "resnet101",
        "densenet121",
        "mobilenet_v2",
        "shufflenet_v2_x1_0",
        "efficientnet_b0",
    ]
    stem: Literal["imagenet", "cifar"] | None = None
    """Of a ResNet: `cifar` begins with a 3x3 convolution of stride 1 and pools no more before the
    blocks, for images of 32 or 64 pixels (SRe2L); by default `imagenet`."""


class ClassicSpec(SpecModel):
    """Small networks that papers of the DC family judge their sets with."""

    kind: Literal["classic"]
    model: Literal["alexnet", "vgg11", "resnet18", "resnet10", "densenet121"]
    """`alexnet`, `vgg11` and `resnet18` are those of DC's code (Zhao et al., ICLR 2021), `resnet10`
    and `densenet121` those of IDC's for CIFAR (Kim et al., ICML 2022)."""
    norm: Literal["instance", "batch"] | None = None
    """By default what the code has: `instance` for DC's VGG and ResNet, `batch` for IDC's; AlexNet
    has none."""


NetworkSpec = Annotated[
    ConvNetSpec | ResNetApSpec | TorchvisionSpec | ClassicSpec, Field(discriminator="kind")
]


def network_name(network: NetworkSpec) -> str:
    """Return the short name that labels and tables use: `convnet3`, `convnet2-w32`."""
    match network:
        case ConvNetSpec():
            width = "" if network.width == 128 else f"-w{network.width}"
            norm = "" if network.norm == "instance" else f"-{network.norm}"
            return f"convnet{network.depth}{width}{norm}"
        case ResNetApSpec():
            stem = "" if network.stem == "large" else f"-{network.stem}"
            norm = "" if network.norm == "instance" else f"-{network.norm}"
            return f"resnet_ap{network.depth}{stem}{norm}"
        case TorchvisionSpec():
            return f"{network.model}-cifar" if network.stem == "cifar" else network.model
        case ClassicSpec():
            norm = "" if network.norm is None else f"-{network.norm}"
            return f"classic-{network.model}{norm}"
