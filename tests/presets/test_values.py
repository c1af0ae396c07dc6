"""Values of presets, written here from papers and codes, not from the presets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from ddspec.spec.experiment import Experiment
from ddspec.spec.load import METHODS, Loaded
from ddspec.spec.presets import preset_names

Short: TypeAlias = "Callable[..., Loaded]"
"""From a preset, a dataset, a budget and possibly a variant to the spec that they are."""

NAMES = preset_names(METHODS)
IDC_SGD = {"learning_rate": 0.01, "momentum": 0.9, "weight_decay": 5e-4}
ALL_SIX = ["color", "crop", "cutout", "flip", "scale", "rotate"]


def value(experiment: Experiment, path: str) -> Any:
    """Return a setting by its path; raises where there is none of that name."""
    found: Any = experiment.model_dump(mode="json")
    for step in path.split("."):
        found = found[step]
    if isinstance(found, dict):
        return {key: inner for key, inner in found.items() if inner is not None}
    return found


IDC_ON_CIFAR = {
    "network": {"kind": "convnet", "depth": 3, "width": 128, "norm": "instance"},
    "matcher.distance": "squared",
    "matcher.parameters": "kernels",
    "matcher.real_batch": 64,
    "matcher.max_views": 128,
    "inner.kind": "on_real",
    "inner.steps": 32,  # 2,000 images in batches of 64
    "inner.batch": 64,
    "inner.optimizer": IDC_SGD,
    "augmentation.matching.operations": ["color", "crop", "cutout"],
    "augmentation.training.operations": ["color", "crop"],
    "augmentation.cutmix": 0.5,
    "parameterization.factor": 2,
    "init.kind": "mix",
    "update.scaling": "idc",
    "update.momentum": 0.5,
    "update.clock": "shared",
    "loops.inner_steps": 100,
    "evaluate.protocol": "idc",
}
ON_IMAGENET = {
    "network": {"kind": "resnet_ap", "depth": 10, "norm": "instance", "stem": "large"},
    "matcher.distance": "l1",
    "augmentation.cutmix": 1.0,
    "parameterization.factor": 3,
}
DC_ON_CIFAR = {
    "pool.kind": "fresh",
    "matcher.distance": "cosine",
    "matcher.parameters": "matrices",
    "matcher.real_batch": 256,
    "inner.kind": "on_synthetic",
    "inner.batch": 256,
    "inner.optimizer": {"learning_rate": 0.01, "momentum": 0.0, "weight_decay": 0.0},
    "parameterization.space": "normalised",
    "update.learning_rate": 0.1,
    "update.momentum": 0.5,
    "update.clock": "joint",
    "loops.outer_loops": 1000,
}
EXPERTS = {
    "pool.epochs": 50,
    "pool.record": "every_epoch",
    "pool.batch": 256,
    "pool.optimizer": {"learning_rate": 0.01, "momentum": 0.0, "weight_decay": 0.0},
    "augmentation.training.operations": ALL_SIX,
    "matcher.kind": "trajectory",
    "inner.kind": "unrolled",
    "init.kind": "real",
    "update.momentum": 0.5,
    "inner.learned.momentum": 0.5,
    "inner.learned.law": "linear",  # the codes step the rate itself
}


def trajectory(
    steps: int,
    expert_epochs: int,
    max_start: int,
    rate: float,
    rate_of_rate: float,
    start: float,
    batch: int | None = None,
    space: str = "normalised",
) -> dict[str, Any]:
    """Write a row as the tables of MTT and FTD have it: N, M, T+, image rate, …."""
    return {
        "inner.steps": steps,
        "matcher.expert_epochs": expert_epochs,
        "matcher.max_start": max_start,
        "update.learning_rate": rate,
        "inner.learned.learning_rate": rate_of_rate,
        "inner.learning_rate": start,
        **({"inner.batch": batch} if batch else {}),
        "parameterization.space": space,
    }


SRE2L = {
    "matcher.kind": "statistics",
    "matcher.first_layer": 10.0,
    "matcher.classes_per_batch": 100,
    "matcher.keep": "last",
    "init.kind": "noise",
    "parameterization.space": "normalised",
    "update.kind": "adam",
    "update.betas": [0.5, 0.9],
    "update.clamp": "every_step",
    "update.decay.kind": "cosine",
    "labels.kind": "soft",
}

VALUES: list[tuple[str, str, int, str | None, dict[str, Any]]] = [
    ("dc", "cifar10", 1, None, {**DC_ON_CIFAR, "loops.inner_steps": 1, "evaluate.protocol": "dc"}),
    ("dc", "cifar10", 10, None, {"loops.inner_steps": 10, "inner.epochs": 50}),
    ("dc", "cifar10", 20, None, {"loops.inner_steps": 20, "inner.epochs": 25}),
    ("dc", "cifar10", 30, None, {"loops.inner_steps": 30, "inner.epochs": 20}),
    ("dc", "cifar10", 40, None, {"loops.inner_steps": 40, "inner.epochs": 15}),
    ("dc", "svhn", 50, None, {"loops.inner_steps": 50, "inner.epochs": 10, "init.kind": "noise"}),
    ("dc", "mnist", 1, None, {"evaluate.protocol": "dc-mnist", "network.depth": 3}),
    ("dsa", "cifar10", 10, None, {**DC_ON_CIFAR, "init.kind": "real", "inner.epochs": 50}),
    (
        "dsa",
        "cifar100",
        50,
        None,
        {
            "augmentation.matching.operations": ALL_SIX,
            "augmentation.training.operations": ALL_SIX,
            "evaluate.protocol": "dsa",
            "loops.inner_steps": 10,
            "inner.epochs": 10,
        },
    ),
    ("dsa", "cifar10", 100, None, {"loops.inner_steps": 100, "inner.epochs": 2}),
    ("dsa", "mnist", 1, None, {"evaluate.protocol": "dsa-no-flip"}),
    (
        "dm",
        "cifar10",
        50,
        None,
        {
            "pool.kind": "fresh",
            "inner.kind": "frozen",
            "matcher.features": "embedding",
            "matcher.real_batch": 256,
            "matcher.batch_norm": "batch",
            "augmentation.matching.operations": ALL_SIX,
            "parameterization.space": "normalised",
            "init.kind": "real",
            "update.learning_rate": 1.0,
            "update.momentum": 0.5,
            "update.clock": "joint",
            "loops.outer_loops": 20000,
            "loops.inner_steps": 1,
            "evaluate.protocol": "dsa",
        },
    ),
    ("dm", "cifar10", 500, None, {"update.learning_rate": 10.0}),
    ("dm", "cifar100", 100, None, {"update.learning_rate": 1.0}),
    ("dm", "tiny_imagenet", 10, None, {"network.depth": 4, "loops.outer_loops": 10000}),
    (
        "idm",
        "cifar10",
        10,
        None,
        {
            "pool.kind": "online",
            "pool.start": 3,
            "pool.every": 30,
            "pool.most": 100,
            "pool.trained": 2,
            "pool.steps": 10,
            "pool.batch": 256,
            "pool.optimizer": IDC_SGD,
            "matcher.real_batch": 256,
            "matcher.batch_norm": "running",
            "matcher.cross_entropy": {"weight": 50.0, "by_accuracy": True},
            "parameterization.factor": 2,
            "update.learning_rate": 0.2,
            "loops.outer_loops": 20000,
        },
    ),
    ("idm", "cifar10", 1, None, {"matcher.real_batch": 5000, "pool.every": 5}),
    ("idm", "cifar10", 50, None, {"matcher.cross_entropy.weight": 10.0}),
    ("idm", "cifar100", 1, None, {"matcher.cross_entropy.weight": 50.0, "pool.every": 5}),
    ("idm", "cifar100", 10, None, {"matcher.cross_entropy.weight": 10.0, "pool.steps": 50}),
    ("idm", "cifar100", 50, None, {"pool.steps": 40, "pool.every": 30}),
    ("idm", "tiny_imagenet", 10, None, {"matcher.cross_entropy.weight": 50.0, "pool.steps": 10}),
    ("idm", "tiny_imagenet", 1, None, {"network.depth": 3, "init.kind": "mix"}),
    ("idm", "tiny_imagenet", 50, None, {"matcher.cross_entropy.weight": 80.0, "pool.steps": 50}),
    ("idm", "imagenet100", 10, None, {"network.depth": 6, "pool.most": 50, "pool.every": 50}),
    (
        "idc",
        "cifar10",
        10,
        None,
        {
            **IDC_ON_CIFAR,
            "pool.kind": "fresh",
            "update.learning_rate": 5e-3,
            "loops.outer_loops": 2000,
        },
    ),
    ("idc", "cifar100", 20, None, {"update.learning_rate": 5e-3, "inner.steps": 32}),
    ("idc", "svhn", 1, None, {"matcher.distance": "squared", "inner.steps": 8}),
    (
        "idc",
        "mnist",
        10,
        None,
        {
            "matcher.distance": "l1",
            "update.learning_rate": 1e-4,
            "inner.steps": 8,
            "augmentation.matching.operations": ["color", "crop"],
            "augmentation.cutmix": 0.0,
            "evaluate.protocol": "idc-mnist",
        },
    ),
    (
        "idc",
        "fashion_mnist",
        10,
        None,
        {"matcher.distance": "l1", "augmentation.cutmix": 0.5, "evaluate.protocol": "idc"},
    ),
    (
        "idc",
        "imagenet10",
        10,
        None,
        {
            **ON_IMAGENET,
            "update.learning_rate": 3e-3,
            "loops.outer_loops": 500,
            "inner.steps": 8,
            "inner.warmup.epochs": 10,
            "parameterization.decode": None,
            "evaluate.protocol": "idc-imagenet",
        },
    ),
    (
        "idc",
        "imagenet100",
        20,
        None,
        {
            **ON_IMAGENET,
            "pool.models": 10,
            "pool.epochs": 5,
            "update.learning_rate": 1e-3,
            "inner.steps": 4,  # 500 images in batches of 128
            "inner.warmup": None,
            "inner.optimizer": {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 1e-4},
            "evaluate.protocol": "idc-imagenet100",
            "parameterization.decode": "bound",
            "parameterization.used": "single",
        },
    ),
    ("idc", "cifar10", 50, "idc-i", {"parameterization.kind": "pixels", "init.kind": "real"}),
    ("idc", "svhn", 1, "idc-i", {"evaluate.protocol": "idc-no-mix"}),
    ("idc", "mnist", 1, "idc-i", {"evaluate.protocol": "idc-no-flip", "augmentation.cutmix": 0.5}),
    (
        "acc_dd",
        "cifar10",
        10,
        None,
        {
            **IDC_ON_CIFAR,
            "pool.models": 5,
            "pool.epochs": 2,
            "perturbation.directions": 2,
            "perturbation.coefficient": {"law": "uniform_signed", "low": 0.01, "high": 0.09},
            "update.learning_rate": 0.01,
            "loops.outer_loops": 400,
        },
    ),
    ("acc_dd", "cifar100", 50, "5x", {"loops.outer_loops": 400, "pool.models": 5}),
    ("acc_dd", "cifar100", 1, "10x", {"loops.outer_loops": 200, "pool.epochs": 2}),
    ("acc_dd", "cifar10", 50, "20x", {"loops.outer_loops": 100, "loops.snapshots": []}),
    (
        "acc_dd",
        "cifar10",
        10,
        "5x-paper",
        {
            "loops.outer_loops": 400,
            "perturbation.directions": 1,
            "perturbation.coefficient": {"law": "fixed", "value": 1.0},
        },
    ),
    (
        "acc_dd",
        "imagenet10",
        10,
        "20x-paper",
        {"loops.outer_loops": 25, "perturbation.coefficient.value": 1.0},
    ),
    (
        "acc_dd",
        "imagenet10",
        20,
        None,
        {
            **ON_IMAGENET,
            "pool.models": 10,
            "pool.epochs": 5,
            "pool.optimizer": IDC_SGD,
            "update.learning_rate": 3e-3,
            "loops.outer_loops": 100,
            "parameterization.decode": "bound",
            "parameterization.used": "single",
        },
    ),
    (
        "acc_dd",
        "imagenet100",
        10,
        None,
        {**ON_IMAGENET, "pool.models": 10, "pool.epochs": 10, "update.learning_rate": 1e-3},
    ),
    ("mtt", "cifar10", 1, None, EXPERTS | trajectory(50, 2, 2, 100, 1e-7, 0.01, space="zca")),
    ("mtt", "cifar10", 10, None, trajectory(30, 2, 20, 100, 1e-5, 0.001, space="zca")),
    ("mtt", "cifar10", 50, None, trajectory(30, 2, 40, 1000, 1e-5, 0.001)),
    ("mtt", "cifar100", 1, None, trajectory(20, 3, 20, 1000, 1e-5, 0.01, space="zca")),
    ("mtt", "cifar100", 10, None, trajectory(20, 2, 20, 1000, 1e-5, 0.01)),
    ("mtt", "cifar100", 50, None, trajectory(80, 2, 40, 1000, 1e-5, 0.01, 125, "zca")),
    ("mtt", "tiny_imagenet", 1, None, trajectory(10, 2, 10, 1e4, 1e-4, 0.01)),
    ("mtt", "tiny_imagenet", 10, None, trajectory(20, 2, 40, 1e4, 1e-4, 0.01, 200)),
    ("mtt", "tiny_imagenet", 50, None, trajectory(20, 2, 40, 1e4, 1e-4, 0.01, 300)),
    ("mtt", "imagenette", 1, None, trajectory(20, 2, 10, 1e5, 1e-6, 0.01)),
    ("mtt", "imagewoof", 10, None, trajectory(20, 2, 10, 1e5, 1e-6, 0.01, 20)),
    ("mtt", "tiny_imagenet", 1, None, {"network.depth": 4, "loops.outer_loops": 5000}),
    ("mtt", "imagefruit", 1, None, {"network.depth": 5, "evaluate.protocol": "mtt"}),
    ("mtt", "cifar100", 50, None, {"evaluate.protocol": "mtt-zca", "evaluate.repeats": 5}),
    ("tesla", "cifar10", 1, None, EXPERTS | trajectory(50, 2, 5, 1000, 1e-7, 0.01)),
    ("tesla", "cifar100", 50, None, trajectory(80, 2, 40, 1000, 1e-5, 0.01, 125, "zca")),
    (
        "tesla",
        "imagenet1k, size: 64",
        1,
        None,
        {
            **trajectory(10, 3, 10, 1e4, 1e-4, 0.01, 100),
            "pool.models": 50,
            "network.depth": 4,
            "labels.kind": "expert",
            "matcher.gradient": "tesla",
            "loops.outer_loops": 10000,
            "evaluate.repeats": 3,
        },
    ),
    ("ftd", "cifar10", 1, None, EXPERTS | trajectory(50, 2, 2, 100, 1e-7, 0.01, space="zca")),
    ("ftd", "cifar10", 10, None, trajectory(30, 2, 20, 100, 1e-5, 0.001, space="zca")),
    ("ftd", "cifar10", 50, None, trajectory(30, 2, 40, 1000, 1e-5, 0.01)),
    ("ftd", "cifar100", 1, None, trajectory(40, 3, 20, 1000, 1e-5, 0.01, space="zca")),
    ("ftd", "cifar100", 10, None, trajectory(20, 2, 40, 1000, 1e-5, 0.01, space="zca")),
    ("ftd", "cifar100", 50, None, trajectory(80, 2, 40, 1000, 1e-5, 0.01, 1000, "zca")),
    ("ftd", "tiny_imagenet", 1, None, trajectory(30, 2, 10, 1e4, 1e-4, 0.01)),
    ("ftd", "tiny_imagenet", 10, None, trajectory(20, 2, 40, 1e4, 1e-4, 0.01, 500)),
    ("ftd", "imagenette", 1, None, trajectory(20, 2, 10, 1e4, 1e-4, 0.01, 64)),
    ("ftd", "imagenette", 10, None, trajectory(20, 2, 10, 1e4, 1e-4, 0.001, 64)),
    ("ftd", "cifar10", 1, None, {"pool.sharpness.alpha": 0.3, "update.averaging": 0.9999}),
    ("ftd", "cifar10", 10, None, {"pool.sharpness.rho": 0.01, "update.averaging": 0.9995}),
    ("ftd", "cifar10", 50, None, {"pool.sharpness.alpha": 1.0, "update.averaging": 0.999}),
    ("ftd", "cifar100", 10, None, {"pool.sharpness.alpha": 1.0, "update.averaging": 0.9995}),
    (
        "sre2l",
        "imagenet1k",
        50,
        None,
        {
            **SRE2L,
            "network.stem": "imagenet",
            "pool.kind": "checkpoints",
            "update.learning_rate": 0.25,
            "matcher.batch_norm": 0.01,
            "matcher.roll": {"low": 0, "high": 32},
            "loops.outer_loops": 4000,
            "augmentation.matching.min_area": 0.08,
            "labels.stored": "per_view",
            "evaluate.protocol": "sre2l-imagenet",
        },
    ),
    (
        "sre2l",
        "tiny_imagenet",
        100,
        None,
        {
            **SRE2L,
            "network.stem": "cifar",
            "pool.epochs": 50,
            "pool.optimizer.learning_rate": 0.2,
            "pool.decay.warmup": {"epochs": 5, "start": 0.002},
            "update.learning_rate": 0.1,
            "matcher.batch_norm": 1.0,
            "matcher.roll": {"low": -4, "high": 4},
            "loops.outer_loops": 4000,
            "evaluate.protocol": "sre2l-tiny",
        },
    ),
    (
        "sre2l",
        "cifar100",
        50,
        None,
        {
            "pool.epochs": 200,
            "pool.batch": 128,
            "pool.optimizer": {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 5e-4},
            "update.learning_rate": 0.25,
            "matcher.batch_norm": 0.01,
            "matcher.roll": {"low": 0, "high": 4},
            "augmentation.matching.kind": "none",
            "loops.outer_loops": 1000,
            "labels.batch_norm": "batch",
            "evaluate.protocol": "sre2l-cifar100",
            # The code pads files, before it normalises them.
            "augmentation.training": {
                "kind": "pad_crop",
                "padding": 4,
                "flip": True,
                "fill": "black",
            },
        },
    ),
    ("teddy_prior", "cifar100", 50, None, {"augmentation.training.fill": "black"}),
    ("teddy_post", "cifar100", 50, None, {"augmentation.training.fill": "black"}),
    (
        "teddy_prior",
        "imagenet1k",
        10,
        None,
        {
            **SRE2L,
            "pool.models": 1,
            "pool.record": {"every": 5, "first": 1, "last": 41},
            "matcher.models_per_image": 3,
            "matcher.classifier": "ensemble",
            "labels.teachers": "pool",
            "evaluate.protocol": "teddy",
        },
    ),
    ("teddy_prior", "tiny_imagenet", 50, None, {"matcher.models_per_image": 3}),
    (
        "teddy_post",
        "imagenet1k",
        10,
        None,
        {
            **SRE2L,
            "pool.kind": "pruned",
            "pool.models": 10,
            "pool.flops": 1.2e9,
            "pool.parameters": 7_720_000,
            "pool.epochs": [0, 1, 2],
            "pool.converged.kind": "torchvision",
            "matcher.models_per_image": 4,
            "matcher.classifier": "ensemble",
            "labels.teachers": "pool",
        },
    ),
    ("teddy_post", "tiny_imagenet", 50, None, {"pool.models": 9, "matcher.models_per_image": 5}),
]


@pytest.mark.parametrize(
    ("name", "dataset", "images", "variant", "expected"),
    VALUES,
    ids=[
        f"{name}-{data}-{images}-{number}" for number, (name, data, images, *_) in enumerate(VALUES)
    ],
)
def test_a_preset_has_the_values_that_were_published(
    loaded: Short,
    name: str,
    dataset: str,
    images: int,
    variant: str | None,
    expected: dict[str, Any],
) -> None:
    experiment = loaded(name, dataset, images, variant).experiment

    assert {path: value(experiment, path) for path in expected} == expected


def test_every_preset_is_checked_by_at_least_eight_values() -> None:
    checked = {name: [paths for one, *_, paths in VALUES if one == name] for name in NAMES}

    assert all(len({path for row in rows for path in row}) >= 8 for rows in checked.values())


def test_teddy_prior_takes_as_many_snapshots_as_the_paper_counts(loaded: Short) -> None:
    def snapshots(dataset: str) -> int:
        pool = loaded("teddy_prior", dataset, 50).experiment.pool
        assert pool.kind == "recorded"
        return len(pool.epochs_recorded())

    assert (snapshots("imagenet1k"), snapshots("tiny_imagenet")) == (9, 8)


RESULTS = [
    ("acc_dd", "cifar10", 10, "5x", 0.671),
    ("acc_dd", "cifar10", 10, "20x", 0.652),
    ("acc_dd", "cifar100", 50, "10x", 0.522),
    ("acc_dd", "imagenet100", 10, None, 0.484),
    ("idc", "cifar10", 50, None, 0.745),
    ("idc", "svhn", 10, "idc-i", 0.77),
    ("idc", "imagenet10", 20, None, 0.766),
    ("dc", "cifar10", 10, None, 0.449),
    ("dsa", "cifar100", 50, None, 0.428),
    ("dm", "cifar10", 1250, None, 0.808),
    ("dm", "imagenet1k, size: 64", 50, None, 0.114),
    ("mtt", "cifar10", 50, None, 0.716),
    ("mtt", "imagesquawk", 10, None, 0.523),
    ("tesla", "cifar100", 10, None, 0.417),
    ("ftd", "tiny_imagenet", 10, None, 0.245),
    ("sre2l", "imagenet1k", 10, None, 0.213),
    ("teddy_prior", "imagenet1k", 10, None, 0.341),
    ("teddy_post", "tiny_imagenet", 100, None, 0.514),
    ("idm", "tiny_imagenet", 50, None, 0.277),
]


@pytest.mark.parametrize(("name", "dataset", "images", "variant", "accuracy"), RESULTS)
def test_the_published_number_is_expected_of_a_spec_that_changes_nothing(
    loaded: Short, name: str, dataset: str, images: int, variant: str | None, accuracy: float
) -> None:
    spec = loaded(name, dataset, images, variant)

    assert [one.accuracy for one in spec.experiment.expect] == [accuracy]
