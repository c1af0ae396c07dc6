"""What distribution matching takes: shared passes on accelerators, no networks for pixels."""

from __future__ import annotations

from typing import Any

import pytest
from fake_families import planned

from ddspec.plan.cost_networks import network_cost
from ddspec.plan.cost_stages import Cost
from ddspec.plan.estimate import stage_cost
from ddspec.spec.matcher import ONE_PASS_PIXELS, classes_together

IMAGES = 50_000 * 3 * 32 * 32
"""Bytes of CIFAR-10 on a device."""


def cost(**changes: Any) -> Cost:
    plan = planned("dm", **changes)
    return stage_cost(plan, plan.stage("distill").work)


@pytest.mark.parametrize(
    ("images", "size", "classes"),
    [(256, 32, 4), (64, 32, 16), (1250, 32, 1), (256, 64, 1), (1, 1024, 1), (256, 224, 1)],
)
def test_a_pass_holds_as_many_classes_as_fit(images: int, size: int, classes: int) -> None:
    assert classes_together(images, size) == classes
    assert classes == 1 or classes * images * size**2 <= ONE_PASS_PIXELS


def test_an_accelerator_holds_the_maps_of_several_classes() -> None:
    plan = planned("dm")
    work = plan.stage("distill").work
    net = network_cost(work.network, channels=3, size=32, classes=10)
    found = stage_cost(plan, work)

    # four classes of 256 real images share a pass, and a CPU has one of them
    assert found.resident_bytes == IMAGES + 3 * 256 * net.forward * 4


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"network": {"norm": "batch"}}, id="all classes at once everywhere"),
        pytest.param({"matcher": {"features": "pixels"}}, id="pixels"),
        pytest.param({"matcher": {"real_batch": 2000}}, id="one class fills a pass"),
    ],
)
def test_nothing_more_is_held_where_no_classes_join(changes: dict[str, Any]) -> None:
    assert cost(**changes).resident_bytes == IMAGES


def test_pixels_take_no_operations_and_no_network() -> None:
    found, learned = cost(matcher={"features": "pixels"}), cost()

    assert found.flops == 0
    assert found.memory_bytes - found.resident_bytes < 40e6 < learned.memory_bytes
