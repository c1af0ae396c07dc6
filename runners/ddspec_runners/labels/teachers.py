"""Teachers: trained networks that say what an image shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ddspec.wire.judging import Teachers
from ddspec_runners.faults import BadJob
from ddspec_runners.nets.base import Network
from ddspec_runners.pools.recorded import RecordedPool
from ddspec_runners.pools.start import Snapshot


@dataclass(frozen=True, slots=True)
class Panel:
    """Networks of one architecture, whose opinions are averaged."""

    network: Network
    members: tuple[Snapshot, ...]
    average: Literal["logits", "probabilities"]
    batch_norm: Literal["running", "batch"]

    @classmethod
    def open(
        cls,
        teachers: Teachers,
        inputs: Mapping[str, Path],
        network: Network,
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Panel:
        """Return the networks of the inputs `teacher/0` …; raises BadJob where they are not whole.

        All stay in memory, for every batch is shown to each of them.
        """
        folders = folders_of(inputs)
        pool = RecordedPool.open(
            folders, network, record=teachers.record, dtype=dtype, device=device
        )
        members = tuple(pool.member(index) for index in range(len(pool.paths)))
        return cls(network, members, teachers.average, teachers.batch_norm)

    def __len__(self) -> int:
        return len(self.members)

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """Return what all of them say of a batch (N, C, H, W), as (N, K) logits.

        The mean of their logits, or the logarithm of the mean of their probabilities. Batch norm
        goes by running statistics, or by those of this batch as in the code of SRe2L for CIFAR-100.
        """
        total = self._opinion(self.members[0], images)
        if self.average == "logits":
            for member in self.members[1:]:
                total = total + self._opinion(member, images)
            return total / len(self.members)
        total = total.log_softmax(1)
        for member in self.members[1:]:
            total = torch.logaddexp(total, self._opinion(member, images).log_softmax(1))
        return total - log(len(self.members))

    def _opinion(self, member: Snapshot, images: Tensor) -> Tensor:
        if self.batch_norm == "batch":
            return self.network.apply(member.params, images)
        return self.network.predict(member.params, member.buffers, images)


def folders_of(inputs: Mapping[str, Path]) -> list[Path]:
    """Return the folders of `teacher/0` … in their order; raises BadJob where there is none."""
    count = sum(name.startswith("teacher/") for name in inputs)
    if not count:
        raise BadJob("the job names no input `teacher/0`")
    return [inputs[f"teacher/{index}"] for index in range(count)]
