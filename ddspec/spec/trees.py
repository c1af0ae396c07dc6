"""Where the images of each class lie in the folder of one split, in the layouts that there are.

The lock names an image by its class and file name alone, so that one and the same set of images has
one digest, however its folders are arranged.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ddspec.errors import DdspecError, Diagnostic, Exit, Place
from ddspec.visible import visible

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"})
"""What counts as an image, in lower case."""
TINY_IMAGENET = "tiny_imagenet"
INNER = "images"
"""Folder of Tiny-ImageNet's archive that holds the images of a class, or of the whole of `val`."""
ANNOTATIONS = "val_annotations.txt"
"""File name, class and box of each image of `val`, a line each, between tabs."""
CLASS_LIST = "wnids.txt"
MOST_TEXT = 2**20
"""Bytes of a text file of a dataset that are read; the real ones have a third of it."""
NAMED = 20
"""Problems of one file that are told one by one."""


def images_by_class(
    folder: Path, classes: Sequence[str], kind: str
) -> Mapping[str, tuple[Path, ...]]:
    """Return the images of each class of one split, sorted by file name, by code point.

    Of most kinds they lie right inside the folder of their class. Of `tiny_imagenet` also as its
    archive unpacks: those of `train` in CLASS/images, those of `val` in one folder for all classes
    beside `val_annotations.txt`. Raises `DdspecError` (unable) for folders that are missing and for
    annotations that do not fit the images, and OSError.
    """
    if kind != TINY_IMAGENET:
        return {name: images_in(_present(folder / name)) for name in classes}
    shared = folder / INNER
    if shared.is_dir() and image_files(shared):
        return _annotated(folder, classes)
    return {name: images_in(_of_class(folder / name)) for name in classes}


def images_in(folder: Path) -> tuple[Path, ...]:
    """Return the images right inside a folder, sorted by name."""
    return tuple(folder / name for name in image_files(folder))


def image_files(folder: Path) -> tuple[str, ...]:
    """Return the names of the images right inside a class folder, sorted by code point."""
    return tuple(
        name for name in plain_files(folder) if Path(name).suffix.lower() in IMAGE_SUFFIXES
    )


def plain_files(folder: Path) -> tuple[str, ...]:
    """Return the names of all files right inside a folder that are not hidden, sorted."""
    with os.scandir(folder) as entries:
        return tuple(sorted(e.name for e in entries if not e.name.startswith(".") and e.is_file()))


def class_folders(folder: Path) -> tuple[str, ...]:
    """Return the names of the class folders of a split, sorted by code point."""
    with os.scandir(folder) as entries:
        return tuple(sorted(e.name for e in entries if e.is_dir() and not e.name.startswith(".")))


def require_listed(root: Path, classes: Sequence[str]) -> None:
    """Compare the class list of Tiny-ImageNet, where it is there, with the classes.

    Raises `DdspecError` (unable) that names the lines and the classes that are not in both.
    """
    path = root / CLASS_LIST
    if not path.is_file():
        return
    lines = dict(_lines(path))
    known, listed = set(classes), set(lines.values())
    strange = [
        _problem(path, number, line, f"`{visible(line)}` is no class of Tiny-ImageNet")
        for number, line in lines.items()
        if line not in known
    ]
    missing = [name for name in classes if name not in listed]
    absent = [Diagnostic(f"does not list `{name}`", Place(visible(str(path)))) for name in missing]
    _refuse([*strange, *absent])


def _present(folder: Path) -> Path:
    if not folder.is_dir():
        above = folder.parent
        flat = above.is_dir() and image_files(above)
        hint = (
            f"images lie right inside `{visible(str(above))}`: put those of each class into a "
            "folder of its own, as torchvision does for ImageNet's validation split"
        )
        message = f"`{visible(str(folder))}` is not a folder"
        _refuse([Diagnostic(message, hint=hint if flat else "")])
    return folder


def _of_class(folder: Path) -> Path:
    """Return where a class of Tiny-ImageNet has its images: in `images`, or right inside."""
    inner = _present(folder) / INNER
    if not inner.is_dir():
        return folder
    if image_files(folder):
        message = f"`{visible(str(folder))}` has images both right inside and in `{INNER}`"
        _refuse([Diagnostic(message, hint="one of them would be passed over: keep one")])
    return inner


def _annotated(folder: Path, classes: Sequence[str]) -> Mapping[str, tuple[Path, ...]]:
    path, shared = folder / ANNOTATIONS, folder / INNER
    if not path.is_file():
        message = f"`{visible(str(shared))}` holds images of all classes, and there is no"
        _refuse([Diagnostic(f"{message} `{ANNOTATIONS}` beside it that tells them apart")])
    doubled = [name for name in classes if (folder / name).is_dir()]
    if doubled:
        message = f"`{visible(str(folder))}` has both `{INNER}` with annotations and class folders"
        _refuse([Diagnostic(message, hint="keep one of them")])
    there = image_files(shared)
    labels = _labels(path, frozenset(there), frozenset(classes))
    unlabelled = [name for name in there if name not in labels]
    _refuse(
        [Diagnostic(f"no line for `{visible(n)}`", Place(visible(str(path)))) for n in unlabelled]
    )
    found: dict[str, list[Path]] = {name: [] for name in classes}
    for name in there:
        found[labels[name]].append(shared / name)
    return {name: tuple(files) for name, files in found.items()}


def _labels(path: Path, there: frozenset[str], classes: frozenset[str]) -> dict[str, str]:
    """Return file name to class; raises `DdspecError` with the lines that make no sense."""
    labels: dict[str, str] = {}
    problems = []
    for number, line in _lines(path):
        name, _, rest = line.partition("\t")
        label = rest.partition("\t")[0]
        wrong = _wrong(name, label, labels, there, classes)
        if wrong:
            problems.append(_problem(path, number, line, wrong))
        labels.setdefault(name, label)
    _refuse(problems)
    return labels


def _wrong(
    name: str,
    label: str,
    labels: Mapping[str, str],
    there: frozenset[str],
    classes: frozenset[str],
) -> str:
    if not label:
        return "not a file name and a class with a tab between"
    if name in labels:
        return f"`{visible(name)}` has a line already"
    if name not in there:
        return f"there is no image `{visible(name)}` in `{INNER}`"
    return "" if label in classes else f"`{visible(label)}` is no class of Tiny-ImageNet"


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not empty, with their numbers."""
    if not path.resolve().is_relative_to(path.parent.resolve()):
        _refuse([Diagnostic("leads out of its folder", Place(visible(str(path))))])
    with path.open("rb") as file:
        content = file.read(MOST_TEXT + 1)
    if len(content) > MOST_TEXT:
        _refuse([Diagnostic("larger than any such file", Place(visible(str(path))))])
    # what is no UTF-8 is no class and no file name either, and is shown by its bytes
    text = content.decode("utf-8", "backslashreplace")
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line.strip("\r")


def _problem(path: Path, line: int, text: str, message: str) -> Diagnostic:
    return Diagnostic(message, Place(visible(str(path)), line, 1, visible(text[:200])))


def _refuse(problems: Sequence[Diagnostic]) -> None:
    """Raise `DdspecError` with the first problems and how many more there are, if there are any."""
    if not problems:
        return
    rest = len(problems) - NAMED
    more = [Diagnostic(f"… and {rest:,} more")] if rest > 0 else []
    raise DdspecError([*problems[:NAMED], *more], exit=Exit.UNABLE)
