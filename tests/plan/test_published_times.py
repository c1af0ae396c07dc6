"""Published hours of distillation lie inside of what is forecast for the device they were taken on.

Zhang et al., "Accelerating Dataset Distillation via Model Augmentation", CVPR 2023, table 1 and
section 4.2: hours on one RTX 2080 (CIFAR) or one RTX A6000 (ImageNet), for their method and others.
The forecast was fitted to these. It was not to those of SRe2L (Yin et al., NeurIPS 2023: recovery
on one RTX 4090), which is another network, loss and device.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ddspec.plan.compile import compile_spec
from ddspec.plan.devices import device
from ddspec.plan.forecast import forecast
from ddspec.plan.ir import Plan
from ddspec.spec.facts import FACTS
from ddspec.spec.load import load_text
from ddspec.spec.lock import Lock, LockedClass, digest_of_splits
from ddspec.wire.work import DistillWork


@dataclass(frozen=True, slots=True)
class Row:
    """One method on one dataset: published hours by images a class."""

    method: str
    dataset: str
    gpu: str
    hours: dict[int, float]


ROWS = (
    Row("dsa", "cifar10", "rtx2080", {1: 0.09, 10: 1.94, 50: 11.1}),
    Row("dsa", "cifar100", "rtx2080", {1: 0.83, 10: 17.5}),
    Row("dm", "cifar10", "rtx2080", {1: 0.25, 10: 0.26, 50: 0.31}),
    Row("dm", "cifar100", "rtx2080", {1: 1.67, 10: 2.64, 50: 2.78}),
    Row("mtt", "cifar10", "rtx2080", {50: 7.39}),
    Row("idc", "cifar10", "rtx2080", {1: 21.7, 10: 22.2, 50: 29.4}),
    Row("idc", "cifar100", "rtx2080", {1: 125, 10: 127}),
    Row("idc", "imagenet10", "a6000", {10: 70.1, 20: 92.8}),
    Row("acc_dd", "cifar10", "rtx2080", {1: 4.44, 10: 4.45, 50: 6.11}),
    Row("acc_dd", "cifar100", "rtx2080", {1: 25.1, 10: 25.6, 50: 42.0}),
    Row("acc_dd", "imagenet10", "a6000", {10: 15.52, 20: 20.05}),
    Row("sre2l", "tiny_imagenet", "rtx4090", {50: 4.5}),
    Row("sre2l", "imagenet1k", "rtx4090", {50: 29}),
)
CASES = [
    pytest.param(row, images, id=f"{row.method} {row.dataset} {images}")
    for row in ROWS
    for images in row.hours
]


FOLDERS = {"imagenet10": 224, "imagenet1k": 224, "tiny_imagenet": None}
"""Datasets that only a lock can count, and the side that a spec gives them."""


def imagenet_lock(kind: str) -> Lock:
    """The lock of no real images: 1,300 of each class to train on, 50 to test."""
    names = FACTS[kind].class_names
    splits = {
        split: {
            name: LockedClass(images=count, digest=f"{index:064x}")
            for index, name in enumerate(names)
        }
        for split, count in (("train", 1300), ("test", 50))
    }
    return Lock.model_validate({"kind": kind, "splits": splits, "digest": digest_of_splits(splits)})


def planned(method: str, dataset: str, images: int, more: str = "") -> Plan:
    side = FOLDERS.get(dataset)
    kind = f"{{kind: {dataset}, size: {side}}}" if side else f"{{kind: {dataset}}}"
    text = (
        f"name: x\npreset: {method}\ndataset: {kind}\nbudget: {{images_per_class: {images}}}\n"
        f"{more}"
    )
    lock = imagenet_lock(dataset) if dataset in FOLDERS else None
    return compile_spec(load_text(text, "x.yaml", lock=lock), lock)


def hours(plan: Plan, gpu: str) -> tuple[float, float]:
    labels = [stage.label for stage in plan if isinstance(stage.work, DistillWork)]
    total = forecast(plan, device(gpu)).total(labels)
    assert total is not None
    return total.low_s / 3600, total.high_s / 3600


@pytest.mark.parametrize(("row", "images"), CASES)
def test_published_hours_are_inside_the_forecast(row: Row, images: int) -> None:
    low, high = hours(planned(row.method, row.dataset, images), row.gpu)

    assert low <= row.hours[images] <= high


def test_dsa_with_50_images_of_cifar100_is_inside_for_the_loops_that_were_timed() -> None:
    """221 hours are those of 50 x 10 steps; the preset has the 10 x 10 of DM's appendix."""
    preset = hours(planned("dsa", "cifar100", 50), "rtx2080")
    timed = hours(planned("dsa", "cifar100", 50, "loops: {inner_steps: 50}\n"), "rtx2080")

    assert preset[1] < 221
    assert timed[0] <= 221 <= timed[1]


@pytest.mark.parametrize(("images", "published"), [(1, 6.35), (10, 6.69)])
def test_mtt_with_few_images_was_slower_than_its_arithmetic(images: int, published: float) -> None:
    """These two stay outside, and are no reason to widen all others.

    6.35, 6.69 and 7.39 hours for 1, 10 and 50 images hardly depend on the images, of which there
    are 50 times more: it was not the steps that took the time. The official code reads experts from
    disk and evaluates every 100 loops; which of it the published times include is not said.
    """
    _, high = hours(planned("mtt", "cifar10", images), "rtx2080")

    assert high < published
