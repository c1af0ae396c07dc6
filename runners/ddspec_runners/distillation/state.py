"""What distillation carries from one outer loop to the next, and what it publishes in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

IMAGES = "images"
SLOTS = ("velocity", "first", "second")
"""Whatever the optimisers of images remember, one tensor of the images' shape each."""


@dataclass(frozen=True, slots=True)
class State:
    """All of it, so that a job that goes on from it does what the first would have done."""

    images: Tensor
    """(K', n, C, H, W), in the learned space."""
    memory: Mapping[str, Tensor]
    """Of the images' optimiser, by slot, each in the shape of the images."""
    own: Mapping[str, Tensor] = field(default_factory=dict)
    """What else a method carries on: `average`, `rate`, `labels`, `queue/…`."""

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], device: torch.device) -> State:
        """Return the state that was stored as `tensors`, on a device."""
        placed = {name: tensor.to(device) for name, tensor in tensors.items()}
        memory = {name: tensor for name, tensor in placed.items() if name in SLOTS}
        own = {name: tensor for name, tensor in placed.items() if name not in (IMAGES, *SLOTS)}
        return cls(placed[IMAGES], memory, own)

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors by the names that they are stored under."""
        return {IMAGES: self.images, **self.memory, **self.own}


@dataclass(frozen=True, slots=True)
class Published:
    """A set as its users get it."""

    images: Tensor
    """(K', n, C, H, W), in the learned space."""
    soft_labels: Tensor | None = None
    """(K', n, K): learned logits, or probabilities of an expert; None where labels are hard."""
    learned_rate: float | None = None
    """At which networks are trained on the set; None where it was not learned."""
