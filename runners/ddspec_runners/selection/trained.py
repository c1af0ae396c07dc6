"""A network that was trained on real images, and what it sees in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from ddspec_runners.artifacts import read_tensors
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.faults import BadJob, Diverged
from ddspec_runners.nets.base import Network
from ddspec_runners.pools.recorded import NETWORK
from ddspec_runners.rng import generator

BATCH = 128
"""Images at once, as in a test; fixed, because the rounding of a forward pass depends on it."""


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A network with its parameters and running statistics, in the precision of its file."""

    network: Network
    params: Mapping[str, Tensor]
    buffers: Mapping[str, Tensor]

    @classmethod
    def open(cls, folder: Path, network: Network, device: torch.device) -> Self:
        """Read `network.safetensors`; BadData or BadJob where it is damaged or of another one."""
        stored, _ = read_tensors(folder / NETWORK)
        wanted = network.init(generator("shapes")), network.buffers()
        for name, example in {**wanted[0], **wanted[1]}.items():
            if name not in stored or not _alike(stored[name], example):
                raise BadJob(
                    f"{folder / NETWORK} holds another network: {name} is missing, or of another "
                    "shape or kind of number"
                )
        params, buffers = ({name: stored[name].to(device) for name in part} for part in wanted)
        return cls(network, params, buffers)

    @torch.no_grad()
    def features(self, split: PreparedSplit, part: slice) -> Tensor:
        """Return the features of a range of images, not augmented: (n, D) on the device.

        Raises Diverged where one is not finite: by such features anything would be chosen.
        """
        example = next(iter(self.params.values()))
        found = []
        for start in range(part.start, part.stop, BATCH):
            batch = slice(start, min(part.stop, start + BATCH))
            images = split.gather(batch, dtype=example.dtype, device=example.device)
            found.append(self.network.features(self.params, self.buffers, images))
        features = torch.cat(found)
        if not features.isfinite().all():
            raise Diverged("the features of the network are not finite: it was trained too fast")
        return features


def _alike(stored: Tensor, example: Tensor) -> bool:
    same = stored.is_floating_point() == example.is_floating_point()
    return same and not stored.is_complex() and stored.shape == example.shape
