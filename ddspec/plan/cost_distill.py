"""What distillation takes, family by family: operations and memory of outer loops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from ddspec.plan.cost_networks import NetworkCost
from ddspec.plan.cost_tally import AUGMENTED, Tally, matched, predicted, pushed, targeted, trained
from ddspec.plan.ir import DataFacts
from ddspec.spec.learned import views_of
from ddspec.spec.matcher import classes_together
from ddspec.spec.method import (
    DistributionMatcherSpec,
    FrozenInnerSpec,
    GradientMatcherSpec,
    MatcherSpec,
    OnlinePoolSpec,
    OnRealInnerSpec,
    OnSyntheticInnerSpec,
    StatisticsMatcherSpec,
    TrajectoryMatcherSpec,
    UnrolledInnerSpec,
)
from ddspec.wire.work import DistillWork

PARAMETER_COPIES = 6
"""The network that was picked, its perturbed copy, momentum, gradients and those of matching."""
FROZEN_BY = 16
"""Real images a class that set the statistics of frozen batch norm, as in the runners."""
PIXEL_COPIES = 6
"""Images as they are read, decoded, and augmented."""
PASSED_ON = 12
"""Kernels for each tensor of parameters that a gradient passes through on its way to the start."""
PIXEL_PASSED = 20
"""Numbers that are read and written for each of augmented images, there and back."""
STATE_COPIES = 4
"""Images, velocity, gradient, and what they become."""


@dataclass(frozen=True, slots=True)
class Distilling:
    """Counts of one distillation on a network."""

    work: DistillWork
    data: DataFacts
    network: NetworkCost

    @property
    def classes(self) -> int:
        """Return how many classes are learned here."""
        shard = self.work.classes
        return len(self.data.classes) if shard is None else shard.stop - shard.start

    @property
    def views(self) -> int:
        """Return the decoded images of a class."""
        return views_of(self.work.parameterization, self.work.images_per_class)

    def loop(self) -> Tally | None:
        """Return what one outer loop takes; None where images or classes are not counted yet."""
        before = self.before_steps()
        if before is None or not self.data.classes:
            return None
        steps = self.work.inner_steps
        return before + self.matching() * steps + self.moving() * (steps - 1)

    def before_steps(self) -> Tally | None:
        """Return what an outer loop takes before its first step: warm start, queue of networks."""
        inner, made = self.work.inner, self.work.networks
        tally = Tally()
        if isinstance(made, OnlinePoolSpec):
            batches = made.trained * made.steps
            tally += trained(self.network, batches * self._limited(made.batch), batches)
        if isinstance(inner, OnRealInnerSpec) and inner.warmup is not None:
            if self.data.train is None:
                return None
            batches = inner.warmup.epochs * max(1, self.data.train // inner.batch)
            tally += trained(self.network, batches * self._limited(inner.batch), batches)
        return tally

    def moving(self) -> Tally:
        """Return what moves the network after a step; after the last one nothing does."""
        match self.work.inner:
            case FrozenInnerSpec() | UnrolledInnerSpec():
                return Tally()
            case OnRealInnerSpec(steps=steps, batch=batch):
                images = steps * self._limited(batch)
                return trained(self.network, images, steps, augmented=self._mixed())
            case OnSyntheticInnerSpec(epochs=epochs, batch=batch):
                images = self.views * len(self.data.classes)
                batches = epochs * -(-images // batch)
                return trained(self.network, epochs * images, batches, augmented=self._mixed())
            case _:
                assert_never(self.work.inner)

    def matching(self) -> Tally:
        """Return what one step on the images takes."""
        matcher = self.work.matcher
        match matcher:
            case GradientMatcherSpec():
                seen = self._settling(matcher)
                return self.real() + self.synthetic() + predicted(self.network, seen, max(seen, 1))
            case DistributionMatcherSpec():
                return self.real() + self.synthetic()
            case StatisticsMatcherSpec():
                images = self.work.images_per_class * self.classes
                batches = self.work.images_per_class * -(-self.classes // matcher.classes_per_batch)
                one = pushed(self.network, images, classified=True)
                whole = Tally(one.flops, one.numbers, one.kernels * batches)
                if matcher.classifier == "ensemble" and matcher.models_per_image > 1:
                    whole += predicted(self.network, images, -(-images // batches))
                return whole * matcher.models_per_image
            case TrajectoryMatcherSpec():
                return self._trajectory(matcher)
            case _:
                assert_never(matcher)

    def real(self) -> Tally:
        """Return the real side of one step, over all classes."""
        matcher = self.work.matcher
        match matcher:
            case GradientMatcherSpec():
                images = self._of_class(matcher.real_batch)
                return targeted(self.network, images, matcher.parameters) * self.classes
            case DistributionMatcherSpec(features="pixels"):
                return self._pixels(self._of_class(matcher.real_batch))
            case DistributionMatcherSpec():
                images = self._of_class(matcher.real_batch)
                seen = predicted(self.network, images, images)
                head = images * self.network.head_flops if matcher.cross_entropy is None else 0
                return Tally(seen.flops - head, seen.numbers, seen.kernels) * self.classes
            case _:
                return Tally()

    def synthetic(self) -> Tally:
        """Return the synthetic side of one step, over all classes."""
        matcher = self.work.matcher
        match matcher:
            case GradientMatcherSpec():
                views = min(self.views, matcher.max_views)
                return matched(self.network, views, matcher.parameters) * self.classes
            case DistributionMatcherSpec(features="pixels"):
                return self._pixels(min(self.views, matcher.max_views or self.views))
            case DistributionMatcherSpec():
                views = min(self.views, matcher.max_views or self.views)
                classified = matcher.cross_entropy is not None
                return pushed(self.network, views, classified=classified) * self.classes
            case _:
                return self.matching()

    def _pixels(self, images: int) -> Tally:
        """Return what is done to so many images of each class without a network: augmented."""
        numbers = PIXEL_PASSED * images * self.data.channels * self.data.size**2
        return Tally(0, numbers, AUGMENTED) * self.classes

    def _trajectory(self, matcher: TrajectoryMatcherSpec) -> Tally:
        """Return a student's steps and the gradient through them.

        A step is a training step, and differentiating it takes nine forward passes in all where
        parameters came from a step before, eight where they did not.
        """
        inner, net = self.work.inner, self.network
        if not isinstance(inner, UnrolledInnerSpec):
            return Tally()
        whole = self.views * len(self.data.classes)
        images, steps = min(whole, inner.batch or whole), inner.steps
        first = matched(net, images, "all")
        more = images * (net.flops + net.head_flops)
        tensors = 4 * net.layers + 2
        passed_on = AUGMENTED + PASSED_ON * tensors
        later = Tally(first.flops + more, first.numbers, first.kernels + passed_on)
        once = trained(net, images, 1)
        match matcher.gradient:
            case "unrolled":
                return first + later * (steps - 1)
            case "recomputed":
                return once * steps + first + later * (steps - 1)
            case "tesla":
                return (once + first) * steps
            case _:
                assert_never(matcher.gradient)

    def memory(self) -> int:
        """Return the numbers that are held at the peak."""
        net = self.network
        learned = self._images_at_once() * self.data.channels * self.data.size**2
        held = STATE_COPIES * learned
        if _is_of_pixels(self.work.matcher):
            return held + self._matching_numbers()
        held += (PARAMETER_COPIES + self._student_copies()) * net.parameters
        return held + max(self._matching_numbers(), self._moving_batch() * net.kept)

    def shared_numbers(self) -> int:
        """Return the numbers that an accelerator holds more, where classes share a pass."""
        matcher = self.work.matcher
        if not isinstance(matcher, DistributionMatcherSpec) or _is_of_pixels(matcher):
            return 0
        if matcher.batch_norm == "batch" and self.network.norm == "batch":
            return 0  # they do everywhere
        views = min(self.views, matcher.max_views or self.views)
        images = max(self._of_class(matcher.real_batch), views)
        together = min(self.classes, classes_together(images, self.data.size))
        return max(0, together - 1) * self._matching_numbers()

    def _images_at_once(self) -> int:
        """Return how many images move side by side: all, but for batches that know of no others."""
        matcher = self.work.matcher
        if isinstance(matcher, StatisticsMatcherSpec):
            return min(matcher.classes_per_batch, self.classes)
        return self.work.images_per_class * self.classes

    def _moving_batch(self) -> int:
        inner, made = self.work.inner, self.work.networks
        online = made.batch if isinstance(made, OnlinePoolSpec) else 0
        match inner:
            case OnRealInnerSpec() | OnSyntheticInnerSpec():
                return max(online, inner.batch)
            case _:
                return online

    def _matching_numbers(self) -> int:
        matcher, net = self.work.matcher, self.network
        match matcher:
            case GradientMatcherSpec():
                real = self._of_class(matcher.real_batch) * net.kept
                learned = min(self.views, matcher.max_views) * net.second_order
                return max(real, learned, self._settling(matcher) * net.forward)
            case DistributionMatcherSpec(features="pixels"):
                views = min(self.views, matcher.max_views or self.views)
                images = PIXEL_COPIES * (self._of_class(matcher.real_batch) + views)
                return images * self.data.channels * self.data.size**2
            case DistributionMatcherSpec():
                views = min(self.views, matcher.max_views or self.views)
                together = matcher.batch_norm == "batch" and net.norm == "batch"
                at_once = self.classes if together else 1
                real = self._of_class(matcher.real_batch) * net.forward
                return at_once * max(real, views * net.kept)
            case StatisticsMatcherSpec():
                return min(matcher.classes_per_batch, self.classes) * net.kept
            case TrajectoryMatcherSpec():
                return self._student_numbers(matcher)
            case _:
                assert_never(matcher)

    def _settling(self, matcher: GradientMatcherSpec) -> int:
        """Return the real images, of all classes, that frozen batch norm is set by at each step."""
        frozen = matcher.batch_norm == "frozen"
        return len(self.data.classes) * self._of_class(FROZEN_BY) if frozen else 0

    def _student_numbers(self, matcher: TrajectoryMatcherSpec) -> int:
        inner = self.work.inner
        if not isinstance(inner, UnrolledInnerSpec):
            return 0
        whole = self.views * len(self.data.classes)
        images = min(whole, inner.batch or whole)
        others = inner.steps - 1 if matcher.gradient == "unrolled" else 0
        return images * (self.network.second_order + others * self.network.step_kept)

    def _student_copies(self) -> int:
        """Return the copies of the parameters that a student's steps leave behind."""
        inner, matcher = self.work.inner, self.work.matcher
        if not isinstance(inner, UnrolledInnerSpec) or matcher.kind != "trajectory":
            return 0
        return inner.steps * (2 if matcher.gradient == "unrolled" else 1)

    def _mixed(self) -> bool:
        return self.work.training_augmentation.kind != "none" or self.work.cutmix > 0

    def _limited(self, batch: int) -> int:
        return batch if self.data.train is None else min(batch, self.data.train)

    def _of_class(self, batch: int) -> int:
        return min(batch, self.data.smallest_class or batch)


def _is_of_pixels(matcher: MatcherSpec) -> bool:
    """Tell whether no network is made at all."""
    return isinstance(matcher, DistributionMatcherSpec) and matcher.features == "pixels"
