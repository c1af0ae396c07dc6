"""The spec of an imported set: what is taken from which files, and how it is judged."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ddspec.canon import Json
from ddspec.spec.imported import Holds, Layout
from ddspec.spec.learned import Space
from ddspec.spec.starter import beside, quoted


@dataclass(frozen=True, slots=True)
class ImportedFileText:
    """One file of the set."""

    path: str
    sha256: str
    holds: Holds | None


@dataclass(frozen=True, slots=True)
class ImportDraft:
    """What the spec of an imported set says."""

    name: str
    head: tuple[str, ...]
    """Lines of the comment at the top: what was found, and the next commands."""
    extends: str
    """The spec that says how it is judged, seen from the new one."""
    settings: Mapping[str, Json]
    """What a variant of that spec's matrix sets, by dotted path."""
    images_per_class: int
    parameterization: Mapping[str, Json]
    layout: Layout
    files: tuple[ImportedFileText, ...]
    space: Space
    why: str
    """Where it is known from that values are in this space."""
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    by: str
    """Whose constants these are."""
    experiment: int | None
    experiments: int | None
    """How many sets the file holds, where it can hold several."""
    learning_rate: float | None
    other: Mapping[str, Json]
    """Sections that have to be as an imported set needs them, by dotted path."""


def import_text(draft: ImportDraft, schema: str) -> str:
    """Return the spec; `schema` is where its schema will lie, seen from it."""
    lines = [
        f"# yaml-language-server: $schema={schema}",
        "#",
        *(f"# {line}".rstrip() for line in draft.head),
        f"name: {draft.name}",
        "",
        beside(f"extends: {quoted(draft.extends)}", "dataset, network and protocol"),
        "",
        *_sections({**draft.settings, **draft.other, **_of_set(draft)}),
        "",
        "imported:",
        *(f"  {line}" for line in _imported(draft)),
        *_all_experiments(draft.experiments or 1),
    ]
    return "\n".join(lines) + "\n"


def _all_experiments(count: int) -> Iterator[str]:
    """Yield, as a comment, how all sets of a file are judged side by side."""
    if count > 1:
        yield ""
        yield "# All experiments of the file, each a variant:"
        yield "#"
        yield f"# matrix: {{imported.experiment: {list(range(count))}}}"


def _of_set(draft: ImportDraft) -> dict[str, Json]:
    return {
        "budget.images_per_class": draft.images_per_class,
        **{f"parameterization.{name}": value for name, value in draft.parameterization.items()},
    }


def _imported(draft: ImportDraft) -> Iterator[str]:
    yield f"layout: {draft.layout}"
    yield "files:"
    for file in draft.files:
        yield f"  - path: {quoted(file.path)}"
        yield f'    sha256: "{file.sha256}"'
        if file.holds is not None:
            yield f"    holds: {file.holds}"
    yield beside(f"space: {draft.space}", draft.why)
    if draft.mean is not None and draft.std is not None:
        yield beside(f"mean: {json.dumps(list(draft.mean))}", draft.by)
        yield f"std: {json.dumps(list(draft.std))}"
    elif draft.space == "normalised":
        yield "# mean and std are those of the dataset; say them where others were used"
    if draft.experiment is not None:
        yield beside(f"experiment: {draft.experiment}", "of the list in the file")
    if draft.learning_rate is not None:
        yield beside(f"learning_rate: {draft.learning_rate!r}", "learned with the images")


def _sections(settings: Mapping[str, Json]) -> Iterator[str]:
    """Yield settings by dotted path as YAML, a section a line, values in flow style."""
    tree: dict[str, Json] = {}
    for path, value in settings.items():
        *sections, last = path.split(".")
        node = tree
        for section in sections:
            inner = node.setdefault(section, {})
            if not isinstance(inner, dict):
                inner = node[section] = {}
            node = inner
        node[last] = value
    for name, value in tree.items():
        yield f"{name}: {_flow(value)}"


def _flow(value: Json) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(name)}: {_flow(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return quoted(value) if isinstance(value, str) else json.dumps(value)
