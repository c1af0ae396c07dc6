"""Images are found by class in every layout, and annotations that do not fit are refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ddspec.errors import DdspecError, Exit
from ddspec.spec.lock import Lock, scan_folder
from ddspec.spec.trees import images_by_class

CLASSES = ("n01443537", "n01629819")
GOLDFISH, SALAMANDER = CLASSES
LABELS = {"val_0.JPEG": SALAMANDER, "val_1.JPEG": GOLDFISH, "val_10.JPEG": SALAMANDER}


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """Tiny-ImageNet with two classes, as its archive unpacks."""
    root = tmp_path / "tiny-imagenet-200"
    for name in CLASSES:
        for i in (0, 1, 10):
            write(root / f"train/{name}/images/{name}_{i}.JPEG", f"{name} {i}".encode())
        write(root / f"train/{name}/{name}_boxes.txt", b"x\t0\t0\t9\t9\n")
    for name in LABELS:
        write(root / f"val/images/{name}", name.encode())
    write(root / "test/images/test_0.JPEG", b"without a label")
    write(root / "wnids.txt", "\n".join(reversed(CLASSES)).encode())
    annotate(root, [f"{name}\t{label}\t0\t32\t44\t62" for name, label in LABELS.items()])
    return root


def annotate(root: Path, lines: list[str]) -> None:
    (root / "val/val_annotations.txt").write_text("\n".join([*lines, ""]))


def scan(root: Path, test: str = "val") -> Lock:
    return scan_folder(root, CLASSES, {"train": "train", "test": test}, kind="tiny_imagenet")


def rearranged(official: Path, *, inner: str, keep: str = "") -> None:
    """Give `val` one folder per class, as scripts do that make it like `train`."""
    for name, label in LABELS.items():
        target = official / "val" / keep / label / inner / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (official / "val/images" / name).rename(target)


def test_the_official_folder_is_read_as_it_unpacks(official: Path) -> None:
    found = images_by_class(official / "val", CLASSES, "tiny_imagenet")

    assert {name: [path.name for path in files] for name, files in found.items()} == {
        GOLDFISH: ["val_1.JPEG"],
        SALAMANDER: ["val_0.JPEG", "val_10.JPEG"],
    }
    assert scan(official).images("train") == {GOLDFISH: 3, SALAMANDER: 3}
    assert scan(official).images("test") == {GOLDFISH: 1, SALAMANDER: 2}


@pytest.mark.parametrize(
    ("inner", "keep", "test"),
    [
        pytest.param("", "", "val", id="class-folders"),
        pytest.param("images", "", "val", id="class-folders-like-train"),
        pytest.param("", "images", "val/images", id="class-folders-inside-images"),
    ],
)
def test_one_set_of_images_has_one_digest_in_every_layout(
    official: Path, inner: str, keep: str, test: str
) -> None:
    before = scan(official).digest

    rearranged(official, inner=inner, keep=keep)

    assert scan(official, test).digest == before


def test_images_of_train_may_lie_right_inside_their_class(official: Path) -> None:
    before = scan(official).digest
    for name in CLASSES:
        for path in sorted((official / f"train/{name}/images").iterdir()):
            path.rename(official / f"train/{name}" / path.name)
        (official / f"train/{name}/images").rmdir()

    assert scan(official).digest == before


GOOD = [f"{name}\t{label}" for name, label in LABELS.items()]


@pytest.mark.parametrize(
    ("lines", "message", "line"),
    [
        pytest.param(
            [*GOOD, GOOD[0]], "`val_0.JPEG` has a line already", 4, id="the-same-line-twice"
        ),
        pytest.param(
            [GOOD[0], *GOOD[1:], f"val_0.JPEG\t{GOLDFISH}"],
            "`val_0.JPEG` has a line already",
            4,
            id="two-classes",
        ),
        pytest.param(GOOD[:2], "no line for `val_10.JPEG`", 0, id="missing"),
        pytest.param(
            [*GOOD, f"val_7.JPEG\t{GOLDFISH}"],
            "there is no image `val_7.JPEG` in `images`",
            4,
            id="no-image",
        ),
        pytest.param(
            [*GOOD[:2], "val_10.JPEG\tn99999999"],
            "`n99999999` is no class of Tiny-ImageNet",
            3,
            id="unknown-class",
        ),
        pytest.param(
            [*GOOD[:2], "val_10.JPEG n01443537"],
            "not a file name and a class with a tab between",
            3,
            id="spaces",
        ),
        pytest.param(
            [*GOOD, f"../../secret.png\t{GOLDFISH}"],
            "there is no image `../../secret.png` in `images`",
            4,
            id="leads-elsewhere",
        ),
        pytest.param(
            [*GOOD[:2], "val_10.JPEG\t\x1b[31mn0"],
            "is no class of Tiny-ImageNet",
            3,
            id="an-escape-sequence",
        ),
    ],
)
def test_annotations_that_do_not_fit_are_located(
    official: Path, lines: list[str], message: str, line: int
) -> None:
    annotate(official, lines)

    with pytest.raises(DdspecError) as raised:
        scan(official)

    found = raised.value.diagnostics[-1]
    assert message in found.message
    assert found.place is not None
    assert found.place.file == str(official / "val/val_annotations.txt")
    assert found.place.line == line
    assert "\x1b" not in str(raised.value)
    assert raised.value.exit is Exit.UNABLE


def test_windows_line_ends_and_empty_lines_are_read(official: Path) -> None:
    before = scan(official).digest
    (official / "val/val_annotations.txt").write_bytes("\r\n\r\n".join(GOOD).encode())

    assert scan(official).digest == before


def test_bytes_that_are_no_text_are_shown_and_refused(official: Path) -> None:
    (official / "val/val_annotations.txt").write_bytes(b"\xff\xfe\t" + GOLDFISH.encode())

    with pytest.raises(DdspecError, match=r"no image `.{0,2}xff.{0,2}xfe`"):
        scan(official)


def test_of_many_problems_the_first_twenty_are_told(official: Path) -> None:
    annotate(official, [f"val_{i}.JPEG\t{GOLDFISH}" for i in range(500, 600)])

    with pytest.raises(DdspecError) as raised:
        scan(official)

    assert len(raised.value.diagnostics) == 21
    assert raised.value.diagnostics[-1].message == "… and 80 more"


def _no_annotations(root: Path) -> None:
    (root / "val/val_annotations.txt").unlink()


def _both_layouts(root: Path) -> None:
    (root / f"val/{GOLDFISH}").mkdir()


def _loose_images(root: Path) -> None:
    write(root / f"train/{GOLDFISH}/more.JPEG", b"more")


def _another_list(root: Path) -> None:
    (root / "wnids.txt").write_text("n01443537\nn99999999\n")


def _annotations_elsewhere(root: Path) -> None:
    (root / "val/val_annotations.txt").rename(root.parent / "elsewhere.txt")
    (root / "val/val_annotations.txt").symlink_to(root.parent / "elsewhere.txt")


def _a_pipe(root: Path) -> None:
    (root / "val/val_annotations.txt").unlink()
    os.mkfifo(root / "val/val_annotations.txt")


def _images_elsewhere(root: Path) -> None:
    (root / "val/images").rename(root.parent / "elsewhere")
    (root / "val/images").symlink_to(root.parent / "elsewhere")


def _no_images(root: Path) -> None:
    for path in (root / f"train/{GOLDFISH}/images").iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(_no_annotations, "there is no `val_annotations.txt`", id="no-annotations"),
        pytest.param(_both_layouts, "both `images` with annotations and class", id="both-layouts"),
        pytest.param(_loose_images, "both right inside and in `images`", id="loose-images"),
        pytest.param(_another_list, "`n99999999` is no class", id="another-list"),
        pytest.param(_annotations_elsewhere, "leads out of its folder", id="annotations-elsewhere"),
        pytest.param(_a_pipe, "there is no `val_annotations.txt`", id="a-pipe"),
        pytest.param(_images_elsewhere, "leads out of the data folder", id="images-elsewhere"),
        pytest.param(_no_images, f"class `{GOLDFISH}` has no images in train", id="no-images"),
    ],
)
def test_folders_that_are_unclear_are_refused(
    official: Path, change: Callable[[Path], None], message: str
) -> None:
    change(official)

    with pytest.raises(DdspecError) as raised:
        scan(official)

    assert message in str(raised.value)
    assert raised.value.exit is Exit.UNABLE


def test_a_class_that_the_list_lacks_is_named(official: Path) -> None:
    (official / "wnids.txt").write_text(f"{GOLDFISH}\n")

    with pytest.raises(DdspecError, match=f"does not list `{SALAMANDER}`"):
        scan(official)


def test_the_flat_validation_split_of_imagenet_gets_a_way_out(tmp_path: Path) -> None:
    write(tmp_path / f"train/{GOLDFISH}/1.JPEG", b"1")
    write(tmp_path / "val/ILSVRC2012_val_00000001.JPEG", b"2")

    with pytest.raises(DdspecError) as raised:
        scan_folder(tmp_path, [GOLDFISH], {"train": "train", "test": "val"}, kind="imagenet10")

    (problem,) = raised.value.diagnostics
    assert problem.message == f"`{tmp_path}/val/{GOLDFISH}` is not a folder"
    assert "as torchvision does" in problem.hint
