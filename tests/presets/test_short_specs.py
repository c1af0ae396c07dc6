"""Specs that were written out before there were presets mean what they did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from ddspec.plan.compile import compile_spec
from ddspec.plan.ir import Plan
from ddspec.spec.facts import FACTS
from ddspec.spec.load import Loaded, load_spec, load_text
from ddspec.spec.lock import Lock, LockedClass, digest_of_splits

SPECS = Path(__file__).parents[2] / "specs"

Short: TypeAlias = "Callable[..., Loaded]"
"""From a preset, a dataset, a budget and possibly a variant to the spec that they are."""


def keys(plan: Plan) -> dict[str, str | None]:
    return {stage.label: stage.key for stage in plan.stages}


def made_up_lock() -> Lock:
    """Return a lock of no real images, with IDC's classes."""
    names = FACTS["imagenet100"].class_names
    splits: dict[Any, dict[str, LockedClass]] = {
        split: {name: LockedClass(images=images, digest="0" * 64) for name in names}
        for split, images in (("train", 1266), ("test", 50))
    }
    return Lock(kind="imagenet100", splits=splits, digest=digest_of_splits(splits))


IMAGENET100 = """
name: written
seed: 0
dataset: {kind: imagenet100, path: imagenet, size: 224, validation: 0.02}
budget: {images_per_class: 10}
network: {kind: resnet_ap, depth: 10}
pool:
  kind: recorded
  models: 10
  epochs: 10
  batch: 128
  optimizer: {learning_rate: 0.1, momentum: 0.9, weight_decay: 1e-4}
  vary:
    learning_rate: [0.05, 0.1, 0.15]
    augmentation: [{kind: idc, operations: [color, crop]}, {kind: none}]
perturbation:
  kind: filter_gaussian
  directions: 2
  coefficient: {law: uniform_signed, low: 0.01, high: 0.09}
inner:
  kind: on_real
  steps: 4
  batch: 128
  optimizer: {learning_rate: 0.1, momentum: 0.9, weight_decay: 1e-4}
matcher: {kind: gradient, distance: l1, parameters: kernels, real_batch: 64, max_views: 128}
augmentation:
  matching: {kind: idc, operations: [color, crop, cutout]}
  training: {kind: idc, operations: [color, crop]}
  cutmix: 1.0
parameterization: {kind: multi_formation, factor: 3}
init: {kind: mix, draw: random}
update: {learning_rate: 1e-3, scaling: idc, momentum: 0.5, clock: shared, clamp: outer_loop}
loops: {outer_loops: 100, inner_steps: 100}
evaluate:
  protocol: idc-imagenet100
  networks:
    - {kind: resnet_ap, depth: 10}
    - {kind: torchvision, model: resnet18}
    - {kind: torchvision, model: efficientnet_b0}
  repeats: 3
  baselines: {random: 3}
resources: {shards: 5}
"""


def test_the_short_spec_of_imagenet100_means_what_it_did_when_it_was_written_out() -> None:
    lock = made_up_lock()
    short = load_spec(SPECS / "imagenet100.yaml", lock=lock)
    written = load_text(IMAGENET100, "written.yaml", lock=lock)

    assert short.presets.keys() == {"acc_dd"}
    assert keys(compile_spec(short, lock)) == keys(compile_spec(written, lock))
    assert None not in keys(compile_spec(short, lock)).values()


def test_the_preset_is_the_written_out_spec_of_cifar10(loaded: Short) -> None:
    written = compile_spec(load_spec(SPECS / "cifar10.yaml"))
    short = compile_spec(loaded("acc_dd", "cifar10", 10))

    assert keys(short) == keys(written)
    assert None not in keys(short).values()
