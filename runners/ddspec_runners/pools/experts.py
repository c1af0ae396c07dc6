"""Experts: networks recorded after every epoch of their training, of which two are read at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ddspec.wire.schedule import ScheduleRow
from ddspec_runners.faults import BadJob
from ddspec_runners.nets.base import Network
from ddspec_runners.pools.recorded import RecordedPool
from ddspec_runners.pools.start import Snapshot


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

    pool: RecordedPool
    """Every network that may be asked for: epoch by epoch of one expert after the other."""
    starts: int
    """Epochs from which experts are followed, from 0 on."""
    epochs: int
    """M, how many epochs of an expert a student is to cover."""

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
        record = range(starts + epochs)
        pool = RecordedPool.open(folders, network, record=record, dtype=dtype, device=device)
        return cls(pool, starts, epochs)

    def stretch(self, row: ScheduleRow) -> Stretch:
        """Return what an outer loop follows: expert `row.member` from epoch `row.start` on.

        The official code goes through shuffled experts in turn; here each outer loop draws one, so
        that fewer loops are a prefix of more. Raises BadJob where a file is of another network or
        the schedule has no start.
        """
        if row.start is None:
            raise BadJob("the schedule says of no expert at which epoch a student starts")
        first = row.member * (self.starts + self.epochs) + row.start
        return Stretch(self.pool.member(first), self.pool.member(first + self.epochs))
