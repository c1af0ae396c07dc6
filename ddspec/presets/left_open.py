"""Which settings of a method its publications leave open, and where their values are from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ddspec.canon import Json
from ddspec.spec.experiment import Experiment
from ddspec.spec.load import METHODS
from ddspec.spec.presets import PresetFile, Subject, holds, preset_names, read_preset

OURS = "ours: "
"""What the source of a value begins with that nobody published for the method."""


def left_open(preset: str, experiment: Experiment, subject: Subject) -> dict[str, Json] | None:
    """Return what the card of a set says of settings that no publication of its method gives.

    That is a `note`, and `settings` by their paths, each with the source of its value; a setting
    that the spec gives another value is the spec's own, and not told. None for a preset whose
    method is published whole, and for a name that is no preset's.
    """
    if preset not in preset_names(METHODS):
        return None
    file = read_preset(preset, METHODS).content
    if file.unpublished is None:
        return None
    now = dict(_leaves(experiment.model_dump(mode="json")))
    said = {
        path: source.removeprefix(OURS)
        for path, (value, source) in _sources(file, subject).items()
        if source.startswith(OURS) and path in now and now[path] == value
    }
    return {"note": file.unpublished, "settings": dict(sorted(said.items()))}


def _sources(file: PresetFile, subject: Subject) -> Mapping[str, tuple[Any, str]]:
    """Return value and source of each setting of a preset; of several blocks the last one's."""
    blocks = (block for block in file.blocks if holds(block.when, subject))
    return {path: (value, block.source) for block in blocks for path, value in _leaves(block.set)}


def _leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (path, value) of everything that is no section."""
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _leaves(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", inner
