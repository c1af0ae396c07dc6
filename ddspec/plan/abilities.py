"""What the runners of this version can do, and which stages of a plan need more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ddspec.errors import DdspecError, Diagnostic, Exit
from ddspec.plan.ir import Stage
from ddspec.plan.labels import folded
from ddspec.wire.parts import Part, parts_of

ABLE: Mapping[str, frozenset[str]] = {
    "task": frozenset(
        {
            "prepare",
            "pretrain",
            "checkpoint",
            "prune",
            "distill",
            "import",
            "select",
            "merge",
            "round",
            "relabel",
            "evaluate",
        }
    ),
    "dataset": frozenset(
        {
            "digits",
            "mnist",
            "fashion_mnist",
            "cifar10",
            "cifar100",
            "folder",
            "svhn",
            "tiny_imagenet",
            "imagenet10",
            "imagenet100",
            "imagenet1k",
            "imagenette",
            "imagewoof",
            "imagefruit",
            "imagemeow",
            "imagesquawk",
            "imageyellow",
        }
    ),
    "network": frozenset(
        {
            "convnet",
            "resnet_ap",
            "torchvision resnet18",
            "torchvision resnet50",
            "torchvision resnet101",
            "torchvision densenet121",
            "torchvision mobilenet_v2",
            "torchvision shufflenet_v2_x1_0",
            "torchvision efficientnet_b0",
            "classic mlp",
            "classic lenet",
            "classic alexnet",
            "classic vgg11",
            "classic resnet18",
            "classic resnet18_ap",
            "classic resnet10",
            "classic densenet121",
            "classic densenet_cifar",
        }
    ),
    "augmentation": frozenset({"none", "dsa", "idc", "imagenet", "dc", "pad_crop"}),
    "optimizer": frozenset({"sgd", "adam", "adamw", "sharpness"}),
    "schedule": frozenset({"steps", "cosine"}),
    "pool": frozenset({"recorded", "fresh", "online", "snapshots", "events"}),
    "inner": frozenset({"frozen", "on_real", "warmup", "on_synthetic", "unrolled"}),
    "matcher": frozenset({"gradient", "distribution", "statistics", "trajectory"}),
    "trajectory gradient": frozenset({"unrolled", "recomputed", "tesla"}),
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
"""By piece, the kinds that runners have; a test compares it with their own tables."""

SHOWN = 3
"""Ranges of stages that a message names."""


@dataclass(frozen=True, slots=True)
class MissingPart:
    """Something that stages ask for and the runners of this version do not have."""

    part: str
    """As a sentence names it: "matcher `trajectory`"."""
    why: str
    """What runners have instead."""
    labels: tuple[str, ...]
    """Stages that need it, in the plan's order."""

    @property
    def needed_by(self) -> str:
        """The stages in few words: "pool/0..99, distill"."""
        ranges = folded(self.labels)
        more = f" and {len(ranges) - SHOWN} more" if len(ranges) > SHOWN else ""
        return ", ".join(ranges[:SHOWN]) + more


def missing_parts(stages: Iterable[Stage]) -> tuple[MissingPart, ...]:
    """Return what stages ask of runners that they cannot do, in the order of the stages.

    Of a matcher and what only that matcher has, the matcher alone is named.
    """
    needed: dict[Part, dict[str, None]] = {}
    for stage in stages:
        for piece, kind in parts_of(stage.work):
            if kind not in ABLE[piece]:
                needed.setdefault((piece, kind), {})[stage.label] = None
    return tuple(
        MissingPart(f"{piece} `{kind}`", _instead(piece), tuple(labels))
        for (piece, kind), labels in needed.items()
        if piece not in ("trajectory gradient", "features") or not _said(needed)
    )


def require_parts(stages: Iterable[Stage]) -> None:
    """Raise `DdspecError` (unable) where stages ask for what no runner of this version can do."""
    missing = missing_parts(stages)
    if missing:
        raise DdspecError(told(missing), exit=Exit.UNABLE)


def told(missing: Sequence[MissingPart]) -> list[Diagnostic]:
    """Return one problem for each missing part."""
    return [
        Diagnostic(
            f"no runner of this version has {one.part}, which {one.needed_by} "
            f"{'needs' if len(one.labels) == 1 else 'need'}",
            hint=one.why,
        )
        for one in missing
    ]


def _said(needed: Iterable[Part]) -> bool:
    return any(piece == "matcher" for piece, _ in needed)


def _instead(piece: str) -> str:
    known = sorted(ABLE[piece])
    if not known:
        return "the plan can be reviewed, and run by a version that has it"
    return "there is " + ", ".join(f"`{kind}`" for kind in known)
