"""SGD against torch.optim, bit by bit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ddspec.spec.augmentation import SgdSpec, StepDecaySpec
from ddspec_runners.functional.params import copied, zeros
from ddspec_runners.functional.sgd import learning_rate_at, sgd_step, sgd_step_in_place
from ddspec_runners.rng import generator

SHAPES = {"kernel": (6, 3, 3, 3), "bias": (6,), "matrix": (4, 7)}
SPECS = {
    "plain": SgdSpec(momentum=0.0, weight_decay=0.0),
    "momentum": SgdSpec(momentum=0.9, weight_decay=0.0),
    "decay": SgdSpec(momentum=0.0, weight_decay=5e-4),
    "both": SgdSpec(momentum=0.9, weight_decay=5e-4),
}
RATES = (0.1, 0.1, 0.03, 0.03, 0.01)


def draw(*path: int | str, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    return {
        name: torch.randn(shape, generator=generator(*path, name), dtype=dtype)
        for name, shape in SHAPES.items()
    }


def by_torch(spec: SgdSpec, dtype: torch.dtype) -> dict[str, Tensor]:
    leaves = {name: p.requires_grad_() for name, p in draw("start", dtype=dtype).items()}
    optimizer = torch.optim.SGD(
        leaves.values(), lr=1.0, momentum=spec.momentum, weight_decay=spec.weight_decay
    )
    for step, rate in enumerate(RATES):
        optimizer.param_groups[0]["lr"] = rate
        for name, grad in draw("grad", step, dtype=dtype).items():
            leaves[name].grad = grad
        optimizer.step()
    return {name: leaf.detach() for name, leaf in leaves.items()}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", SPECS)
def test_five_steps_are_bit_equal_to_torch(name: str, dtype: torch.dtype) -> None:
    params = draw("start", dtype=dtype)
    momentum = zeros(params)
    for step, rate in enumerate(RATES):
        grads = draw("grad", step, dtype=dtype)
        params, momentum = sgd_step(params, momentum, grads, SPECS[name], rate)

    expected = by_torch(SPECS[name], dtype)

    assert all(params[key].equal(expected[key]) for key in expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", SPECS)
def test_the_step_in_place_is_bit_equal_to_the_pure_one(name: str, dtype: torch.dtype) -> None:
    pure, moment = draw("start", dtype=dtype), zeros(draw("start", dtype=dtype))
    owned, own_moment = copied(pure), copied(moment)
    for step, rate in enumerate(RATES):
        grads = draw("grad", step, dtype=dtype)
        pure, moment = sgd_step(pure, moment, grads, SPECS[name], rate)
        sgd_step_in_place(owned, own_moment, grads, SPECS[name], rate)

    assert all(owned[key].equal(pure[key]) for key in pure)
    assert all(own_moment[key].equal(moment[key]) for key in moment)


def test_the_step_in_place_leaves_the_gradients_alone() -> None:
    params, grads = draw("start"), draw("grad", 0)

    sgd_step_in_place(params, zeros(params), grads, SPECS["both"], 0.1)

    assert all(grad.equal(draw("grad", 0)[name]) for name, grad in grads.items())


def test_a_step_mutates_nothing() -> None:
    given = (draw("start"), draw("momentum"), draw("grad", 0))

    sgd_step(*given, SPECS["both"], 0.1)

    for tensors, again in zip(
        given, (draw("start"), draw("momentum"), draw("grad", 0)), strict=True
    ):
        assert all(tensors[name].equal(again[name]) for name in SHAPES)


def test_a_step_is_differentiable_in_everything() -> None:
    leaves = [draw(name)["matrix"].requires_grad_() for name in ("start", "momentum", "grad")]

    def step(p: Tensor, m: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        params, momentum = sgd_step({"w": p}, {"w": m}, {"w": g}, SPECS["both"], 0.1)
        return params["w"], momentum["w"]

    assert torch.autograd.gradcheck(step, leaves)


@pytest.mark.parametrize(
    ("step", "steps", "at", "expected"),
    [
        pytest.param(0, 1000, (2 / 3, 5 / 6), 1.0, id="start"),
        pytest.param(665, 1000, (2 / 3, 5 / 6), 1.0, id="before two thirds"),
        pytest.param(666, 1000, (2 / 3, 5 / 6), 0.5, id="at two thirds rounded down"),
        pytest.param(832, 1000, (2 / 3, 5 / 6), 0.5, id="before five sixths"),
        pytest.param(833, 1000, (2 / 3, 5 / 6), 0.25, id="at five sixths"),
        pytest.param(28, 100, (0.29,), 1.0, id="before an inexact boundary"),
        pytest.param(29, 100, (0.29,), 0.5, id="at an inexact boundary"),
        pytest.param(0, 10, (0.0,), 0.5, id="from the start"),
        pytest.param(9, 10, (1.0,), 1.0, id="after the end"),
        pytest.param(1, 2, (2 / 3, 5 / 6), 0.25, id="boundaries that coincide"),
    ],
)
def test_the_learning_rate_falls_at_fractions_of_training(
    step: int, steps: int, at: tuple[float, ...], expected: float
) -> None:
    decay = StepDecaySpec(factor=0.5, at=at)

    assert learning_rate_at(step, steps, 1.0, decay) == expected


def test_without_decay_the_learning_rate_stays() -> None:
    assert learning_rate_at(9, 10, 0.03, None) == 0.03


@pytest.mark.parametrize("epochs", [7, 12, 300, 1000])
def test_milestones_are_those_of_the_official_schedule(epochs: int) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.01)
    schedule = torch.optim.lr_scheduler.MultiStepLR(
        optimizer, milestones=[2 * epochs // 3, 5 * epochs // 6], gamma=0.2
    )
    theirs = []
    for _ in range(epochs):
        theirs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()

    mine = [learning_rate_at(epoch, epochs, 0.01, StepDecaySpec()) for epoch in range(epochs)]

    assert mine == theirs
