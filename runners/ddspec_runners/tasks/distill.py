"""Learn a synthetic set, or the class shard or segment of one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

import torch
from pydantic import JsonValue
from torch import Tensor

from ddspec.wire.work import DistillWork
from ddspec_runners.artifacts import read_tensors, write_synthetic_set, write_tensors
from ddspec_runners.card import Provenance, make_card
from ddspec_runners.distillation.assemble import assemble
from ddspec_runners.distillation.loop import Distillation
from ddspec_runners.distillation.step import State
from ddspec_runners.faults import BadJob
from ddspec_runners.parameterization.init import initial_images
from ddspec_runners.runtime import dtype_of
from ddspec_runners.site import Site

STATE, RECORD = "state.safetensors", "metrics.jsonl"
CHECKPOINT = ("images", "velocity", "losses")
"""What a checkpoint holds."""


def run(work: DistillWork, site: Site) -> Mapping[str, JsonValue]:
    """Run outer loops start..stop-1 and write the synthetic set and `state.safetensors`.

    Images start as `initial_images`, or as `previous` left them. Each outer loop clamps them if
    the work says so, then takes `inner_steps` steps: every class of the range in order, then the
    network. A checkpoint is written after every outer loop. `metrics.jsonl` has one line an outer
    loop: its number from 0 and the matching loss, a mean over inner steps and classes.

    Returns:
        `outer_loops` (done since the first segment), `classes`, `images`, and `loss` of the last
        outer loop.

    Raises:
        BadJob: the work contradicts itself or its inputs.
        Diverged: the loss or an image is no longer finite; the last checkpoint stays.
    """
    _check(work)
    distillation = assemble(work, site)
    state, losses = _restored(work, site, distillation)
    with (site.output / RECORD).open("w", encoding="utf-8") as record:
        for outer, loss in enumerate(losses.tolist(), work.start):
            _note(record, outer, loss)
        for outer in range(work.start + len(losses), work.stop):
            state, loss = distillation.outer_loop(state, outer)
            losses = torch.cat((losses, torch.tensor([loss], dtype=torch.float64)))
            _note(record, outer, loss)
            site.advance(
                outer + 1 - work.start,
                work.stop - work.start,
                "outer loops",
                state=_Checkpoint(state, losses).tensors,
                metrics={"loss": loss},
            )
    _write(work, site, distillation, state)
    count = len(distillation.matching.classes)
    return {
        "outer_loops": work.stop,
        "classes": count,
        "images": count * work.images_per_class,
        "loss": losses[-1].item(),
    }


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    state: State
    losses: Tensor
    """Of the outer loops of this segment so far, float64."""

    def tensors(self) -> dict[str, Tensor]:
        values = (self.state.images, self.state.velocity, self.losses)
        return dict(zip(CHECKPOINT, values, strict=True))


def _check(work: DistillWork) -> None:
    if not 0 <= work.start < work.stop:
        raise BadJob(f"outer loops {work.start}..{work.stop - 1} are none")
    if work.schedule.digest(work.start, work.stop) != work.schedule_digest:
        raise BadJob(
            f"the schedule drawn here for outer loops {work.start}..{work.stop - 1} is not the one "
            "of the plan: make the plan again with this version"
        )
    if work.update.scaling != "none":
        raise BadJob("`update.scaling` must be resolved to an effective learning rate")


def _restored(work: DistillWork, site: Site, distillation: Distillation) -> tuple[State, Tensor]:
    """Return where work goes on, and the losses of this segment's outer loops so far."""
    saved = site.resume(CHECKPOINT)
    if saved is not None:
        _, tensors = saved
        return _state(tensors, site.device), tensors["losses"]
    none = torch.zeros(0, dtype=torch.float64)
    if work.start:
        return _previous(work, site, distillation), none
    images = initial_images(
        work.parameterization,
        work.init,
        work.images_per_class,
        distillation.matching.split,
        work.seed,
        distillation.matching.classes,
        dtype=dtype_of(work.precision),
    ).to(site.device)
    return State(images, torch.zeros_like(images)), none


def _previous(work: DistillWork, site: Site, distillation: Distillation) -> State:
    """Return the state that the segment before has left."""
    path = site.inputs["previous"] / STATE
    tensors, _ = read_tensors(path)
    card = distillation.matching.split.card
    held = len(distillation.matching.classes)
    shape = (held, work.images_per_class, card.channels, card.size, card.size)
    for name in ("images", "velocity"):
        tensor = tensors.get(name)
        if tensor is None or tensor.shape != shape or tensor.dtype != dtype_of(work.precision):
            raise BadJob(f"`{name}` in {path} is not {shape} at precision {work.precision}")
    return _state(tensors, site.device)


def _state(tensors: Mapping[str, Tensor], device: torch.device) -> State:
    return State(tensors["images"].to(device), tensors["velocity"].to(device))


def _note(record: TextIO, outer: int, loss: float) -> None:
    record.write(json.dumps({"outer_loop": outer, "loss": loss}) + "\n")
    record.flush()


def _write(work: DistillWork, site: Site, distillation: Distillation, state: State) -> None:
    classes, split = distillation.matching.classes, distillation.matching.split
    card = make_card(
        split.card,
        parameterization=work.parameterization,
        images_per_class=work.images_per_class,
        provenance=Provenance(key=site.key, kind="distill", seed=work.seed),
        covers=work.classes,
    )
    labels = torch.tensor(classes)[:, None].repeat(1, work.images_per_class)
    write_synthetic_set(site.output, state.images, labels, card, split.whitening)
    tensors = {"images": state.images, "velocity": state.velocity}
    write_tensors(site.output / STATE, tensors)
