"""From a dataset's name to its images, after checking that they are the ones that are meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np

from ddspec.errors import DdspecError
from ddspec.spec.dataset import LockedKind
from ddspec.spec.facts import FACTS
from ddspec.spec.facts_folders import FOLDERS
from ddspec.wire.work import SourceModel
from ddspec_runners.data.cifar import join, parse_batch
from ddspec_runners.data.corpus import ArrayPart, Corpus
from ddspec_runners.data.digits import content_of_digits, digits_file, read_digits
from ddspec_runners.data.folder import FolderPart, inside
from ddspec_runners.data.idx import idx_part
from ddspec_runners.data.svhn import parse_mat
from ddspec_runners.data.verified import read_verified
from ddspec_runners.faults import BadData, BadJob
from ddspec_runners.site import Site

Reader: TypeAlias = Callable[[SourceModel, Site, int], Corpus]
"""Called with the source, the site and the threads that may decode."""


def digits(source: SourceModel, site: Site, threads: int) -> Corpus:
    """Read scikit-learn's digits; the test split is a holdout."""
    _as_published(source)
    path = digits_file()
    part = read_digits(path)
    if content_of_digits(part) != source.content:
        raise BadData(f"{path} does not hold the 1,797 digits that are published")
    return Corpus(part, None, "")


def mnist(source: SourceModel, site: Site, threads: int) -> Corpus:
    """Read the IDX files of MNIST or Fashion-MNIST, plain or gzipped."""
    published = _published(source, site)

    def part(prefix: str) -> ArrayPart:
        images, labels = (
            next(content for name, content in published.items() if name.startswith(stem))
            for stem in (f"{prefix}-images", f"{prefix}-labels")
        )
        return idx_part(images, labels, name=prefix, classes=len(source.classes))

    return Corpus(part("train"), part("t10k"), _official(source))


def svhn(source: SourceModel, site: Site, threads: int) -> Corpus:
    """Read the MATLAB files of SVHN's cropped digits, without the extra ones."""
    published = _published(source, site)
    train, test = (
        parse_mat(published[name], name=name) for name in ("train_32x32.mat", "test_32x32.mat")
    )
    return Corpus(train, test, _official(source))


def cifar10(source: SourceModel, site: Site, threads: int) -> Corpus:
    """Read the five training batches and the test batch of CIFAR-10."""
    published = _published(source, site)
    names = [name for name in published if name.startswith("data_batch_")]
    train = [_batch(published, name, b"labels", source) for name in sorted(names)]
    test = _batch(published, "test_batch", b"labels", source)
    return Corpus(join(train), test, _official(source))


def cifar100(source: SourceModel, site: Site, threads: int) -> Corpus:
    """Read both batches of CIFAR-100, with its 100 fine labels."""
    published = _published(source, site)
    train, test = (_batch(published, name, b"fine_labels", source) for name in ("train", "test"))
    return Corpus(train, test, _official(source))


def folder(source: SourceModel, site: Site, threads: int) -> Corpus:
    """Find the images of a class-per-folder tree, after comparing all bytes with the lock."""
    # the lock's YAML reader is needed by this reader alone, and every job loads this module
    from ddspec.spec.lock import scan_folder

    if "path" not in site.location or "train" not in site.location:
        raise BadJob(f"the job does not say where dataset `{source.name}` lies")
    data = _data(source, site)
    root = inside(data, data / site.location["path"])
    names: tuple[Literal["train", "test"], ...] = ("train", "test")
    splits = {name: site.location[name] for name in names if name in site.location}
    for subfolder in splits.values():
        inside(root, root / subfolder)
    try:
        lock = scan_folder(
            root,
            source.classes,
            splits,
            kind=_kind(source.name),
            threads=threads,
            advance=_hashing(site),
        )
    except DdspecError as error:
        raise BadData(str(error)) from error
    if lock.digest != source.content:
        raise BadData(
            f"the images under {root} are not those of the lock: their digest is "
            f"{lock.digest[:12]}, the plan says {source.content[:12]}\n"
            "  if they changed on purpose, lock them again with `ddspec lock SPEC`"
        )
    parts = {name: _tree(source, root / at, name, threads) for name, at in splits.items()}
    return Corpus(parts["train"], parts.get("test"), "the test folder of the locked tree")


READERS: Mapping[str, Reader] = {
    "digits": digits,
    "mnist": mnist,
    "fashion_mnist": mnist,
    "svhn": svhn,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "folder": folder,
    **dict.fromkeys(FOLDERS, folder),
}


def _as_published(source: SourceModel) -> None:
    facts = FACTS[source.name]
    if source.content != facts.content:
        raise BadJob(f"the plan means another `{source.name}` than this version knows")
    if (source.size, source.channels) != (facts.size, facts.channels):
        raise BadJob(f"`{source.name}` is {facts.channels} x {facts.size} x {facts.size} pixels")
    if source.classes != facts.class_names:
        raise BadJob(f"the classes of `{source.name}` are others, or in another order")


def _published(source: SourceModel, site: Site) -> dict[str, bytes]:
    """Return file name to verified content of a built-in dataset."""
    _as_published(source)
    data = _data(source, site)
    found = {}
    for file in FACTS[source.name].files:
        path = inside(data, data / file.path)
        found[Path(file.path).name] = read_verified(path, md5=file.md5, sha256=file.sha256)
    return found


def _data(source: SourceModel, site: Site) -> Path:
    if site.data is None:
        raise BadData(
            f"dataset `{source.name}` needs a data directory: give `--data DIR` or set DDSPEC_DATA"
        )
    return site.data


def _official(source: SourceModel) -> str:
    return f"the published test split of {FACTS[source.name].title}"


def _batch(
    published: Mapping[str, bytes], name: str, labels: bytes, source: SourceModel
) -> ArrayPart:
    return parse_batch(published[name], labels=labels, classes=len(source.classes), name=name)


def _kind(name: str) -> LockedKind:
    kinds: tuple[LockedKind, ...] = get_args(LockedKind)
    return next(kind for kind in kinds if kind == name)


def _tree(source: SourceModel, root: Path, split: str, threads: int) -> FolderPart:
    from ddspec.spec.trees import images_by_class

    by_class = images_by_class(root, source.classes, source.name)
    counts = [len(by_class[name]) for name in source.classes]
    return FolderPart(
        split=split,
        files=tuple(file for name in source.classes for file in by_class[name]),
        labels=np.repeat(np.arange(len(counts)), counts).astype(np.int64),
        classes=source.classes,
        size=source.size,
        channels=source.channels,
        threads=threads,
        corrupt=source.corrupt or 0,
    )


def _hashing(site: Site) -> Callable[[int, int], None]:
    def advance(done: int, total: int) -> None:
        # every file would be too many events; the last one is reported by decoding
        if done % 1000 == 0:
            site.advance(done, total, "files compared", state=dict, every_s=float("inf"))

    return advance
