"""Networks recorded while training on real data, one folder a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ddspec.wire.schedule import ScheduleRow
from ddspec_runners.artifacts import read_tensors
from ddspec_runners.faults import BadData, BadJob
from ddspec_runners.functional.params import cast
from ddspec_runners.nets.base import Network
from ddspec_runners.pools.start import Snapshot
from ddspec_runners.rng import generator

NETWORK = "network.safetensors"
"""Of a run that is recorded once, at its end."""
CUT: Mapping[str, str] = {"ddspec": "cut"}
"""What the file of a network says that has lost channels: its tensors are smaller."""


def files_of(record: Sequence[int] | None) -> tuple[str, ...]:
    """Return the names of the files of a run, which is recorded after epochs `record`."""
    return (NETWORK,) if record is None else tuple(map(epoch_file, record))


def epoch_file(epoch: int) -> str:
    """Return the name of the file of a network that is recorded on its way."""
    return f"epoch-{epoch}.safetensors"


@dataclass(frozen=True, slots=True)
class RecordedPool:
    """Members are read when they are asked for: files may be many, and one is used at a time."""

    paths: tuple[Path, ...]
    """One file a member."""
    shapes: Mapping[str, torch.Size]
    """Parameters of the network, in its own order: a file keeps none, and perturbation needs it."""
    buffers: Mapping[str, torch.Size]
    """Running statistics that a file holds besides."""
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def open(
        cls,
        folders: Sequence[Path],
        network: Network,
        *,
        record: Sequence[int] | None = None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> RecordedPool:
        """Return the pool of these folders; raises BadJob where a file is missing.

        Of runs recorded after the S epochs of `record`, member m is number m % S of run m // S.
        """
        paths = tuple(folder / name for folder in folders for name in files_of(record))
        missing = [path for path in paths if not path.is_file()]
        if missing:
            folders_without = dict.fromkeys(str(path.parent) for path in missing)
            raise BadJob(f"no {missing[0].name} in {', '.join(folders_without)}")
        example = network.init(generator("shapes"))
        shapes = {name: value.shape for name, value in example.items()}
        buffers = {name: value.shape for name, value in network.buffers().items()}
        return cls(paths, shapes, buffers, dtype, device)

    def start(self, row: ScheduleRow) -> Snapshot:
        """Return the network that an outer loop starts from: its pool member."""
        return self.member(row.member)

    def member(self, index: int) -> Snapshot:
        """Return one member; raises BadJob if it is of another network."""
        path = self.paths[index]
        try:
            stored, metadata = read_tensors(path)
        except BadData as error:
            raise BadJob(str(error)) from error
        fits = _no_larger if metadata == CUT else _equal
        expected = {**self.shapes, **self.buffers}
        wrong = [name for name, shape in expected.items() if not fits(stored.get(name), shape)]
        if wrong:
            raise BadJob(f"{path} holds another network: {wrong[0]} is missing or of another shape")
        return Snapshot(self._cast(stored, self.shapes), self._cast(stored, self.buffers))

    def _cast(self, stored: Mapping[str, Tensor], names: Iterable[str]) -> dict[str, Tensor]:
        chosen = {name: stored[name] for name in names}
        return cast(chosen, dtype=self.dtype, device=self.device)


def _equal(tensor: Tensor | None, shape: torch.Size) -> bool:
    return tensor is not None and tensor.shape == shape


def _no_larger(tensor: Tensor | None, shape: torch.Size) -> bool:
    if tensor is None or tensor.ndim != len(shape):
        return False
    return all(0 < own <= whole for own, whole in zip(tensor.shape, shape, strict=True))
