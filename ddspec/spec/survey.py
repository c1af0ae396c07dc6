"""What lies in a folder of images, for a first spec: classes, counts, sizes, what is odd."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from ddspec.errors import DdspecError, Exit
from ddspec.spec.image_header import ImageHeader, read_header
from ddspec.spec.trees import CLASS_LIST, class_folders, image_files
from ddspec.visible import visible

TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing", "val", "valid", "validation", "eval")
MOST_READ = 2_000
"""Files whose heads are read, spread evenly over each class; all files are counted."""
MOST_TOLD = 5
"""Odd things of one sort that are named one by one."""


@dataclass(frozen=True, slots=True)
class Survey:
    """A folder of images as it was found."""

    root: Path
    train: str
    """Subfolder with the training split; `.` where the class folders lie in the root."""
    test: str | None
    images: Mapping[str, int]
    """Training images of each class, sorted by name."""
    test_images: Mapping[str, int]
    read: tuple[ImageHeader, ...]
    """Heads of the training images that were looked at."""
    empty: tuple[str, ...]
    """Class folders of the training split without images."""
    odd: tuple[str, ...]
    """What a person should know of: unreadable files, empty classes, other files."""

    @property
    def sides(self) -> tuple[int, ...]:
        """Shorter sides of the images that were looked at, ascending."""
        return tuple(sorted(head.side for head in self.read))

    @property
    def median_side(self) -> int:
        """Half of the images are at least this wide and high."""
        return int(median(self.sides))

    @property
    def channels(self) -> int:
        """What all images can be read as without losing anything but transparency."""
        return 1 if all(head.channels == 1 for head in self.read) else 3

    @property
    def smallest(self) -> tuple[str, int]:
        """The class with the fewest training images."""
        return min(self.images.items(), key=lambda item: item[1])

    @property
    def largest(self) -> tuple[str, int]:
        """The class with the most training images."""
        return max(self.images.items(), key=lambda item: item[1])


def survey(root: Path) -> Survey:
    """Look at a folder: `root/train/CLASS/*` with or without `root/test`, or `root/CLASS/*`.

    Raises `DdspecError` (unable) for what is no such folder, and says what is expected.
    """
    try:
        train, test = _splits(root)
        classes = _counted(root / train)
        tested = {} if test is None else _counted(root / test)
        _require_text([str(root.absolute()), *classes, *tested])
        images = {name: number for name, number in classes.items() if number}
        if not images:
            raise _none(root)
        read, odd = _look(root / train, images)
        empty = tuple(name for name, number in classes.items() if not number)
        others = [
            *_named("a class folder without images, left out", empty),
            *odd,
            *_strangers(images, tested, test),
            *_nested(root / train),
        ]
    except OSError as error:
        where = visible(str(error.filename or root))
        raise DdspecError(f"`{where}` cannot be read: {error.strerror}", exit=Exit.UNABLE) from None
    if not read or (test is not None and not any(tested.get(name) for name in images)):
        raise _none(root)
    return Survey(root, train, test, images, tested, read, empty, tuple(others))


def _splits(root: Path) -> tuple[str, str | None]:
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise DdspecError(f"`{visible(str(root))}` {what}", exit=Exit.UNABLE)
    names = class_folders(root)
    train = next((name for name in names if name.lower() in TRAIN_NAMES), None)
    if train is None:
        return ".", None
    found = {name.lower(): name for name in names}
    return train, next((found[name] for name in TEST_NAMES if name in found), None)


def _require_text(names: Sequence[str]) -> None:
    """Refuse names that no spec can hold: Python has surrogates for bytes that are not UTF-8."""
    for name in names:
        if any("\ud800" <= char <= "\udfff" for char in name):
            raise DdspecError(
                f"the name of `{visible(name)}` is not UTF-8",
                exit=Exit.UNABLE,
                hint="rename it: a spec names its folders",
            )


def _counted(split: Path) -> dict[str, int]:
    return {name: len(image_files(split / name)) for name in class_folders(split)}


def _look(split: Path, images: Mapping[str, int]) -> tuple[tuple[ImageHeader, ...], list[str]]:
    """Read heads of files spread evenly over each class."""
    share = max(1, MOST_READ // len(images))
    read: list[ImageHeader] = []
    broken: list[str] = []
    for name, number in images.items():
        step = max(1, -(-number // share))
        for file in image_files(split / name)[::step]:
            with (split / name / file).open("rb") as opened:
                head = read_header(opened)
            if head is None:
                broken.append(f"{name}/{file}")
            else:
                read.append(head)
    return tuple(read), _named("no image by its first bytes", broken)


def _strangers(images: Mapping[str, int], tested: Mapping[str, int], test: str | None) -> list[str]:
    if test is None:
        return []
    missing = [name for name in images if not tested.get(name)]
    others = [name for name in tested if name not in images]
    return [
        *_named(f"a class without images in `{test}`", missing),
        *_named(f"a class that only `{test}` has", others),
    ]


def _nested(split: Path) -> list[str]:
    """Return what lies where no image is looked for."""
    loose = [entry.name for entry in _entries(split) if entry.is_file()]
    kinds = Counter(Path(name).suffix.lower() or "no suffix" for name in loose)
    told = [f"{number} {kind}" for kind, number in sorted(kinds.items())]
    folders = [
        f"{name}/{entry.name}"
        for name in class_folders(split)
        for entry in _entries(split / name)
        if entry.is_dir()
    ]
    return [
        *([f"files beside the class folders, passed over: {', '.join(told)}"] if told else []),
        *_named("a folder inside a class, passed over", folders),
    ]


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        yield from sorted((e for e in found if not e.name.startswith(".")), key=lambda e: e.name)


def _named(what: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - MOST_TOLD} more" if len(names) > MOST_TOLD else ""
    listed = ", ".join(f"`{visible(name)}`" for name in names[:MOST_TOLD])
    return [f"{what}: {listed}{more}"]


def _none(root: Path) -> DdspecError:
    return DdspecError(
        f"`{visible(str(root))}` holds no images in class folders",
        exit=Exit.UNABLE,
        hint=_instead(root),
    )


def _instead(root: Path) -> str:
    """Return what to do: images may lie a folder too high, or one too deep."""
    if (root / CLASS_LIST).is_file():
        return (
            "it looks like Tiny-ImageNet as it unpacks: `ddspec init tiny_imagenet` starts from "
            "that, with this folder as `dataset.path`"
        )
    loose = len(image_files(root))
    if loose:
        images = f"{loose:,} image{' lies' if loose == 1 else 's lie'}"
        return f"{images} right inside it: put those of each class into a folder of its own"
    for name in class_folders(root):
        if _holds_classes(root / name):
            return f"`{visible(str(root / name))}` does: name that folder"
    return "one folder a class, right inside it or inside its `train` (and `test`) folder"


def _holds_classes(folder: Path) -> bool:
    split = folder / _splits(folder)[0]
    return any(image_files(split / name) for name in class_folders(split))
