"""Experiments, plans and a lock that the tests of the planner share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from ddspec.plan.compile import compile_plan, compile_spec
from ddspec.plan.ir import Plan
from ddspec.spec.experiment import Experiment
from ddspec.spec.facts import FACTS
from ddspec.spec.load import load_spec
from ddspec.spec.lock import Lock, LockedClass, digest_of_splits

SPECS = Path(__file__).parents[2] / "specs"

Experiments: TypeAlias = Callable[..., Experiment]
"""From changes of the small spec, `a__b=value` for setting `a.b`, to an experiment."""
Plans: TypeAlias = Callable[..., Plan]
"""From changes of the small spec to a plan."""


def document(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "name": "small",
        "dataset": {"kind": "digits", "validation": 0.2},
        "budget": {"images_per_class": 1},
        "network": {"kind": "convnet", "depth": 2, "width": 32},
        "pool": {"kind": "recorded", "models": 3, "epochs": 2},
        "perturbation": {
            "kind": "filter_gaussian",
            "directions": 2,
            "coefficient": {"law": "uniform_signed", "low": 0.01, "high": 0.09},
        },
        "inner": {"kind": "on_real", "steps": 2},
        "matcher": {"kind": "gradient", "distance": "l1"},
        "update": {"learning_rate": 2e-4},
        "loops": {"outer_loops": 40, "inner_steps": 10},
        "evaluate": {
            "protocol": {"name": "short", "steps": 100},
            "repeats": 2,
            "baselines": {"random": 2, "init": 1, "full": 1},
        },
    }
    for path, value in changes.items():
        *sections, last = path.split("__")
        place = base
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
    return base


@pytest.fixture(scope="session")
def small() -> Experiments:
    return lambda **changes: Experiment.model_validate(document(**changes))


@pytest.fixture(scope="session")
def planned(small: Experiments) -> Plans:
    return lambda **changes: compile_plan(small(**changes))


@pytest.fixture(scope="session")
def imagenet_lock() -> Lock:
    """The lock of no real images: made-up digests, IDC's classes, 1,266 or 1,267 images each."""
    names = FACTS["imagenet100"].class_names
    splits: dict[Any, dict[str, LockedClass]] = {
        "train": {
            name: LockedClass(images=1266 + (i < 89), digest=f"{i:064x}")
            for i, name in enumerate(names)
        },
        "test": {
            name: LockedClass(images=50, digest=f"{i + 100:064x}") for i, name in enumerate(names)
        },
    }
    return Lock(kind="imagenet100", splits=splits, digest=digest_of_splits(splits))


@pytest.fixture(scope="session")
def specified(imagenet_lock: Lock) -> Callable[[str], Plan]:
    """Compile one of the specs of the repository, ImageNet-100 with the made-up lock.

    Names are paths under `specs`, without the ending: `ablations/models`.
    """

    def compiled(name: str) -> Plan:
        lock = imagenet_lock if name == "imagenet100" else None
        return compile_spec(load_spec(SPECS / f"{name}.yaml", lock=lock), lock)

    return compiled
