"""What may be said of a published dataset without having it: a model of facts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ddspec.canon import Digest, digest

CLASSES = Path(__file__).with_name("classes")
"""Lists of class names in label order, one a line."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of a dataset: path under the data root, and its checksums."""

    path: str
    md5: str
    sha256: str | None
    """None where only an md5 is published and the file was not at hand."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A dataset as it is published."""

    title: str
    channels: int
    size: int
    """Side in pixels; for a dataset of photographs, the side at which it is used by default."""
    classes: tuple[str, ...] | str
    """Names in label order, or the file under `CLASSES` that lists them."""
    train: int | None
    """Images of the training split, all of them, before anything is held out; None where only a
    lock can tell."""
    test: int
    """Images of the official test split; 0 where there is none and `holdout` defines it."""
    train_per_class: tuple[int, ...] | None
    """In label order; None where only a lock can tell."""
    test_per_class: tuple[int, ...] | None
    holdout: float = 0.0
    """Fraction of each class that is the test split, where there is no official one."""
    mean: tuple[float, ...] | None = None
    """Per channel, of values in [0, 1]; None is computed from the training split."""
    std: tuple[float, ...] | None = None
    files: tuple[DataFile, ...] = ()
    decoded: Digest | None = None
    """For data without files of their own: SHA-256 over the images, then the labels, as bytes."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in label order; folder names for a dataset of folders."""
        if isinstance(self.classes, tuple):
            return self.classes
        return tuple((CLASSES / self.classes).read_text(encoding="utf-8").split())

    @property
    def content(self) -> Digest | None:
        """Digest that identifies the images; None where only a lock identifies them."""
        if self.decoded is not None:
            return self.decoded
        sums = {file.path: file.sha256 or file.md5 for file in self.files}
        return digest(sums) if sums else None
