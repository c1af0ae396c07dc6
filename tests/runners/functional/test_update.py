"""The clock against torch.optim.SGD over the whole tensor, stepped once per class."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ddspec.spec.method import UpdateSpec
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
