"""Gradients through a student's steps, against the papers written out with modules, in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from held_memory import most_kept
from pydantic import TypeAdapter
from torch import Tensor, nn

from ddspec.spec.network import NetworkSpec
from ddspec_runners.functional.unroll import GRADIENTS, Material, Pull
from ddspec_runners.nets.base import Network, Params
from ddspec_runners.nets.make import make_network

CHANNELS, SIZE, CLASSES, IMAGES = 2, 8, 3, 6
SMALL: dict[str, Any] = {"kind": "convnet", "depth": 2, "width": 4}
NETWORKS: dict[str, dict[str, Any]] = {
    "instance norm": SMALL,
    "batch norm": {**SMALL, "norm": "batch"},
    "no norm, swish, maximum": {**SMALL, "norm": "none", "activation": "swish", "pooling": "max"},
    "MLP": {"kind": "classic", "model": "mlp"},
}
LABELS = torch.arange(CLASSES).repeat_interleave(IMAGES // CLASSES)


def drawn(seed: int, *shape: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=rng, dtype=torch.float64)


@dataclass(frozen=True, slots=True)
class Whole:
    """A student that is taught slices of its material, without augmentation."""

    network: Network
    steps: int
    batch: int = IMAGES

    def loss(self, params: Params, material: Material, step: int) -> Tensor:
        rows = (torch.arange(self.batch) + step * self.batch) % IMAGES
        labels = material[1] if len(material) > 1 else LABELS.to(material[0].device)
        return F.cross_entropy(self.network.apply(params, material[0][rows]), labels[rows])


@dataclass(frozen=True, slots=True)
class Case:
    """A student, where it starts, where it should end, what it learns from and how fast."""

    student: Whole
    start: Params
    end: Params
    material: Material
    rate: Tensor

    def distance(self, params: Params) -> Tensor:
        return sum((params[name] - self.end[name]).square().sum() for name in params) / 0.3

    def pull(self, form: str, **changes: Any) -> Pull:
        given = {"start": self.start, "material": self.material, "rate": self.rate, **changes}
        return GRADIENTS[form](
            self.student, given["start"], given["material"], given["rate"], self.distance
        )


def case(
    network: str = "instance norm",
    *,
    steps: int = 4,
    batch: int = IMAGES,
    soft: bool = True,
    rate: float = 0.05,
) -> Case:
    spec = TypeAdapter(NetworkSpec).validate_python(NETWORKS[network])
    made = make_network(spec, channels=CHANNELS, size=SIZE, classes=CLASSES)
    start = {
        name: value.double() for name, value in made.init(torch.Generator().manual_seed(1)).items()
    }
    end = {
        name: value + 0.05 * drawn(seed, *value.shape)
        for seed, (name, value) in enumerate(start.items())
    }
    images = drawn(100, IMAGES, CHANNELS, SIZE, SIZE)
    labels = drawn(101, IMAGES, CLASSES).softmax(1)
    material = (images, labels) if soft else (images,)
    return Case(
        Whole(made, steps, batch), start, end, material, torch.tensor(rate, dtype=torch.float64)
    )


def near(found: Tensor, expected: Tensor, relative: float) -> None:
    assert expected.norm() > 0
    assert (found - expected).norm() <= relative * expected.norm()


# --- the oracle: MTT's Algorithm 1 and TESLA's second pass, on modules ----------------------------


class Net(nn.Module):
    """Two blocks of convolution, instance norm, ReLU and pooling; one linear layer."""

    def __init__(self, start: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            nn.Conv2d(CHANNELS, 4, 3, padding=1),
            nn.InstanceNorm2d(4, affine=True),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Conv2d(4, 4, 3, padding=1),
            nn.InstanceNorm2d(4, affine=True),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16, CLASSES),
        )
        self.double()
        with torch.no_grad():
            for own, stored in zip(self.parameters(), start.values(), strict=True):
                own.copy_(stored)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x)

    def at(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return logits with all parameters taken from one flat vector."""
        named, done = {}, 0
        for name, own in self.named_parameters():
            named[name] = theta[done : done + own.numel()].view_as(own)
            done += own.numel()
        return torch.func.functional_call(self, named, x)


def flat(params: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([value.reshape(-1) for value in params.values()])


def soft_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    shares = logits.exp() / logits.exp().sum(1, keepdim=True)
    return -(labels * shares.log()).sum(1).mean()


def plain_slopes(
    one: Case, theta: Tensor, images: Tensor, labels: Tensor, rate: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield theta_i, and the gradient there as a function of everything, for every step."""
    net = Net(one.start)
    for step in range(one.student.steps):
        rows = [(i + step * one.student.batch) % IMAGES for i in range(one.student.batch)]
        loss = soft_cross_entropy(net.at(theta, images[rows]), labels[rows])
        (slope,) = torch.autograd.grad(loss, theta, create_graph=True)
        yield theta, slope
        theta = theta - rate * slope


def plain_exact(one: Case) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return MTT's loss, and its gradient in images, labels and rate."""
    images, labels = (part.clone().requires_grad_() for part in one.material)
    rate = one.rate.clone().requires_grad_()
    *_, (last, slope) = plain_slopes(one, flat(one.start).requires_grad_(), images, labels, rate)
    gap = last - rate * slope - flat(one.end)
    loss = gap.dot(gap) / 0.3
    return loss.detach(), torch.autograd.grad(loss, (images, labels, rate))


def plain_tesla(one: Case) -> tuple[Tensor, ...]:
    """Return what TESLA's code hands to its optimisers: of images, of labels alike, of the rate."""
    rate, start, end = one.rate.item(), flat(one.start), flat(one.end)
    with torch.enable_grad():
        steps = list(plain_slopes(one, start.requires_grad_(), *one.material, one.rate))
    points = [theta.detach() for theta, _ in steps]
    total = sum(slope.detach() for _, slope in steps)
    start = start.detach()
    direction = (rate * (end - start) + rate**2 * total) / 0.3
    sums = [torch.zeros_like(part) for part in one.material]
    net = Net(one.start)
    for step, point in enumerate(points):
        images, labels = (part.clone().requires_grad_() for part in one.material)
        theta = point.clone().requires_grad_()
        rows = [(i + step * one.student.batch) % IMAGES for i in range(one.student.batch)]
        loss = soft_cross_entropy(net.at(theta, images[rows]), labels[rows])
        (slope,) = torch.autograd.grad(loss, theta, create_graph=True)
        for own, part in zip(
            sums, torch.autograd.grad(direction.dot(slope), (images, labels)), strict=True
        ):
            own += part
    beta = torch.tensor(rate, dtype=torch.float64, requires_grad=True)
    gap = start - beta * total - end
    (of_rate,) = torch.autograd.grad(gap.dot(gap) / 0.3, beta)
    return (*sums, of_rate)


# --- exactness ------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [IMAGES, 4, 1], ids=["whole set", "slices", "single images"])
@pytest.mark.parametrize("form", ["unrolled", "recomputed"])
def test_the_gradient_is_that_of_the_paper_written_out(form: str, batch: int) -> None:
    one = case(batch=batch)
    loss, expected = plain_exact(one)

    found = one.pull(form)

    # sums of some thousand products of numbers near 1, in another order: 1e-16 x 1e3
    near(found.distance, loss, 1e-12)
    for own, wanted in zip((*found.material, found.rate), expected, strict=True):
        near(own, wanted, 1e-10)


@pytest.mark.parametrize("soft", [True, False], ids=["labels too", "images alone"])
@pytest.mark.parametrize("network", NETWORKS)
def test_recomputing_gives_the_unrolled_gradient(network: str, soft: bool) -> None:
    one = case(network, soft=soft, batch=4, steps=6)
    unrolled = one.pull("unrolled")

    recomputed = one.pull("recomputed")

    # backward passes of layers have other roundings where they keep a graph
    near(recomputed.distance, unrolled.distance, 1e-13)
    # demanded are 1e-6; what differs is the order of sums alone
    near(recomputed.rate, unrolled.rate, 1e-11)
    for own, wanted in zip(recomputed.material, unrolled.material, strict=True):
        near(own, wanted, 1e-11)


@pytest.mark.parametrize("form", ["unrolled", "recomputed"])
def test_the_gradient_is_the_slope_of_the_distance(form: str) -> None:
    one = case("no norm, swish, maximum", steps=3)
    found, h = one.pull(form), 1e-6
    directions = [drawn(7, *part.shape) for part in one.material]

    for index, direction in enumerate(directions):
        ends = []
        for sign in (1, -1):
            moved = list(one.material)
            moved[index] = moved[index] + sign * h * direction
            ends.append(one.pull(form, material=tuple(moved)).distance.item())
        slope = (found.material[index] * direction).sum().item()
        # central differences: h^2 times a third derivative, and 1e-16 / h of rounding
        assert (ends[0] - ends[1]) / (2 * h) == pytest.approx(slope, rel=1e-6, abs=1e-8)
    ends = [one.pull(form, rate=one.rate + sign * h).distance.item() for sign in (1, -1)]
    assert (ends[0] - ends[1]) / (2 * h) == pytest.approx(found.rate.item(), rel=1e-6, abs=1e-8)


# --- TESLA ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [IMAGES, 4], ids=["whole set", "slices"])
def test_teslas_gradient_is_that_of_its_code(batch: int) -> None:
    one = case(batch=batch)

    found = one.pull("tesla")

    for own, wanted in zip((*found.material, found.rate), plain_tesla(one), strict=True):
        near(own, wanted, 1e-10)


def test_teslas_gradient_of_one_step_is_half_of_the_exact_one() -> None:
    one = case(steps=1)
    exact = one.pull("unrolled")

    found = one.pull("tesla")

    for own, wanted in zip(found.material, exact.material, strict=True):
        near(own, wanted / 2, 1e-12)
    near(found.rate, exact.rate, 1e-12)


def test_teslas_gradient_of_several_steps_is_another_one() -> None:
    one = case(steps=6, rate=0.2)
    exact = one.pull("unrolled")

    found = one.pull("tesla")

    near(found.distance, exact.distance, 1e-13)
    for own, wanted in zip(found.material, exact.material, strict=True):
        assert (2 * own - wanted).norm() > 0.02 * wanted.norm()
    assert (found.rate - exact.rate).abs() > 0.01 * exact.rate.abs()


# --- all forms ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", GRADIENTS)
def test_nothing_that_is_handed_over_changes_or_is_tied_to_a_graph(form: str) -> None:
    one = case()
    before = [part.clone() for part in (*one.material, *one.start.values(), one.rate)]

    found = one.pull(form)

    for part, kept in zip((*one.material, *one.start.values(), one.rate), before, strict=True):
        assert part.equal(kept)
        assert not part.requires_grad
    for part in (found.distance, *found.material, found.rate):
        assert not part.requires_grad


@pytest.mark.parametrize("form", GRADIENTS)
def test_the_same_student_gives_the_same_bits_again(form: str) -> None:
    first, again = case(batch=4).pull(form), case(batch=4).pull(form)

    assert all(a.equal(b) for a, b in zip(first.material, again.material, strict=True))
    assert first.rate.equal(again.rate)


@pytest.mark.parametrize("form", GRADIENTS)
def test_images_that_do_not_vary_have_a_finite_gradient(form: str) -> None:
    one = case()
    flat_images = torch.full_like(one.material[0], 0.25)

    found = one.pull(form, material=(flat_images, one.material[1]))

    assert all(part.isfinite().all() for part in (*found.material, found.rate))


@pytest.mark.parametrize("form", GRADIENTS)
def test_numbers_in_float32_stay_so_but_for_the_rate(form: str) -> None:
    one = case()
    start = {name: value.float() for name, value in one.start.items()}
    end = {name: value.float() for name, value in one.end.items()}
    narrow = Case(one.student, start, end, tuple(part.float() for part in one.material), one.rate)

    found, wide = narrow.pull(form), one.pull(form)

    assert {part.dtype for part in (found.distance, *found.material)} == {torch.float32}
    assert found.rate.dtype == torch.float64
    for own, wanted in zip(found.material, wide.material, strict=True):
        near(own.double(), wanted, 1e-3)  # 4 steps of float32 products, 6e-8 each, through norms


# --- memory ---------------------------------------------------------------------------------------


def kept(form: str, steps: int) -> int:
    one = case(steps=steps, rate=1e-3)
    run: Callable[[], Pull] = lambda: one.pull(form)  # noqa: E731
    return most_kept(run)


@pytest.mark.parametrize("form", ["recomputed", "tesla"])
def test_what_is_kept_for_backward_passes_does_not_grow_with_steps(form: str) -> None:
    most = [kept(form, steps) for steps in (5, 20, 50)]

    assert max(most) <= 1.1 * min(most)


def test_unrolling_keeps_the_graph_of_every_step() -> None:
    few, many = kept("unrolled", 5), kept("unrolled", 20)

    assert many > 3 * few
