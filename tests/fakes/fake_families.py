"""One small spec of each family of methods, for tests of whatever takes plans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ddspec.plan.compile import compile_plan
from ddspec.plan.ir import Plan
from ddspec.spec.experiment import Experiment

CONVNET = {"kind": "convnet", "depth": 3}
RESNET = {"kind": "torchvision", "model": "resnet18", "stem": "cifar"}
SHORT = {"name": "short", "epochs": 3}
TAUGHT = {**SHORT, "optimizer": {"kind": "adamw"}, "decay": {"kind": "cosine"}, "mixup": 0.8}
TAUGHT = {**TAUGHT, "teaching": {"temperature": 20.0}}
DSA = {"kind": "dsa"}
EXPERTS = {"kind": "recorded", "models": 4, "epochs": 10, "record": "every_epoch", "batch": 256}
TRAJECTORY = {"kind": "trajectory", "expert_epochs": 2, "max_start": 4}
UNROLLED = {
    "kind": "unrolled",
    "steps": 5,
    "learning_rate": 0.01,
    "learned": {"learning_rate": 1e-5},
}
STATISTICS = {"kind": "statistics", "first_layer": 10.0, "roll": {"high": 4}}
ADAM = {"kind": "adam", "learning_rate": 0.25, "betas": [0.5, 0.9], "clamp": "every_step"}
SOFT = {"kind": "soft"}
ONCE = {"outer_loops": 20, "inner_steps": 1}
NORMALISED = {"kind": "pixels", "space": "normalised"}

PERTURBED = {
    "kind": "filter_gaussian",
    "directions": 2,
    "coefficient": {"law": "uniform_signed", "low": 0.01, "high": 0.09},
}

FAMILIES: Mapping[str, Mapping[str, Any]] = {
    "dc": {
        "pool": {"kind": "fresh"},
        "inner": {"kind": "on_synthetic", "epochs": 50},
        "matcher": {"kind": "gradient", "distance": "cosine", "parameters": "matrices"},
        "parameterization": NORMALISED,
        "init": {"kind": "noise"},
        "update": {"learning_rate": 0.1, "clock": "joint"},
        "loops": {"outer_loops": 20, "inner_steps": 10},
    },
    "idc": {
        "pool": {"kind": "fresh"},
        "inner": {"kind": "on_real", "steps": 8, "warmup": {"epochs": 10}},
        "matcher": {"kind": "gradient", "distance": "l1"},
        "update": {"learning_rate": 0.003, "scaling": "idc", "clamp": "outer_loop"},
        "loops": {"outer_loops": 20, "inner_steps": 10},
    },
    "mtt": {
        "pool": EXPERTS,
        "inner": UNROLLED,
        "matcher": TRAJECTORY,
        "augmentation": {"training": DSA},
        "parameterization": {"kind": "pixels", "space": "zca"},
        "update": {"learning_rate": 100.0, "clock": "joint"},
        "loops": ONCE,
        "evaluate": {"protocol": {**SHORT, "zca": 0.1, "learned_rate": True}},
    },
    "tesla": {
        "pool": EXPERTS,
        "inner": UNROLLED,
        "matcher": {**TRAJECTORY, "gradient": "tesla"},
        "labels": {"kind": "expert"},
        "parameterization": NORMALISED,
        "update": {"learning_rate": 100.0, "clock": "joint"},
        "loops": ONCE,
        "evaluate": {"protocol": TAUGHT},
    },
    "ftd": {
        "pool": {**EXPERTS, "sharpness": {"rho": 0.01, "alpha": 0.3}},
        "inner": UNROLLED,
        "matcher": TRAJECTORY,
        "parameterization": NORMALISED,
        "update": {"learning_rate": 100.0, "clock": "joint", "averaging": 0.9995},
        "loops": ONCE,
    },
    "dm": {
        "pool": {"kind": "fresh"},
        "inner": {"kind": "frozen"},
        "matcher": {"kind": "distribution"},
        "augmentation": {"matching": DSA},
        "parameterization": NORMALISED,
        "update": {"learning_rate": 1.0, "clock": "per_class"},
        "loops": ONCE,
    },
    "idm": {
        "pool": {"kind": "online"},
        "inner": {"kind": "frozen"},
        "matcher": {
            "kind": "distribution",
            "batch_norm": "running",
            "cross_entropy": {"weight": 0.5},
        },
        "parameterization": {"kind": "multi_formation", "space": "normalised"},
        "init": {"kind": "mix"},
        "update": {"learning_rate": 0.2, "clock": "per_class"},
        "loops": ONCE,
    },
    "sre2l": {
        "network": RESNET,
        "pool": {"kind": "recorded", "models": 1, "epochs": 50, "decay": {"kind": "cosine"}},
        "inner": {"kind": "frozen"},
        "matcher": STATISTICS,
        "labels": SOFT,
        "parameterization": NORMALISED,
        "init": {"kind": "noise"},
        "update": {**ADAM, "decay": {"kind": "cosine"}},
        "loops": ONCE,
        "evaluate": {"protocol": TAUGHT},
    },
    "teddy_prior": {
        "network": RESNET,
        "pool": {
            "kind": "recorded",
            "models": 1,
            "epochs": 41,
            "record": {"every": 5, "first": 1},
        },
        "inner": {"kind": "frozen"},
        "matcher": {**STATISTICS, "models_per_image": 3},
        "labels": {**SOFT, "teachers": "pool"},
        "parameterization": NORMALISED,
        "init": {"kind": "noise"},
        "update": ADAM,
        "loops": ONCE,
        "evaluate": {"protocol": TAUGHT},
    },
    "teddy_post": {
        "network": RESNET,
        "pool": {
            "kind": "pruned",
            "models": 4,
            "converged": {"kind": "trained", "epochs": 50},
            "flops": 3.6e8,
            "epochs": [0, 1, 2],
        },
        "inner": {"kind": "frozen"},
        "matcher": {**STATISTICS, "models_per_image": 2},
        "labels": {**SOFT, "teachers": "pool", "stored": "online"},
        "parameterization": NORMALISED,
        "init": {"kind": "noise"},
        "update": ADAM,
        "loops": ONCE,
        "evaluate": {"protocol": TAUGHT},
    },
}


def family(name: str, **changes: Any) -> Experiment:
    base: dict[str, Any] = {
        "name": name.replace("_", "-"),
        "dataset": {"kind": "cifar10"},
        "budget": {"images_per_class": 10},
        "network": CONVNET,
        **FAMILIES[name],
    }
    judged = {"protocol": SHORT, "repeats": 5, "baselines": {"random": 10, "init": 1, "full": 1}}
    base["evaluate"] = {**judged, **base.get("evaluate", {})}
    for section, value in changes.items():
        old = base.get(section)
        both = isinstance(old, dict) and isinstance(value, dict)
        same = both and ("kind" not in value or old.get("kind") in (None, value["kind"]))
        base[section] = {**old, **value} if same else value
    return Experiment.model_validate(base)


def planned(name: str, **changes: Any) -> Plan:
    return compile_plan(family(name, **changes))
