"""Networks that are new in every outer loop, drawn when they are asked for (DC, DSA, DM, IDC)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ddspec.wire.schedule import ScheduleRow, Seed
from ddspec_runners.functional.params import cast
from ddspec_runners.nets.base import Network
from ddspec_runners.pools.start import Snapshot
from ddspec_runners.rng import generator


@dataclass(frozen=True, slots=True)
class FreshPool:
    """A random network for each outer loop, drawn from (*seed, "fresh", outer)."""

    network: Network
    seed: Seed
    dtype: torch.dtype
    device: torch.device

    def start(self, row: ScheduleRow) -> Snapshot:
        """Return the network that an outer loop starts from."""
        params = self.network.init(generator(*self.seed, "fresh", row.loop))
        return Snapshot(
            cast(params, dtype=self.dtype, device=self.device),
            cast(self.network.buffers(), dtype=self.dtype, device=self.device),
        )


@dataclass(frozen=True, slots=True)
class NoNetworks:
    """The pool of a matcher that looks at pixels: nothing is drawn."""

    def start(self, row: ScheduleRow) -> Snapshot:
        """Return a network without tensors."""
        return Snapshot({}, {})
