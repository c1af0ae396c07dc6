"""Gradients of where a student ends, in what it was taught and in the rate of its steps.

A student takes plain steps theta_{i+1} = theta_i - rate * g_i, where g_i is the gradient in theta
of the loss of lesson i at theta_i. Three forms of the gradient of a distance D(theta_N), by what
they keep and what they leave out:

`unrolled`: autograd through all steps, as MTT does; keeps the graphs of N steps.
`recomputed`: the same gradient by the adjoint recursion. Only the N points theta_i are kept; going
backwards, with a_N = dD/dtheta_N, each step's graph is built again for products with the Hessian,
a_i = a_{i+1} - rate * (d^2 l_i / dtheta^2) a_{i+1}. Holds one step's activations at a time.
`tesla`: what the code of TESLA (Cui et al., ICML 2023) computes: the points theta_i are constants,
so a_i = a_N for every step, and the gradient in the material is half of what follows from that (a
factor of 2 is lost there); the gradient in the rate is not halved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import torch
from torch import Tensor

from ddspec_runners.nets.base import Params

Material: TypeAlias = tuple[Tensor, ...]
"""What is learned and taught: images, and labels where they are learned."""
Distance: TypeAlias = Callable[[Params], Tensor]
"""How far a student ended from where it should, a scalar."""

HALF = 0.5
"""What TESLA's code leaves of the gradient in the material."""


class Student(Protocol):
    """The lessons of one student."""

    @property
    def steps(self) -> int:
        """How many there are, N."""
        ...

    def loss(self, params: Params, material: Material, step: int) -> Tensor:
        """Return the loss of a lesson (from 0), a scalar, differentiable twice in both.

        Called again with the same arguments it returns the same bits.
        """
        ...


@dataclass(frozen=True, slots=True)
class Pull:
    """The distance at the end, and its gradients; all detached."""

    distance: Tensor
    material: Material
    rate: Tensor


Through: TypeAlias = Callable[[Student, Params, Material, Tensor, Distance], Pull]


def unrolled(
    student: Student, start: Params, material: Material, rate: Tensor, distance: Distance
) -> Pull:
    """Return the exact gradient, by one backward pass through all steps.

    `start` are the parameters before the first step, `rate` is a scalar of any precision.
    """
    leaves, factor = _leaves(material), rate.detach().requires_grad_()
    params = _watched(start)
    for step in range(student.steps):
        slopes = _slopes(student, params, leaves, step, graph=True)
        params = _moved(params, slopes, factor)
    end = distance(params)
    *pulls, rate_pull = _gradients(end, (*leaves, factor))
    return Pull(end.detach(), tuple(pulls), rate_pull)


def recomputed(
    student: Student, start: Params, material: Material, rate: Tensor, distance: Distance
) -> Pull:
    """Return the exact gradient with one step's activations and N points in memory at most."""
    return _backwards(student, start, material, rate, distance, through=True, share=1.0)


def tesla(
    student: Student, start: Params, material: Material, rate: Tensor, distance: Distance
) -> Pull:
    """Return the gradient as TESLA's code has it; labels, not learned there, are as images are."""
    return _backwards(student, start, material, rate, distance, through=False, share=HALF)


GRADIENTS: Mapping[Literal["unrolled", "recomputed", "tesla"], Through] = {
    "unrolled": unrolled,
    "recomputed": recomputed,
    "tesla": tesla,
}


def _backwards(
    student: Student,
    start: Params,
    material: Material,
    rate: Tensor,
    distance: Distance,
    *,
    through: bool,
    share: float,
) -> Pull:
    """Go through the steps once forwards and once backwards, each with a graph of its own.

    `through` lets a step's gradient depend on the steps before it; `share` is what is taken of the
    gradient in the material.
    """
    points, factor = _walk(student, start, material, rate.detach())
    end = _watched(points.pop())
    value = distance(end)
    adjoint = _gradients(value, list(end.values()))
    pulls = [torch.zeros_like(part) for part in material]
    rate_pull = torch.zeros_like(factor)
    for step in reversed(range(student.steps)):
        params, leaves = _watched(points.pop()), _leaves(material)
        slopes = _slopes(student, params, leaves, step, graph=True)
        along = _inner(slopes, adjoint)
        rate_pull = rate_pull - along.detach()
        passed = list(params.values()) if through and step else []
        found = _gradients(along, (*leaves, *passed))
        pulls = [pull - factor * part * share for pull, part in zip(pulls, found, strict=False)]
        if passed:
            curved = found[len(leaves) :]
            adjoint = tuple(a - factor * h for a, h in zip(adjoint, curved, strict=True))
    return Pull(value.detach(), tuple(pulls), rate_pull)


def _walk(
    student: Student, start: Params, material: Material, rate: Tensor
) -> tuple[list[Params], Tensor]:
    """Return the points of all steps, the start and the end among them."""
    points: list[Params] = [start]
    constants = tuple(part.detach() for part in material)
    for step in range(student.steps):
        params = _watched(points[-1])
        slopes = _slopes(student, params, constants, step, graph=False)
        with torch.no_grad():
            points.append(_moved(params, slopes, rate))
    return points, rate


def _slopes(
    student: Student, params: Params, material: Material, step: int, *, graph: bool
) -> tuple[Tensor, ...]:
    loss = student.loss(params, material, step)
    return torch.autograd.grad(loss, list(params.values()), create_graph=graph)


def _moved(params: Params, slopes: Sequence[Tensor], rate: Tensor) -> dict[str, Tensor]:
    return {
        name: value - rate * slope
        for (name, value), slope in zip(params.items(), slopes, strict=True)
    }


def _inner(one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
    return torch.stack([(a * b).sum() for a, b in zip(one, other, strict=True)]).sum()


def _gradients(value: Tensor, of: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return gradients; zeros where a value does not depend on a tensor at all."""
    return torch.autograd.grad(value, of, materialize_grads=True)


def _watched(params: Params) -> dict[str, Tensor]:
    return {name: value.detach().requires_grad_() for name, value in params.items()}


def _leaves(material: Material) -> Material:
    return tuple(part.detach().requires_grad_() for part in material)
