"""What this runner can do, from its own tables, and the refusal of everything else."""

from __future__ import annotations

from collections.abc import Mapping

from ddspec.wire.parts import parts_of
from ddspec.wire.work import Work
from ddspec_runners.data.readers import READERS
from ddspec_runners.faults import BadJob
from ddspec_runners.functional.unroll import GRADIENTS
from ddspec_runners.matchers.table import MATCHERS
from ddspec_runners.nets.make import CLASSIC
from ddspec_runners.nets.torchvision import ARCHITECTURES
from ddspec_runners.tasks.table import TASKS

ABLE: Mapping[str, frozenset[str]] = {
    "task": frozenset(TASKS),
    "dataset": frozenset(READERS),
    "network": frozenset(
        {
            "convnet",
            "resnet_ap",
            *(f"torchvision {model}" for model in ARCHITECTURES),
            *(f"classic {model}" for model in CLASSIC),
        }
    ),
    "augmentation": frozenset({"none", "dsa", "idc", "imagenet", "dc", "pad_crop"}),
    "optimizer": frozenset({"sgd", "adam", "adamw", "sharpness"}),
    "schedule": frozenset({"steps", "cosine"}),
    "pool": frozenset({"recorded", "fresh", "online", "snapshots", "events"}),
    "inner": frozenset({"frozen", "on_real", "warmup", "on_synthetic", "unrolled"}),
    "matcher": frozenset({*MATCHERS, "statistics", "trajectory"}),
    "trajectory gradient": frozenset(GRADIENTS),
    "features": frozenset({"embedding", "pixels"}),
    "parameterization": frozenset({"pixels", "multi_formation"}),
    "space": frozenset({"pixel", "normalised", "zca"}),
    "layout": frozenset({"dc", "mtt", "idc"}),
    "selection": frozenset({"random", "init", "herding", "k_center", "forgetting"}),
    "update": frozenset({"sgd", "adam", "schedule", "averaging"}),
    "clock": frozenset({"shared", "per_class", "joint"}),
    "clamp": frozenset({"none", "outer_loop", "every_step"}),
    "labels": frozenset({"hard", "soft", "learned", "expert"}),
    "protocol": frozenset({"mixup", "accumulate", "zca", "teaching", "learned_rate"}),
}
"""By piece of a work, the kinds of it that there are here."""


def require_parts(work: Work) -> None:
    """Raise BadJob where a work asks for something that this runner does not have."""
    for piece, kind in parts_of(work):
        if kind not in ABLE[piece]:
            raise BadJob(f"this version of the runners has no {piece} `{kind}`")
