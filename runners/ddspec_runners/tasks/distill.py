"""Learn a synthetic set, or the class shard or segment of one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

import torch
from pydantic import JsonValue
from torch import Tensor

from ddspec.spec.method import MAX_LOOPS, StatisticsMatcherSpec
from ddspec.wire.work import DistillWork
from ddspec_runners.artifacts import read_tensors
from ddspec_runners.distillation.assemble import assemble, first_images
from ddspec_runners.distillation.batchwise import recover
from ddspec_runners.distillation.loop import Loops
from ddspec_runners.distillation.publish import STATE, publish
from ddspec_runners.distillation.state import State
from ddspec_runners.faults import BadJob
from ddspec_runners.runtime import dtype_of
from ddspec_runners.site import Site

RECORD = "metrics.jsonl"
SERIES = "series/"
"""Before the name of a measurement, in a checkpoint."""
LARGE = 2**25
SELDOM_S = 60.0
"""Between two checkpoints of more than 32 MiB; being stopped always leaves one."""


def run(work: DistillWork, site: Site) -> Mapping[str, JsonValue]:
    """Run outer loops start..stop-1 and write the synthetic set and `state.safetensors`.

    Images start as `initial_images`, or as `previous` left them; what an outer loop does is its
    family's to say. A checkpoint is written after every outer loop, of a large state once a minute.
    `metrics.jsonl` has one line an outer loop: its number from 0, the matching loss, and what else
    the family measures.

    Returns:
        `outer_loops` (done since the first segment), `classes`, `images`, and the measurements of
        the last outer loop, `loss` among them.

    Raises:
        BadJob: the work contradicts itself or its inputs.
        Diverged: the loss or an image is no longer finite; the last checkpoint stays.
    """
    _check(work)
    if isinstance(work.matcher, StatisticsMatcherSpec):
        # its batches are learned one after the other, each through all outer loops
        return recover(work, work.matcher, site)
    loops = assemble(work, site)
    state, series = _restored(work, site, loops)
    with (site.output / RECORD).open("w", encoding="utf-8") as record:
        for outer, metrics in enumerate(_rows(series), work.start):
            _note(record, outer, metrics)
        for outer in range(work.start + len(_rows(series)), work.stop):
            state, measured = loops.outer_loop(state, outer)
            series = _longer(series, measured)
            _note(record, outer, measured)
            checkpoint = _Checkpoint(state, series)
            site.advance(
                outer + 1 - work.start,
                work.stop - work.start,
                "outer loops",
                state=checkpoint.tensors,
                metrics=measured,
                every_s=checkpoint.every_s,
            )
    publish(work, site, loops.split, loops.classes, loops.published(state), state)
    count = len(loops.classes)
    return {
        "outer_loops": work.stop,
        "classes": count,
        "images": count * work.images_per_class,
        **_rows(series)[-1],
    }


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    state: State
    series: Mapping[str, Tensor]
    """What was measured in the outer loops of this segment so far, float64 (loops,) by name."""

    def tensors(self) -> dict[str, Tensor]:
        return {
            **self.state.tensors(),
            **{SERIES + name: values for name, values in self.series.items()},
        }

    @property
    def every_s(self) -> float:
        size = sum(tensor.nbytes for tensor in self.state.tensors().values())
        return SELDOM_S if size > LARGE else 0.0


def _check(work: DistillWork) -> None:
    if not 0 <= work.start < work.stop:
        raise BadJob(f"outer loops {work.start}..{work.stop - 1} are none")
    rows = work.rows
    if len(rows) > MAX_LOOPS:
        raise BadJob(f"{len(rows):,} networks are drawn: {MAX_LOOPS:,} are the most")
    if work.schedule.digest(rows.start, rows.stop) != work.schedule_digest:
        raise BadJob(
            f"the schedule drawn here for outer loops {work.start}..{work.stop - 1} is not the one "
            "of the plan: make the plan again with this version"
        )
    if work.update.scaling != "none":
        raise BadJob("`update.scaling` must be resolved to an effective learning rate")
    if work.update.decay is not None and (work.loops is None or work.loops < work.stop):
        raise BadJob("a learning rate that decays needs the number of all outer loops")


def _restored(work: DistillWork, site: Site, loops: Loops) -> tuple[State, dict[str, Tensor]]:
    """Return where work goes on, and what was measured in this segment's outer loops so far."""

    def names(done: int) -> list[str]:
        return [*loops.expected(work.start + done), f"{SERIES}loss"]

    saved = site.resume(names)
    if saved is not None:
        done, tensors = saved
        kept = {name: tensors[name] for name in loops.expected(work.start + done)}
        series = {
            name.removeprefix(SERIES): values
            for name, values in tensors.items()
            if name.startswith(SERIES)
        }
        return State.of(kept, site.device), series
    if work.start:
        return _previous(work, site, loops), {}
    return loops.fresh(first_images(work, site, loops.split, loops.classes)), {}


def _previous(work: DistillWork, site: Site, loops: Loops) -> State:
    """Return the state that the segment before has left."""
    path = site.inputs["previous"] / STATE
    tensors, _ = read_tensors(path)
    expected, dtype = loops.expected(work.start), dtype_of(work.precision)
    for name, shape in expected.items():
        tensor = tensors.get(name)
        if tensor is None or tensor.shape != shape or _foreign(tensor, dtype):
            raise BadJob(f"`{name}` in {path} is not {tuple(shape)} at precision {work.precision}")
    return State.of({name: tensors[name] for name in expected}, site.device)


def _foreign(tensor: Tensor, dtype: torch.dtype) -> bool:
    """Tell whether a tensor is of numbers in another precision; counts and scalars have none."""
    return tensor.ndim > 0 and tensor.is_floating_point() and tensor.dtype != dtype


def _longer(series: Mapping[str, Tensor], metrics: Mapping[str, float]) -> dict[str, Tensor]:
    none = torch.zeros(0, dtype=torch.float64)
    return {
        name: torch.cat((series.get(name, none), torch.tensor([value], dtype=torch.float64)))
        for name, value in metrics.items()
    }


def _rows(series: Mapping[str, Tensor]) -> list[dict[str, float]]:
    """Return what was measured, one entry an outer loop."""
    columns = [values.tolist() for values in series.values()]
    return [dict(zip(series, row, strict=True)) for row in zip(*columns, strict=True)]


def _note(record: TextIO, outer: int, metrics: Mapping[str, float]) -> None:
    """Write a line, the loss first and the rest by name: a checkpoint keeps no order."""
    row = {"outer_loop": outer, "loss": metrics["loss"], **dict(sorted(metrics.items()))}
    record.write(json.dumps(row) + "\n")
    record.flush()
