"""Distillation batch by batch: what is finished lies on disk, and one batch is alive at a time."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from pydantic import JsonValue
from torch import Size, Tensor

from ddspec.spec.method import StatisticsMatcherSpec
from ddspec.wire.work import DistillWork
from ddspec_runners.artifacts import write_text
from ddspec_runners.augment.make import make_policy
from ddspec_runners.distillation.assemble import image_rule, make_pool
from ddspec_runners.distillation.batch_files import (
    Finished,
    FirstImages,
    Layout,
    batch_of_state,
)
from ddspec_runners.distillation.publish import STATE, publish
from ddspec_runners.distillation.recover import (
    AVERAGE,
    BEST,
    LEAST,
    Batch,
    Recovered,
    Recovery,
    batches_of,
)
from ddspec_runners.distillation.setting import Setting
from ddspec_runners.distillation.state import IMAGES, Published, State
from ddspec_runners.faults import BadJob, Diverged
from ddspec_runners.matchers.statistics import StatisticsMatcher, Teacher
from ddspec_runners.site import Site

RECORD = "metrics.jsonl"
SUMS, ROW = "sums", "row"
"""In a checkpoint: losses of the outer loops summed over images, and those of the running batch."""
REPORT_S, CHECKPOINT_S = 0.5, 20.0


def recover(
    work: DistillWork, matcher: StatisticsMatcherSpec, site: Site
) -> Mapping[str, JsonValue]:
    """Run outer loops start..stop-1 of every batch, and write the set and `state.safetensors`.

    Finished batches lie beside the checkpoint, which is worth nothing without them. `metrics.jsonl`
    has one line an outer loop, written at the end: the mean loss over all images. What optimisers
    remember is published where a later segment may go on from it, that is unless the learning rate
    has run its course.

    Returns:
        `outer_loops` (done since the first segment), `classes`, `images`, `loss` of the last one.

    Raises:
        BadJob: the work contradicts itself or its inputs.
        Diverged: the loss or an image is no longer finite; the last checkpoint stays.
    """
    job = _Job.of(work, matcher, site)
    course = job.resumed()
    for number, batch in enumerate(job.batches):
        if number >= course.finished:
            course = job.learn(course, batch)
    return job.publish(course.sums)


@dataclass(frozen=True, slots=True)
class _Course:
    """How far all batches are."""

    sums: Tensor
    """Loss of each outer loop, summed over the images of finished batches; float64 (loops,)."""
    finished: int = 0
    """Batches."""
    running: Recovered | None = None
    """The next batch, where it has begun."""
    row: tuple[float, ...] = ()
    """Losses of its outer loops so far."""

    def tensors(self) -> dict[str, Tensor]:
        row = torch.tensor(self.row, dtype=torch.float64)
        running = {} if self.running is None else self.running.tensors()
        return {**running, SUMS: self.sums, ROW: row}


@dataclass(frozen=True, slots=True)
class _Job:
    work: DistillWork
    site: Site
    setting: Setting
    recovery: Recovery
    layout: Layout
    first: FirstImages

    @classmethod
    def of(cls, work: DistillWork, matcher: StatisticsMatcherSpec, site: Site) -> _Job:
        setting = Setting.of_work(work, site)
        if not setting.network.buffers():
            raise BadJob("the network has no batch norm, so it keeps no statistics to match")
        split, shape = setting.split, setting.parameterization
        recovery = Recovery(
            matcher=StatisticsMatcher(matcher, setting.network),
            pool=make_pool(work, site, setting),
            schedule=work.schedule,
            parameterization=shape,
            images=work.images_per_class,
            policy=make_policy(work.matching_augmentation, mean=split.mean, std=split.std),
            rule=image_rule(work, shape),
            seed=work.seed,
            inner_steps=work.inner_steps,
            clamp=work.update.clamp == "outer_loop",
            averaging=work.update.averaging,
        )
        chunk, images = matcher.classes_per_batch, work.images_per_class
        stop = setting.classes.stop
        if stop % chunk and stop != setting.of:
            raise BadJob(f"class {stop - 1} is not the last of a batch of {chunk} classes")
        batches = tuple(batches_of(setting.classes, chunk, images))
        layout = Layout(batches, setting.classes, images)
        return cls(work, site, setting, recovery, layout, FirstImages(work, split))

    @property
    def batches(self) -> tuple[Batch, ...]:
        return self.layout.batches

    @property
    def finished(self) -> Finished:
        return Finished(self.site.scratch, self.layout)

    @property
    def loops(self) -> int:
        return self.work.stop - self.work.start

    @property
    def goes_on(self) -> bool:
        """Whether a later segment may follow."""
        return self.work.loops is None or self.work.stop < self.work.loops

    @property
    def stored(self) -> dict[str, Size]:
        """Names and shapes of a state that a segment goes on from."""
        shapes = dict.fromkeys((IMAGES, *self.recovery.rule.law.slots), self.setting.shape)
        for name in self.recovery.fresh(torch.zeros(1, 1, 1, 1)).own:
            shapes[name] = self.setting.shape[:2] if name == LEAST else self.setting.shape
        return shapes

    def learn(self, course: _Course, batch: Batch) -> _Course:
        """Take the outer loops of a batch that are left, and put its images down."""
        run = course.running or self._begin(batch)
        teachers = self.recovery.teachers(batch.image)
        run, row = self._loops(course, run, batch, teachers)
        images = run.tensors() if self.goes_on else {IMAGES: run.result}
        self.finished.put(course.finished, images)
        losses = torch.tensor(row, dtype=torch.float64)
        course = _Course(course.sums + losses * len(batch.classes), course.finished + 1)
        self._advance(course)
        return course

    def _loops(
        self, course: _Course, run: Recovered, batch: Batch, teachers: tuple[Teacher, ...]
    ) -> tuple[Recovered, tuple[float, ...]]:
        """Return the batch after its outer loops, and their losses.

        The device is asked for numbers about twice a second, whatever it is.
        """
        row, fresh = list(course.row), list[Tensor]()
        reported = time.monotonic()
        for outer in range(self.work.start + len(row), self.work.stop):
            run, loss = self.recovery.outer_loop(run, batch, teachers, outer)
            fresh.append(loss)
            last = outer + 1 == self.work.stop
            if last or self.site.stopping() or time.monotonic() - reported >= REPORT_S:
                row += self._finite(fresh, run, batch, self.work.start + len(row))
                fresh.clear()
                if not last:
                    self._advance(_Course(course.sums, course.finished, run, tuple(row)))
                reported = time.monotonic()
        return run, tuple(row)

    def _advance(self, course: _Course) -> None:
        total = len(self.batches) * self.loops
        done = course.finished * self.loops + len(course.row)
        last = course.row[-1] if course.row else course.sums[-1].item() / self._images(course)
        self.site.advance(
            done,
            total,
            "outer loops of batches",
            state=course.tensors,
            metrics={"loss": last},
            every_s=CHECKPOINT_S,
        )

    def _images(self, course: _Course) -> int:
        return sum(len(batch.classes) for batch in self.batches[: course.finished])

    def _finite(
        self, losses: list[Tensor], run: Recovered, batch: Batch, outer: int
    ) -> list[float]:
        """Return the losses of outer loops from `outer` on; raise Diverged at the first bad one."""
        values: list[float] = torch.stack(losses).double().cpu().tolist()
        fine = [math.isfinite(value) for value in values]
        if all(fine) and not bool(run.motion.images.isfinite().all()):
            fine[-1] = False
        if not all(fine):
            classes = batch.classes
            raise Diverged(
                f"the images or their loss are not finite in outer loop {outer + fine.index(False)}"
                f" of image {batch.image} of classes {classes.start}..{classes.stop - 1} (all "
                "counted from 0): try a smaller `update.learning_rate`"
            )
        return values

    def _begin(self, batch: Batch) -> Recovered:
        """Return a batch before the first outer loop of this segment."""
        device, work = self.site.device, self.work
        if not work.start:
            return self.recovery.fresh(self.first.of(batch).to(device))
        path = self.site.inputs["previous"] / STATE
        left = batch_of_state(path, batch, self.layout, self.stored, work.precision)
        return Recovered.of({name: tensor.to(device) for name, tensor in left.items()})

    def resumed(self) -> _Course:
        """Return how far an earlier attempt came, if its checkpoint and its batches are there."""
        none = _Course(torch.zeros(self.loops, dtype=torch.float64))
        saved = self.site.resume(self._names)
        if saved is None:
            return none
        done, tensors = saved
        finished = done // self.loops
        if not self.finished.holds(finished):
            return none
        row = tuple(tensors[ROW].tolist())
        if not row:
            return _Course(tensors[SUMS], finished)
        names = [name for name in tensors if name not in (SUMS, ROW)]
        running = Recovered.of({name: tensors[name].to(self.site.device) for name in names})
        return _Course(tensors[SUMS], finished, running, row)

    def _names(self, done: int) -> list[str]:
        return [SUMS, ROW, *(self.stored if done % self.loops else ())]

    def publish(self, sums: Tensor) -> Mapping[str, JsonValue]:
        """Write set, state and record from the batches on disk; return what a result says."""
        work, site, setting = self.work, self.site, self.setting
        tensors = self.finished.gathered()
        images = tensors.get(AVERAGE, tensors.get(BEST, tensors[IMAGES]))
        state = State.of(tensors, torch.device("cpu"))
        publish(work, site, setting.split, setting.classes, Published(images), state)
        count = len(setting.classes) * work.images_per_class
        losses = (sums / count).tolist()
        lines = [json.dumps({"outer_loop": o, "loss": x}) for o, x in enumerate(losses, work.start)]
        write_text(site.output / RECORD, "".join(f"{line}\n" for line in lines))
        return {
            "outer_loops": work.stop,
            "classes": len(setting.classes),
            "images": count,
            "loss": losses[-1],
        }
