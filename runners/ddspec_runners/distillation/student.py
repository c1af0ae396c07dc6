"""The student of trajectory matching: what it is taught, step by step."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ddspec.wire.schedule import Seed
from ddspec_runners.augment import cutmix
from ddspec_runners.augment.base import Draws, Policy
from ddspec_runners.augment.cutmix import CutMixDraw
from ddspec_runners.data.prepared import Queue
from ddspec_runners.functional.placement import placed
from ddspec_runners.functional.unroll import Material
from ddspec_runners.nets.base import Network, Params
from ddspec_runners.rng import generator


@dataclass(frozen=True, slots=True)
class Lesson:
    """All randomness of one step."""

    rows: Tensor | None
    """Which views take part, int64; None is all of them, in their order."""
    augment: Draws
    """One row an image."""
    mix: CutMixDraw


@dataclass(frozen=True, slots=True)
class Curriculum:
    """The law of all lessons.

    Lesson i of an outer loop takes slice i of the set, in an order of its own for each pass; the
    last slice of a pass may be smaller, which in MTT's code is the first. Orders are drawn from
    (*seed, "student", outer, pass), augmentation and CutMix from (*seed, "student-augment", outer,
    i).
    """

    network: Network
    policy: Policy
    """Of training, drawn for each image."""
    cutmix: float
    """Probability that a lesson is mixed."""
    steps: int
    batch: int | None
    """Views a step; None is all."""
    size: int
    """Side of the images, in pixels."""
    seed: Seed

    def lessons(self, outer: int, views: int) -> tuple[Lesson, ...]:
        """Draw the lessons of an outer loop (from 0) on so many views."""
        return tuple(self._lesson(outer, step, views) for step in range(self.steps))

    def _lesson(self, outer: int, step: int, views: int) -> Lesson:
        rows, count = None, views
        if self.batch is not None and self.batch < views:
            queue = Queue((*self.seed, "student", outer), views, self.batch, drop=False)
            rows = queue.indices(step)
            count = len(rows)
        rng = generator(*self.seed, "student-augment", outer, step)
        augment = self.policy.draw(count, self.size, rng, shared=False)
        return Lesson(rows, augment, cutmix.draw(count, self.size, rng, self.cutmix))


@dataclass(frozen=True, slots=True)
class Pupil:
    """A student in one outer loop; material is views (N, C, H, W), as networks are fed.

    Where labels are learned, the material has them too: probabilities (N, K).
    """

    network: Network
    policy: Policy
    lessons: tuple[Lesson, ...]
    labels: Tensor
    """Of the views where they are not learned: classes (N,), or an expert's probabilities."""

    @property
    def steps(self) -> int:
        """How many lessons there are."""
        return len(self.lessons)

    def loss(self, params: Params, material: Material, step: int) -> Tensor:
        """Return the mean cross-entropy of a lesson (from 0)."""
        lesson = self.lessons[step]
        views, labels = material if len(material) > 1 else (material[0], self.labels)
        if lesson.rows is not None:
            rows = placed(lesson.rows, views.device)
            views, labels = views.index_select(0, rows), labels.index_select(0, rows)
        seen = self.policy.apply(views, lesson.augment)
        seen, targets = cutmix.apply(seen, labels, lesson.mix)
        return targets.loss(self.network.apply(params, seen))
