"""What the small networks of DC's and IDC's codes have in common, beside their forward pass."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from torch import Generator, Tensor

from ddspec.errors import DdspecError, Exit
from ddspec.spec.network import CLASSIC_LEAST, ClassicSpec, Norm, norm_of, padded_side
from ddspec_runners.nets.layered import LayeredNetwork
from ddspec_runners.nets.layers import affine, he_normal, norm_buffers, norm_parameters, uniform


@dataclass(frozen=True, slots=True)
class Weights:
    """A convolution or linear layer."""

    name: str
    shape: tuple[int, ...]
    """(O, I, h, w), or (O, I)."""
    bias: bool = False
    he: bool = False
    """Whether it starts from He's normal law (fan-out) and not as torch does by default."""

    def start(self, rng: Generator) -> dict[str, Tensor]:
        """Draw initial values."""
        if self.bias:
            return affine(self.name, self.shape, rng)
        bound = 1.0 / math.sqrt(math.prod(self.shape[1:]))
        drawn = he_normal(self.shape, rng) if self.he else uniform(self.shape, bound, rng)
        return {f"{self.name}.weight": drawn}


@dataclass(frozen=True, slots=True)
class Scale:
    """A norm with a scale and a shift of each channel."""

    name: str
    channels: int


Piece: TypeAlias = Weights | Scale


@dataclass(frozen=True, slots=True)
class ClassicNetwork(LayeredNetwork):
    """A network told by its pieces; the last, its classifier, starts as torch's linear layers do.

    Raises:
        DdspecError: the images are so small that no map would be left of them.
    """

    spec: ClassicSpec
    channels: int
    size: int
    """Side of the images, pixels."""
    classes: int

    def __post_init__(self) -> None:
        least = CLASSIC_LEAST[self.spec.model]
        if self.side < least:
            raise DdspecError(
                f"`{self.spec.model}` needs images of at least {least} px, these have {self.size}",
                exit=Exit.INVALID,
                hint="use a ConvNet",
            )

    @property
    def norm(self) -> Norm:
        """The norm that the spec names, or else the one of the code."""
        return norm_of(self.spec)

    @property
    def side(self) -> int:
        """Side of the images, padded where DC's code does."""
        return padded_side(self.channels, self.size)

    @property
    @abstractmethod
    def width(self) -> int:
        """Number of features that enter the classifier."""

    @abstractmethod
    def pieces(self) -> Iterator[Piece]:
        """Yield everything before the classifier, in the order of the forward pass."""

    def init(self, rng: Generator) -> dict[str, Tensor]:
        """Draw weights by the laws of the code; norms start at scale one and shift zero."""
        params: dict[str, Tensor] = {}
        for piece in self.pieces():
            match piece:
                case Weights():
                    params |= piece.start(rng)
                case Scale(name, channels):
                    params |= norm_parameters(self.norm, name, (channels, 1, 1))
        return params | affine("classifier", (self.classes, self.width), rng)

    def buffers(self) -> dict[str, Tensor]:
        """Return the initial running statistics; empty without batch norm."""
        buffers: dict[str, Tensor] = {}
        for piece in self.pieces():
            if isinstance(piece, Scale):
                buffers |= norm_buffers(self.norm, piece.name, piece.channels)
        return buffers
