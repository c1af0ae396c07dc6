"""A network in training: every tensor that its next step depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ddspec_runners.functional.optim import Slots
from ddspec_runners.nets.base import Params

BEST = "best"


@dataclass(slots=True)
class Best:
    """The network that was best on held-out images so far; the first of equals."""

    params: Params
    buffers: Params
    accuracy: float
    """On the held-out images, a fraction; negative before the first look."""
    step: int
    """Steps that were done when it was looked at."""

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint holds of it."""
        facts = torch.tensor([self.accuracy, self.step], dtype=torch.float64)
        kept = {"params": self.params, "buffers": self.buffers}
        named = {f"{BEST}/{g}/{name}": p for g, group in kept.items() for name, p in group.items()}
        return named | {BEST: facts}


@dataclass(slots=True)
class Trainee:
    """A network between two steps; `params` and `memory` are moved in place."""

    done: int
    """Steps taken."""
    params: dict[str, Tensor]
    memory: Slots
    """What the optimiser remembers."""
    buffers: Params
    curve: Tensor
    """Loss of the batch at every `stride`-th step, (points,), on the CPU."""
    best: Best | None = None
    """Only where networks are looked at while they are trained."""

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint holds."""
        groups = {"params": self.params, "buffers": self.buffers, **self.memory}
        named = {f"{g}/{name}": p for g, group in groups.items() for name, p in group.items()}
        return named | {"curve": self.curve} | (self.best.state() if self.best else {})

    def restore(self, done: int, state: Mapping[str, Tensor], device: torch.device) -> None:
        """Go on after `done` steps of a training that was begun as this one was."""
        self.done = done
        self.params = _taken(state, "params", self.params, device)
        self.memory = {slot: _taken(state, slot, self.params, device) for slot in self.memory}
        self.buffers = _taken(state, "buffers", self.buffers, device)
        self.curve = state["curve"]
        if self.best is not None:
            accuracy, step = state[BEST].tolist()
            params = _taken(state, f"{BEST}/params", self.params, device)
            buffers = _taken(state, f"{BEST}/buffers", self.buffers, device)
            self.best = Best(params, buffers, accuracy, int(step))


def _taken(
    state: Mapping[str, Tensor], group: str, names: Params, device: torch.device
) -> dict[str, Tensor]:
    return {name: state[f"{group}/{name}"].to(device) for name in names}
