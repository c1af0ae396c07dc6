"""The views of a set that are recorded, as a function of their position."""

from __future__ import annotations

from dataclasses import dataclass

from ddspec.wire.judging import RelabelWork
from ddspec_runners.augment.base import Policy
from ddspec_runners.data.prepared import Queue
from ddspec_runners.evaluation.batches import BatchDraw, draw_batch
from ddspec_runners.faults import BadJob


@dataclass(frozen=True, slots=True)
class Views:
    """Batches of decoded images: in which order, and what becomes of them.

    Drawn as a training that has the same seed draws its own.
    """

    work: RelabelWork
    policy: Policy
    images: int
    """Decoded images of the set."""
    size: int

    @property
    def queue(self) -> Queue:
        """Batches of all epochs; the incomplete last one of an epoch is kept."""
        return Queue((*self.work.seed, "batches"), self.images, self.work.batch, drop=False)

    @property
    def steps(self) -> int:
        """Number of batches; raises BadJob where the work leaves it open."""
        match self.work.epochs, self.work.steps:
            case int(epochs), None:
                return epochs * self.queue.batches
            case None, int(steps):
                return steps
            case _:
                raise BadJob("a relabelling needs a number of epochs, or of steps, not both")

    def draw(self, t: int) -> BatchDraw:
        """Draw batch t: of the queue under (*seed, "batches"), the rest (*seed, "augment", t)."""
        seed = (*self.work.seed, "augment", t)
        return draw_batch(self.work, self.policy, self.queue.indices(t), self.size, seed)
