"""Recovery of images from the statistics of trained networks, one batch at a time.

A batch is the i-th image of each of some classes; batches know nothing of each other, so each is
learned from its first to its last outer loop by itself. Source: SRe2L and Teddy, see
`ddspec_runners.matchers.statistics`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from ddspec.spec.method import RollSpec
from ddspec.wire.schedule import Schedule, Seed
from ddspec_runners.augment.base import Policy
from ddspec_runners.distillation.state import IMAGES, SLOTS
from ddspec_runners.faults import BadJob
from ddspec_runners.functional.params import copied
from ddspec_runners.functional.placement import placed
from ddspec_runners.functional.update import Motion, Rule
from ddspec_runners.matchers.statistics import StatisticsMatcher, Teacher
from ddspec_runners.parameterization.base import Parameterization
from ddspec_runners.pools.perturb import perturb
from ddspec_runners.pools.start import Pool
from ddspec_runners.rng import generator

AVERAGE, BEST, LEAST = "average", "best", "least"
"""What may be carried on beside images: their average; or the best ones, and their loss."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Images that are learned together."""

    image: int
    """Which image of its class each of them is."""
    classes: range
    """Global indices."""


def batches_of(classes: range, chunk: int, images: int) -> Iterator[Batch]:
    """Yield the batches of a shard, chunk of classes by chunk, image by image.

    Chunks are counted from the first of all classes; raises BadJob where the shard begins within
    one.
    """
    if classes.start % chunk:
        raise BadJob(f"class {classes.start} is not the first of a batch of {chunk} classes")
    for start in range(classes.start, classes.stop, chunk):
        for image in range(images):
            yield Batch(image, range(start, min(start + chunk, classes.stop)))


@dataclass(frozen=True, slots=True)
class Recovered:
    """A batch on its way, each tensor of one entry a class."""

    motion: Motion
    """Images (c, C, H, W), and what their optimiser remembers."""
    own: Mapping[str, Tensor] = field(default_factory=dict)
    """`average`; or `best`, and `least` (c,), the loss that they all had together."""

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Recovered:
        """Return what was stored as `tensors`."""
        memory = {name: tensor for name, tensor in tensors.items() if name in SLOTS}
        own = {name: tensors[name] for name in (AVERAGE, BEST, LEAST) if name in tensors}
        return cls(Motion(tensors[IMAGES], memory), own)

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors by the names that they are stored under."""
        return {IMAGES: self.motion.images, **self.motion.memory, **self.own}

    @property
    def result(self) -> Tensor:
        """The images that are published."""
        return self.own.get(AVERAGE, self.own.get(BEST, self.motion.images))


@dataclass(frozen=True, slots=True)
class Recovery:
    """What is the same over all batches."""

    matcher: StatisticsMatcher
    pool: Pool
    schedule: Schedule
    """Its rows i * m to i * m + m - 1 are the m networks of image index i."""
    parameterization: Parameterization
    images: int
    """Of each class: how one of them is decoded may depend on how many there are."""
    policy: Policy
    rule: Rule
    seed: Seed
    inner_steps: int
    clamp: bool
    """Whether images are limited to [0, 1] at the start of each outer loop."""
    averaging: float | None

    def teachers(self, image: int) -> tuple[Teacher, ...]:
        """Return the networks of the i-th image of all classes, perturbed where a spec says so.

        A perturbation moves no running statistics: they stay those of real images.
        """
        count = self.matcher.spec.models_per_image
        rows = self.schedule.rows(image * count, (image + 1) * count)
        made = []
        for row in rows:
            snapshot = self.pool.start(row)
            made.append(Teacher(copied(perturb(snapshot.params, row)), snapshot.buffers))
        return tuple(made)

    def fresh(self, images: Tensor) -> Recovered:
        """Return where a batch begins, with images (c, C, H, W) on their device."""
        own: dict[str, Tensor] = {}
        if self.averaging is not None:
            own[AVERAGE] = images.clone()
        elif self.matcher.spec.keep == "best":
            own |= {BEST: images.clone(), LEAST: images.new_full((len(images),), torch.inf)}
        return Recovered(Motion(images, self.rule.rest(images)), own)

    def outer_loop(
        self, run: Recovered, batch: Batch, teachers: Sequence[Teacher], outer: int
    ) -> tuple[Recovered, Tensor]:
        """Return the batch after an outer loop (from 0), and the mean loss before its steps."""
        if self.clamp:
            limited = self.parameterization.clamp(run.motion.images)
            run = Recovered(Motion(limited, run.motion.memory), run.own)
        losses = []
        for inner in range(self.inner_steps):
            run, loss = self._step(run, batch, teachers, outer, inner)
            losses.append(loss)
        return self._averaged(run), torch.stack(losses).mean()

    def _step(
        self, run: Recovered, batch: Batch, teachers: Sequence[Teacher], outer: int, inner: int
    ) -> tuple[Recovered, Tensor]:
        rng = generator(*self.seed, "view", batch.image, batch.classes.start, outer, inner)
        leaf = run.motion.images.detach().requires_grad_()
        views = self._views(leaf, batch.image, rng)
        labels = torch.tensor(batch.classes).repeat_interleave(len(views) // len(leaf))
        loss, slope = self.matcher.gradient(teachers, views.detach(), placed(labels, leaf.device))
        (gradient,) = torch.autograd.grad(views, leaf, slope)
        number = outer * self.inner_steps + inner
        moved = self.rule.step(run.motion, gradient, number)
        return Recovered(moved, self._best(run, loss)), loss

    def _views(self, images: Tensor, image: int, rng: Generator) -> Tensor:
        """Return what networks see of images (c, C, H, W): one draw for all, then a roll."""
        shape = self.parameterization.of_image(image, self.images)
        decoded = shape.decode(images[:, None]).flatten(0, 1)
        draws = self.policy.draw(1, images.shape[-1], rng, shared=True)
        views = self.policy.apply(self.parameterization.normalise(decoded), draws)
        roll = self.matcher.spec.roll
        return views if roll is None else torch.roll(views, shifts(roll, rng), (2, 3))

    def _best(self, run: Recovered, loss: Tensor) -> Mapping[str, Tensor]:
        """Return the best images with those before a step among them, whose loss this is."""
        if BEST not in run.own:
            return run.own
        better = loss < run.own[LEAST]
        shape = (-1, *(1,) * (run.motion.images.ndim - 1))
        best = torch.where(better.view(shape), run.motion.images, run.own[BEST])
        return {BEST: best, LEAST: torch.where(better, loss, run.own[LEAST])}

    def _averaged(self, run: Recovered) -> Recovered:
        if self.averaging is None:
            return run
        average = run.own[AVERAGE] * self.averaging + run.motion.images * (1 - self.averaging)
        return Recovered(run.motion, {AVERAGE: average})


def shifts(roll: RollSpec, rng: Generator) -> tuple[int, int]:
    """Draw by how many pixels a batch is rolled down and to the right, both ends included."""
    down, right = torch.randint(roll.low, roll.high + 1, (2,), generator=rng).tolist()
    return down, right
