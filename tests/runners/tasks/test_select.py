from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ddspec.spec.method import InitSpec, MultiFormationSpec, PixelsSpec
from ddspec.wire.work import InitSelection, RandomSelection, SelectWork
from ddspec_runners.artifacts import SyntheticSet, read_synthetic_set
from ddspec_runners.data.prepared import DatasetCard, PreparedSplit
from ddspec_runners.faults import BadJob
from ddspec_runners.parameterization.init import initial_images
from ddspec_runners.site import Site
from ddspec_runners.tasks import select

COUNTS = (6, 9, 7)


@pytest.fixture
def train(tmp_path: Path) -> PreparedSplit:
    """Images whose every byte is their own index, so that they can be told apart."""
    folder = tmp_path / "train"
    folder.mkdir()
    card = DatasetCard(
        name="numbers",
        split="train",
        content="3" * 64,
        classes=("a", "b", "c"),
        counts=COUNTS,
        size=4,
        channels=1,
        mean=(0.5,),
        std=(0.25,),
        test_split="made up",
    )
    images = np.repeat(np.arange(sum(COUNTS), dtype=np.uint8), 16).reshape(-1, 1, 4, 4)
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", np.repeat(np.arange(3), COUNTS))
    (folder / "dataset.json").write_text(card.model_dump_json())
    return PreparedSplit.open(folder)


def chosen(tmp_path: Path, work: SelectWork, name: str = "select") -> SyntheticSet:
    output = tmp_path / name
    output.mkdir()
    inputs = {"train": tmp_path / "train"}
    select.run(work, Site(key="4" * 64, inputs=inputs, output=output, scratch=output))
    return read_synthetic_set(output)


def random_work(images_per_class: int = 4, repeat: int = 0) -> SelectWork:
    return SelectWork(
        selection=RandomSelection(),
        images_per_class=images_per_class,
        seed=(0, "select", "random", repeat),
    )


@pytest.mark.usefixtures("train")
def test_random_images_are_real_ones_of_their_class_each_once(tmp_path: Path) -> None:
    found = chosen(tmp_path, random_work())

    indices = (found.images[:, :, 0, 0, 0] * 255).round().int().tolist()
    starts = [0, 6, 15]
    for label, row in enumerate(indices):
        assert len(set(row)) == 4
        assert all(starts[label] <= i < starts[label] + COUNTS[label] for i in row)
    assert found.labels.tolist() == [[0] * 4, [1] * 4, [2] * 4]
    assert found.card.parameterization == PixelsSpec()
    assert found.card.provenance.kind == "select"
    assert found.card.provenance.key == "4" * 64
    assert found.card.dataset.content == "3" * 64


@pytest.mark.usefixtures("train")
def test_a_draw_is_repeatable_and_differs_between_repeats(tmp_path: Path) -> None:
    first = chosen(tmp_path, random_work(), "first").images
    again = chosen(tmp_path, random_work(), "again").images
    other = chosen(tmp_path, random_work(repeat=1), "other").images

    assert first.equal(again)
    assert not first.equal(other)


@pytest.mark.usefixtures("train")
def test_fewer_images_are_the_first_of_more(tmp_path: Path) -> None:
    few = chosen(tmp_path, random_work(2), "few").images
    many = chosen(tmp_path, random_work(6), "many").images

    assert few.equal(many[:, :2])


@pytest.mark.usefixtures("train")
def test_a_class_with_too_few_images_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadJob, match="class `a` has 6 training images, 7 are to be chosen"):
        chosen(tmp_path, random_work(7))


def test_init_is_what_distillation_starts_from(tmp_path: Path, train: PreparedSplit) -> None:
    parameterization = MultiFormationSpec(kind="multi_formation", factor=2)
    init = InitSpec(kind="mix")
    work = SelectWork(
        selection=InitSelection(parameterization=parameterization, init=init),
        images_per_class=1,
        seed=(0, "distill"),
    )

    found = chosen(tmp_path, work)

    start = initial_images(parameterization, init, 1, train, (0, "distill"), range(3))
    assert found.images.equal(start)
    assert found.images.dtype == torch.float32
    assert found.card.parameterization == parameterization
