"""What networks are fed where images are whitened, whatever space a set was learned in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from kornia.enhance import ZCAWhitening

from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.method import MultiFormationSpec, ParameterizationSpec, PixelsSpec
from ddspec.spec.network import ConvNetSpec
from ddspec.wire.work import EvaluateWork
from ddspec_runners.artifacts import labels_of, write_synthetic_set
from ddspec_runners.card import Provenance, make_card
from ddspec_runners.data.prepared import DatasetCard, PreparedSplit
from ddspec_runners.data.whitening import Whitening
from ddspec_runners.evaluation.examples import examples_for
from ddspec_runners.faults import BadJob
from ddspec_runners.site import Site
from ddspec_runners.tasks import evaluate

EPS = 0.1
CPU = torch.device("cpu")


def write_split(folder: Path, split: str, seed: int) -> PreparedSplit:
    folder.mkdir()
    rng = np.random.default_rng(seed)
    counts = (14, 12)
    levels = np.repeat(np.array([60, 180]), counts).reshape(-1, 1, 1, 1)
    card = DatasetCard.model_validate(
        {
            "name": "shades",
            "split": split,
            "content": "0" * 64,
            "classes": ("dark", "bright"),
            "counts": counts,
            "size": 4,
            "channels": 1,
            "mean": (0.5,),
            "std": (0.25,),
            "test_split": "made up",
        }
    )
    images = (levels + rng.integers(-50, 51, (26, 1, 4, 4))).astype(np.uint8)
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", np.repeat(np.arange(2), counts))
    (folder / "dataset.json").write_text(card.model_dump_json())
    return PreparedSplit.open(folder)


def write_set(folder: Path, train: PreparedSplit, shape: ParameterizationSpec) -> torch.Tensor:
    folder.mkdir()
    card = make_card(
        train.card,
        parameterization=shape,
        images_per_class=3,
        provenance=Provenance(key="1" * 64, kind="distill", seed=(0,)),
    )
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 1, 4, 4, generator=rng, dtype=torch.float64)
    whitening = Whitening.fit(train, EPS) if shape.space == "zca" else None
    write_synthetic_set(folder, images, labels_of(card), card, whitening)
    return images


def kornias(train: PreparedSplit) -> ZCAWhitening:
    pixels = train.pixels(slice(None), dtype=torch.float64)
    return ZCAWhitening(eps=EPS, compute_inv=True).fit(pixels)


def fed(folder: Path, test: PreparedSplit, train: PreparedSplit) -> torch.Tensor:
    examples = examples_for(
        folder,
        test,
        on_real=False,
        dtype=torch.float64,
        device=CPU,
        whitening=Whitening.fit(train, EPS),
    )
    return examples.batch(torch.arange(len(examples)))[0]


def test_a_whitened_set_is_fed_as_it_was_learned(tmp_path: Path) -> None:
    train, test = (
        write_split(tmp_path / name, name, i) for i, name in enumerate(("train", "test"))
    )
    images = write_set(tmp_path / "set", train, PixelsSpec(space="zca", zca_eps=EPS))

    assert fed(tmp_path / "set", test, train).equal(images.flatten(0, 1))


@pytest.mark.parametrize("space", ["pixel", "normalised"])
def test_a_set_of_pixels_is_whitened_beside_it(tmp_path: Path, space: str) -> None:
    train, test = (
        write_split(tmp_path / name, name, i) for i, name in enumerate(("train", "test"))
    )
    shape = PixelsSpec.model_validate({"space": space})
    images = write_set(tmp_path / "set", train, shape).flatten(0, 1)
    pixels = images if space == "pixel" else images * 0.25 + 0.5

    # 16 products of numbers below 4, in float64
    torch.testing.assert_close(
        fed(tmp_path / "set", test, train), kornias(train)(pixels), rtol=0, atol=1e-12
    )


def test_real_images_are_whitened_by_the_fit_of_the_training_split(tmp_path: Path) -> None:
    train, test = (
        write_split(tmp_path / name, name, i) for i, name in enumerate(("train", "test"))
    )

    real = test.whitened(Whitening.fit(train, EPS)).gather(slice(None), dtype=torch.float64)

    pixels = test.pixels(slice(None), dtype=torch.float64)
    torch.testing.assert_close(real, kornias(train)(pixels), rtol=0, atol=1e-12)


def test_a_whitened_set_needs_a_protocol_that_whitens(tmp_path: Path) -> None:
    train, test = (
        write_split(tmp_path / name, name, i) for i, name in enumerate(("train", "test"))
    )
    write_set(tmp_path / "set", train, PixelsSpec(space="zca", zca_eps=EPS))

    with pytest.raises(BadJob, match="whiten"):
        examples_for(tmp_path / "set", test, on_real=False, dtype=torch.float32, device=CPU)


def test_a_finished_set_is_decoded_as_its_card_says_it_is_used(tmp_path: Path) -> None:
    train, test = (
        write_split(tmp_path / name, name, i) for i, name in enumerate(("train", "test"))
    )
    shape = MultiFormationSpec(kind="multi_formation", factor=2, decode="multi", used="single")
    write_set(tmp_path / "set", train, shape)

    examples = examples_for(tmp_path / "set", test, on_real=False, dtype=torch.float32, device=CPU)

    assert len(examples) == 2 * 3 * 4


def test_a_network_that_is_trained_and_tested_on_whitened_images_tells_them_apart(
    tmp_path: Path,
) -> None:
    for seed, name in enumerate(("train", "test")):
        write_split(tmp_path / name, name, seed)
    work = EvaluateWork(
        network=ConvNetSpec(kind="convnet", depth=1, width=4, norm="none"),
        protocol=ProtocolSpec(name="whitened", steps=60, batch=8, zca=EPS),
        on_real=True,
        seed=(0, "evaluate", "full", "convnet1", 0),
        precision="float32",
    )
    output = tmp_path / "evaluate"
    output.mkdir()
    train = tmp_path / "train"
    inputs = {"set": train, "test": tmp_path / "test", "train": train}

    found = evaluate.run(work, Site("2" * 64, inputs=inputs, output=output, scratch=output))

    assert found["accuracy"] == 1.0
