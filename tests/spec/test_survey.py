"""What a first look at a folder finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from ddspec.errors import DdspecError, Exit
from ddspec.spec.survey import MOST_READ, survey

Draw = Callable[..., None]


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """Put images into `at`, a folder under the root."""

    def drawn(
        at: str, number: int = 1, *, size: tuple[int, int] = (32, 24), mode: str = "RGB"
    ) -> None:
        folder = tmp_path / at
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(number):
            Image.new(mode, size).save(folder / f"{index}-{size[0]}.png")

    return drawn


def test_splits_classes_and_sizes_are_found(tmp_path: Path, draw: Draw) -> None:
    for name, number in {"ant": 3, "bee": 2}.items():
        draw(f"train/{name}", number)
        draw(f"val/{name}", 1)
    draw("train/ant", 1, size=(100, 90))

    found = survey(tmp_path)

    assert (found.train, found.test) == ("train", "val")
    assert (found.images, found.test_images) == ({"ant": 4, "bee": 2}, {"ant": 1, "bee": 1})
    assert found.sides == (24, 24, 24, 24, 24, 90)
    assert (found.median_side, found.channels) == (24, 3)
    assert (found.smallest, found.largest) == (("bee", 2), ("ant", 4))
    assert found.odd == ()


def test_class_folders_may_lie_in_the_root(tmp_path: Path, draw: Draw) -> None:
    draw("ant", 2, mode="L")
    draw("bee", 2, mode="L")

    found = survey(tmp_path)

    assert (found.train, found.test, found.channels) == (".", None, 1)
    assert found.images == {"ant": 2, "bee": 2}


def test_odd_things_are_told(tmp_path: Path, draw: Draw) -> None:
    draw("train/ant", 2)
    draw("train/bee/inner", 1)
    draw("train/cat", 1)
    draw("test/ant", 1)
    draw("test/fox", 1)
    (tmp_path / "train" / "cat" / "broken.jpg").write_bytes(b"no image")
    (tmp_path / "train" / "notes.txt").write_text("x")

    assert survey(tmp_path).odd == (
        "a class folder without images, left out: `bee`",
        "no image by its first bytes: `cat/broken.jpg`",
        "a class without images in `test`: `cat`",
        "a class that only `test` has: `fox`",
        "files beside the class folders, passed over: 1 .txt",
        "a folder inside a class, passed over: `bee/inner`",
    )


def test_of_many_images_a_bounded_number_is_opened(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        image = tmp_path / name / "0.png"
        Image.new("L", (8, 8)).save(image)
        for index in range(1, 1_500):
            (tmp_path / name / f"{index}.png").hardlink_to(image)

    found = survey(tmp_path)

    assert found.images == {"a": 1_500, "b": 1_500}
    assert len(found.read) <= MOST_READ


@pytest.mark.parametrize("what", ["nothing", "a file", "empty", "no classes", "broken"])
def test_what_is_no_folder_of_images_is_refused(what: str, tmp_path: Path) -> None:
    root = tmp_path / "x"
    if what == "a file":
        root.write_text("x")
    elif what != "nothing":
        (root / "train").mkdir(parents=True)
    if what == "broken":
        (root / "train" / "a").mkdir()
        (root / "train" / "a" / "a.png").write_bytes(b"x")

    with pytest.raises(DdspecError) as caught:
        survey(root)

    assert caught.value.exit is Exit.UNABLE


@pytest.mark.parametrize(
    ("at", "hint"),
    [
        ("unpacked/train/ant", "unpacked` does: name that folder"),
        ("unpacked/ant", "unpacked` does: name that folder"),
        (".", "2 images lie right inside it: put those of each class into a folder of its own"),
        ("train", "one folder a class, right inside it or inside its `train` (and `test`) folder"),
    ],
    ids=["a split too deep", "a class too deep", "no class", "no class in a split"],
)
def test_images_at_another_depth_are_found(at: str, hint: str, tmp_path: Path, draw: Draw) -> None:
    draw(at, 2)

    with pytest.raises(DdspecError) as caught:
        survey(tmp_path)

    assert caught.value.diagnostics[0].hint.endswith(hint)


@pytest.mark.parametrize("at", ["x\udcff/train/a", "train/x\udcff"], ids=["root", "class"])
def test_names_that_no_text_can_hold_are_refused(at: str, tmp_path: Path, draw: Draw) -> None:
    draw(at)
    root = tmp_path / at.partition("/train")[0] if at.startswith("x") else tmp_path

    with pytest.raises(DdspecError, match="is not UTF-8") as caught:
        survey(root)

    assert caught.value.exit is Exit.UNABLE
    assert str(caught.value).encode()
