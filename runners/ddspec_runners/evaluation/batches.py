"""One batch of an evaluation: which images, and what becomes of them before a network sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from torch import Tensor

from ddspec.wire.schedule import Seed
from ddspec_runners.augment import cutmix, mixup
from ddspec_runners.augment.base import Draws, Policy
from ddspec_runners.augment.cutmix import CutMixDraw, Targets
from ddspec_runners.augment.mixup import MixupDraw
from ddspec_runners.labels.teaching import Taught
from ddspec_runners.rng import generator

Lesson: TypeAlias = Targets | Taught
"""As what the images of a batch are to be learned."""


class Mixing(Protocol):
    """What a protocol or a relabelling says of mixing batches."""

    @property
    def cutmix(self) -> float:
        """Probability of CutMix."""
        ...

    @property
    def mixup(self) -> float | None:
        """Of Beta(a, a) for mixup; None is no mixup."""
        ...


@dataclass(frozen=True, slots=True)
class BatchDraw:
    """All that is random in one step of a training."""

    indices: Tensor
    """Of the examples, int64 (b,)."""
    augmentation: Draws
    mix: CutMixDraw | MixupDraw
    logits: Tensor | None = None
    """What teachers said of these views, (b, K) on the CPU, where it was recorded."""


def draw_batch(
    protocol: Mixing, policy: Policy, indices: Tensor, size: int, seed: Seed
) -> BatchDraw:
    """Return the draws of a batch of images of `size` pixels a side, from `seed` alone."""
    rng, n = generator(*seed), len(indices)
    augmentation = policy.draw(n, size, rng, shared=False)
    if protocol.mixup is not None:
        return BatchDraw(indices, augmentation, mixup.draw(n, rng, protocol.mixup))
    return BatchDraw(indices, augmentation, cutmix.draw(n, size, rng, protocol.cutmix))


def mixed(images: Tensor, labels: Tensor, mix: CutMixDraw | MixupDraw) -> tuple[Tensor, Targets]:
    """Return a batch that was augmented, mixed, and its labels."""
    if isinstance(mix, MixupDraw):
        return mixup.apply(images, labels, mix)
    return cutmix.apply(images, labels, mix)


def parts(images: Tensor, lesson: Lesson, count: int) -> list[tuple[Tensor, Lesson]]:
    """Cut a batch into at most `count` parts whose sizes differ by at most one."""
    cuts = min(count, len(images))
    return list(zip(images.tensor_split(cuts), _split(lesson, cuts), strict=True))


def _split(lesson: Lesson, cuts: int) -> list[Taught] | list[Targets]:
    if isinstance(lesson, Taught):
        return lesson.split(cuts)
    pieces = zip(lesson.y.tensor_split(cuts), lesson.partner_y.tensor_split(cuts), strict=True)
    return [replace(lesson, y=y, partner_y=other) for y, other in pieces]
