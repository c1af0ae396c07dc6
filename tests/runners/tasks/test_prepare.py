from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from ddspec.spec.facts import FACTS, DataFile, Facts
from ddspec.spec.lock import scan_folder
from ddspec.wire.work import PrepareWork, SourceModel
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.faults import BadData, BadJob
from ddspec_runners.site import Site, StopRequested
from ddspec_runners.tasks import prepare

Split = Literal["train", "validation", "test"]

DATA = os.environ.get("DDSPEC_DATA")
"""Read when the module is imported: tests run without it."""


def site(tmp_path: Path, name: str, data: Path | None = None, **location: str) -> Site:
    output, scratch = tmp_path / name, tmp_path / f"{name}-scratch"
    output.mkdir()
    scratch.mkdir()
    return Site(
        key="0" * 64, inputs={}, output=output, scratch=scratch, data=data, location=location
    )


def builtin(name: str, *, validation: float = 0.0) -> SourceModel:
    facts = FACTS[name]
    assert facts.content
    return SourceModel(
        name=name,
        content=facts.content,
        classes=facts.class_names,
        size=facts.size,
        channels=facts.channels,
        validation=validation,
        holdout=facts.holdout,
        mean=facts.mean,
        std=facts.std,
    )


def prepared(tmp_path: Path, source: SourceModel, split: Split) -> PreparedSplit:
    at = site(tmp_path, split)
    prepare.run(PrepareWork(source=source, split=split), at)
    return PreparedSplit.open(at.output)


def test_digits_are_divided_once_and_normalised_alike(tmp_path: Path) -> None:
    source = builtin("digits", validation=0.2)

    train, validation, test = (
        prepared(tmp_path, source, split) for split in ("train", "validation", "test")
    )

    assert len(train) + len(validation) + len(test) == 1797
    assert test.counts == (53, 55, 53, 55, 54, 55, 54, 54, 52, 54)
    assert train.mean == validation.mean == test.mean
    assert train.std == validation.std == test.std
    pixels = train.images.astype(np.float64) / 255
    # exact integers against 64,512 float64 additions: relative error below 64,512 x 2^-53
    assert train.mean == pytest.approx([pixels.mean()], rel=1e-11)
    assert train.std == pytest.approx([pixels.std()], rel=1e-11)
    assert "holdout" in train.card.test_split


def test_preparing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    work = PrepareWork(source=builtin("digits"), split="test")

    for name in ("first", "second"):
        prepare.run(work, site(tmp_path, name))

    for file in ("images.npy", "labels.npy", "dataset.json"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()
    assert sorted(p.name for p in (tmp_path / "first").iterdir()) == [
        "dataset.json",
        "images.npy",
        "labels.npy",
    ]


def test_another_content_than_this_version_knows_is_refused(tmp_path: Path) -> None:
    source = builtin("digits").model_copy(update={"content": "1" * 64})

    with pytest.raises(BadJob, match="another `digits`"):
        prepare.run(PrepareWork(source=source, split="train"), site(tmp_path, "train"))


def test_a_split_that_would_be_empty_is_refused(tmp_path: Path) -> None:
    work = PrepareWork(source=builtin("digits"), split="validation")

    with pytest.raises(BadJob, match="validation split of `digits` is empty"):
        prepare.run(work, site(tmp_path, "validation"))


@pytest.mark.parametrize("name", ["mnist", "cifar10", "cifar100"])
def test_a_missing_data_directory_says_how_to_give_one(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadData, match="DDSPEC_DATA"):
        prepare.run(PrepareWork(source=builtin(name), split="test"), site(tmp_path, "test"))


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10", "cifar100"])
def test_missing_files_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "data").mkdir()

    with pytest.raises(BadData, match=Path(FACTS[name].files[0].path).name):
        prepare.run(
            PrepareWork(source=builtin(name), split="test"),
            site(tmp_path, "test", tmp_path / "data"),
        )


def test_a_changed_batch_is_refused_before_it_is_unpickled(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for file in FACTS["cifar10"].files:
        (tmp_path / "data" / file.path).write_bytes(b"cos\nsystem\n(S'true'\ntR.")

    with pytest.raises(BadData, match="data_batch_1 has MD5"):
        prepare.run(
            PrepareWork(source=builtin("cifar10"), split="train"),
            site(tmp_path, "train", tmp_path / "data"),
        )


def test_published_files_may_be_of_any_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = tiny_mnist(tmp_path / "data")
    monkeypatch.setitem(FACTS, "mnist", facts)
    at = site(tmp_path, "test", tmp_path / "data")

    prepare.run(PrepareWork(source=builtin("mnist"), split="test"), at)

    test = PreparedSplit.open(at.output)
    assert test.counts == (1, 2)
    assert test.images[:, 0, 0, 0].tolist() == [20, 10, 30]
    assert test.card.test_split == "the published test split of MNIST, tiny"


def tiny_mnist(data: Path) -> Facts:
    raw = data / "MNIST" / "raw"
    raw.mkdir(parents=True)
    labels = np.array([1, 0, 1], np.uint8)
    images = np.repeat(np.array([10, 20, 30], np.uint8), 784).reshape(3, 28, 28)
    for prefix in ("train", "t10k"):
        head = b"\0\0\x08\x03" + np.array(images.shape, ">u4").tobytes()
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(head + images.tobytes())
        head = b"\0\0\x08\x01" + np.array(labels.shape, ">u4").tobytes()
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(head + labels.tobytes())
    files = [
        DataFile(
            path.relative_to(data).as_posix(),
            md5=hashlib.md5(path.read_bytes()).hexdigest(),
            sha256=None,
        )
        for path in sorted(raw.iterdir())
    ]
    return Facts(
        title="MNIST, tiny",
        channels=1,
        size=28,
        classes=("zero", "one"),
        train=3,
        test=3,
        train_per_class=(1, 2),
        test_per_class=(1, 2),
        mean=(0.5,),
        std=(0.5,),
        files=tuple(files),
    )


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Two classes under two splits, colours that tell which is which."""
    root = tmp_path / "data" / "photographs"
    for split, count in (("train", 4), ("test", 2)):
        for label, name in enumerate(("cat", "dog")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                level = 100 * label + i + (50 if split == "test" else 0)
                Image.new("RGB", (9 + i, 12), (level, level, 255)).save(folder / f"{i}.png")
    return root


def folder_source(content: str, **changes: object) -> SourceModel:
    source = SourceModel(
        name="folder",
        content=content,
        classes=("dog", "cat"),
        size=8,
        channels=3,
        validation=0.25,
    )
    return source.model_copy(update=changes)


def lock_of(root: Path, *, test: bool = True) -> str:
    splits: dict[Literal["train", "test"], str] = {"train": "train"}
    if test:
        splits["test"] = "test"
    return scan_folder(root, ("dog", "cat"), splits).digest


def test_a_folder_is_read_in_the_order_of_its_classes(tmp_path: Path, photographs: Path) -> None:
    source = folder_source(lock_of(photographs))
    splits: tuple[Split, ...] = ("train", "validation", "test")

    opened = {}
    for split in splits:
        at = site(
            tmp_path, split, tmp_path / "data", path="photographs", train="train", test="test"
        )
        prepare.run(PrepareWork(source=source, split=split), at)
        opened[split] = PreparedSplit.open(at.output)

    assert opened["test"].images[:, 0, 0, 0].tolist() == [150, 151, 50, 51]
    assert opened["train"].counts == (3, 3)
    assert opened["validation"].counts == (1, 1)
    assert opened["train"].card.std[2] == 1.0
    assert opened["train"].card.notes == (
        "channel 2 never varies in training; its deviation is set to 1",
    )
    assert opened["train"].mean == opened["test"].mean == opened["validation"].mean
    assert opened["test"].card.test_split == "the test folder of the locked tree"


def test_a_folder_without_test_images_holds_some_out(tmp_path: Path, photographs: Path) -> None:
    source = folder_source(lock_of(photographs, test=False), holdout=0.5, validation=0.0)
    at = site(tmp_path, "held", tmp_path / "data", path="photographs", train="train")

    prepare.run(PrepareWork(source=source, split="test"), at)

    assert PreparedSplit.open(at.output).counts == (2, 2)


def test_images_that_changed_since_the_lock_are_refused(tmp_path: Path, photographs: Path) -> None:
    source = folder_source(lock_of(photographs))
    Image.new("RGB", (9, 12)).save(photographs / "train" / "cat" / "0.png")
    at = site(tmp_path, "held", tmp_path / "data", path="photographs", train="train", test="test")

    with pytest.raises(BadData, match="are not those of the lock"):
        prepare.run(PrepareWork(source=source, split="test"), at)


def test_a_damaged_image_is_named(tmp_path: Path, photographs: Path) -> None:
    (photographs / "train" / "cat" / "0.png").write_text("not an image")
    source = folder_source(lock_of(photographs), validation=0.0)
    at = site(tmp_path, "held", tmp_path / "data", path="photographs", train="train", test="test")

    with pytest.raises(BadData, match=r"1 of 8 images cannot be decoded\n  train/cat/0\.png"):
        prepare.run(PrepareWork(source=source, split="train"), at)

    assert list(at.output.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param("../outside", "leads out of the data directory", id="parent"),
        pytest.param("link", "leads out of the data directory", id="link"),
        pytest.param("nowhere", "is not a folder", id="missing"),
    ],
)
def test_a_location_outside_of_the_data_is_refused(
    tmp_path: Path, photographs: Path, path: str, message: str
) -> None:
    (tmp_path / "outside" / "train").mkdir(parents=True)
    (tmp_path / "data" / "link").symlink_to(tmp_path / "outside")
    at = site(tmp_path, "held", tmp_path / "data", path=path, train="train")

    with pytest.raises(BadData, match=message):
        prepare.run(PrepareWork(source=folder_source("0" * 64), split="train"), at)


def test_a_stop_is_obeyed_between_blocks_and_leaves_nothing(tmp_path: Path) -> None:
    at = site(tmp_path, "train")
    at.stopping = lambda: True
    work = PrepareWork(source=builtin("digits"), split="test")

    with pytest.raises(StopRequested):
        prepare.run(work, at)

    assert not (at.output / "dataset.json").exists()


def test_progress_counts_every_image_that_is_read(tmp_path: Path) -> None:
    at = site(tmp_path, "train")
    seen: list[tuple[int, int, str]] = []
    at.emit = lambda done, total, unit, _: seen.append((done, total, unit))

    prepare.run(PrepareWork(source=builtin("digits", validation=0.2), split="test"), at)

    # 539 test images, then the 1,008 training images for mean and deviation
    assert seen == [(539, 1547, "images"), (1547, 1547, "images")]


@pytest.mark.data
@pytest.mark.skipif(DATA is None, reason="DDSPEC_DATA is not set")
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_real_datasets_have_the_published_counts_and_statistics(tmp_path: Path, name: str) -> None:
    assert DATA is not None
    facts = FACTS[name]
    at = site(tmp_path, "train", Path(DATA))
    source = builtin(name).model_copy(update={"mean": None, "std": None})

    prepare.run(PrepareWork(source=source, split="train"), at)

    train = PreparedSplit.open(at.output)
    assert train.counts == facts.train_per_class
    # published means are printed with four digits; CIFAR-10's deviations follow another formula
    assert train.mean == pytest.approx(facts.mean, abs=2e-4)
