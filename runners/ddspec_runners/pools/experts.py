"""Experts: networks recorded after every epoch of their training, of which two are read at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ddspec.wire.schedule import ScheduleRow
from ddspec_runners.faults import BadJob
from ddspec_runners.nets.base import Network
from ddspec_runners.pools.recorded import epoch_file
from ddspec_runners.pools.start import Snapshot
from ddspec_runners.rng import generator


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of an expert's way."""

    start: Snapshot
    """After epoch t."""
    end: Snapshot
    """After epoch t + M."""


@dataclass(frozen=True, slots=True)
class Experts:
    """Runs on disk, one folder an expert; files are mapped into memory and read when asked for."""

    folders: tuple[Path, ...]
    epochs: int
    """M, how many epochs of an expert a student is to cover."""
    shapes: Mapping[str, torch.Size]
    """Parameters of the network, in its own order."""
    buffers: Mapping[str, torch.Size]
    """Running statistics, which a file holds besides."""
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def open(
        cls,
        folders: Sequence[Path],
        network: Network,
        *,
        starts: int,
        epochs: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Experts:
        """Return the experts of these folders, to be followed from epochs 0 to `starts` - 1.

        Raises BadJob where a file that may be asked for is missing.
        """
        last = starts - 1 + epochs
        for folder in folders:
            for epoch in range(last + 1):
                if not (folder / epoch_file(epoch)).is_file():
                    raise BadJob(f"no {epoch_file(epoch)} in {folder}")
        example = network.init(generator("shapes"))
        shapes = {name: value.shape for name, value in example.items()}
        buffers = {name: value.shape for name, value in network.buffers().items()}
        return cls(tuple(folders), epochs, shapes, buffers, dtype, device)

    def stretch(self, row: ScheduleRow) -> Stretch:
        """Return what an outer loop follows: expert `row.member` from epoch `row.start` on.

        The official code goes through shuffled experts in turn; here each outer loop draws one, so
        that fewer loops are a prefix of more. Raises BadJob where a file is of another network or
        the schedule has no start.
        """
        if row.start is None:
            raise BadJob("the schedule says of no expert at which epoch a student starts")
        folder = self.folders[row.member]
        return Stretch(
            self._snapshot(folder / epoch_file(row.start)),
            self._snapshot(folder / epoch_file(row.start + self.epochs)),
        )

    def _snapshot(self, path: Path) -> Snapshot:
        try:
            with safe_open(path, framework="pt") as stored:
                tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
                return Snapshot(
                    self._taken(path, tensors, self.shapes),
                    self._taken(path, tensors, self.buffers),
                )
        except (OSError, SafetensorError) as error:
            raise BadJob(f"{path} cannot be read: {error}") from error

    def _taken(
        self, path: Path, stored: Mapping[str, Tensor], shapes: Mapping[str, torch.Size]
    ) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = {}
        for name, shape in shapes.items():
            tensor = stored.get(name)
            if tensor is None or tensor.shape != shape:
                raise BadJob(f"{path} holds another network: {name} is missing or of another shape")
            # copied: the file is closed before the network is used
            tensors[name] = tensor.to(device=self.device, dtype=self.dtype, copy=True)
        return tensors
