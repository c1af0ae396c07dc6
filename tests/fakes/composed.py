"""The pieces of methods, each in the few forms that matter to the others, and what goes together.

`refused` is written from what the pieces mean, for tests to compare with the rules of the planner.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

from ddspec.spec.experiment import Experiment

BATCH_NORM = {"kind": "convnet", "depth": 2, "width": 4, "norm": "batch"}
RUNS = {"kind": "recorded", "models": 2, "epochs": 2, "batch": 8}
WEIGHTS = {"kind": "file", "path": "net.safetensors", "sha256": "0" * 64}
TRAINED = {"kind": "trained", "epochs": 1}
POOLS: Mapping[str, Any] = {
    "early": RUNS,
    "snapshots": {**RUNS, "record": {"first": 1}},
    "experts": {**RUNS, "record": "every_epoch"},
    "random": {**RUNS, "epochs": 0},
    "fresh": {"kind": "fresh"},
    "online": {"kind": "online", "start": 1, "every": 1, "most": 2, "trained": 1, "steps": 1},
    "checkpoints": {"kind": "checkpoints", "weights": [WEIGHTS, WEIGHTS]},
    "pruned": {"kind": "pruned", "models": 2, "converged": TRAINED, "parameters": 200},
}
COEFFICIENT = {"law": "uniform_signed", "low": 0.01, "high": 0.09}
PERTURBATIONS: Mapping[str, Any] = {
    "none": {"kind": "none"},
    "gaussian": {"kind": "filter_gaussian", "directions": 1, "coefficient": COEFFICIENT},
}
REAL = {"kind": "on_real", "steps": 1, "batch": 8}
STUDENT = {"kind": "unrolled", "steps": 2, "learning_rate": 0.01}
INNERS: Mapping[str, Any] = {
    "frozen": {"kind": "frozen"},
    "real": REAL,
    "warm": {**REAL, "warmup": {"epochs": 1}},
    "synthetic": {"kind": "on_synthetic", "epochs": 1, "batch": 8},
    "student": STUDENT,
    "learned rate": {**STUDENT, "learned": {"learning_rate": 1e-3}},
}
GRADIENT = {"kind": "gradient", "distance": "squared", "real_batch": 4}
DISTRIBUTION = {"kind": "distribution", "real_batch": 4}
RUNNING = {**DISTRIBUTION, "batch_norm": "running"}
TRAJECTORY = {"kind": "trajectory", "expert_epochs": 1, "max_start": 1}
MATCHERS: Mapping[str, Any] = {
    "gradient": {**GRADIENT, "batch_norm": "batch"},
    "gradient, frozen": {**GRADIENT, "batch_norm": "frozen"},
    "means": DISTRIBUTION,
    "means, running": RUNNING,
    "means and accuracy": {**RUNNING, "cross_entropy": {"weight": 0.5}},
    "pixels": {**DISTRIBUTION, "features": "pixels"},
    "trajectory": TRAJECTORY,
    "trajectory, recomputed": {**TRAJECTORY, "gradient": "recomputed"},
    "tesla": {**TRAJECTORY, "gradient": "tesla"},
    "statistics": {"kind": "statistics", "classes_per_batch": 1},
}
LABELS: Mapping[str, Any] = {
    "hard": {"kind": "hard"},
    "learned": {"kind": "learned", "learning_rate": 0.1},
    "expert": {"kind": "expert"},
    "soft": {"kind": "soft", "stored": "online"},
}
SGD = {"learning_rate": 0.1}
ADAM = {"kind": "adam", "learning_rate": 0.01}
UPDATES: Mapping[str, Any] = {
    "shared": {**SGD, "clock": "shared"},
    "per class": {**SGD, "clock": "per_class"},
    "joint": {**SGD, "clock": "joint"},
    "decay": {**SGD, "clock": "joint", "decay": {"kind": "cosine"}},
    "average": {**SGD, "clock": "joint", "averaging": 0.9},
    "adam": ADAM,
    "adam, per class, all": {
        **ADAM,
        "clock": "per_class",
        "decay": {"kind": "cosine"},
        "averaging": 0.9,
        "clamp": "every_step",
    },
}


class Pieces(NamedTuple):
    """One of each, by name."""

    pool: str
    perturbation: str
    inner: str
    matcher: str
    labels: str
    update: str


TABLES = (POOLS, PERTURBATIONS, INNERS, MATCHERS, LABELS, UPDATES)
TAUGHT = {"optimizer": {"kind": "adamw"}, "teaching": {"temperature": 20.0}}


def everything() -> Iterator[Pieces]:
    """Yield the whole product."""
    for names in product(*TABLES):
        yield Pieces(*names)


def experiment(pieces: Pieces) -> Experiment:
    """Return the experiment of some pieces, as short as it can be, judged as its labels ask."""
    hard = pieces.labels == "hard"
    return Experiment.model_validate(
        {
            "name": "composed",
            "dataset": {"kind": "digits"},
            "budget": {"images_per_class": 2},
            "network": BATCH_NORM,
            "pool": POOLS[pieces.pool],
            "perturbation": PERTURBATIONS[pieces.perturbation],
            "inner": INNERS[pieces.inner],
            "matcher": MATCHERS[pieces.matcher],
            "labels": LABELS[pieces.labels],
            "update": UPDATES[pieces.update],
            "loops": {"outer_loops": 2, "inner_steps": 1},
            "parameterization": {"kind": "pixels", "space": "normalised"},
            "evaluate": {
                "protocol": {"name": "short", "steps": 2, **({} if hard else TAUGHT)},
                "repeats": 5,
                "baselines": {"random": 5},
            },
        }
    )


def refused(pieces: Pieces) -> set[str]:
    """Return the rules that these pieces break."""
    codes = set()
    family = pieces.matcher.split(",")[0]
    student = pieces.inner in ("student", "learned rate")
    follows = family in ("trajectory", "tesla")
    trained = pieces.pool in ("early", "snapshots", "checkpoints", "pruned")
    if student != follows or (family == "statistics" and pieces.inner != "frozen"):
        codes.add("DDS028")  # a student follows an expert; converged networks stay what they are
    if follows and pieces.pool != "experts":
        codes.add("DDS029")
    if family == "statistics" and not trained:
        codes.add("DDS034")
    if pieces.matcher == "means and accuracy" and pieces.pool != "online":
        codes.add("DDS044")
    networks = (pieces.pool, pieces.perturbation, pieces.inner) != ("fresh", "none", "frozen")
    if pieces.matcher == "pixels" and networks:
        codes.add("DDS067")  # networks that nothing looks at
    one_batch = pieces.matcher == "means" or follows or family == "statistics"
    if pieces.update == "shared" and one_batch:
        codes.add("DDS037")
    if pieces.labels == "expert" and not follows:
        codes.add("DDS040")
    if pieces.labels == "learned" and not follows:
        codes.add("DDS061")
    if pieces.labels == "soft" and not trained and pieces.pool != "experts":
        codes.add("DDS026")  # one teacher: of an expert, its last epoch
    return codes
