"""Which numbers are learned and stored: pixels, normalised or whitened values, clamped or not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from kornia.enhance import ZCAWhitening
from torch import Tensor

from ddspec.spec.network import ConvNetSpec
from ddspec.wire.work import InitSelection, MergeWork, PretrainWork, SelectWork
from ddspec_runners import load_synthetic
from ddspec_runners.artifacts import read_synthetic_set, read_tensors, write_tensors
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.distillation.assemble import assemble
from ddspec_runners.nets.make import make_network
from ddspec_runners.rng import generator
from ddspec_runners.site import Site, StopRequested
from ddspec_runners.tasks import merge, pretrain, select

EPS = 0.1
ZCA = {"kind": "pixels", "space": "zca", "zca_eps": EPS}
WHITENED: dict[str, Any] = {
    "parameterization": ZCA,
    "init": {"kind": "real"},
    "update": {"learning_rate": 0.05, "clamp": "none"},
}
STILL = 1e-300
"""A learning rate that moves no bit of any number but zero."""


def kornias(inputs: Mapping[str, Path]) -> ZCAWhitening:
    """Return the whitening as trajectory matching fits it: kornia, on all training images."""
    pixels = PreparedSplit.open(inputs["train"]).pixels(slice(None), dtype=torch.float64)
    return ZCAWhitening(eps=EPS, compute_inv=True).fit(pixels)


def held_still(bench: Any, name: str, images: Tensor, **changes: Any) -> Tensor:
    """Return what a second outer loop, which moves nothing, leaves of images of the first."""
    before = bench.root / f"{name}-before"
    before.mkdir()
    state = {"images": images, "velocity": torch.zeros_like(images)}
    write_tensors(before / "state.safetensors", state)
    work = bench.work(start=1, stop=2, inner_steps=1, **changes)
    return bench.run(name, work, previous=before).images


def wild() -> Tensor:
    rng = torch.Generator().manual_seed(4)
    return torch.randn(3, 2, 3, 8, 8, generator=rng, dtype=torch.float64) * 3


def test_images_of_idc_are_limited_to_pixels_once_an_outer_loop(bench: Any) -> None:
    update = {"learning_rate": STILL, "clamp": "outer_loop"}

    found = held_still(bench, "idc", wild(), update=update)

    torch.testing.assert_close(found, wild().clamp(0, 1), rtol=0, atol=1e-290)


def test_images_of_idc_leave_that_range_within_an_outer_loop_and_are_stored_so(bench: Any) -> None:
    update = {"learning_rate": 50.0, "clamp": "outer_loop"}

    found = bench.run("idc", bench.work(update=update, stop=1, inner_steps=2))

    assert found.images.min() < 0
    stored, _ = read_tensors(found.folder / "state.safetensors")
    assert found.images.equal(stored["images"])


def test_images_of_dc_are_normalised_and_never_limited(bench: Any) -> None:
    settings = {
        "parameterization": {"kind": "pixels", "space": "normalised"},
        "update": {"learning_rate": STILL, "clock": "joint", "clamp": "none"},
    }

    assert held_still(bench, "dc", wild(), **settings).equal(wild())


def test_normalised_images_start_as_normalised_real_ones(bench: Any) -> None:
    settings = {
        "parameterization": {"kind": "pixels", "space": "normalised"},
        "init": {"kind": "real", "draw": "first"},
        "update": {"learning_rate": STILL, "clamp": "none"},
    }
    split = PreparedSplit.open(bench.inputs["train"])
    first = torch.tensor([[0, 1], [11, 12], [20, 21]])
    bytes_ = torch.from_numpy(split.images[first.flatten().numpy()]).double()
    mean, std = (
        torch.tensor(values, dtype=torch.float64)[:, None, None]
        for values in ([0.4, 0.5, 0.45], [0.2, 0.3, 0.25])
    )

    found = bench.run("dc", bench.work(**settings, stop=1))

    expected = ((bytes_ / 255 - mean) / std).view(3, 2, 3, 8, 8)
    torch.testing.assert_close(found.images, expected, rtol=0, atol=1e-14)


def test_whitened_images_start_as_kornia_whitens_real_ones(bench: Any) -> None:
    settings = {
        **WHITENED,
        "init": {"kind": "real", "draw": "first"},
        "update": {"learning_rate": STILL, "clamp": "none"},
    }
    split = PreparedSplit.open(bench.inputs["train"])
    first = torch.tensor([0, 1, 11, 12, 20, 21])

    found = bench.run("zca", bench.work(**settings, stop=1))

    expected = kornias(bench.inputs)(split.pixels(first, dtype=torch.float64))
    # 192 products of numbers below 4, in float64
    torch.testing.assert_close(found.images.flatten(0, 1), expected, rtol=0, atol=1e-11)


def test_networks_are_shown_whitened_real_images_beside_whitened_learned_ones(bench: Any) -> None:
    parts = assemble(bench.work(**WHITENED), bench.site("zca"))
    chosen = torch.tensor([3, 30, 12])
    pixels = PreparedSplit.open(bench.inputs["train"]).pixels(chosen, dtype=torch.float64)

    real = parts.matching.split.gather(chosen, dtype=torch.float64)

    torch.testing.assert_close(real, kornias(bench.inputs)(pixels), rtol=0, atol=1e-11)
    assert parts.matching.parameterization.normalise(wild()).equal(wild())


def test_a_whitened_set_can_be_used_elsewhere(bench: Any) -> None:
    found = bench.run("zca", bench.work(**WHITENED))

    loaded = load_synthetic(found.folder)
    assert loaded.x.equal(found.images.flatten(0, 1))
    pixels = kornias(bench.inputs).inverse_transform(found.images.flatten(0, 1))
    torch.testing.assert_close(loaded.images(), pixels, rtol=0, atol=1e-11)
    tensors, _ = read_tensors(found.folder / "whitening.safetensors")
    assert set(tensors) == set(dict(kornias(bench.inputs).named_buffers()))
    size = (found.folder / "whitening.safetensors").stat().st_size
    assert size == pytest.approx(8 * (2 * 192**2 + 192), rel=0.01)  # as plans forecast it
    assert (found.folder / "grid.png").is_file()
    assert loaded.card.parameterization.space == "zca"


def test_sets_of_other_spaces_have_no_whitening(bench: Any) -> None:
    found = bench.run("plain", bench.work(stop=1))

    assert not (found.folder / "whitening.safetensors").exists()
    assert load_synthetic(found.folder).whitening is None


def test_whitened_shards_are_merged_to_the_whole(bench: Any) -> None:
    settings = {**WHITENED, "precision": "float32", "stop": 1}
    whole = bench.run("whole", bench.work(**settings))
    shards = [
        bench.run(
            f"shard{start}",
            bench.work(**settings, classes={"start": start, "stop": stop, "of": 3}),
        )
        for start, stop in ((0, 1), (1, 3))
    ]
    output = bench.root / "joined"
    output.mkdir()
    inputs = {f"shard/{i}": shard.folder for i, shard in enumerate(shards)}
    merge.run(MergeWork(shards=2), Site("0" * 64, inputs=inputs, output=output, scratch=output))

    for name in ("synthetic.safetensors", "whitening.safetensors", "grid.png", "card.json"):
        assert (output / name).read_bytes() == (whole.folder / name).read_bytes(), name


def test_a_killed_whitened_run_goes_on_bit_equal(bench: Any) -> None:
    work = bench.work(**WHITENED, precision="float32", stop=2)
    whole = bench.run("whole", work)
    with pytest.raises(StopRequested):
        bench.run("torn", work, stop_at=1)

    resumed = bench.run("torn", work)

    assert resumed.images.equal(whole.images)
    assert resumed.velocity.equal(whole.velocity)


def test_the_init_baseline_of_a_whitened_set_is_where_it_starts(bench: Any) -> None:
    still = {**WHITENED, "update": {"learning_rate": STILL, "clamp": "none"}}
    learned = bench.run("zca", bench.work(**still, precision="float32", stop=1))
    chosen = SelectWork(
        selection=InitSelection.model_validate({"parameterization": ZCA, "init": WHITENED["init"]}),
        images_per_class=2,
        seed=(7, "distill"),
    )
    output = bench.root / "init"
    output.mkdir()

    select.run(chosen, Site("5" * 64, inputs=bench.inputs, output=output, scratch=output))

    found = read_synthetic_set(output)
    assert found.images.equal(learned.images)
    assert found.whitening is not None


def test_a_pool_of_whitened_images_is_trained_on_them(bench: Any, tmp_path: Path) -> None:
    network = ConvNetSpec(kind="convnet", depth=2, width=4)
    work = PretrainWork(
        network=network,
        epochs=1,
        batch=33,
        optimizer={"learning_rate": 0.1, "momentum": 0.0, "weight_decay": 0.0},
        decay=None,
        augmentation={"kind": "none"},
        cutmix=0.0,
        seed=(3, "pool", 0),
        precision="float64",
        zca=EPS,
    )
    output = tmp_path / "pool"
    output.mkdir()
    pretrain.run(work, Site("6" * 64, inputs=bench.inputs, output=output, scratch=output))

    split = PreparedSplit.open(bench.inputs["train"])
    made = make_network(network, channels=3, size=8, classes=3)
    start = made.init(generator(3, "pool", 0, "init"))
    params = {name: value.double().requires_grad_() for name, value in start.items()}
    white = kornias(bench.inputs)(split.pixels(slice(None), dtype=torch.float64))
    loss = F.cross_entropy(made.apply(params, white), split.labels)
    slopes = torch.autograd.grad(loss, list(params.values()))
    trained, _ = read_tensors(output / "network.safetensors")
    for (name, value), slope in zip(params.items(), slopes, strict=True):
        # one step of plain SGD on the mean over all 33 images, in another order
        torch.testing.assert_close(trained[name], value.detach() - 0.1 * slope, rtol=0, atol=1e-11)
