"""Networks: which architectures a spec may name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ddspec.spec.base import Count, Fraction, SpecModel

Norm = Literal["instance", "batch", "layer", "group", "none"]
Pooling = Literal["average", "max", "none"]
Activation = Literal["relu", "sigmoid", "leaky_relu", "swish"]


class ConvNetSpec(SpecModel):
    """The field's ConvNet: depth x (conv 3x3, norm, activation, pooling), one linear layer."""

    kind: Literal["convnet"]
    depth: Annotated[int, Field(strict=True, ge=1, le=6)] = 3
    width: Count = 128
    norm: Norm = "instance"
    """`instance` is group norm with one group a channel and affine parameters; `group` has 4."""
    pooling: Pooling | None = None
    """By 2, at the end of every block; by default `average`. With `none` maps keep their side."""
    activation: Activation | None = None
    """By default `relu`. `leaky_relu` has slope 0.01, `swish` is x sigmoid(x) (DC's code)."""


class ResNetApSpec(SpecModel):
    """IDC's ResNetAP-10: strided convolutions replaced by average pooling."""

    kind: Literal["resnet_ap"]
    depth: Literal[10] = 10
    norm: Literal["instance", "batch"] = "instance"
    stem: Literal["large", "mid", "small"] = "large"
    """`large` for more than 128 px (7x7, pool 4), `mid` to 128 px (3x3, pool 2), `small` to 64."""
    width: Count | None = None
    """Channels of the first stage, twice as many in each that follows; by default 64. IDC's code
    takes 32 for CIFAR."""


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
    dropout: Fraction | None = None
    """Of what enters the classifier of MobileNetV2 or EfficientNet; by default none. Their papers
    have 0.2."""
    stochastic_depth: Fraction | None = None
    """Greatest chance of a block of EfficientNet to be left out; by default none. Torchvision and
    the network's official code have 0.2."""

    @model_validator(mode="after")
    def _noise_has_its_place(self) -> Self:
        if self.dropout is not None and self.model not in DROPOUT:
            raise ValueError(f"`{self.model}` has no dropout; leave `dropout` out")
        if self.stochastic_depth is not None and self.model != "efficientnet_b0":
            raise ValueError(f"`{self.model}` has no stochastic depth; leave it out")
        return self


DROPOUT = ("mobilenet_v2", "efficientnet_b0")
"""Architectures of torchvision with dropout before the classifier."""


class ClassicSpec(SpecModel):
    """Small networks that papers of the DC family judge their sets with."""

    kind: Literal["classic"]
    model: Literal[
        "alexnet",
        "vgg11",
        "resnet18",
        "resnet10",
        "densenet121",
        "resnet18_ap",
        "lenet",
        "mlp",
        "densenet_cifar",
    ]
    """`mlp`, `lenet`, `alexnet`, `vgg11`, `resnet18` and `resnet18_ap` (which averages where the
    other strides) are those of DC's code (Zhao et al., ICLR 2021). `resnet10` is IDC's for CIFAR
    (Kim et al., ICML 2022), `densenet121` the network that IDC's paper names (growth 32),
    `densenet_cifar` the one that its code builds in that place (growth 12)."""
    norm: Literal["instance", "batch"] | None = None
    """By default what the code has: `instance` for DC's VGG and ResNets, `batch` for IDC's;
    AlexNet, LeNet and MLP have none, of which AlexNet may get one."""

    @model_validator(mode="after")
    def _norm_has_its_place(self) -> Self:
        if self.norm is not None and self.model in ("lenet", "mlp"):
            raise ValueError(f"`{self.model}` has no norm; leave `norm` out")
        return self


CLASSIC_NORMS: Mapping[str, Norm] = {
    "mlp": "none",
    "lenet": "none",
    "alexnet": "none",
    "vgg11": "instance",
    "resnet18": "instance",
    "resnet18_ap": "instance",
    "resnet10": "batch",
    "densenet121": "batch",
    "densenet_cifar": "batch",
}
"""Norm of a classic network whose spec leaves it open."""

CLASSIC_LEAST: Mapping[str, int] = {
    "mlp": 1,
    "lenet": 16,
    "alexnet": 8,
    "vgg11": 32,
    "resnet18": 16,
    "resnet18_ap": 16,
    "resnet10": 16,
    "densenet121": 16,
    "densenet_cifar": 16,
}
"""Pixels of a side of which a classic network leaves a map; of residual and dense ones, 2 x 2."""


NetworkSpec = Annotated[
    ConvNetSpec | ResNetApSpec | TorchvisionSpec | ClassicSpec, Field(discriminator="kind")
]


def norm_of(network: NetworkSpec) -> Norm:
    """Return the norm of an architecture."""
    match network:
        case ConvNetSpec() | ResNetApSpec():
            return network.norm
        case TorchvisionSpec():
            return "batch"
        case ClassicSpec():
            return network.norm or CLASSIC_NORMS[network.model]


def padded_side(channels: int, size: int) -> int:
    """Return the side that first maps have: DC's code pads one-channel images of 28 px to 32."""
    return 32 if (channels, size) == (1, 28) else size


def network_name(network: NetworkSpec) -> str:
    """Return the short name that labels and tables use: `convnet3`, `convnet2-w32`."""
    match network:
        case ConvNetSpec():
            width = "" if network.width == 128 else f"-w{network.width}"
            norm = "" if network.norm == "instance" else f"-{network.norm}"
            return f"convnet{network.depth}{width}{norm}{_variant(network)}"
        case ResNetApSpec():
            stem = "" if network.stem == "large" else f"-{network.stem}"
            norm = "" if network.norm == "instance" else f"-{network.norm}"
            width = "" if network.width in (None, 64) else f"-w{network.width}"
            return f"resnet_ap{network.depth}{stem}{width}{norm}"
        case TorchvisionSpec():
            stem = "-cifar" if network.stem == "cifar" else ""
            return f"{network.model}{stem}{_noise(network)}"
        case ClassicSpec():
            norm = "" if network.norm is None else f"-{network.norm}"
            return f"classic-{network.model}{norm}"


def _variant(network: ConvNetSpec) -> str:
    """Name a ConvNet's pooling and activation where they are not the usual ones."""
    pooling = "" if network.pooling in (None, "average") else f"-{network.pooling}pool"
    activation = "" if network.activation in (None, "relu") else f"-{network.activation}"
    return pooling.replace("none", "no") + activation


def _noise(network: TorchvisionSpec) -> str:
    dropout = f"-drop{network.dropout:g}" if network.dropout else ""
    depth = f"-depth{network.stochastic_depth:g}" if network.stochastic_depth else ""
    return (dropout + depth).replace(".", "")
