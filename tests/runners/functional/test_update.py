"""Clocks, Adam and rates that decay against torch's optimisers and schedulers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from ddspec.spec.method import AdamUpdateSpec, UpdateSpec
from ddspec_runners.functional.update import Motion, Rule

CLASSES, STEPS, RATE, MOMENTUM = 4, 3, 0.3, 0.5


def start() -> Tensor:
    return torch.randn(
        CLASSES, 2, 1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )


def sgd(clock: str) -> Rule:
    spec = {"learning_rate": RATE, "momentum": MOMENTUM, "clock": clock}
    return Rule.of(UpdateSpec.model_validate(spec))


def slope(images: Tensor) -> Tensor:
    """Return the gradient of a loss that is different at every point, so that order matters."""
    return images.sin() + 0.1 * images.mean()


def by_the_rule(rule: Rule) -> Tensor:
    motions = [Motion(own, rule.rest(own)) for own in start()]
    for _ in range(STEPS):
        for position in range(CLASSES):
            before, after = rule.ghosts(position, CLASSES)
            motion = rule.coast(motions[position], before)
            motion = rule.step(motion, slope(motion.images))
            motions[position] = rule.coast(motion, after)
    return torch.stack([motion.images for motion in motions])


def test_the_shared_clock_is_one_optimiser_stepped_after_every_class() -> None:
    images = start().requires_grad_()
    optimizer = torch.optim.SGD([images], RATE, momentum=MOMENTUM)
    for _ in range(STEPS):
        for position in range(CLASSES):
            images.grad = torch.zeros_like(images)
            images.grad[position] = slope(images.detach()[position])
            optimizer.step()

    # SGD may fuse its product and sum: one rounding apart, 48 steps of values below 4.
    assert torch.allclose(by_the_rule(sgd("shared")), images, rtol=0, atol=1e-13)


def test_the_per_class_clock_is_one_optimiser_a_class() -> None:
    images = [own.clone().requires_grad_() for own in start()]
    for own in images:
        optimizer = torch.optim.SGD([own], RATE, momentum=MOMENTUM)
        for _ in range(STEPS):
            own.grad = slope(own.detach())
            optimizer.step()

    moved = by_the_rule(sgd("per_class"))
    assert torch.allclose(moved, torch.stack(images), rtol=0, atol=1e-13)


@pytest.mark.parametrize("position", range(CLASSES))
def test_every_class_takes_part_in_every_step_of_the_shared_clock(position: int) -> None:
    before, after = sgd("shared").ghosts(position, CLASSES)

    assert (before, before + 1 + after) == (position, CLASSES)


def test_a_step_gives_the_same_bits_on_any_slice_of_the_tensor() -> None:
    rule = sgd("shared")
    images = torch.randn(1001, generator=torch.Generator().manual_seed(2))
    whole = rule.coast(rule.step(Motion(images, {"velocity": images.flip(0)}), images.cos()), 3)
    gradient = images.cos()[3:38]
    own = Motion(images[3:38], {"velocity": images.flip(0)[3:38]})
    part = rule.coast(rule.step(own, gradient), 3)

    assert torch.equal(part.images, whole.images[3:38])
    assert torch.equal(part.memory["velocity"], whole.memory["velocity"][3:38])


def test_a_step_leaves_what_it_was_given() -> None:
    motion = Motion(torch.ones(2), {"velocity": torch.ones(2)})
    Rule.of(UpdateSpec(learning_rate=0.1)).step(motion, torch.ones(2))

    assert motion.images.tolist() == motion.memory["velocity"].tolist() == [1, 1]


def adam(**changes: Any) -> Rule:
    spec = {"kind": "adam", "learning_rate": RATE, "betas": (0.5, 0.9), **changes}
    return Rule.of(AdamUpdateSpec.model_validate(spec), steps=LONG, of_loop=OF_LOOP)


LONG, OF_LOOP = 40, 4


def walked(rule: Rule, images: Tensor, steps: int) -> Tensor:
    motion = Motion(images, rule.rest(images))
    for number in range(steps):
        motion = rule.step(motion, slope(motion.images), number)
    return motion.images


def test_adam_is_that_of_torch() -> None:
    images = start().requires_grad_()
    optimizer = torch.optim.Adam([images], RATE, betas=(0.5, 0.9))
    for _ in range(LONG):
        images.grad = slope(images.detach())
        optimizer.step()

    # 40 steps of at most 0.3 in float64, each a few roundings of values below 10
    assert torch.allclose(walked(adam(), start(), LONG), images, rtol=0, atol=1e-12)


def test_adam_gives_the_same_bits_on_any_slice_of_the_tensor() -> None:
    rule, images = adam(), torch.randn(1001, generator=torch.Generator().manual_seed(2))
    whole, part = images, images[3:38]
    memories = [rule.rest(whole), rule.rest(part)]
    for number in range(3):
        moved = rule.step(Motion(whole, memories[0]), images.cos(), number)
        own = rule.step(Motion(part, memories[1]), images.cos()[3:38], number)
        whole, part = moved.images, own.images
        memories = [{**moved.memory}, {**own.memory}]

    assert torch.equal(part, whole[3:38])
    for slot in ("first", "second"):
        assert torch.equal(memories[1][slot], memories[0][slot][3:38])


def by_cosine(number: int) -> float:
    return RATE * (1 + math.cos(math.pi * number / LONG)) / 2


def by_loops(number: int) -> float:
    return RATE * (1 + math.cos(math.pi * (number // OF_LOOP) / (LONG // OF_LOOP))) / 2


def by_steps(number: int) -> float:
    """Fractions are those of outer loops: half of 10 of them are 5, so 20 of 40 steps."""
    return RATE if number < 20 else RATE / 10


def warmed(number: int) -> float:
    """Two outer loops of 4 steps each lead to the rate, and 32 steps are left of the cosine."""
    if number < 8:
        return RATE * number / 8
    return RATE * (1 + math.cos(math.pi * (number - 8) / 32)) / 2


DECAYS: dict[str, tuple[dict[str, Any], Callable[[int], float]]] = {
    "cosine by step": ({"kind": "cosine"}, by_cosine),
    "cosine by outer loop": ({"kind": "cosine", "every": "epoch"}, by_loops),
    "steps": ({"kind": "steps", "factor": 0.1, "at": (0.5,)}, by_steps),
    "warm-up": ({"kind": "cosine", "warmup": {"epochs": 2}}, warmed),
}


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("decay", DECAYS)
def test_a_rate_that_decays_is_that_of_a_scheduler_of_torch(optimizer: str, decay: str) -> None:
    settings, law = DECAYS[decay]
    images = start().requires_grad_()
    if optimizer == "sgd":
        spec: Any = UpdateSpec.model_validate(
            {"learning_rate": RATE, "momentum": MOMENTUM, "clock": "joint", "decay": settings}
        )
        theirs: Any = torch.optim.SGD([images], RATE, momentum=MOMENTUM)
    else:
        spec = AdamUpdateSpec.model_validate(
            {"kind": "adam", "learning_rate": RATE, "decay": settings}
        )
        theirs = torch.optim.Adam([images], RATE)
    course = torch.optim.lr_scheduler.LambdaLR(theirs, lambda number: law(number) / RATE)
    for _ in range(LONG):
        images.grad = slope(images.detach())
        theirs.step()
        course.step()

    moved = walked(Rule.of(spec, steps=LONG, of_loop=OF_LOOP), start(), LONG)
    # 40 steps in float64 of values below 10
    assert torch.allclose(moved, images, rtol=0, atol=1e-12)


def test_steps_without_a_gradient_are_at_the_rate_of_their_own_step() -> None:
    decay = {"kind": "steps", "factor": 0.1, "at": (0.5,)}
    spec = {"learning_rate": RATE, "momentum": MOMENTUM, "decay": decay}
    rule = Rule.of(UpdateSpec.model_validate(spec), steps=4, of_loop=1)
    motion = Motion(torch.zeros(1), {"velocity": torch.ones(1)})

    early, late = rule.coast(motion, 1, 1).images, rule.coast(motion, 1, 2).images

    assert early.item() == pytest.approx(-RATE * MOMENTUM)
    assert late.item() == pytest.approx(-RATE * MOMENTUM / 10)


def test_adam_cannot_coast() -> None:
    images = torch.ones(2)

    with pytest.raises(ValueError, match="no shared clock"):
        adam().coast(Motion(images, adam().rest(images)), 1)


def test_every_step_ends_within_the_limit() -> None:
    spec = AdamUpdateSpec(kind="adam", learning_rate=5.0, clamp="every_step")
    rule = Rule.of(spec, limit=lambda images: images.clamp(0, 1))
    images = torch.full((3,), 0.5)

    moved = rule.step(Motion(images, rule.rest(images)), torch.tensor([1.0, -1.0, 0.0])).images

    assert moved.tolist() == [0.0, 1.0, 0.5]
