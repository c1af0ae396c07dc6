"""From a file or text to an experiment whose every setting knows its place."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from ddspec.canon import Digest
from ddspec.errors import Place
from ddspec.spec.experiment import Experiment
from ddspec.spec.explain import validate
from ddspec.spec.interpolate import expand_location, misplaced_variables
from ddspec.spec.nodes import Document, compose
from ddspec.spec.source import Source, read_source


@dataclass(frozen=True, slots=True)
class Loaded:
    """An experiment, and the document that it was read from."""

    experiment: Experiment
    document: Document = field(repr=False)

    @property
    def file(self) -> str:
        """Name of the file, as it was given."""
        return self.document.source.file

    @property
    def text(self) -> str:
        """The document as it was written, without a byte-order mark."""
        return self.document.source.text

    @property
    def digest(self) -> Digest:
        """SHA-256 of the text, to see that a file was touched; no identity is made of it."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def place(self, *path: str | int) -> Place:
        """Return where the setting at `path` is written.

        For a setting that is left to its default, the nearest section around it that is written;
        through an alias, the text that the alias stands for.
        """
        return self.document.place(*path)


def load_spec(path: Path | str) -> Loaded:
    """Read a spec from a regular file.

    Raises `DdspecError` (invalid) with all problems of the document; nothing in the file is
    executed, expanded or followed.
    """
    return _loaded(read_source(path, sections=Experiment.model_fields))


def load_text(text: str, name: str) -> Loaded:
    """Read a spec from text; `name` stands for the file in messages."""
    return _loaded(Source(name, text.removeprefix("\ufeff")))


def _loaded(source: Source) -> Loaded:
    document = compose(source)
    extra = tuple(misplaced_variables(document))
    return Loaded(validate(document, Experiment, extra=extra), document)


__all__ = ["Loaded", "expand_location", "load_spec", "load_text"]
