"""SVHN and Tiny-ImageNet from files in their published layout to prepared splits."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from ddspec.spec.facts import FACTS, DataFile
from ddspec.spec.lock import scan_folder
from ddspec.wire.work import PrepareWork, SourceModel
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.faults import BadData
from ddspec_runners.site import Site
from ddspec_runners.tasks import prepare


def site(tmp_path: Path, name: str, **location: str) -> Site:
    output, scratch = tmp_path / name, tmp_path / f"{name}-scratch"
    output.mkdir()
    scratch.mkdir()
    return Site(
        key="0" * 64,
        inputs={},
        output=output,
        scratch=scratch,
        data=tmp_path / "data",
        location=location,
    )


def source(name: str, content: str | None) -> SourceModel:
    facts = FACTS[name]
    assert content is not None
    return SourceModel(
        name=name,
        content=content,
        classes=facts.class_names,
        size=facts.size,
        channels=facts.channels,
        validation=0.0,
        mean=facts.mean,
        std=facts.std,
    )


@pytest.fixture
def street(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """SVHN with twelve images a split, published with checksums of its own."""
    data = tmp_path / "data"
    data.mkdir()
    labels = np.array([*range(1, 11), 10, 1], np.uint8)[:, None]
    images = np.broadcast_to(np.arange(12, dtype=np.uint8), (32, 32, 3, 12))
    files = []
    for name in ("train_32x32.mat", "test_32x32.mat"):
        savemat(data / name, {"X": images, "y": labels}, do_compression=True)
        content = (data / name).read_bytes()
        sums = {
            "md5": hashlib.md5(content).hexdigest(),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        files.append(DataFile(name, **sums))
    monkeypatch.setitem(FACTS, "svhn", replace(FACTS["svhn"], files=tuple(files)))
    return data


def test_svhn_is_read_from_its_published_files(tmp_path: Path, street: Path) -> None:
    at = site(tmp_path, "train")

    prepare.run(PrepareWork(source=source("svhn", FACTS["svhn"].content), split="train"), at)

    train = PreparedSplit.open(at.output)
    assert train.classes == tuple("0123456789")
    assert train.counts == (2, 2, 1, 1, 1, 1, 1, 1, 1, 1)
    assert train.images[:, 2, 5, 7].tolist() == [9, 10, 0, 11, *range(1, 9)]
    assert train.card.test_split == "the published test split of SVHN, cropped digits"


def test_a_changed_file_of_svhn_is_refused_before_it_is_parsed(
    tmp_path: Path, street: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parsed(*args: object, **kwargs: object) -> None:
        raise AssertionError("parsed before its checksum was compared")

    monkeypatch.setattr("scipy.io.loadmat", parsed)
    (street / "test_32x32.mat").write_bytes(b"MATLAB 5.0 MAT-file, or so it says")
    work = PrepareWork(source=source("svhn", FACTS["svhn"].content), split="train")

    with pytest.raises(BadData, match=r"test_32x32\.mat has MD5"):
        prepare.run(work, site(tmp_path, "train"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny-ImageNet as it unpacks, with one image of each class a split; every third is grey."""
    data = tmp_path_factory.mktemp("tiny")
    root = data / "tiny-imagenet-200"
    lines = []
    for label, name in enumerate(FACTS["tiny_imagenet"].class_names):
        image = Image.new("L", (64, 64), label) if label % 3 == 0 else colour(label)
        folder = root / "train" / name / "images"
        folder.mkdir(parents=True)
        image.save(folder / f"{name}_0.JPEG", quality=95)
        (folder.parent / f"{name}_boxes.txt").write_text(f"{name}_0.JPEG\t0\t0\t63\t63\n")
        (root / "val" / "images").mkdir(parents=True, exist_ok=True)
        # numbered against the order of the classes, as images of the real split are
        file = f"val_{199 - label}.JPEG"
        image.save(root / "val" / "images" / file, quality=95)
        lines.append(f"{file}\t{name}\t0\t0\t63\t63\n")
    (root / "val" / "val_annotations.txt").write_text("".join(sorted(lines)))
    (root / "wnids.txt").write_text("\n".join(FACTS["tiny_imagenet"].class_names[::-1]))
    return data


def colour(level: int) -> Image.Image:
    return Image.new("RGB", (64, 64), (level, level, level))


def test_tiny_imagenet_is_read_as_it_unpacks(tmp_path: Path, tiny: Path) -> None:
    classes = FACTS["tiny_imagenet"].class_names
    root = tiny / "tiny-imagenet-200"
    lock = scan_folder(
        root, classes, {"train": "train", "test": "val"}, kind="tiny_imagenet", threads=2
    )

    for split in ("train", "test"):
        at = site(tmp_path, split, path="tiny-imagenet-200", train="train", test="val")
        at.data = tiny
        work = PrepareWork.model_validate(
            {"source": source("tiny_imagenet", lock.digest), "split": split}
        )
        prepare.run(work, at)

        found = PreparedSplit.open(at.output)
        assert found.classes == classes == tuple(sorted(classes))
        assert found.counts == (1,) * 200
        # an even grey survives JPEG to a level or two, so every image is under its own class
        level = found.images[:, :, 32, 32].astype(int)
        assert np.abs(level - np.arange(200)[:, None]).max() <= 2
