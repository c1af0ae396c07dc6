"""A queue of networks that lives across outer loops and is trained on real images (IDM).

Zhao et al., "Improved Distribution Matching for Dataset Condensation", CVPR 2023, official code.
The queue never sees the synthetic set, so every shard of a set keeps the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from torch import Size, Tensor

from ddspec.spec.method import OnlinePoolSpec
from ddspec.wire.schedule import ScheduleRow, Seed
from ddspec_runners.functional.optim import Slots, slots, step_in_place
from ddspec_runners.functional.params import cast, copied
from ddspec_runners.pools.start import Snapshot
from ddspec_runners.pools.training import RealTraining
from ddspec_runners.rng import generator

Queue: TypeAlias = Mapping[str, Tensor]
"""Tensors of all networks in the queue, by the names of `_named`."""

PREFIX = "queue/"
"""Of every tensor's name: what all shards of a set have in common."""
PARAMETERS, BUFFERS = "parameters", "buffers"
STEPS, SEEN, CORRECT = "steps", "seen", "correct"
COUNTS = (STEPS, SEEN, CORRECT)
"""Of a network's training, int64: steps, images, and those among them that it had right."""


@dataclass(slots=True)
class Member:
    """A network of the queue; its tensors are its own."""

    params: dict[str, Tensor]
    buffers: Mapping[str, Tensor]
    memory: Slots
    counts: dict[str, Tensor]

    def named(self, serial: int) -> dict[str, Tensor]:
        """Return its tensors by their names in the queue."""
        named = {_name(serial, name): count for name, count in self.counts.items()}
        parts = {PARAMETERS: self.params, BUFFERS: self.buffers, **self.memory}
        for part, tensors in parts.items():
            named |= {_name(serial, part, name): tensor for name, tensor in tensors.items()}
        return named


@dataclass(frozen=True, slots=True)
class OnlinePool:
    """The law of the queue; networks are numbered from 0, in the order in which they enter."""

    spec: OnlinePoolSpec
    training: RealTraining
    seed: Seed
    dtype: torch.dtype
    device: torch.device
    _order: tuple[str, ...] = field(init=False)
    """Of the parameters, which a file does not keep."""

    def __post_init__(self) -> None:
        """Note the order of the network's parameters once, for drawing them takes long."""
        object.__setattr__(self, "_order", tuple(self.training.network.init(generator("shapes"))))

    def fresh(self) -> dict[str, Tensor]:
        """Return the queue before the first outer loop: `start` random networks."""
        return self._entered(self.waiting(0))

    def grown(self, queue: Queue, outer: int) -> dict[str, Tensor]:
        """Return the queue of an outer loop (from 0).

        In the first one and every `every` loops a random network enters, drawn from
        (*seed, "queue", "init", number), and the oldest leaves when there are more than `most`.
        """
        members = self.members(outer)
        new = range(self.waiting(outer).stop, members.stop)
        stays = {f"{PREFIX}{serial}/" for serial in members}
        old = {name: tensor for name, tensor in queue.items() if _owner(name) in stays}
        return old | self._entered(new)

    def trained(self, queue: Queue, outer: int) -> dict[str, Tensor]:
        """Return the queue after an outer loop: `trained` networks have taken `steps` steps.

        They are drawn from (*seed, "queue", "train", outer); the images of step t of network i from
        (*seed, "queue", "batch", outer, i, t), without replacement, and their augmentation from
        (*seed, "queue", "augment", outer, i, t). Optimisers go on where they were.
        """
        moved = dict(queue)
        members = self.members(outer)
        rng = generator(*self.seed, "queue", "train", outer)
        for index in torch.randperm(len(members), generator=rng)[: self.spec.trained].tolist():
            moved |= self._trained(queue, members[index], outer)
        return moved

    def picked(self, outer: int) -> int:
        """Return which network of the queue an outer loop matches on.

        Each is as likely as the others; drawn from (*seed, "queue", "pick", outer).
        """
        members = self.members(outer)
        rng = generator(*self.seed, "queue", "pick", outer)
        return members[int(torch.randint(len(members), (1,), generator=rng))]

    def snapshot(self, queue: Queue, serial: int) -> Snapshot:
        """Return a network of the queue; its accuracy is 0 before it is trained.

        It is that of all its batches since it entered; IDM's code forgets it at each evaluation of
        the set, which no key of ours can depend on.
        """
        member = self._member(queue, serial)
        seen, right = member.counts[SEEN], member.counts[CORRECT]
        accuracy = right.to(self.dtype) / seen.clamp(min=1)
        return Snapshot(member.params, dict(member.buffers), accuracy)

    def members(self, outer: int) -> range:
        """Return the numbers of the networks in the queue of an outer loop."""
        return self._after(outer // self.spec.every + 1)

    def waiting(self, outer: int) -> range:
        """Return the numbers of those that an outer loop finds in the queue."""
        return self._after(-(-outer // self.spec.every))

    def shapes(self, outer: int) -> dict[str, Size]:
        """Return names and shapes of the tensors that an outer loop finds."""
        member = self._random(0)
        return {
            name: tensor.shape
            for serial in self.waiting(outer)
            for name, tensor in member.named(serial).items()
        }

    def _after(self, entries: int) -> range:
        stop = self.spec.start + entries
        return range(max(0, stop - self.spec.most), stop)

    def _entered(self, serials: range) -> dict[str, Tensor]:
        named: dict[str, Tensor] = {}
        for serial in serials:
            named |= self._random(serial).named(serial)
        return named

    def _random(self, serial: int) -> Member:
        network = self.training.network
        params = network.init(generator(*self.seed, "queue", "init", serial))
        placed = cast(params, dtype=self.dtype, device=self.device)
        buffers = cast(network.buffers(), dtype=self.dtype, device=self.device)
        counts = {name: torch.zeros((), dtype=torch.int64, device=self.device) for name in COUNTS}
        return Member(placed, buffers, slots(self.spec.optimizer, placed), counts)

    def _member(self, queue: Queue, serial: int) -> Member:
        def part(name: str) -> dict[str, Tensor]:
            start = _name(serial, name, "")
            return {
                full.removeprefix(start): tensor
                for full, tensor in queue.items()
                if full.startswith(start)
            }

        memory = {slot: part(slot) for slot in slots(self.spec.optimizer, {})}
        counts = {name: queue[_name(serial, name)] for name in COUNTS}
        named = part(PARAMETERS)
        params = {name: named[name] for name in self._order}
        return Member(params, part(BUFFERS), memory, counts)

    def _trained(self, queue: Queue, serial: int, outer: int) -> dict[str, Tensor]:
        held = self._member(queue, serial)
        params = copied(held.params)
        memory = {slot: copied(tensors) for slot, tensors in held.memory.items()}
        buffers, optimizer = held.buffers, self.spec.optimizer
        before, right, seen = int(held.counts[STEPS]), held.counts[CORRECT], held.counts[SEEN]
        for step in range(self.spec.steps):
            rng = generator(*self.seed, "queue", "augment", outer, serial, step)
            batch = self._batch(outer, serial, step)
            slope = self.training.slope(params, batch, rng, buffers or None)
            rate = optimizer.learning_rate
            step_in_place(params, memory, slope.gradient, optimizer, rate, before + step)
            buffers = slope.buffers or buffers
            right, seen = right + slope.correct.sum(), seen + len(batch)
        counts = {STEPS: held.counts[STEPS] + self.spec.steps, SEEN: seen, CORRECT: right}
        return Member(params, buffers, memory, counts).named(serial)

    def _batch(self, outer: int, serial: int, step: int) -> Tensor:
        """Return indices of the whole split, (b,)."""
        rng = generator(*self.seed, "queue", "batch", outer, serial, step)
        return torch.randperm(len(self.training.split), generator=rng)[: self.spec.batch]


@dataclass(frozen=True, slots=True)
class PickedFromQueue:
    """The pool of one outer loop: the network that it picks from a queue."""

    pool: OnlinePool
    queue: Queue

    def start(self, row: ScheduleRow) -> Snapshot:
        """Return the network that an outer loop starts from."""
        return self.pool.snapshot(self.queue, self.pool.picked(row.loop))


def _name(serial: int, *parts: str) -> str:
    return "/".join((f"{PREFIX}{serial}", *parts))


def _owner(name: str) -> str:
    """Return the beginning of the names of one network's tensors."""
    prefix, serial, _ = name.split("/", 2)
    return f"{prefix}/{serial}/"
