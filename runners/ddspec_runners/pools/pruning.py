"""Cut a network down at random, whole channels at a time, until it is small enough.

Yu et al., "Teddy", ECCV 2024, section 4.1, does so by structured random pruning. How channels are
spread over layers is not given there: every layer loses the same share, as the library does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ddspec.wire.schedule import Seed
from ddspec_runners.faults import BadJob
from ddspec_runners.nets.base import Network, Params
from ddspec_runners.nets.layer_calls import multiplications
from ddspec_runners.pools.coupled import Coupled, coupled_channels
from ddspec_runners.rng import generator

SHARES = 4096
"""Steps in which the share grows that every layer loses; no layer has more channels."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A network that was cut down."""

    params: dict[str, Tensor]
    buffers: dict[str, Tensor]
    multiplications: int
    """Of one image."""
    parameters: int
    channels: int
    """That are left, of all that could be cut."""


@dataclass(frozen=True, slots=True)
class Shears:
    """A whole network, and in which order it loses its channels."""

    network: Network
    params: Params
    buffers: Params
    channels: int
    """Of the images."""
    size: int
    """Their side, pixels."""
    groups: tuple[Coupled, ...]
    order: Mapping[str, Tensor]
    """Channels of each group by its name, int64; the first leave first."""

    @classmethod
    def drawn(
        cls,
        network: Network,
        params: Params,
        buffers: Params,
        seed: Seed,
        *,
        channels: int,
        size: int,
    ) -> Shears:
        """Draw the order of every group from (*seed, "prune", its name); raises BadJob."""
        groups = coupled_channels(network, params, buffers, channels=channels, size=size)
        order = {
            group.name: torch.randperm(
                group.channels, generator=generator(*seed, "prune", group.name)
            )
            for group in groups
        }
        return cls(network, params, buffers, channels, size, groups, order)

    def until(self, flops: float | None, parameters: int | None) -> Cut:
        """Return the largest cut network that is within both targets.

        Networks with a larger share cut are parts of those with a smaller one. One channel of each
        group always stays. Raises BadJob where even so the targets are not met.
        """
        low, high = 0, SHARES  # `high` is small enough, as far as any is
        while low < high:
            middle = (low + high) // 2
            low, high = (
                (low, middle) if self._fits(middle, flops, parameters) else (middle + 1, high)
            )
        found = self.cut(high)
        if not _within(found.multiplications, found.parameters, flops, parameters):
            raise BadJob(
                "the network cannot be cut so far: with one channel of every layer it has "
                f"{found.multiplications:,} multiplications and {found.parameters:,} parameters"
            )
        return found

    def cut(self, share: int) -> Cut:
        """Return the network after every group has lost `share` / SHARES of its channels."""
        kept = self._kept(share)
        params = {name: _narrowed(name, value, kept) for name, value in self.params.items()}
        buffers = {name: _narrowed(name, value, kept) for name, value in self.buffers.items()}
        left = sum(group.channels - len(self._lost(group, share)) for group in self.groups)
        return Cut(params, buffers, *self._size(params), left)

    def _fits(self, share: int, flops: float | None, parameters: int | None) -> bool:
        kept = self._kept(share)
        shapes = {
            name: _narrowed(name, torch.empty(value.shape, device="meta"), kept)
            for name, value in self.params.items()
        }
        return _within(*self._size(shapes), flops, parameters)

    def _size(self, params: Params) -> tuple[int, int]:
        count = multiplications(self.network, params, channels=self.channels, size=self.size)
        return count, sum(value.numel() for value in params.values())

    def _lost(self, group: Coupled, share: int) -> Tensor:
        return self.order[group.name][: min(group.channels - 1, share * group.channels // SHARES)]

    def _kept(self, share: int) -> Mapping[tuple[str, int], Tensor]:
        """Return by tensor and dimension which indices stay, where some do not."""
        stay: dict[tuple[str, int], Tensor] = {}
        whole = {**self.params, **self.buffers}
        for group in self.groups:
            lost = torch.zeros(group.channels, dtype=torch.bool)
            lost[self._lost(group, share)] = True
            for part in group.slices:
                if part.tensor in whole:
                    place = (part.tensor, part.dim)
                    length = whole[part.tensor].shape[part.dim]
                    mask = stay.setdefault(place, torch.ones(length, dtype=torch.bool))
                    mask[part.indices[lost[part.channels]]] = False
        return {place: mask.nonzero().flatten() for place, mask in stay.items()}


def _narrowed(
    name: str, value: Tensor, kept: Mapping[tuple[str, int], Tensor], dims: Sequence[int] = (0, 1)
) -> Tensor:
    for dim in dims:
        if (name, dim) in kept:
            value = value.index_select(dim, kept[name, dim].to(value.device))
    return value


def _within(count: int, size: int, flops: float | None, parameters: int | None) -> bool:
    return (flops is None or count <= flops) and (parameters is None or size <= parameters)
