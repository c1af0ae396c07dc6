"""Costs of stages are what the runners' tasks really take: operations, memory, bytes on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from counters import Counter

from ddspec.plan.compile import compile_plan
from ddspec.plan.estimate import Cost, stage_costs
from ddspec.plan.ir import Plan
from ddspec.spec.experiment import Experiment
from ddspec_runners.site import Site
from ddspec_runners.tasks.table import TASKS

PUBLISHED = 700
"""Bytes of the result and of the manifest, which the tasks do not write themselves."""

SMALL: dict[str, Any] = {
    "name": "small",
    "dataset": {"kind": "digits"},
    "budget": {"images_per_class": 20},
    "network": {"kind": "convnet", "depth": 2, "width": 32},
    "pool": {"kind": "recorded", "models": 1, "epochs": 1},
    "inner": {"kind": "on_real", "steps": 2},
    "matcher": {"kind": "gradient", "distance": "l1"},
    "augmentation": {
        "matching": {"kind": "idc"},
        "training": {"kind": "idc", "operations": ["color", "crop"]},
        "cutmix": 0.5,
    },
    "update": {"learning_rate": 2e-4},
    "loops": {"outer_loops": 2, "inner_steps": 3},
    "evaluate": {
        "protocol": {"name": "short", "steps": 5},
        "repeats": 1,
        "baselines": {
            "random": 1,
            "init": 1,
            "full": 1,
            "herding": 1,
            "k_center": 1,
            "forgetting": 1,
            "features": {"epochs": 1},
        },
    },
}

ALONE = {"protocol": {"name": "short", "steps": 2}, "repeats": 1, "baselines": {"random": 0}}
EARLY = {"kind": "recorded", "models": 1, "epochs": 2, "record": {"first": 1}}


def trajectory(gradient: str, *, batch: int | None = None, **pool: Any) -> dict[str, Any]:
    """A student of four steps after an expert of two epochs, its rate learned."""
    experts = {"kind": "recorded", "models": 1, "epochs": 2, "record": "every_epoch", **pool}
    learned = {"learning_rate": 1e-6, "law": "linear"}
    student = {"kind": "unrolled", "steps": 4, "learning_rate": 0.01, "learned": learned}
    return {
        "pool": experts,
        "inner": {**student, "batch": batch},
        "matcher": {
            "kind": "trajectory",
            "expert_epochs": 1,
            "max_start": 2,
            "gradient": gradient,
        },
        "augmentation": {"matching": {"kind": "none"}, "training": {"kind": "dsa"}, "cutmix": 0.0},
        "update": {"learning_rate": 1.0, "clock": "joint"},
        "loops": {"outer_loops": 2, "inner_steps": 1},
        "evaluate": {**ALONE, "protocol": {"name": "short", "steps": 2, "learned_rate": True}},
    }


def distribution(matcher: dict[str, Any], norm: str = "instance") -> dict[str, Any]:
    return {
        "network": {"kind": "convnet", "depth": 2, "width": 32, "norm": norm},
        "pool": {"kind": "fresh"},
        "inner": {"kind": "frozen"},
        "matcher": {"kind": "distribution", "real_batch": 60, **matcher},
        "augmentation": {"matching": {"kind": "dsa"}, "cutmix": 0.0},
        "update": {"learning_rate": 1.0, "clock": "joint"},
        "loops": {"outer_loops": 3, "inner_steps": 1},
        "evaluate": ALONE,
    }


def statistics(pool: dict[str, Any], stored: str) -> dict[str, Any]:
    """Two networks an image, and their labels of all views."""
    return {
        "network": {"kind": "convnet", "depth": 2, "width": 32, "norm": "batch"},
        "budget": {"images_per_class": 3},
        "pool": pool,
        "inner": {"kind": "frozen"},
        "matcher": {"kind": "statistics", "models_per_image": 2, "roll": {"high": 2}},
        "augmentation": {
            "matching": {"kind": "none"},
            "training": {"kind": "dsa"},
            "cutmix": 0.0,
        },
        "parameterization": {"kind": "pixels", "space": "normalised"},
        "update": {
            "kind": "adam",
            "learning_rate": 1e-3,
            "clamp": "every_step",
            "decay": {"kind": "cosine", "every": "step"},
        },
        "loops": {"outer_loops": 4, "inner_steps": 1},
        "labels": {"kind": "soft", "teachers": "pool", "stored": stored},
        "evaluate": {
            **ALONE,
            "protocol": {
                "name": "short",
                "epochs": 3,
                "batch": 16,
                "augmentation": {"kind": "pad_crop", "padding": 1, "flip": False},
                "teaching": {"temperature": 20.0},
            },
        },
    }


VARIANTS: dict[str, dict[str, Any]] = {
    "ConvNet-2, all labels hard": {},
    "ConvNet-3, two formations": {
        "budget": {"images_per_class": 16},
        "network": {"kind": "convnet", "depth": 3, "width": 64},
        "parameterization": {"kind": "multi_formation", "factor": 2},
        "matcher": {"kind": "gradient", "distance": "cosine", "parameters": "matrices"},
        "resources": {"shards": 2},
    },
    "layer norm in float64": {
        "network": {"kind": "convnet", "depth": 2, "width": 32, "norm": "layer"},
        "matcher": {"kind": "gradient", "distance": "squared", "max_views": 8},
        "inner": {"kind": "frozen"},
        "precision": "float64",
    },
    "networks trained on the set": {
        "pool": {"kind": "fresh"},
        "inner": {"kind": "on_synthetic", "epochs": 3, "batch": 64},
        "evaluate": ALONE,
    },
    "networks warmed up": {
        "pool": {"kind": "fresh"},
        "inner": {"kind": "on_real", "steps": 2, "warmup": {"epochs": 1}},
        "evaluate": ALONE,
    },
    "batch norm, frozen": {
        "pool": {"kind": "fresh"},
        "network": {"kind": "convnet", "depth": 2, "width": 32, "norm": "batch"},
        "matcher": {"kind": "gradient", "distance": "l1", "batch_norm": "frozen"},
        "evaluate": ALONE,
    },
    "trajectories, unrolled, of flat experts": trajectory("unrolled", sharpness={"rho": 0.1}),
    "trajectories, recomputed, in batches": trajectory("recomputed", batch=50),
    "trajectories, TESLA": trajectory("tesla"),
    "embeddings": distribution({}),
    "embeddings under batch norm": distribution({}, norm="batch"),
    "pixels": distribution({"features": "pixels"}),
    "a queue of networks": {
        **distribution({"batch_norm": "running", "cross_entropy": {"weight": 1.0}}, norm="batch"),
        "pool": {"kind": "online", "start": 2, "every": 1, "trained": 2, "steps": 3, "batch": 64},
        "parameterization": {"kind": "multi_formation", "factor": 2},
    },
    "statistics of early networks, labels asked": statistics(EARLY, "online"),
    "statistics of early networks, labels stored": statistics(EARLY, "per_view"),
}


@dataclass(frozen=True, slots=True)
class Ran:
    """What one stage was said to take, and what it took."""

    kind: str
    said: Cost
    took: Counter
    folder: Path

    @property
    def here(self) -> int:
        """Return the bytes that a CPU was said to hold."""
        return self.said.memory_bytes - self.said.resident_bytes

    def written(self, *, pictures: bool = True) -> int:
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return PUBLISHED + sum(p.stat().st_size for p in files if pictures or p.suffix != ".png")


@pytest.fixture(scope="module", params=VARIANTS.values(), ids=VARIANTS.keys())
def ran(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Ran]:
    """Run every stage of a small plan, in its order, under torch's counters."""
    plan = compile_plan(Experiment.model_validate({**SMALL, **request.param}))
    return _run(plan, tmp_path_factory.mktemp("stages"))


CUT = statistics(
    {
        "kind": "pruned",
        "models": 2,
        "parameters": 5000,
        "epochs": [1],
        "converged": {"kind": "trained", "epochs": 1},
    },
    "online",
)


def test_what_is_left_of_cut_networks_is_forecast_to_within_a_fifth(tmp_path: Path) -> None:
    """How many channels go depends on the layers: none loses a part of one."""
    found = _run(compile_plan(Experiment.model_validate({**SMALL, **CUT})), tmp_path)
    members = [one for one in found.values() if one.kind == "prune"]
    others = [one for one in found.values() if one.kind in ("distill", "evaluate")]

    assert len(members) == 2
    for one in members + others:
        assert one.took.flops == pytest.approx(one.said.flops, rel=0.2)
        assert one.took.peak == pytest.approx(one.here, rel=0.2)
    assert [one.written() for one in members] == [
        pytest.approx(one.said.output_bytes, rel=0.2) for one in members
    ]


def _run(plan: Plan, root: Path) -> Mapping[str, Ran]:
    costs, outputs, found = stage_costs(plan), {}, {}
    for stage in plan:
        output, scratch = root / stage.label, root / "scratch" / stage.label
        output.mkdir(parents=True)
        scratch.mkdir(parents=True)
        inputs = {name: outputs[label] for name, label in stage.upstream.items()}
        site = Site(key=stage.key or "", inputs=inputs, output=output, scratch=scratch)
        with Counter() as counter:
            TASKS[stage.work.kind](stage.work, site)
        outputs[stage.label] = output
        found[stage.label] = Ran(stage.work.kind, costs[stage.label], counter, output)
    return found


def test_operations_of_every_stage_are_within_a_fiftieth(ran: Mapping[str, Ran]) -> None:
    found = {label: one.took.flops for label, one in ran.items()}

    assert found == {label: pytest.approx(one.said.flops, rel=0.02) for label, one in ran.items()}


def test_memory_of_every_network_stage_is_within_a_fifth(ran: Mapping[str, Ran]) -> None:
    on_networks = {label: one for label, one in ran.items() if one.said.flops}
    found = {label: one.took.peak for label, one in on_networks.items()}

    assert found == {label: pytest.approx(one.here, rel=0.2) for label, one in on_networks.items()}


def test_bytes_of_splits_and_networks_are_within_a_fiftieth(ran: Mapping[str, Ran]) -> None:
    tensors = {label: one for label, one in ran.items() if one.kind in ("prepare", "pretrain")}
    found = {label: one.written() for label, one in tensors.items()}

    assert found == {
        label: pytest.approx(one.said.output_bytes, rel=0.02) for label, one in tensors.items()
    }


def test_bytes_of_sets_are_within_a_twentieth(ran: Mapping[str, Ran]) -> None:
    """The picture of a set is up to a tenth of it, and how well it packs depends on the images."""
    sets = {label: one for label, one in ran.items() if one.kind in ("distill", "merge", "select")}
    found = {label: one.written() for label, one in sets.items()}

    assert found == {
        label: pytest.approx(one.said.output_bytes, rel=0.05) for label, one in sets.items()
    }


def test_bytes_of_figures_are_within_a_fifth(ran: Mapping[str, Ran]) -> None:
    """They are a few thousand; numbers are as long as they are."""
    figures = {label: one for label, one in ran.items() if one.kind == "evaluate"}
    found = {label: one.written() for label, one in figures.items()}

    assert found == {
        label: pytest.approx(one.said.output_bytes, rel=0.2) for label, one in figures.items()
    }


def test_kernels_are_counted_to_within_a_half(ran: Mapping[str, Ran]) -> None:
    on_networks = {label: one for label, one in ran.items() if one.said.flops}
    found = {label: one.took.kernels for label, one in on_networks.items()}

    assert found == {
        label: pytest.approx(one.said.kernels, rel=0.5) for label, one in on_networks.items()
    }
