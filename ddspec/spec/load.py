"""From a file or text to an experiment whose every setting knows where it is from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ddspec.spec.experiment import Experiment
from ddspec.spec.interpolate import expand_location, misplaced_variables
from ddspec.spec.layers import DIRECTIVES, Layer, Layers
from ddspec.spec.loaded import Loaded
from ddspec.spec.nodes import compose
from ddspec.spec.resolve import first, with_overrides
from ddspec.spec.source import Source, read_source

if TYPE_CHECKING:
    from ddspec.spec.extends import Files
    from ddspec.spec.lock import Lock

METHODS = Path(__file__).parents[1] / "presets" / "methods"
"""The presets of this package, one file a method."""


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

    return first(load_layers(source, files=files, classes=_counter(lock, path), presets=presets))


def load_text(
    text: str,
    name: str,
    *,
    files: Files | None = None,
    lock: Lock | None = None,
    presets: Path = METHODS,
) -> Loaded:
    """Read a spec from text, as `load_source` does; `name` stands for the file in messages."""
    source = Source(name, text.removeprefix("\ufeff"))
    return load_source(source, files=files, lock=lock, presets=presets)


def load_source(
    source: Source,
    *,
    files: Files | None = None,
    lock: Lock | None = None,
    presets: Path = METHODS,
) -> Loaded:
    """Read a spec that lies in no folder, such as one of a git revision.

    `files` are where what it extends is looked up; without them it can extend nothing.
    """
    layers = load_layers(source, files=lambda: files, classes=_counter(lock), presets=presets)
    return first(layers)


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


__all__ = ["Loaded", "expand_location", "load_source", "load_spec", "load_text", "with_overrides"]
