"""The first outer loops of every preset that is not of the gradient family, against plain loops."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from plain_families import (
    PlainDistribution,
    PlainQueue,
    PlainStatistics,
    PlainTrajectory,
    flat_expert,
)
from safetensors.torch import load_file
from shrunk_families import BUDGET, EPOCHS, shrunk_family
from torch import Tensor

from ddspec.spec.network import ConvNetSpec
from ddspec.wire.work import PretrainWork
from ddspec_runners.site import Site
from ddspec_runners.tasks import pretrain

TINY_RATES = {"update": {"learning_rate": 0.5}, "inner": {"learned": {"learning_rate": 1e-3}}}
"""Images of this size move by hundredths at these; at those of CIFAR-10 students blow up."""
STUDENT = {"inner": {"steps": 4, "learning_rate": 0.05}, "matcher": {"max_start": 3}}


def training(member: int, norm: str, **changes: Any) -> PretrainWork:
    """Return the work of a training on the tiny dataset, recorded after each epoch."""
    return PretrainWork.model_validate(
        {
            "network": ConvNetSpec(kind="convnet", depth=2, width=4, norm=norm),  # type: ignore[arg-type]
            "epochs": EPOCHS,
            "batch": 8,
            "optimizer": {"kind": "sgd", "learning_rate": 0.1, "momentum": 0, "weight_decay": 0},
            "decay": None,
            "augmentation": {"kind": "dsa", "operations": ["color", "crop", "flip"]},
            "cutmix": 0.0,
            "seed": (7, "pool", member),
            "precision": "float64",
            "record": tuple(range(EPOCHS + 1)),
            **changes,
        }
    )


def recorded(root: Path, train: Path, work: PretrainWork) -> Path:
    """Train a network and return its folder."""
    output, scratch = root / "-".join(map(str, work.seed)), root / "scratch"
    output.mkdir(parents=True)
    scratch.mkdir(exist_ok=True)
    pretrain.run(work, Site(key="1" * 64, inputs={"train": train}, output=output, scratch=scratch))
    return output


@pytest.fixture(scope="module")
def pools(
    tmp_path_factory: pytest.TempPathFactory, inputs: Mapping[str, Path]
) -> Mapping[str, Mapping[str, Path]]:
    """Inputs with two recorded runs each, by the norm of their network."""
    root, train = tmp_path_factory.mktemp("pools"), inputs["train"]
    return {
        norm: {"train": train}
        | {f"pool/{i}": recorded(root / norm / str(i), train, training(i, norm)) for i in range(2)}
        for norm in ("instance", "batch")
    }


def compare(bench: Any, work: Any, plain: Any, *, moved: float = 1e-3) -> Any:
    """Run the task; compare images and losses with those of the plain loops."""
    loops = list(plain.outer_loops())
    shape = (-1, BUDGET, *loops[0][0].shape[1:])
    start, images = plain.start().view(shape), loops[-1][0].view(shape)
    outcome = bench.run("task", work)

    assert (images - start).abs().max() > moved
    if work.update.averaging is None:
        assert (outcome.images - images).abs().max() < 1e-8
    assert outcome.losses == pytest.approx([loss for _, loss in loops], rel=1e-8)
    return outcome


TRAJECTORIES: dict[str, tuple[str, dict[str, Any]]] = {
    "MTT": ("preset: mtt", {}),
    "MTT in batches": ("preset: mtt", {"inner": {"batch": 4}}),
    "MTT with its rate's logarithm": ("preset: mtt", {"inner": {"learned": {"law": "log"}}}),
    "MTT in constant memory": ("preset: mtt", {"matcher": {"gradient": "recomputed"}}),
    "TESLA": ("preset: tesla", {}),
    "TESLA in batches": ("preset: tesla", {"inner": {"batch": 4}}),
    "FTD": ("preset: ftd", {}),
}


@pytest.mark.parametrize("name", TRAJECTORIES)
def test_a_preset_of_trajectories_is_the_plain_loops(
    bench: Any, pools: Mapping[str, Mapping[str, Path]], name: str
) -> None:
    preset, changes = TRAJECTORIES[name]
    work = shrunk_family(preset, "instance", **_both(_both(TINY_RATES, STUDENT), changes))
    at = replace(bench, inputs=pools["instance"])
    plain = PlainTrajectory(work, at.inputs)

    outcome = compare(at, work, plain)

    card = json.loads((outcome.folder / "card.json").read_text(encoding="utf-8"))
    # float64 in two orders of summation, as for the gradient family
    assert card["learned_lr"] == pytest.approx(plain.reached, rel=1e-10)
    assert card["learned_lr"] != pytest.approx(0.05, rel=1e-6)
    if work.update.averaging is not None:
        average = plain.average.view_as(outcome.images)
        assert (outcome.images - average).abs().max() < 1e-8


def _both(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **one,
        **{
            key: _both(one[key], value)
            if key in one and isinstance(value, Mapping) and isinstance(one[key], Mapping)
            else value
            for key, value in other.items()
        },
    }


DISTRIBUTIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "DM": ("preset: dm", "instance", {}),
    "DM with batch norm": ("preset: dm", "batch", {}),
    "DM on pixels": ("preset: dm", "instance", {"matcher": {"features": "pixels"}}),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_preset_of_distributions_is_the_plain_loops(bench: Any, name: str) -> None:
    preset, norm, changes = DISTRIBUTIONS[name]
    small = {"matcher": {"real_batch": 4}}
    work = shrunk_family(preset, norm, **_both(small, changes))

    compare(bench, work, PlainDistribution(work, bench.inputs))


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_idm_is_the_plain_loops_with_its_queue(bench: Any, norm: str) -> None:
    queue = {"start": 2, "every": 2, "most": 3, "trained": 2, "steps": 3, "batch": 8}
    work = shrunk_family("preset: idm", norm, matcher={"real_batch": 4}, networks=queue)

    compare(bench, work, PlainQueue(work, bench.inputs))


CROPS = {"kind": "imagenet", "min_area": 0.08, "jitter": 0.0, "lighting": 0.0}
STATISTICS: dict[str, tuple[str, dict[str, Any]]] = {
    "SRe2L on CIFAR": ("preset: sre2l", {}),
    "SRe2L on large images": ("preset: sre2l", {"matching_augmentation": CROPS}),
    "Teddy": ("preset: teddy_prior", {}),
    "Teddy in chunks of classes": ("preset: teddy_prior", {"matcher": {"classes_per_batch": 2}}),
}


@pytest.mark.parametrize("name", STATISTICS)
def test_a_preset_of_statistics_is_the_plain_loops(
    bench: Any, pools: Mapping[str, Mapping[str, Path]], name: str
) -> None:
    preset, changes = STATISTICS[name]
    work = shrunk_family(preset, "batch", **_both({"matcher": {"first_layer": 10.0}}, changes))
    at = replace(bench, inputs=_teachers(pools["batch"], work))

    compare(at, work, PlainStatistics(work, at.inputs))


def _teachers(pool: Mapping[str, Path], work: Any) -> Mapping[str, Path]:
    """Return inputs whose runs hold what the work asks for: its last network, where no more."""
    if work.record is None:
        for i in range(2):
            last = (pool[f"pool/{i}"] / f"epoch-{EPOCHS}.safetensors").read_bytes()
            (pool[f"pool/{i}"] / "network.safetensors").write_bytes(last)
    return pool


def test_a_flat_expert_of_ftd_is_the_plain_loop(tmp_path: Path, inputs: Mapping[str, Path]) -> None:
    sharpness = {"rho": 0.05, "alpha": 0.7, "adaptive": True}
    work = training(0, "instance", sharpness=sharpness)
    folder = recorded(tmp_path, inputs["train"], work)
    pixels, labels = _train(inputs["train"])

    for epoch, net in enumerate(flat_expert(work, pixels, labels, pixels.shape[-1])):
        stored = load_file(folder / f"epoch-{epoch}.safetensors")
        for name, value in net.named_parameters():
            found = stored[name.removeprefix("parts.").replace("-", ".")]
            # sixteen steps on two orders of summation in float64
            assert (found - value.detach()).abs().max() < 1e-10


def _train(folder: Path) -> tuple[Tensor, Tensor]:
    facts = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    pixels = torch.from_numpy(np.load(folder / "images.npy")).double() / 255
    mean, std = (
        torch.tensor(facts[name], dtype=torch.float64).view(-1, 1, 1) for name in ("mean", "std")
    )
    return (pixels - mean) / std, torch.from_numpy(np.load(folder / "labels.npy"))
