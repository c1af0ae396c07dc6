"""From a file or text to an experiment whose every setting knows where it is from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ddspec.canon import Digest, Json
from ddspec.errors import DdspecError, Diagnostic, Exit, Place
from ddspec.spec.experiment import Experiment
from ddspec.spec.explain import MAX_TOLD, explained, in_order, validate, with_source
from ddspec.spec.interpolate import expand_location, misplaced_variables
from ddspec.spec.layers import (
    CONTEXT,
    DIRECTIVES,
    Ground,
    Layer,
    Layers,
    Stack,
    bare,
    over,
    with_rest,
)
from ddspec.spec.merge import only
from ddspec.spec.nodes import Document, Node, compose
from ddspec.spec.source import Source, read_source

if TYPE_CHECKING:
    from ddspec.spec.extends import Files
    from ddspec.spec.lock import Lock
    from ddspec.spec.matrix import Combination
    from ddspec.spec.origins import Disagreement, Origin

_SECTIONS = frozenset(Experiment.model_fields)
METHODS = Path(__file__).parents[1] / "presets" / "methods"
"""The presets of this package, one file a method."""


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


def load_spec(path: Path | str, *, lock: Lock | None = None, presets: Path = METHODS) -> Loaded:
    """Read a spec from a regular file, and what it extends inside its repository.

    Raises `DdspecError` (invalid) with all problems of the document; nothing in it is executed or
    expanded. Of a folder of images, a preset is told the number of classes in `lock`, or in the
    one that lies beside the spec. `presets` is the folder in which presets are found by name.
    """
    path = Path(path)
    source = read_source(path, sections=(*Experiment.model_fields, *DIRECTIVES))

    def files() -> Files:
        from ddspec.spec.extends import TreeFiles

        return TreeFiles.around(path)

    return _first(load_layers(source, files=files, classes=_counter(lock, path), presets=presets))


def load_text(
    text: str,
    name: str,
    *,
    files: Files | None = None,
    lock: Lock | None = None,
    presets: Path = METHODS,
) -> Loaded:
    """Read a spec from text; `name` stands for the file in messages.

    `files` are where what it extends is looked up; without them it can extend nothing.
    """
    source = Source(name, text.removeprefix("\ufeff"))
    return _first(load_layers(source, files=lambda: files, classes=_counter(lock), presets=presets))


def load_layers(
    source: Source,
    *,
    files: Callable[[], Files | None] = lambda: None,
    classes: Callable[[], int | None] = lambda: None,
    presets: Path = METHODS,
) -> Layers:
    """Read a spec without resolving it: its values need not add up to an experiment."""
    document = compose(source)
    if any(key in document.root.children for key in DIRECTIVES):
        # What follows directives takes a while to load, and a plain spec has none.
        from ddspec.spec.extends import layered

        return layered(document, files, classes, presets)
    problems = (*document.problems, *misplaced_variables(document.root))
    document = replace(document, problems=problems)
    return Layers(document, (Layer("spec", document.root),), presets, classes)


def with_overrides(loaded: Loaded, overrides: Node | None) -> Loaded:
    """Return the spec as one variant of its matrix sets it.

    `overrides` is a section like a spec's own, laid over it; the preset's blocks are chosen anew
    where it changes what they depend on. Raises `DdspecError` (invalid).
    """
    return _resolved(loaded.layers, overrides)


def _first(layers: Layers) -> Loaded:
    """Return a spec, or the first variant of its matrix: the rest need not be one by itself."""
    matrix = layers.document.root.children.get("matrix")
    if matrix is None:
        return _resolved(layers, None)
    from ddspec.spec.matrix import read_matrix

    try:
        combinations = read_matrix(matrix)
    except DdspecError as error:
        raise with_rest(error, layers.document) from None
    try:
        first = _resolved(layers, combinations[0].overrides)
    except DdspecError as error:
        raise _of_all(error, layers, combinations[1:]) from None
    return replace(first, combinations=combinations)


def _of_all(error: DdspecError, layers: Layers, rest: Sequence[Combination]) -> DdspecError:
    """Return an error of the first variant with those of all others, each once."""
    problems = dict.fromkeys(error.diagnostics)
    for one in rest[:MAX_TOLD]:
        try:
            _resolved(layers, one.overrides)
        except DdspecError as other:
            problems |= dict.fromkeys(other.diagnostics)
    return DdspecError(in_order(problems), exit=error.exit)


def _resolved(layers: Layers, overrides: Node | None) -> Loaded:
    if overrides is not None:
        overrides = _checked(overrides, layers.document)
    try:
        ground = layers.ground(overrides)
    except DdspecError as error:
        raise with_rest(error, layers.document) from None
    stack = over(ground, overrides)
    return Loaded(_experiment(stack.document, ground), stack, layers)


def _checked(overrides: Node, document: Document) -> Node:
    """Return overrides in the form of a document; refuse what a document is refused for."""
    problems = list(misplaced_variables(overrides))
    if "preset" in overrides.children:
        from ddspec.spec.directives import Directives, normalised

        overrides = normalised(overrides)
        chosen = replace(document, root=only(overrides, ("preset",)))
        problems += explained(chosen, Directives)[1]
    if problems:
        raise with_rest(DdspecError(problems, exit=Exit.INVALID), document)
    return overrides


def _experiment(document: Document, ground: Ground) -> Experiment:
    """Validate a document; sections that are those of a known variant are taken from there.

    That is the same, for no rule of an experiment looks at two of its sections.
    """
    judged = bare(document)
    if ground.known is not None and not document.problems:
        other, known = ground.known
        written, same = judged.root.children, other.root.children
        values = {
            key: getattr(known, key)
            if key in _SECTIONS and written[key] is same.get(key)
            else value
            for key, value in judged.root.value.items()  # type: ignore[union-attr]  # a section
        }
        try:
            return Experiment.model_validate(values)
        except ValidationError:
            pass  # told below, in words and with places
    guides = CONTEXT if ground.stack.preset is not None else ()
    made = validate(judged, Experiment, also=DIRECTIVES, guides=guides)
    ground.known = (document, made)
    return made


def _counter(lock: Lock | None, spec: Path | None = None) -> Callable[[], int | None]:
    """Return what counts the classes of a folder that does not list them."""

    @cache
    def count() -> int | None:
        found = lock
        beside = spec.with_name(f"{spec.stem}.lock.yaml") if spec is not None else None
        if found is None and beside is not None and beside.exists():
            from ddspec.spec.lock import read_lock

            found = read_lock(beside)
        return None if found is None else len(found.images("train")) or None

    return count


__all__ = ["Loaded", "expand_location", "load_spec", "load_text", "with_overrides"]
