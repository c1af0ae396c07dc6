"""ResNetAP-10: a residual network whose strides are average pooling.

Kim et al., "Dataset Condensation via Efficient Synthetic-Data Parameterization", ICML 2022
(section 5 and official code). Pooling keeps every pixel in the gradient, which strides do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Generator, Tensor

from ddspec.errors import DdspecError, Exit
from ddspec.spec.network import ResNetApSpec
from ddspec_runners.nets.base import Params
from ddspec_runners.nets.layered import LayeredNetwork
from ddspec_runners.nets.layers import (
    Statistics,
    affine,
    conv,
    he_normal,
    norm_buffers,
    norm_parameters,
    normalise,
)

WIDTH = 64
"""Channels of the first of four stages, where the spec does not say; each is twice the last."""


@dataclass(frozen=True, slots=True)
class Stem:
    """The first convolution: its kernel's side, and the pooling behind it (1 is none)."""

    kernel: int
    pool: int


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution without bias and the norm behind it."""

    conv: str
    norm: str
    shape: tuple[int, int, int, int]
    """Of the kernels, (O, I, h, w)."""


STEMS: Mapping[str, Stem] = {"large": Stem(7, 4), "mid": Stem(3, 2), "small": Stem(3, 1)}


@dataclass(frozen=True, slots=True)
class ResNetAp(LayeredNetwork):
    """A stem and four stages of one basic block each, global average pooling, a linear layer.

    Convolutions have no bias and start from He's normal law (fan-out); the classifier starts as
    torch's linear layer does. The last three stages pool by 2 after the first ReLU of the block,
    and in the shortcut between its 1x1 convolution and its norm. With every stem the stages have
    64, 128, 256 and 512 channels, as in the official code for all data but CIFAR, where it takes
    the small stem and a width of 32.

    Raises:
        DdspecError: the images are so small that the last maps would have less than 2 px, where
            norms by image and channel return their shift alone.
    """

    spec: ResNetApSpec
    channels: int
    size: int
    """Side of the images, pixels."""
    classes: int

    def __post_init__(self) -> None:
        least = 16 * STEMS[self.spec.stem].pool
        if self.size < least:
            raise DdspecError(
                f"ResNetAP-{self.spec.depth} with the {self.spec.stem} stem needs images of at "
                f"least {least} px, these have {self.size}",
                exit=Exit.INVALID,
                hint="use a smaller stem or a ConvNet",
            )

    def init(self, rng: Generator) -> dict[str, Tensor]:
        """Draw kernels and classifier; norms start at scale one and shift zero."""
        params: dict[str, Tensor] = {}
        for layer in self._layers():
            params[f"{layer.conv}.weight"] = he_normal(layer.shape, rng)
            params |= norm_parameters(self.spec.norm, layer.norm, (layer.shape[0], 1, 1))
        return params | affine("classifier", (self.classes, self._widths[-1]), rng)

    def buffers(self) -> dict[str, Tensor]:
        """Return the initial running statistics; empty for instance norm."""
        buffers: dict[str, Tensor] = {}
        for layer in self._layers():
            buffers |= norm_buffers(self.spec.norm, layer.norm, layer.shape[0])
        return buffers

    def embed(self, params: Params, x: Tensor, statistics: Statistics) -> Tensor:
        """Return the means of the last maps, (N, D), of images (N, C, H, W)."""
        norm, stem = self.spec.norm, STEMS[self.spec.stem]
        x = conv("stem.conv", params, x, padding=stem.kernel // 2)
        x = F.relu(normalise(norm, "stem.norm", params, x, statistics))
        x = F.avg_pool2d(x, stem.pool) if stem.pool > 1 else x
        for stage in range(len(self._widths)):
            x = self._block(stage, params, x, statistics)
        return x.mean(dim=(2, 3))

    @property
    def _widths(self) -> tuple[int, ...]:
        return tuple((self.spec.width or WIDTH) << stage for stage in range(4))

    def _block(self, stage: int, params: Params, x: Tensor, statistics: Statistics) -> Tensor:
        norm, name = self.spec.norm, f"stage{stage}"
        out = conv(f"{name}.conv1", params, x)
        out = F.relu(normalise(norm, f"{name}.norm1", params, out, statistics))
        if stage > 0:
            out = F.avg_pool2d(out, 2)
            x = F.avg_pool2d(conv(f"{name}.shortcut.conv", params, x, padding=0), 2)
            x = normalise(norm, f"{name}.shortcut.norm", params, x, statistics)
        out = conv(f"{name}.conv2", params, out)
        out = normalise(norm, f"{name}.norm2", params, out, statistics)
        return F.relu(out + x)

    def _layers(self) -> Iterator[Layer]:
        """Yield every convolution in the order in which parameters are listed and drawn."""
        kernel, fan_in = STEMS[self.spec.stem].kernel, self._widths[0]
        yield Layer("stem.conv", "stem.norm", (fan_in, self.channels, kernel, kernel))
        for stage, width in enumerate(self._widths):
            name = f"stage{stage}"
            yield Layer(f"{name}.conv1", f"{name}.norm1", (width, fan_in, 3, 3))
            yield Layer(f"{name}.conv2", f"{name}.norm2", (width, width, 3, 3))
            if stage > 0:
                shape = (width, fan_in, 1, 1)
                yield Layer(f"{name}.shortcut.conv", f"{name}.shortcut.norm", shape)
            fan_in = width
