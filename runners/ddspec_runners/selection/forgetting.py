"""Forgetting: choose what a network in training forgot most often.

Toneva et al., "An empirical study of example forgetting during deep neural network learning",
ICLR 2019, section 3: an image is forgotten when it was classified rightly the last time that it was
in a batch and is not this time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from ddspec_runners.artifacts import read_tensors, write_tensors
from ddspec_runners.faults import BadJob
from ddspec_runners.functional.placement import placed

EVENTS = "events.safetensors"
NEVER = -1
"""Stands for the epoch in which an image was learned that never was."""


def forgetting(forgotten: Tensor, learned: Tensor, order: Tensor) -> Tensor:
    """Return all images, those forgotten most often first: int64 (n,).

    Args:
        forgotten: How often each was forgotten, int64 (n,).
        learned: In which epoch it was classified rightly for the first time, `NEVER` where in none:
            as in the paper such an image counts as forgotten infinitely often.
        order: A permutation of the n images, in which equal ones come.
    """
    times = torch.where(learned == NEVER, forgotten.max() + 1, forgotten)
    return order[times[order].argsort(descending=True, stable=True)]


@dataclass(slots=True)
class Events:
    """What happened to each of N training images so far; its tensors are moved in place."""

    right: Tensor
    """Whether it was classified rightly when it was last in a batch, bool (N,)."""
    forgotten: Tensor
    """int64 (N,)."""
    learned: Tensor
    """int64 (N,), epochs from 0, or `NEVER`."""

    @classmethod
    def none(cls, images: int, device: torch.device) -> Self:
        """Return that nothing happened yet: no image is known."""
        return cls(
            torch.zeros(images, dtype=torch.bool, device=device),
            torch.zeros(images, dtype=torch.int64, device=device),
            torch.full((images,), NEVER, device=device),
        )

    def note(self, epoch: int, indices: Tensor, right: Tensor) -> None:
        """Count a batch of an epoch: which of its images (b,) were classified rightly, bool (b,).

        Each image is there once.
        """
        indices = placed(indices, self.right.device)
        first = self.learned[indices]
        self.forgotten[indices] += self.right[indices] & ~right
        self.learned[indices] = torch.where(right & (first == NEVER), epoch, first)
        self.right[indices] = right

    def state(self) -> dict[str, Tensor]:
        """Return the tensors by name."""
        return {"right": self.right, "forgotten": self.forgotten, "learned": self.learned}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state` returned."""
        for name, own in self.state().items():
            own.copy_(state[name])


def write_events(folder: Path, events: Events) -> None:
    """Write `events.safetensors`: `forgotten` and `learned`."""
    write_tensors(folder / EVENTS, {"forgotten": events.forgotten, "learned": events.learned})


def read_events(folder: Path, images: int) -> tuple[Tensor, Tensor]:
    """Return `forgotten` and `learned` (N,); raises BadData or BadJob where they are not there."""
    tensors, _ = read_tensors(folder / EVENTS)
    for name in ("forgotten", "learned"):
        found = tensors.get(name)
        if found is None or found.shape != (images,) or found.dtype != torch.int64:
            raise BadJob(f"{folder / EVENTS} holds no `{name}` of {images} training images")
    return tensors["forgotten"], tensors["learned"]
