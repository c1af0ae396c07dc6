"""The lock of a folder of images: what its content is, for those who do not have it.

`ddspec lock` writes `NAME.lock.yaml` beside `NAME.yaml` where the data are; it is committed, so
that a plan made without the data is the plan made with them, and changed images change what is
reused.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ddspec.canon import Digest, digest
from ddspec.errors import DdspecError, Diagnostic, Exit
from ddspec.spec.dataset import BuiltinName, LockedKind
from ddspec.spec.explain import validate
from ddspec.spec.nodes import compose
from ddspec.spec.source import Source, read_source
from ddspec.spec.trees import (
    IMAGE_SUFFIXES,
    TINY_IMAGENET,
    class_folders,
    image_files,
    images_by_class,
    plain_files,
    require_listed,
)
from ddspec.visible import visible

LOCK_FORMAT: Literal["ddspec.lock/1"] = "ddspec.lock/1"
LOCK_SECTIONS = ("format", "kind", "splits", "digest")

WINDOW = 4096
"""Files that wait to be read at once: each of them takes kilobytes, and there can be millions."""

Split: TypeAlias = Literal["train", "test"]

_Sha256 = Annotated[str, Field(strict=True, pattern=r"^[0-9a-f]{64}$")]
_Number = Annotated[int, Field(strict=True, ge=0)]
_Kind = Annotated[str, Field(strict=True, pattern=r"^[a-z_]{1,40}$")]


class _LockModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LockedClass(_LockModel):
    """The images of one class in one split."""

    images: Annotated[int, Field(strict=True, ge=1)]
    digest: _Sha256
    """Of the canonical JSON of [file name, SHA-256 of its bytes], sorted by file name."""


class LockedImage(_LockModel):
    """The image that containers run in."""

    reference: Annotated[str, Field(strict=True, min_length=1, max_length=500)]
    """What a person called it; may name another image tomorrow."""
    id: Annotated[str, Field(strict=True, pattern=r"^sha256:[0-9a-f]{64}$")]
    """Exact, and known to the engine that built or pulled it."""
    digest: Annotated[str, Field(strict=True, pattern=r"^\S{1,400}@sha256:[0-9a-f]{64}$")] | None
    """`NAME@sha256:...`, the same on every host; None for an image that was never pushed."""
    source: _Sha256
    """Digest of the runners' source inside."""


class LockedRunners(_LockModel):
    """What computes: no part of any identity, for results of another build may be the same."""

    source: _Sha256
    """Digest of the runners' source of the installation that wrote the lock."""
    revisions: Mapping[_Kind, Annotated[int, Field(strict=True, ge=1)]]
    """Of each kind of work that it implements."""
    image: LockedImage | None = None


class Lock(_LockModel):
    """The content of a dataset, and what computes on it; no paths, times or machines."""

    format: Literal["ddspec.lock/1"] = LOCK_FORMAT
    kind: LockedKind | BuiltinName
    ignored: _Number = 0
    """Files that are not images by their suffix; no part of the content."""
    splits: Mapping[Split, Mapping[str, LockedClass]] = Field(default_factory=dict)
    """By split and class folder; without `test` the spec's holdout defines it.

    Empty for a dataset that published checksums identify.
    """
    digest: _Sha256
    """What identifies the dataset: of `splits`, or of the published checksums."""
    runners: LockedRunners | None = None

    @property
    def published(self) -> bool:
        """Whether published checksums identify the dataset, and no lock is needed for it."""
        return self.kind in get_args(BuiltinName)

    @model_validator(mode="after")
    def _trainable(self) -> Self:
        if not self.published and not self.splits.get("train"):
            raise ValueError("`splits` has no classes under `train`")
        return self

    def images(self, split: Split) -> dict[str, int]:
        """Return the number of images of each class of a split, classes sorted by code point."""
        classes = self.splits.get(split, {})
        return {name: classes[name].images for name in sorted(classes)}


def content_of(lock: Lock) -> Digest:
    """Return the digest that stands for the images of a locked dataset."""
    return lock.digest


def digest_of_class(files: Iterable[tuple[str, Digest]]) -> Digest:
    """Return the digest of a class from its file names and the SHA-256 of each file's bytes."""
    return digest([list(file) for file in sorted(files)])


def digest_of_splits(splits: Mapping[Split, Mapping[str, LockedClass]]) -> Digest:
    """Return the digest of a dataset from those of its classes."""
    return digest(
        {
            split: {name: [one.images, one.digest] for name, one in classes.items()}
            for split, classes in splits.items()
        }
    )


def lock_path(spec: Path) -> Path:
    """Return where the lock of a spec lies: `specs/x.lock.yaml` for `specs/x.yaml`."""
    return spec.with_name(f"{spec.stem}.lock.yaml")


def scan_folder(
    root: Path,
    classes: Sequence[str] | None,
    splits: Mapping[Split, str],
    *,
    kind: LockedKind = "folder",
    threads: int = 1,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> Lock:
    """Read every image under `root` and return the lock of its content.

    `splits` maps `train` and `test` to subfolders of `root`; `classes` are the class folders, by
    default all of `train`. `advance` is told how many files of how many were read. Raises
    `DdspecError` (unable) that names every class without images and every symbolic link that
    leaves `root`.
    """
    try:
        names = tuple(classes) if classes is not None else _all_classes(root / splits["train"])
        if kind == TINY_IMAGENET:
            require_listed(root, names)
        found = _found(root, names, splits, kind)
        _refuse(_unusable(root, splits, found))
        paths = [path for files in found.values() for path in files]
        sums = dict(zip(paths, _hashed(paths, threads, advance), strict=True))
        visited = {path.parent for path in paths}
        ignored = sum(len(plain_files(at)) for at in visited) - len(paths)
    except OSError as error:
        where = visible(str(error.filename or root))
        closed = f"user {os.geteuid()} may not: `chmod -R a+rX` on the folder lets everyone read it"
        raise DdspecError(
            f"`{where}` cannot be read: {error.strerror}",
            exit=Exit.UNABLE,
            hint=closed if isinstance(error, PermissionError) else "",
        ) from error
    locked: dict[Split, dict[str, LockedClass]] = {split: {} for split in splits}
    for (split, name), chosen in found.items():
        files = [(path.name, sums[path]) for path in chosen]
        locked[split][name] = LockedClass(images=len(files), digest=digest_of_class(files))
    return Lock(kind=kind, ignored=ignored, splits=locked, digest=digest_of_splits(locked))


def read_lock(path: Path) -> Lock:
    """Read a lock; raises `DdspecError` (invalid) with the place where it is damaged or edited."""
    return lock_of(read_source(path, sections=LOCK_SECTIONS))


def lock_of(source: Source) -> Lock:
    """Return the lock that a text is, as `read_lock` does."""
    document = compose(source)
    lock = validate(document, Lock)
    if not lock.published and digest_of_splits(lock.splits) != lock.digest:
        problem = Diagnostic(
            "the digest does not follow from the classes below: this lock was edited or damaged",
            document.place("digest"),
            "write it again with `ddspec lock`",
        )
        raise DdspecError([problem], exit=Exit.INVALID)
    return lock


def _all_classes(train: Path) -> tuple[str, ...]:
    names = class_folders(_present(train))
    if not names:
        _refuse([f"`{visible(str(train))}` holds no class folders"])
    return names


def _present(folder: Path) -> Path:
    if not folder.is_dir():
        _refuse([f"`{visible(str(folder))}` is not a folder"])
    return folder


def _found(
    root: Path, classes: Sequence[str], splits: Mapping[Split, str], kind: LockedKind
) -> dict[tuple[Split, str], tuple[Path, ...]]:
    return {
        (split, name): files
        for split, at in splits.items()
        for name, files in images_by_class(root / at, classes, kind).items()
    }


def _unusable(
    root: Path,
    splits: Mapping[Split, str],
    found: Mapping[tuple[Split, str], Sequence[Path]],
) -> Iterator[str | Diagnostic]:
    inside: dict[Path, bool] = {}
    whole = root.resolve()
    for (split, name), files in found.items():
        if not files:
            at = root / splits[split] / name
            yield f"class `{visible(name)}` has no images in {split}: `{visible(str(at))}`"
        for path in files:
            if path.parent not in inside:
                inside[path.parent] = path.parent.resolve().is_relative_to(whole)
                if not inside[path.parent]:
                    yield _astray(path.parent)
            if not _is_utf8(path.name):
                yield f"the name of `{visible(str(path))}` is not UTF-8"
            if inside[path.parent] and path.is_symlink() and _leaves(path, whole):
                yield _astray(path)


def _leaves(path: Path, root: Path) -> bool:
    return not path.resolve().is_relative_to(root)


def _astray(path: Path) -> Diagnostic:
    return Diagnostic(
        f"`{visible(str(path))}` leads out of the data folder",
        hint="put the files themselves there: what a link names may be another file tomorrow",
    )


def _is_utf8(name: str) -> bool:
    """Tell whether a file name can be hashed; others reach Python with surrogates in them."""
    return not any("\ud800" <= char <= "\udfff" for char in name)


def _hashed(
    paths: Sequence[Path], threads: int, advance: Callable[[int, int], None]
) -> Iterator[Digest]:
    done = 0
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(paths), WINDOW):
            for one in pool.map(_sha256, paths[start : start + WINDOW]):
                done += 1
                advance(done, len(paths))
                yield one


def _sha256(path: Path) -> Digest:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refuse(problems: Iterable[str | Diagnostic]) -> None:
    found = [one if isinstance(one, Diagnostic) else Diagnostic(one) for one in problems]
    if found:
        raise DdspecError(found, exit=Exit.UNABLE)


__all__ = [
    "IMAGE_SUFFIXES",
    "Lock",
    "LockedClass",
    "LockedImage",
    "LockedRunners",
    "class_folders",
    "content_of",
    "digest_of_class",
    "digest_of_splits",
    "image_files",
    "lock_of",
    "lock_path",
    "read_lock",
    "scan_folder",
]
