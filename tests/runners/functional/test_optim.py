"""Optimisers against torch.optim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

from ddspec.spec.optimizer import OptimizerSpec
from ddspec_runners.functional.optim import Slots, slots, step_in_place
from ddspec_runners.functional.params import copied
from ddspec_runners.rng import generator

SHAPES = {"kernel": (6, 3, 3, 3), "bias": (6,), "matrix": (4, 7), "scale": (4,)}
STEPS = 20
OPTIMIZER: TypeAdapter[OptimizerSpec] = TypeAdapter(OptimizerSpec)
CASES: Mapping[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.9, "weight_decay": 5e-4},
    "adam": {"kind": "adam"},
    "adam with decay": {"kind": "adam", "weight_decay": 1e-2, "betas": (0.5, 0.9)},
    "adamw": {"kind": "adamw", "betas": (0.9, 0.99)},
    "adamw without decay": {"kind": "adamw", "weight_decay": 0.0},
    "adamw on matrices": {"kind": "adamw", "weight_decay": 0.3, "decayed": "matrices"},
    "adam without memory": {"kind": "adam", "betas": (0.0, 0.0)},
}


def spec_of(case: str) -> OptimizerSpec:
    return OPTIMIZER.validate_python(CASES[case])


def draw(*path: int | str) -> dict[str, Tensor]:
    return {
        name: torch.randn(shape, generator=generator(*path, name), dtype=torch.float64)
        for name, shape in SHAPES.items()
    }


def rate(step: int) -> float:
    return 0.05 / (1 + step)


def by_torch(case: str) -> dict[str, Tensor]:
    """Take the steps with torch's own optimiser, whose groups say what decays."""
    facts = dict(CASES[case])
    kind, decayed = facts.pop("kind", "sgd"), facts.pop("decayed", "all")
    leaves = {name: p.requires_grad_() for name, p in draw("start").items()}
    of_rank = {name: p for name, p in leaves.items() if p.ndim > 1 or decayed == "all"}
    rest = [p for name, p in leaves.items() if name not in of_rank]
    maker = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind]
    groups = [{"params": list(of_rank.values())}, {"params": rest, "weight_decay": 0.0}]
    optimizer = maker(groups, lr=1.0, **facts)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        for name, grad in draw("grad", step).items():
            leaves[name].grad = grad
        optimizer.step()
    return {name: leaf.detach() for name, leaf in leaves.items()}


def by_us(case: str, params: dict[str, Tensor], memory: Slots, *, since: int = 0) -> None:
    for step in range(since, STEPS):
        step_in_place(params, memory, draw("grad", step), spec_of(case), rate(step), step)


@pytest.mark.parametrize("case", CASES)
def test_twenty_steps_are_those_of_torch(case: str) -> None:
    params = draw("start")

    by_us(case, params, slots(spec_of(case), params))

    for name, value in by_torch(case).items():
        # at most some 15 roundings of 1.1e-16 a step, 20 steps, on values of order one
        torch.testing.assert_close(params[name], value, rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("stopped", [1, 7, 19])
def test_what_slots_hold_is_all_that_a_resume_needs(case: str, stopped: int) -> None:
    whole, params = draw("start"), draw("start")
    by_us(case, whole, slots(spec_of(case), whole))
    memory = slots(spec_of(case), params)
    for step in range(stopped):
        step_in_place(params, memory, draw("grad", step), spec_of(case), rate(step), step)

    again = copied(params)
    by_us(case, again, {slot: copied(held) for slot, held in memory.items()}, since=stopped)

    assert all(again[name].equal(whole[name]) for name in SHAPES)


@pytest.mark.parametrize("case", CASES)
def test_networks_in_one_stack_move_as_each_alone(case: str) -> None:
    spec = spec_of(case)
    alone = [draw("start", member) for member in range(3)]
    stack = {name: torch.stack([one[name] for one in alone]) for name in SHAPES}
    memory, memories = slots(spec, stack), [slots(spec, one) for one in alone]

    for step in range(3):
        grads = [draw("grad", member, step) for member in range(3)]
        for one, own, grad in zip(alone, memories, grads, strict=True):
            step_in_place(one, own, grad, spec, rate(step), step)
        stacked = {name: torch.stack([grad[name] for grad in grads]) for name in SHAPES}
        step_in_place(stack, memory, stacked, spec, rate(step), step, members=True)

    for member, one in enumerate(alone):
        assert all(stack[name][member].equal(one[name]) for name in SHAPES)


@pytest.mark.parametrize("case", CASES)
def test_a_step_leaves_the_gradients_alone(case: str) -> None:
    params, grads = draw("start"), draw("grad", 0)

    step_in_place(params, slots(spec_of(case), params), grads, spec_of(case), 0.1, 0)

    assert all(grad.equal(draw("grad", 0)[name]) for name, grad in grads.items())


@pytest.mark.parametrize("case", CASES)
def test_a_network_without_parameters_takes_no_steps(case: str) -> None:
    params: dict[str, Tensor] = {}

    step_in_place(params, slots(spec_of(case), params), {}, spec_of(case), 0.1, 0)

    assert params == {}
