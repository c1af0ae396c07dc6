"""An experiment whose every setting knows where it is from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ddspec.canon import Digest, Json
from ddspec.errors import Diagnostic, Place
from ddspec.spec.experiment import Experiment
from ddspec.spec.explain import with_source
from ddspec.spec.layers import Layers, Stack
from ddspec.spec.nodes import Document, Node

if TYPE_CHECKING:
    from ddspec.spec.matrix import Combination
    from ddspec.spec.origins import Disagreement, Origin


@dataclass(frozen=True, slots=True)
class Loaded:
    """An experiment, and what it was made from."""

    experiment: Experiment
    stack: Stack = field(repr=False)
    layers: Layers = field(repr=False)
    combinations: tuple[Combination, ...] = field(default=(), repr=False)
    """What the variants of its matrix set; then the experiment is that of the first of them."""

    @property
    def document(self) -> Document:
        """The document that all layers add up to; what resolved them is still in it."""
        return self.stack.document

    @property
    def file(self) -> str:
        """Name of the file, as it was given."""
        return self.document.source.file

    @property
    def text(self) -> str:
        """The file as it was written, without a byte-order mark."""
        return self.document.source.text

    @property
    def digest(self) -> Digest:
        """SHA-256 of the text, to see that a file was touched; no identity is made of it."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def matrix(self) -> Node | None:
        """The `matrix:` of the file that was named; one that it extends has no say in it."""
        return self.document.find("matrix")

    @property
    def spanned(self) -> Place:
        """Where it is written that there are variants."""
        return self.place("matrix" if self.matrix is not None else "replicates")

    @property
    def presets(self) -> Mapping[str, Digest]:
        """The preset that gives values, by its name, with the digest of its meaning."""
        preset = self.stack.preset
        return {} if preset is None else {preset.content.name: preset.digest}

    @property
    def extended(self) -> Mapping[str, Digest]:
        """The files that this one extends, with the SHA-256 of their texts."""
        sources = {layer.root.source for layer in self.stack.layers if layer.kind == "extends"}
        return {
            one.file: hashlib.sha256(one.text.encode()).hexdigest()
            for one in sorted(sources, key=lambda one: one.file)
        }

    @property
    def notes(self) -> tuple[Diagnostic, ...]:
        """What a reviewer should know of how the preset was applied."""
        from ddspec.spec.origins import preset_notes

        return preset_notes(self.stack)

    @property
    def disagreements(self) -> tuple[Disagreement, ...]:
        """Where paper and code disagree on a setting of this spec, by the setting's name."""
        from ddspec.spec.origins import disagreements

        return disagreements(self.stack)

    def place(self, *path: str | int) -> Place:
        """Return where the setting at `path` is written.

        For a setting that is left to its default, the nearest section around it that is written;
        through an alias, the text that the alias stands for.
        """
        return self.document.place(*path)

    def told(self, problems: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
        """Return problems of settings; those in a preset or parent say how that came in."""
        return tuple(with_source(self.document, problem) for problem in problems)

    def origin(self, *path: str | int) -> Origin:
        """Return which layer gives the setting at `path`, and where."""
        from ddspec.spec.origins import origin

        return origin(self.stack, path)

    def settings(self) -> Iterator[tuple[tuple[str, ...], Json, Origin]]:
        """Yield every resolved setting with its value and origin, in the order of a spec."""
        from ddspec.spec.origins import origin, settings

        for path, value in settings(self.experiment):
            yield path, value, origin(self.stack, path)
