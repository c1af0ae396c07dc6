"""Train a fresh network on a set, as a protocol says."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ddspec.spec.evaluate import ProtocolSpec
from ddspec.wire.schedule import Seed
from ddspec_runners.augment.base import Policy
from ddspec_runners.data.prepared import Queue
from ddspec_runners.evaluation.batches import BatchDraw, Lesson, draw_batch, mixed, parts
from ddspec_runners.evaluation.examples import Examples, Images
from ddspec_runners.evaluation.measure import measure
from ddspec_runners.evaluation.trainee import Best, Trainee
from ddspec_runners.faults import BadJob
from ddspec_runners.functional.course import Course
from ddspec_runners.functional.optim import slots, step_in_place
from ddspec_runners.functional.params import cast, copied, zeros
from ddspec_runners.functional.placement import placed
from ddspec_runners.labels.recording import Recording
from ddspec_runners.labels.teachers import Panel
from ddspec_runners.labels.teaching import from_logits, from_mixed
from ddspec_runners.nets.base import Network, Params
from ddspec_runners.rng import generator
from ddspec_runners.site import Site

CHECKPOINT_S = 30.0
"""Seconds between checkpoints: a killed evaluation loses no more."""
REPORT_S = 0.25
"""Seconds between reports of progress."""
CURVE_POINTS = 200
"""At most so many losses are kept."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A network after its last step."""

    params: Params
    buffers: Params
    curve: Tensor
    """Loss of the batch at every `stride`-th step, (points,)."""
    stride: int
    steps: int
    best: Best | None = None
    """The network that was best on held-out images, where it was looked for."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Looks at a network while it is trained: on which images, and how often, evenly spaced."""

    split: Images
    times: int

    def due(self, done: int, steps: int) -> bool:
        """Tell whether to look after `done` of `steps` steps; the last look is after the last."""
        return steps * (-(-done * self.times // steps)) // self.times == done


@dataclass(frozen=True, slots=True)
class Training:
    """What is trained, on what, and how."""

    network: Network
    examples: Examples
    protocol: ProtocolSpec
    policy: Policy
    seed: Seed
    dtype: torch.dtype
    watch: Watch | None = None
    recording: Recording | None = None
    """Views of the examples and what teachers said of them: both are taken as they were."""
    teachers: Panel | None = None
    """Who is asked about each batch, where nothing was recorded."""

    @property
    def queue(self) -> Queue:
        """Batches of all epochs; the incomplete last one of an epoch is kept, as IDC does."""
        seed = (*self.seed, "batches")
        return Queue(seed, len(self.examples), self.protocol.batch, drop=False)

    @property
    def steps(self) -> int:
        """Number of steps; raises BadJob where the protocol leaves it open."""
        match self.protocol.epochs, self.protocol.steps:
            case int(epochs), None:
                return epochs * self.queue.batches
            case None, int(steps):
                return steps
            case _:
                raise BadJob("an evaluation needs a number of epochs, or of steps, not both")

    @property
    def stride(self) -> int:
        """Steps between two losses that are kept."""
        return -(-self.steps // CURVE_POINTS)

    @property
    def base_rate(self) -> float:
        """The learning rate before any decay: learned with the set where the protocol takes it.

        A set without one, as the baselines, is trained on at the optimiser's.
        """
        learned = self.examples.rate if self.protocol.learned_rate else None
        return self.protocol.optimizer.learning_rate if learned is None else learned

    @property
    def course(self) -> Course:
        """The learning rate of each step."""
        protocol = self.protocol
        return Course(
            base=self.base_rate,
            decay=protocol.decay,
            steps=self.steps,
            batches=self.queue.batches,
            by_epoch=protocol.steps is None,
        )

    def learning_rate(self, step: int) -> float:
        """Return the rate at a step; by epochs, its steps come between epochs only."""
        return self.course.at(step)

    def draw(self, t: int) -> BatchDraw:
        """Draw batch t: of the queue under (*seed, "batches"), the rest from (*seed, "augment", t).

        CutMix and mixup are drawn after augmentation, for the whole batch. Recorded views are not
        drawn again.
        """
        if self.recording is not None:
            return self.recording.draw(t)
        indices, seed = self.queue.indices(t), (*self.seed, "augment", t)
        return draw_batch(self.protocol, self.policy, indices, self.examples.size, seed)

    def fresh(self, device: torch.device) -> Trainee:
        """Return the network before its first step, its parameters from (*seed, "network")."""
        init = self.network.init(generator(*self.seed, "network"))
        params = copied(cast(init, dtype=self.dtype, device=device))
        buffers = _real_valued(self.network.buffers(), self.dtype, device)
        return Trainee(
            done=0,
            params=params,
            memory=slots(self.protocol.optimizer, params),
            buffers=buffers,
            curve=torch.zeros(-(-self.steps // self.stride), dtype=self.dtype),
            best=Best(copied(params), copied(buffers), -1.0, 0) if self.watch else None,
        )

    def begin(self, site: Site) -> Trainee:
        """Return the network before its next step, from the checkpoint of `site` if it has one."""
        trainee = self.fresh(site.device)
        if (saved := site.resume(trainee.state())) is not None:
            trainee.restore(*saved, site.device)
        return trainee

    def run(self, site: Site) -> Trained:
        """Take all steps that are left, and return the network.

        Where it is killed makes no difference to the bits, for a fixed number of threads.
        """
        trainee, steps, course = self.begin(site), self.steps, self.course
        reported = time.monotonic()
        for t in range(trainee.done, steps):
            self.step(trainee, t, course.at(t))
            if site.stopping() or t + 1 == steps or time.monotonic() - reported >= REPORT_S:
                site.advance(t + 1, steps, "steps", state=trainee.state, every_s=CHECKPOINT_S)
                reported = time.monotonic()
        return self.ended(trainee)

    def step(self, trainee: Trainee, t: int, rate: float) -> None:
        """Take step t: batch, augmentation, mixing, gradient of the mean loss, optimiser."""
        loss, grads = self._slope(trainee, self.draw(t), generator(*self.seed, "noise", t))
        if t % self.stride == 0:
            trainee.curve[t // self.stride] = loss
        optimizer = self.protocol.optimizer
        step_in_place(trainee.params, trainee.memory, grads, optimizer, rate, t)
        self.look(trainee, t + 1)

    def look(self, trainee: Trainee, done: int) -> None:
        """Note that so many steps are done, and keep the network if it is the best so far."""
        trainee.done = done
        if self.watch is None or not self.watch.due(done, self.steps):
            return
        found = measure(self.network, trainee.params, trainee.buffers, self.watch.split)
        if trainee.best is None or found.accuracy > trainee.best.accuracy:
            params, buffers = copied(trainee.params), copied(trainee.buffers)
            trainee.best = Best(params, buffers, found.accuracy, done)

    def ended(self, trainee: Trainee) -> Trained:
        """Return what came out."""
        return Trained(
            trainee.params, trainee.buffers, trainee.curve, self.stride, self.steps, trainee.best
        )

    def _slope(
        self, trainee: Trainee, draw: BatchDraw, rng: Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the mean loss of a batch and its gradient, and move the running statistics.

        Of a batch in parts, the parts weigh what their images do. `rng` draws what the network
        itself leaves out, part after part.
        """
        images, lesson = self.lesson(draw)
        if self.protocol.accumulate is None:
            return self._part(trainee, images, lesson, rng)
        total = torch.zeros((), dtype=images.dtype, device=images.device)
        sums = zeros(trainee.params)
        for part, own in parts(images, lesson, self.protocol.accumulate):
            loss, grads = self._part(trainee, part, own, rng)
            share = len(part) / len(images)
            total = total + share * loss
            sums = {name: sums[name] + share * grad for name, grad in grads.items()}
        return total, sums

    def lesson(self, draw: BatchDraw) -> tuple[Tensor, Lesson]:
        """Return a batch as the student sees it, augmented and mixed, and what it is to learn.

        Teachers say what the mixed images show. Soft labels of the images themselves are mixed
        like the images. Where there are neither, labels are hard.
        """
        images, labels = self.examples.batch(draw.indices)
        images = self.policy.apply(images, draw.augmentation)
        teaching, own = self.protocol.teaching, self.examples.soft
        if teaching is None:
            return mixed(images, labels, draw.mix)
        if draw.logits is not None:
            said = placed(draw.logits, images.device, images.dtype)
            return mixed(images, labels, draw.mix)[0], from_logits(said, teaching)
        if self.teachers is not None:
            images, _ = mixed(images, labels, draw.mix)
            return images, from_logits(self.teachers.logits(images), teaching)
        if own is None:
            return mixed(images, labels, draw.mix)
        soft = from_logits(own[placed(draw.indices, own.device)], teaching).soft
        images, targets = mixed(images, soft, draw.mix)
        return images, from_mixed(targets, teaching)

    def _part(
        self, trainee: Trainee, images: Tensor, lesson: Lesson, rng: Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        leaves = {name: p.detach().requires_grad_() for name, p in trainee.params.items()}
        logits, trainee.buffers = self.network.train_step(leaves, trainee.buffers, images, rng)
        loss = lesson.loss(logits)
        grads = torch.autograd.grad(loss, list(leaves.values()))
        return loss.detach(), dict(zip(leaves, grads, strict=True))


def _real_valued(buffers: Params, dtype: torch.dtype, device: torch.device) -> dict[str, Tensor]:
    """Return running statistics at a precision and on a device; counters stay whole numbers."""
    return {
        name: buffer.to(device, dtype if buffer.is_floating_point() else buffer.dtype)
        for name, buffer in buffers.items()
    }
