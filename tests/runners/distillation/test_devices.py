"""The same work on an accelerator: the same draws, hence the same images but for rounding."""

from __future__ import annotations

from typing import Any

import pytest
import torch

AUGMENTED = {
    "matching_augmentation": {"kind": "idc", "operations": ["color", "crop", "cutout"]},
    "training_augmentation": {"kind": "dsa"},
    "matcher": {"kind": "gradient", "distance": "squared", "real_batch": 4, "max_views": 5},
}
FRESH = {
    "networks": {"kind": "fresh"},
    "perturbation": {"kind": "none"},
    "inner": {"kind": "frozen"},
    "parameterization": {"kind": "pixels", "space": "normalised"},
    "init": {"kind": "real"},
}
BATCH_NORM = {"kind": "convnet", "depth": 2, "width": 4, "norm": "batch"}
TERM = {"cross_entropy": {"weight": 50.0}}
WORKS: dict[str, dict[str, Any]] = {
    "IDC": AUGMENTED,
    "DSA with frozen batch norm": {
        **AUGMENTED,
        "network": {"kind": "convnet", "depth": 2, "width": 4, "norm": "batch"},
        "matcher": {"kind": "gradient", "distance": "cosine", "batch_norm": "frozen"},
        "networks": {"kind": "fresh"},
        "inner": {"kind": "on_synthetic", "epochs": 2, "batch": 4},
    },
    "IDC warmed up": {
        **AUGMENTED,
        "inner": {"kind": "on_real", "steps": 2, "batch": 5, "warmup": {"epochs": 1}},
    },
    "DM": {**AUGMENTED, **FRESH, "matcher": {"kind": "distribution", "real_batch": 6}},
    "DM with batch norm": {
        **AUGMENTED,
        **FRESH,
        "network": BATCH_NORM,
        "matcher": {"kind": "distribution", "real_batch": 6},
    },
    "IDM": {
        **AUGMENTED,
        "inner": {"kind": "frozen"},
        "networks": {"kind": "online", "start": 1, "trained": 1, "steps": 2, "batch": 5},
        "perturbation": {"kind": "none"},
        "matcher": {"kind": "distribution", "batch_norm": "running", "real_batch": 6, **TERM},
    },
    "pixels": {**FRESH, "matcher": {"kind": "distribution", "features": "pixels"}},
    "a queue of networks": {
        **AUGMENTED,
        "network": {"kind": "convnet", "depth": 2, "width": 4, "norm": "batch"},
        "networks": {"kind": "online", "start": 1, "every": 1, "most": 2, "trained": 2, "steps": 2},
        "inner": {"kind": "frozen"},
        "matcher": {
            "kind": "distribution",
            "batch_norm": "running",
            "real_batch": 4,
            "cross_entropy": {"weight": 0.5},
        },
        "perturbation": {"kind": "none"},
    },
    "Adam that decays, averaged": {
        **AUGMENTED,
        "update": {
            "kind": "adam",
            "learning_rate": 0.01,
            "decay": {"kind": "cosine"},
            "averaging": 0.5,
            "clamp": "every_step",
        },
        "loops": 2,
    },
}


@pytest.mark.gpu
@pytest.mark.parametrize("changes", WORKS.values(), ids=WORKS)
def test_a_gpu_gives_the_images_of_the_cpu_in_float64(bench: Any, changes: dict[str, Any]) -> None:
    work = bench.work(**changes)
    expected = bench.run("cpu", work)
    site = bench.site("gpu")
    site.device = torch.device("cuda")
    outcome = bench.run_at(site, work)

    # As for the oracle: only the order of float64 sums differs.
    assert torch.allclose(outcome.images, expected.images, rtol=0, atol=1e-8)
    assert outcome.losses == pytest.approx(expected.losses, rel=1e-8)
