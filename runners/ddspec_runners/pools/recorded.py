"""Networks recorded while training on real data, one folder a member."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ddspec.wire.schedule import ScheduleRow
from ddspec_runners.faults import BadJob
from ddspec_runners.functional.params import cast
from ddspec_runners.nets.base import Network
from ddspec_runners.rng import generator

NETWORK = "network.safetensors"


@dataclass(frozen=True, slots=True)
class RecordedPool:
    """Members are read when they are asked for: files may be many, and one is used at a time."""

    folders: tuple[Path, ...]
    shapes: Mapping[str, torch.Size]
    """Parameters of the network, in its own order: a file keeps none, and perturbation needs it."""
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def open(
        cls, folders: Sequence[Path], network: Network, *, dtype: torch.dtype, device: torch.device
    ) -> RecordedPool:
        """Return the pool of these folders; raises BadJob where a file is missing."""
        missing = [str(folder) for folder in folders if not (folder / NETWORK).is_file()]
        if missing:
            raise BadJob(f"no {NETWORK} in {', '.join(missing)}")
        example = network.init(generator("shapes"))
        shapes = {name: value.shape for name, value in example.items()}
        return cls(tuple(folders), shapes, dtype, device)

    def start(self, row: ScheduleRow) -> dict[str, Tensor]:
        """Return the parameters that an outer loop starts from: those of its pool member."""
        return self.member(row.member)

    def member(self, index: int) -> dict[str, Tensor]:
        """Return the parameters of one member; raises BadJob if it is of another network."""
        path = self.folders[index] / NETWORK
        try:
            stored = load_file(path)
        except (OSError, SafetensorError) as error:
            raise BadJob(f"{path} cannot be read: {error}") from error
        wrong = [name for name, shape in self.shapes.items() if _shape(stored, name) != shape]
        if wrong:
            raise BadJob(f"{path} holds another network: {wrong[0]} is missing or of another shape")
        params = {name: stored[name] for name in self.shapes}
        return cast(params, dtype=self.dtype, device=self.device)


def _shape(tensors: Mapping[str, Tensor], name: str) -> torch.Size | None:
    return tensors[name].shape if name in tensors else None
