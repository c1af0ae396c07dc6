"""Learning rates over a training, against loops written from the definitions."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from ddspec.spec.optimizer import CosineDecaySpec, DecaySpec, StepDecaySpec
from ddspec_runners.functional.course import Course

EPOCHS, BATCHES = 12, 5


def course(decay: DecaySpec | None, **changes: Any) -> Course:
    facts: dict[str, Any] = {"base": 0.2, "steps": EPOCHS * BATCHES, "batches": BATCHES}
    return Course(decay=decay, **{**facts, **changes})


def every_rate(made: Course) -> list[float]:
    return [made.at(step) for step in range(made.steps)]


def cosine(units: int, warm: int, start: float) -> list[float]:
    """A ramp of `warm` units from `start` up to 0.2, then half a cosine down to 0."""
    ramp = [start + i * (0.2 - start) / warm for i in range(warm)]
    left = units - warm
    return ramp + [0.1 + 0.1 * math.cos(math.pi * i / left) for i in range(left)]


@pytest.mark.parametrize("warmup", [None, {"epochs": 3, "start": 0.01}], ids=["cold", "warm"])
@pytest.mark.parametrize("every", ["epoch", "step"])
def test_a_cosine_falls_to_zero_after_its_warm_up(every: str, warmup: Any) -> None:
    decay = CosineDecaySpec.model_validate({"kind": "cosine", "every": every, "warmup": warmup})
    warm, start = (3, 0.01) if warmup else (0, 0.0)

    rates = every_rate(course(decay))

    if every == "step":
        expected = cosine(EPOCHS * BATCHES, warm * BATCHES, start)
    else:
        expected = [rate for rate in cosine(EPOCHS, warm, start) for _ in range(BATCHES)]
    # a dozen roundings of numbers below one
    assert rates == pytest.approx(expected, rel=0, abs=1e-15)


def test_a_cosine_by_epochs_is_torchs_with_its_linear_warm_up() -> None:
    decay = CosineDecaySpec.model_validate(
        {"kind": "cosine", "every": "epoch", "warmup": {"epochs": 5, "start": 0.01}}
    )
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.2)
    schedules = torch.optim.lr_scheduler
    both = [
        schedules.LinearLR(optimizer, start_factor=0.05, total_iters=5),
        schedules.CosineAnnealingLR(optimizer, T_max=EPOCHS - 5),
    ]
    schedule = schedules.SequentialLR(optimizer, both, milestones=[5])
    theirs = []
    for _ in range(EPOCHS):
        theirs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()

    mine = [course(decay).at(epoch * BATCHES) for epoch in range(EPOCHS)]

    # torch multiplies its way from epoch to epoch, some ten roundings each
    assert mine == pytest.approx(theirs, rel=1e-13)


def test_steps_of_the_rate_lie_between_epochs_where_training_is_so_many_epochs() -> None:
    decay = StepDecaySpec(factor=0.5, at=(0.3,))

    by_epoch = every_rate(course(decay))
    by_step = every_rate(course(decay, by_epoch=False, steps=57))

    assert by_epoch == [0.2] * 15 + [0.1] * 45  # floor(0.3 x 12) = 3 epochs
    assert by_step == [0.2] * 17 + [0.1] * 40  # floor(0.3 x 57) = 17 steps


def test_an_incomplete_last_epoch_counts_as_one() -> None:
    decay = CosineDecaySpec(kind="cosine", every="epoch")

    rates = every_rate(course(decay, steps=11, by_epoch=False))

    assert rates[0] == rates[4] == 0.2
    assert rates[10] == pytest.approx(0.1 + 0.1 * math.cos(2 * math.pi / 3))


def test_without_a_decay_the_rate_stays() -> None:
    assert set(every_rate(course(None))) == {0.2}


def test_a_training_that_is_all_warm_up_has_no_cosine() -> None:
    decay = CosineDecaySpec.model_validate(
        {"kind": "cosine", "every": "epoch", "warmup": {"epochs": 20, "start": 0.0}}
    )

    rates = every_rate(course(decay))

    assert rates[-1] == pytest.approx(0.2 * 11 / 20)
