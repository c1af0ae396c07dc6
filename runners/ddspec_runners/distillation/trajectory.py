"""Outer loops of trajectory matching: images, labels and the student's rate are learned together.

Cazenavette et al., CVPR 2022 (MTT); Cui et al., ICML 2023 (TESLA: labels of experts).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Size, Tensor

from ddspec.spec.method import ExpertLabelsSpec, LearnedLabelsSpec, UnrolledInnerSpec
from ddspec.wire.schedule import Schedule
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.distillation.state import IMAGES, Published, State
from ddspec_runners.distillation.student import Curriculum, Pupil
from ddspec_runners.faults import BadJob, Diverged
from ddspec_runners.functional.descent import first_logits, label_step, rate_step
from ddspec_runners.functional.params import copied
from ddspec_runners.functional.unroll import Pull
from ddspec_runners.functional.update import Motion, Rule
from ddspec_runners.matchers.trajectory import TrajectoryMatcher, squared_distance
from ddspec_runners.nets.base import Network
from ddspec_runners.parameterization.base import Parameterization
from ddspec_runners.pools.experts import Experts, Stretch
from ddspec_runners.pools.perturb import perturb

RATE, RATE_VELOCITY = "rate", "rate_velocity"
LABELS, LABELS_VELOCITY = "labels", "labels_velocity"
ASKED = 256
"""Images that an expert labels at once."""


@dataclass(frozen=True, slots=True)
class TrajectoryLoops:
    """Loops of one update each, at the end of a student's steps.

    Of what is learned besides images the state carries `rate` and `rate_velocity`, float64 scalars,
    and `labels` and `labels_velocity`, (K, n, K): logits where they are learned. Of an expert's
    labels, which are probabilities, it carries `labels` alone: those of the last outer loop, on the
    images as they were before its update, which are what TESLA's code keeps with the set.
    """

    matcher: TrajectoryMatcher
    experts: Experts
    schedule: Schedule
    curriculum: Curriculum
    inner: UnrolledInnerSpec
    labels: LearnedLabelsSpec | ExpertLabelsSpec | None
    """None are hard ones."""
    network: Network
    parameterization: Parameterization
    rule: Rule
    split: PreparedSplit
    classes: range
    """Always all: a student learns from every class at once."""
    shape: Size
    """Of the images, (K, n, C, H, W)."""
    clamp: bool
    """Whether images are limited to [0, 1] at the start of each outer loop."""

    def fresh(self, images: Tensor) -> State:
        """Return where distillation begins: at rest, at the first rate and with hard labels.

        Labels that are learned begin as logits of a softmax that is nearly hard (`first_logits`).
        """
        own: dict[str, Tensor] = {}
        if self.inner.learned is not None:
            rate = torch.tensor(self.inner.learning_rate, dtype=torch.float64, device=images.device)
            own |= {RATE: rate, RATE_VELOCITY: torch.zeros_like(rate)}
        if self.labels is not None:
            hard = F.one_hot(self._hard(images.device), len(self.classes)).to(images.dtype)
            own[LABELS] = hard
            if isinstance(self.labels, LearnedLabelsSpec):
                own |= {LABELS: first_logits(hard), LABELS_VELOCITY: torch.zeros_like(hard)}
        return State(images, self.rule.rest(images), own)

    def outer_loop(self, state: State, outer: int) -> tuple[State, Mapping[str, float]]:
        """Return the state after one outer loop (from 0), its loss, and the rate that it leaves.

        The student starts at the perturbed expert; the device is asked for numbers once, at the
        end. Raises Diverged where anything that was learned is not finite, or the rate not
        positive.
        """
        if self.clamp:
            clamped = self.parameterization.clamp(state.images)
            state = State(clamped, state.memory, state.own)
        row = self.schedule.row(outer)
        stretch = self.experts.stretch(row)
        start = copied(perturb(stretch.start.params, row))
        asked = self._asked(state, stretch)
        pull, images, labels = self._pulled(asked, start, stretch, outer)
        moved = self._moved(asked, pull, images, labels, outer)
        return moved, self._measured(moved, pull, stretch, outer)

    def expected(self, outer: int) -> Mapping[str, Size]:
        """Return names and shapes of a state's tensors, the same after any number of loops."""
        names = dict.fromkeys((IMAGES, *self.rule.law.slots), self.shape)
        if self.inner.learned is not None:
            names |= {RATE: Size(()), RATE_VELOCITY: Size(())}
        labels = Size((*self.shape[:2], len(self.classes)))
        if self.labels is not None:
            names[LABELS] = labels
        if isinstance(self.labels, LearnedLabelsSpec):
            names[LABELS_VELOCITY] = labels
        return names

    def published(self, state: State) -> Published:
        """Return the images, and the labels and the rate that were learned with them."""
        rate = state.own.get(RATE)
        return Published(
            state.images,
            soft_labels=state.own.get(LABELS),
            learned_rate=None if rate is None else rate.item(),
        )

    def _hard(self, device: torch.device) -> Tensor:
        """Return the class of each image, (K, n)."""
        return torch.arange(len(self.classes), device=device)[:, None].expand(-1, self.shape[1])

    def _asked(self, state: State, stretch: Stretch) -> State:
        """Return the state with the labels of the expert that is followed, if it labels images."""
        if not isinstance(self.labels, ExpertLabelsSpec):
            return state
        fed = self.parameterization.normalise(state.images).flatten(0, 1)
        expert = stretch.end
        with torch.no_grad():
            said = [
                self.network.predict(expert.params, expert.buffers, some).softmax(1)
                for some in torch.split(fed, ASKED)
            ]
        labels = torch.cat(said).view_as(state.own[LABELS])
        return State(state.images, state.memory, {**state.own, LABELS: labels})

    def _pulled(
        self, state: State, start: Mapping[str, Tensor], stretch: Stretch, outer: int
    ) -> tuple[Pull, Tensor, Tensor | None]:
        """Return the pull on views, and the gradients in images and logits that come of it."""
        images = state.images.detach().requires_grad_()
        views = self.parameterization.normalise(self.parameterization.decode(images)).flatten(0, 1)
        labels, logits = self._labels(state)
        learns = logits is not None
        pupil = Pupil(
            self.network,
            self.curriculum.policy,
            self.curriculum.lessons(outer, len(views)),
            labels.detach(),
        )
        material = (views.detach(), labels.detach()) if learns else (views.detach(),)
        pull = self.matcher.pull(pupil, start, stretch, material, self._rate(state))
        (slope,) = torch.autograd.grad(views, images, pull.material[0])
        if logits is None:
            return pull, slope, None
        (label_slope,) = torch.autograd.grad(labels, logits, pull.material[1])
        return pull, slope, label_slope

    def _labels(self, state: State) -> tuple[Tensor, Tensor | None]:
        """Return the labels of all views, and the logits that they come from if learned."""
        device = state.images.device
        places = torch.arange(math.prod(self.shape[:2]), device=device).view(self.shape[:2])
        of_view = self.parameterization.labels(places).flatten()
        if self.labels is None:
            return self._hard(device).flatten().index_select(0, of_view), None
        kept = state.own[LABELS].flatten(0, 1)
        if isinstance(self.labels, ExpertLabelsSpec):
            return kept.index_select(0, of_view), None
        logits = state.own[LABELS].detach().requires_grad_()
        return logits.flatten(0, 1).softmax(1).index_select(0, of_view), logits

    def _rate(self, state: State) -> Tensor:
        if RATE in state.own:
            return state.own[RATE]
        rate = self.inner.learning_rate
        return torch.tensor(rate, dtype=torch.float64, device=state.images.device)

    def _moved(
        self, state: State, pull: Pull, slope: Tensor, label_slope: Tensor | None, outer: int
    ) -> State:
        """Return the state after one update of everything that is learned, all by one student."""
        motion = self.rule.step(Motion(state.images, state.memory), slope, outer)
        own = dict(state.own)
        if self.inner.learned is not None:
            own[RATE], own[RATE_VELOCITY] = rate_step(
                self.inner.learned, own[RATE], own[RATE_VELOCITY], pull.rate
            )
        if label_slope is not None and isinstance(self.labels, LearnedLabelsSpec):
            own[LABELS], own[LABELS_VELOCITY] = label_step(
                self.labels, own[LABELS], own[LABELS_VELOCITY], label_slope
            )
        return State(motion.images, motion.memory, own)

    def _measured(
        self, state: State, pull: Pull, stretch: Stretch, outer: int
    ) -> Mapping[str, float]:
        scale = squared_distance(stretch.start.params, stretch.end.params)
        rate = self._rate(state)
        fine = torch.stack([t.isfinite().all() for t in _learned(state)])
        numbers = torch.stack([pull.distance, scale, rate, *fine]).double().tolist()
        loss, moved, rate_now, *finite = numbers
        if moved == 0:
            raise BadJob(f"the expert of outer loop {outer} does not move: none can follow it")
        fault = _fault(loss, rate_now, all(finite))
        if fault is not None:
            raise Diverged(f"{fault} (outer loop {outer}, counted from 0)")
        learned = {"learning_rate": rate_now} if self.inner.learned is not None else {}
        return {"loss": loss, **learned}


def _learned(state: State) -> Iterator[Tensor]:
    yield state.images
    yield from state.memory.values()
    yield from state.own.values()


def _fault(loss: float, rate: float, finite: bool) -> str | None:
    """Return what is wrong with the numbers of an outer loop, and what may help."""
    if not math.isfinite(loss):
        return (
            f"the trajectory loss is {loss}: try a smaller `inner.learning_rate` or "
            "`update.learning_rate`"
        )
    if not (math.isfinite(rate) and rate > 0):
        return (
            f"the learned rate of the student became {rate:g}: try a smaller "
            "`inner.learned.learning_rate`, or `law: log`, which keeps it positive"
        )
    return None if finite else "images or labels are not finite: try a smaller learning rate"
