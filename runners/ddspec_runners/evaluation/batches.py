"""One batch of an evaluation: which images, and what becomes of them before a network sees them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ddspec.spec.evaluate import ProtocolSpec
from ddspec.wire.schedule import Seed
from ddspec_runners.augment import cutmix, mixup
from ddspec_runners.augment.base import Draws, Policy
from ddspec_runners.augment.cutmix import CutMixDraw, Targets
from ddspec_runners.augment.mixup import MixupDraw
from ddspec_runners.rng import generator


@dataclass(frozen=True, slots=True)
class BatchDraw:
    """All that is random in one step of a training."""

    indices: Tensor
    """Of the examples, int64 (b,)."""
    augmentation: Draws
    mix: CutMixDraw | MixupDraw


def draw_batch(
    protocol: ProtocolSpec, policy: Policy, indices: Tensor, size: int, seed: Seed
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


def parts(images: Tensor, targets: Targets, count: int) -> list[tuple[Tensor, Targets]]:
    """Cut a batch into at most `count` parts whose sizes differ by at most one."""
    cuts = min(count, len(images))
    pieces = (each.tensor_split(cuts) for each in (images, targets.y, targets.partner_y))
    return [(x, Targets(y, other, targets.kept)) for x, y, other in zip(*pieces, strict=True)]
