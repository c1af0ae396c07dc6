"""Costs of methods that runners do not have yet, against loops written here on their networks.

The loops are plain: what the paper says, image by image of a step, with torch's own gradients.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from counters import Counter, counted
from torch import Tensor

from ddspec.plan.compile import compile_spec
from ddspec.plan.cost_networks import NetworkCost, network_cost
from ddspec.plan.estimate import inner_step_flops, stage_costs
from ddspec.plan.ir import Plan
from ddspec.spec.load import load_text
from ddspec_runners.nets.base import Network, Params
from ddspec_runners.nets.make import make_network
from ddspec_runners.rng import generator

STEPS, IMAGES_PER_CLASS, CLASSES, SIZE = 4, 3, 10, 32
RATE = 0.01

HEAD = f"""
name: small
dataset: {{kind: cifar10}}
budget: {{images_per_class: {IMAGES_PER_CLASS}}}
"""
TRAJECTORY = f"""
preset: mtt
network: {{width: 32}}
inner: {{steps: {STEPS}, batch: null}}
"""
DISTRIBUTION = "preset: dm\nnetwork: {width: 32}\nmatcher: {real_batch: 5}\n"


def planned(text: str) -> Plan:
    return compile_spec(load_text(HEAD + text, "small.yaml"))


def network_of(plan: Plan) -> Network:
    network = plan.distillation()[0].network
    return make_network(network, channels=3, size=SIZE, classes=CLASSES)


def cost_of(plan: Plan) -> NetworkCost:
    network = plan.distillation()[0].network
    return network_cost(network, channels=3, size=SIZE, classes=CLASSES)


def images(count: int) -> Tensor:
    return torch.randn(count, 3, SIZE, SIZE, generator=generator("images"))


def step_of(network: Network, params: Params, x: Tensor, *, create_graph: bool) -> list[Tensor]:
    labels = torch.zeros(len(x), dtype=torch.long)
    loss = F.cross_entropy(network.apply(params, x), labels)
    return list(torch.autograd.grad(loss, list(params.values()), create_graph=create_graph))


def leaves(params: Params) -> dict[str, Tensor]:
    return {name: p.detach().requires_grad_() for name, p in params.items()}


def unrolled(network: Network, start: Params, x: Tensor) -> tuple[Tensor, ...]:
    """Cazenavette et al., CVPR 2022, algorithm 1: plain steps, then the gradient through all."""
    learned, rate = x.detach().requires_grad_(), torch.tensor(RATE, requires_grad=True)
    params = leaves(start)
    for _ in range(STEPS):
        grads = step_of(network, params, learned, create_graph=True)
        moved = zip(params.items(), grads, strict=True)
        params = {name: p - rate * grad for (name, p), grad in moved}
    distance = sum(((p - 1) ** 2).sum() for p in params.values())
    return torch.autograd.grad(torch.as_tensor(distance), [learned, rate])


def tesla(network: Network, start: Params, x: Tensor) -> Sequence[Tensor]:
    """Cui et al., ICML 2023, section 3.2: all steps first, then each once more for its images."""
    visited, params = [], dict(start)
    for _ in range(STEPS):
        visited.append(leaves(params))
        grads = step_of(network, visited[-1], x, create_graph=False)
        moved = zip(params.items(), grads, strict=True)
        params = {name: p.detach() - RATE * grad for (name, p), grad in moved}
    found = []
    for point in visited:
        learned = x.detach().requires_grad_()
        grads = step_of(network, point, learned, create_graph=True)
        found += torch.autograd.grad(torch.stack([g.sum() for g in grads]).sum(), learned)
    return found


LOOPS = {"unrolled": unrolled, "tesla": tesla}


def trajectory(gradient: str) -> tuple[Plan, Counter]:
    # not whitened: the loops hold no transform, which is counted apart
    space = "parameterization: {space: normalised, zca_eps: null}\n"
    plan = planned(TRAJECTORY + f"matcher: {{gradient: {gradient}}}\n" + space)
    network = network_of(plan)
    start, x = network.init(generator("network")), images(IMAGES_PER_CLASS * CLASSES)
    return plan, counted(lambda: LOOPS[gradient](network, start, x))


@pytest.mark.parametrize("gradient", LOOPS)
def test_operations_of_a_student_on_its_way(gradient: str) -> None:
    plan, counter = trajectory(gradient)
    synthetic = inner_step_flops(plan, plan.distillation()[0])[2]

    assert counter.flops == pytest.approx(synthetic, rel=0.02)


@pytest.mark.parametrize("gradient", LOOPS)
def test_memory_of_a_student_on_its_way_is_within_a_fifth(gradient: str) -> None:
    plan, counter = trajectory(gradient)
    cost = stage_costs(plan)["distill"]

    assert counter.peak == pytest.approx(cost.memory_bytes - cost.resident_bytes, rel=0.2)


def test_walking_again_costs_the_walk_and_holds_one_step() -> None:
    whole = stage_costs(planned(TRAJECTORY + "matcher: {gradient: unrolled}\n"))["distill"]
    again = stage_costs(planned(TRAJECTORY + "matcher: {gradient: recomputed}\n"))["distill"]
    one = stage_costs(planned(TRAJECTORY + "matcher: {gradient: tesla}\n"))["distill"]

    assert whole.flops is not None
    assert again.flops is not None
    assert again.flops > 1.3 * whole.flops
    assert again.memory_bytes == one.memory_bytes < whole.memory_bytes


def embedded(params: Params, x: Tensor) -> Tensor:
    """What enters the classifier of a ConvNet of three blocks."""
    for block in range(3):
        weight, bias = params[f"block{block}.conv.weight"], params[f"block{block}.conv.bias"]
        x = F.conv2d(x, weight, bias, padding=1)
        scale, shift = params[f"block{block}.norm.weight"], params[f"block{block}.norm.bias"]
        x = F.avg_pool2d(F.relu(F.group_norm(x, x.shape[1], scale, shift)), 2)
    return x.flatten(1)


def test_operations_of_matching_distributions() -> None:
    """Zhao and Bilen, WACV 2023, algorithm 1: mean features of each class, parameters fixed."""
    plan = planned(DISTRIBUTION)
    work = plan.distillation()[0]
    params = network_of(plan).init(generator("network"))

    def one_class() -> object:
        with torch.no_grad():
            real = embedded(params, images(5)).mean(0)
        learned = images(IMAGES_PER_CLASS).requires_grad_()
        loss = (embedded(params, learned).mean(0) - real).square().sum()
        return torch.autograd.grad(loss, learned)

    _, real, synthetic = inner_step_flops(plan, work)

    assert CLASSES * counted(one_class).flops == pytest.approx(real + synthetic, rel=0.02)


def test_operations_of_recovering_images_from_a_network() -> None:
    """Yin et al., NeurIPS 2023, section 3.2: a gradient in the images, parameters fixed."""
    plan, small = planned("preset: sre2l\n"), planned(DISTRIBUTION)
    network, learned = network_of(small), images(2).requires_grad_()
    params = network.init(generator("network"))
    counter = counted(
        lambda: torch.autograd.grad(network.apply(params, learned).logsumexp(1).sum(), learned)
    )

    assert counter.flops == pytest.approx(2 * cost_of(small).image_flops, rel=0.02)
    synthetic = inner_step_flops(plan, plan.distillation()[0])[2]
    assert synthetic == IMAGES_PER_CLASS * CLASSES * cost_of(plan).image_flops
