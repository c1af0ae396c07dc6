"""Distribution matching in whole runs: shards, resumes, passes that classes share, pixels."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ddspec.spec.matcher import ONE_PASS_PIXELS
from ddspec_runners.distillation.assemble import assemble
from ddspec_runners.distillation.class_loop import Distillation
from ddspec_runners.faults import BadJob
from ddspec_runners.site import StopRequested

PLAIN: dict[str, Any] = {
    "precision": "float32",
    "inner_steps": 1,
    "inner": {"kind": "frozen"},
    "networks": {"kind": "fresh"},
    "perturbation": {"kind": "none"},
    "cutmix": 0.0,
    "matching_augmentation": {"kind": "dsa"},
    "parameterization": {"kind": "pixels", "space": "normalised"},
    "init": {"kind": "real"},
    "update": {"learning_rate": 1.0, "clock": "per_class"},
    "matcher": {"kind": "distribution", "real_batch": 5},
}
BATCH_NORM = {
    **PLAIN,
    "network": {"kind": "convnet", "depth": 2, "width": 4, "norm": "batch"},
    "update": {"learning_rate": 1.0, "clock": "joint"},
}
IDM = {
    **PLAIN,
    "networks": {"kind": "online", "start": 2, "every": 2, "most": 3, "trained": 1, "steps": 2},
    "parameterization": {"kind": "multi_formation", "factor": 2, "space": "normalised"},
    "init": {"kind": "mix"},
    "update": {"learning_rate": 0.2, "clock": "shared"},
    "matcher": {
        "kind": "distribution",
        "batch_norm": "running",
        "cross_entropy": {"weight": 50.0},
        "real_batch": 5,
    },
}
PIXELS = {
    **PLAIN,
    "matcher": {"kind": "distribution", "features": "pixels", "real_batch": 5},
    "matching_augmentation": {"kind": "none"},
}
PERTURBED: dict[str, Any] = {
    "networks": None,
    "perturbation": {
        "kind": "filter_gaussian",
        "directions": 1,
        "coefficient": {"law": "fixed", "value": 0.5},
    },
}
SEPARATE = {
    "DM": PLAIN,
    "DM, running statistics": {
        **BATCH_NORM,
        "matcher": {"kind": "distribution", "batch_norm": "running", "real_batch": 5},
    },
    "DM, augmented models": PLAIN | PERTURBED,
    "IDM": IDM,
    "pixels": PIXELS,
}


def folded(loops: Any, together: int) -> Distillation:
    assert isinstance(loops, Distillation)
    return replace(loops, matching=replace(loops.matching, together=together))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("cuts", [(0, 1, 3), (0, 1, 2, 3)], ids=["one and two", "each alone"])
@pytest.mark.parametrize("settings", SEPARATE.values(), ids=SEPARATE)
def test_class_shards_are_bit_equal_to_the_whole(
    bench: Any, settings: dict[str, Any], cuts: tuple[int, ...], images: int
) -> None:
    work = {**settings, "images_per_class": images, "stop": 3}
    whole = bench.run("whole", bench.work(**work))
    shards = [
        bench.run(
            f"from{start}", bench.work(**work, classes={"start": start, "stop": stop, "of": 3})
        )
        for start, stop in pairwise(cuts)
    ]

    assert torch.equal(torch.cat([shard.images for shard in shards]), whole.images)
    assert torch.equal(torch.cat([shard.velocity for shard in shards]), whole.velocity)


@pytest.mark.parametrize("settings", [*SEPARATE.values(), BATCH_NORM], ids=[*SEPARATE, "DM-BN"])
def test_a_killed_run_ends_with_the_same_bytes(bench: Any, settings: dict[str, Any]) -> None:
    work = bench.work(**settings, stop=3)
    whole = bench.run("whole", work)
    with pytest.raises(StopRequested):
        bench.run("torn", work, stop_at=2)

    assert contents(bench.run("torn", work).folder) == contents(whole.folder)


@pytest.mark.parametrize("name", ["DM", "DM, running statistics", "DM, augmented models", "pixels"])
@pytest.mark.parametrize("together", [2, 3])
def test_classes_that_share_a_pass_learn_what_the_class_loop_learns(
    bench: Any, name: str, together: int
) -> None:
    settings = {**SEPARATE[name], "precision": "float64"}
    loops = assemble(bench.work(**settings), bench.site("a"))
    start = torch.randn(3, 2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator())
    apart, shared = loops.fresh(start), loops.fresh(start)
    for outer in range(2):
        apart, alone = folded(loops, 1).outer_loop(apart, outer)
        shared, joined = folded(loops, together).outer_loop(shared, outer)

        # kernels may sum in another order in another size of batch: 1e-15 of values of order one
        assert joined["loss"] == pytest.approx(alone["loss"], rel=1e-12)
    assert (shared.images - apart.images).abs().max() < 1e-12
    assert (shared.images - start).abs().max() > 1e-4


def test_on_a_cpu_each_class_is_a_pass(bench: Any) -> None:
    assert assemble(bench.work(**PLAIN), bench.site("a")).matching.together == 1


def test_on_an_accelerator_classes_share_a_pass_as_far_as_memory_goes(bench: Any) -> None:
    site = bench.site("a")
    site.device = torch.device("meta")
    few, many = (
        assemble(
            bench.work(**{**PLAIN, "matcher": {"kind": "distribution", "real_batch": batch}}), site
        )
        for batch in (64, ONE_PASS_PIXELS // (2 * 8 * 8))
    )

    assert few.matching.together > 3
    assert many.matching.together == 2


def test_under_batch_norm_all_classes_are_one_pass_and_no_shards(bench: Any) -> None:
    assert assemble(bench.work(**BATCH_NORM), bench.site("a")).matching.together == 3
    with pytest.raises(BadJob, match="no shards"):
        assemble(
            bench.work(**BATCH_NORM, classes={"start": 0, "stop": 2, "of": 3}), bench.site("b")
        )


@pytest.mark.parametrize("most", [2, 5])
def test_a_large_set_moves_as_many_images_as_are_asked_for_at_once(bench: Any, most: int) -> None:
    matcher = {"kind": "distribution", "real_batch": 5, "max_views": most}
    work = bench.work(**{**PLAIN, "matcher": matcher, "images_per_class": 6, "stop": 1})
    started = bench.run("nothing", work.model_copy(update={"update": still(work)}))
    moved = (bench.run("a", work).images - started.images).flatten(2).abs().amax(2)

    assert moved.gt(0).sum(1).tolist() == [most] * 3


def still(work: Any) -> Any:
    """Return an update so slow that float32 images stay where they are."""
    return work.update.model_copy(update={"learning_rate": 1e-30})


def test_pixels_end_at_the_mean_of_the_real_images_of_their_class(bench: Any) -> None:
    everything = {"kind": "distribution", "features": "pixels", "real_batch": 100}
    work = bench.work(
        **{**PIXELS, "precision": "float64", "matcher": everything, "images_per_class": 2},
        stop=60,
    )
    outcome = bench.run("a", work)
    train = bench.inputs["train"]
    pixels, labels = (np.load(train / f"{name}.npy") for name in ("images", "labels"))
    spread = np.array([0.2, 0.3, 0.25])[:, None, None]
    normalised = (pixels / 255 - np.array([0.4, 0.5, 0.45])[:, None, None]) / spread

    # a mean of two moves by the rate of one at momentum 1/2: errors shrink by 0.7 a loop
    for k in range(3):
        mean = torch.from_numpy(normalised[labels == k].mean(0))
        assert (outcome.images[k].mean(0) - mean).abs().max() < 1e-6
    assert outcome.losses[-1] < 1e-12 < outcome.losses[0]


def test_pixels_need_no_networks_at_all(bench: Any) -> None:
    site = bench.site("alone")
    site.inputs = {"train": bench.inputs["train"]}
    wide = {"kind": "convnet", "depth": 2, "width": 8}
    plain = bench.run_at(site, bench.work(**PIXELS))
    other = bench.run("other", bench.work(**PIXELS, network=wide))

    assert torch.equal(plain.images, other.images)


def test_images_depend_on_how_models_are_perturbed(bench: Any) -> None:
    still = {**PLAIN, **PERTURBED, "perturbation": {"kind": "none"}}
    perturbed = bench.run("perturbed", bench.work(**PLAIN | PERTURBED))
    unmoved = bench.run("unmoved", bench.work(**still))

    assert perturbed.images.isfinite().all()
    assert not torch.allclose(perturbed.images, unmoved.images, atol=1e-3)


def test_the_term_of_idm_grows_with_what_a_network_has_learned(bench: Any) -> None:
    untrained = {**IDM["networks"], "trained": 1, "steps": 1, "every": 1000, "start": 1}
    plain = {**IDM["matcher"], "cross_entropy": None}
    first = bench.run("term", bench.work(**{**IDM, "networks": untrained}, stop=3))
    without = bench.run(
        "plain", bench.work(**{**IDM, "networks": untrained, "matcher": plain}, stop=3)
    )

    # before its first step a network has no accuracy, and the term no weight
    assert first.losses[0] == pytest.approx(without.losses[0], rel=1e-6)
    assert first.losses[-1] > without.losses[-1] + 1
