"""Images that cannot be decoded are left out where the work allows it, and listed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from ddspec.spec.lock import Split as Folder
from ddspec.spec.lock import scan_folder
from ddspec.wire.work import PrepareWork, SourceModel
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.faults import BadData
from ddspec_runners.site import Site
from ddspec_runners.tasks import prepare

CLASSES = ("cat", "dog")
COUNT = 10


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Ten images of each class in `train` and `test`; each is as bright as its number says."""
    root = tmp_path / "data" / "pets"
    for split in ("train", "test"):
        for label, name in enumerate(CLASSES):
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(COUNT):
                Image.new("L", (8, 8), 100 * label + i).save(folder / f"{i}.png")
    return root


def damage(root: Path, *names: str) -> None:
    for name in names:
        (root / name).write_bytes(b"no image")


def source(root: Path, corrupt: int | None, validation: float = 0.0) -> SourceModel:
    splits: dict[Folder, str] = {"train": "train", "test": "test"}
    return SourceModel(
        name="folder",
        content=scan_folder(root, CLASSES, splits).digest,
        classes=CLASSES,
        size=8,
        channels=1,
        validation=validation,
        corrupt=corrupt,
    )


def site(tmp_path: Path, name: str) -> Site:
    output, scratch = tmp_path / name, tmp_path / f"{name}-scratch"
    output.mkdir()
    scratch.mkdir()
    location = {"path": "pets", "train": "train", "test": "test"}
    return Site(
        key="0" * 64,
        inputs={},
        output=output,
        scratch=scratch,
        data=tmp_path / "data",
        location=location,
    )


def levels(split: PreparedSplit) -> list[int]:
    return [int(level) for level in split.images[:, 0, 0, 0]]


def test_damaged_images_are_left_out_listed_and_counted(tmp_path: Path, tree: Path) -> None:
    damage(tree, "train/cat/3.png", "train/dog/0.png")
    at = site(tmp_path, "train")

    said = prepare.run(PrepareWork(source=source(tree, 2), split="train"), at)

    train = PreparedSplit.open(at.output)
    assert said == {"images": 18, "classes": 2, "left_out": 2}
    assert train.counts == (9, 9)
    assert levels(train) == [0, 1, 2, 4, 5, 6, 7, 8, 9, *range(101, 110)]
    assert train.mean == pytest.approx([np.mean(levels(train)) / 255], rel=1e-12)
    assert train.card.notes == (
        "left out, it cannot be decoded: train/cat/3.png: not an image of a known format",
        "left out, it cannot be decoded: train/dog/0.png: not an image of a known format",
    )


def test_progress_counts_what_is_left_out(tmp_path: Path, tree: Path) -> None:
    damage(tree, "train/cat/3.png")
    at = site(tmp_path, "train")
    seen: list[tuple[int, int, dict[str, float]]] = []
    at.emit = lambda done, total, unit, figures: seen.append((done, total, dict(figures)))

    prepare.run(PrepareWork(source=source(tree, 1), split="train"), at)

    assert seen == [(20, 20, {"left_out": 1})]


def test_an_allowance_that_is_not_needed_changes_no_byte(tmp_path: Path, tree: Path) -> None:
    for name, corrupt in (("strict", None), ("lenient", 5)):
        work = PrepareWork(source=source(tree, corrupt), split="train")
        prepare.run(work, site(tmp_path, name))

    for file in ("images.npy", "labels.npy", "dataset.json"):
        strict, lenient = ((tmp_path / name / file).read_bytes() for name in ("strict", "lenient"))
        assert strict == lenient


def test_more_than_allowed_stop_it(tmp_path: Path, tree: Path) -> None:
    damage(tree, *(f"train/cat/{i}.png" for i in range(3)))
    work = PrepareWork(source=source(tree, 2), split="train")

    with pytest.raises(BadData) as error:
        prepare.run(work, site(tmp_path, "train"))

    head, *names, way_out = str(error.value).splitlines()
    assert head == "3 of 20 images cannot be decoded, and 2 may be left out"
    assert [name.split(":")[0].strip() for name in names] == [
        f"train/cat/{i}.png" for i in range(3)
    ]
    assert "`dataset.corrupt: 3`" in way_out


def test_each_split_has_its_own_allowance(tmp_path: Path, tree: Path) -> None:
    damage(tree, "train/cat/3.png", "test/dog/0.png")
    at = site(tmp_path, "test")

    prepare.run(PrepareWork(source=source(tree, 1), split="test"), at)

    test = PreparedSplit.open(at.output)
    assert test.counts == (10, 9)
    assert test.mean == pytest.approx([(42 + sum(range(100, 110))) / 19 / 255], rel=1e-12)


def test_what_is_held_out_does_not_depend_on_damage(tmp_path: Path, tree: Path) -> None:
    whole = site(tmp_path, "whole")
    prepare.run(PrepareWork(source=source(tree, None, 0.3), split="validation"), whole)
    before = levels(PreparedSplit.open(whole.output))
    lost = before[1]
    damage(tree, f"train/cat/{lost}.png")
    at = site(tmp_path, "validation")

    prepare.run(PrepareWork(source=source(tree, 1, 0.3), split="validation"), at)

    assert levels(PreparedSplit.open(at.output)) == [level for level in before if level != lost]


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_class_that_loses_all_its_images_stops_it(
    tmp_path: Path, tree: Path, split: Literal["train", "test"]
) -> None:
    damage(tree, *(f"train/dog/{i}.png" for i in range(COUNT)))
    work = PrepareWork(source=source(tree, COUNT), split=split)

    with pytest.raises(BadData, match="class `dog`: none of its 10 images can be decoded") as error:
        prepare.run(work, site(tmp_path, split))

    assert str(error.value).startswith("the train split loses 1 of 2 classes")


def test_a_split_without_any_whole_image_stops_it(tmp_path: Path, tree: Path) -> None:
    damage(tree, *(f"train/{name}/{i}.png" for name in CLASSES for i in range(COUNT)))
    work = PrepareWork(source=source(tree, 2 * COUNT), split="test")

    with pytest.raises(BadData, match="class `cat`: none of its 10"):
        prepare.run(work, site(tmp_path, "test"))


def test_a_damaged_name_cannot_steer_the_card(tmp_path: Path, tree: Path) -> None:
    (tree / "train/cat/\x1b[31m.png").write_bytes(b"no image")
    at = site(tmp_path, "train")

    prepare.run(PrepareWork(source=source(tree, 1), split="train"), at)

    (note,) = PreparedSplit.open(at.output).card.notes
    assert "\x1b" not in note


def test_the_reason_never_says_where_the_data_lie(tmp_path: Path, tree: Path) -> None:
    whole = (tree / "train/cat/5.png").read_bytes()
    (tree / "train/cat/5.png").write_bytes(whole[:40])
    (tree / "train/cat/6.png").write_bytes(b"")
    at = site(tmp_path, "train")

    prepare.run(PrepareWork(source=source(tree, 2), split="train"), at)

    notes = PreparedSplit.open(at.output).card.notes
    assert len(notes) == 2
    assert not any(str(tmp_path) in note for note in notes)
