"""What fits a dataset or a folder of images: size, budget, splits, and what small classes need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ddspec.spec.facts import FACTS
from ddspec.spec.lock import Lock, LockedClass, Split, digest_of_splits
from ddspec.spec.starter import Starter, name_of, quoted
from ddspec.spec.survey import Survey
from ddspec.visible import visible

SIZES = (8, 16, 32, 64)
ENLARGED = 1.25
"""By how much half of the images may be enlarged at most: 31 pixels are meant to be 32."""
"""Sides that are suggested; work grows with their square, so larger ones are a person's choice."""
HOLDOUT = 0.2
"""Share of each class that is tested on where there is no folder of test images."""
VALIDATION = 0.1
BUDGETS = (10, 5, 2, 1)
CELLS = 4
"""Real images that one synthetic image starts from: 2 x 2 cells at the sides above."""


def for_dataset(kind: str, preset: str, ipc: int | None) -> Starter:
    """Return the start for a published dataset."""
    facts, wanted = FACTS[kind], ipc or BUDGETS[0]
    train = "the" if facts.train is None else f"{facts.train:,}"
    test = f"{facts.test:,} to test on" if facts.test else "tested on a fixed part of each class"
    return Starter(
        name=name_of(f"{kind}-{wanted}"),
        head=(
            f"{facts.title}, distilled to {_images(wanted)} a class.",
            "",
            f"{len(facts.class_names):,} classes, {train} images to train on, {test};",
            f"{facts.size} px, {'grey' if facts.channels == 1 else 'colour'}.",
        ),
        dataset=(
            (f"kind: {kind}", ""),
            ("validation: 0.0", "0.1 holds a tenth of each class out, to choose settings on;"),
            ("", "published numbers use all training images"),
        ),
        images_per_class=wanted,
        preset=preset,
    )


def for_folder(
    found: Survey, data: Path, preset: str, ipc: int | None, told: Sequence[str]
) -> Starter:
    """Return the start for a folder that lies under `data`; `told` is what was found, in words."""
    root = found.root.resolve()
    kept = _kept(found)
    wanted = ipc or next((n for n in BUDGETS if n * CELLS <= kept), BUDGETS[-1])
    return Starter(
        name=name_of(root.name),
        head=(f"`{visible(root.name)}`, distilled to {_images(wanted)} a class.", "", *told),
        dataset=_settings(found, root.relative_to(data)),
        images_per_class=wanted,
        preset=preset,
        extra=() if wanted * CELLS <= kept else _whole_images(),
    )


def usable_classes(found: Survey) -> tuple[str, ...]:
    """Return the classes that every split has."""
    return tuple(name for name in found.images if not found.test or found.test_images.get(name))


def suggested_size(found: Survey) -> int:
    """Return the largest usual side that half of the images reach, or nearly."""
    most = ENLARGED * found.median_side
    return max((size for size in SIZES if size <= most), default=SIZES[0])


def stand_in(found: Survey) -> Lock:
    """Return a lock with the counts of a folder and no content, to check a spec against."""

    def classes(counts: Mapping[str, int]) -> dict[str, LockedClass]:
        return {name: LockedClass(images=n, digest="0" * 64) for name, n in counts.items() if n}

    splits: dict[Split, dict[str, LockedClass]] = {"train": classes(found.images)}
    if found.test is not None:
        splits["test"] = classes(found.test_images)
    return Lock(kind="folder", splits=splits, digest=digest_of_splits(splits))


def _kept(found: Survey) -> float:
    """Return how many images of the smallest class are left to train on."""
    smallest = min(found.images[name] for name in usable_classes(found))
    return smallest * (1 if found.test is not None else 1 - HOLDOUT) * (1 - VALIDATION)


def _settings(found: Survey, path: Path) -> tuple[tuple[str, str], ...]:
    usable = usable_classes(found)
    listed = f"[{', '.join(map(quoted, usable))}]"
    whole = len(usable) == len(found.images) and not found.empty
    return (
        ("kind: folder", ""),
        (f"path: {quoted(path.as_posix())}", "under the data directory (`--data DIR`)"),
        (f"train: {quoted(found.train)}", ""),
        *_test(found),
        *(() if whole else ((f"classes: {listed}", "those that every split has"),)),
        (
            f"size: {suggested_size(found)}",
            f"half of the images have {found.median_side} px or more;",
        ),
        ("", "work grows with the square of it"),
        (f"channels: {found.channels}", "1 is grey, 3 is colour"),
        (f"validation: {VALIDATION}", "held out of training, to choose settings on"),
    )


def _test(found: Survey) -> tuple[tuple[str, str], ...]:
    if found.test is not None:
        return ((f"test: {quoted(found.test)}", ""),)
    return (
        ("test: null", "no folder of test images was found, so"),
        (f"holdout: {HOLDOUT}", "this share of each class is tested on"),
    )


def _whole_images() -> tuple[str, ...]:
    return (
        "# The smallest class has too few images for several in one picture.",
        "parameterization: {kind: pixels, space: pixel}",
        "init: {kind: real, draw: random}",
    )


def _images(number: int) -> str:
    return f"{number} image{'' if number == 1 else 's'}"
