"""Where the value of every setting comes from, and where paper and code disagree about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import accumulate
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel

from ddspec.canon import Json
from ddspec.errors import Diagnostic, Place
from ddspec.spec.experiment import Experiment
from ddspec.spec.layers import Layer, Stack
from ddspec.spec.merge import merge
from ddspec.spec.nodes import Node

Path: TypeAlias = "Sequence[str | int]"


@dataclass(frozen=True, slots=True)
class Origin:
    """Which layer gives a setting."""

    kind: Literal["spec", "extends", "preset", "matrix", "default"]
    place: Place | None = None
    """Where it is written; None for a default, which is written nowhere."""
    source: str = ""
    """What a preset says of where its value is from: a paper's table, or official code."""
    note: str = ""
    """How a file that is extended came in: `extended by x.yaml:1`."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Where paper and official code say different things, and which this plan takes."""

    setting: str
    """By its keys: `perturbation.coefficient`."""
    paper: str
    code: str
    takes: Literal["paper", "code", "ours"]
    why: str
    place: Place
    overridden: Origin | None = None
    """What sets another value than the one that was chosen here; then neither may be taken."""


def origin(stack: Stack, path: Path) -> Origin:
    """Return which layer gives the setting at a path; of a section, the highest that writes it."""
    node = stack.document.find(*path)
    if node is None:
        return Origin("default")
    for layer in reversed(stack.layers):
        found = layer.root.find(*path)
        if found is not None and _same(found, node):
            return _origin(layer, stack.document.place(*path))
    # A section that a variant adds to stays where the layers below write it.
    return _origin(stack.layers[-1], stack.document.place(*path))


def settings(experiment: Experiment) -> Iterator[tuple[tuple[str, ...], Json]]:
    """Yield every resolved setting with its value, in the order of a spec.

    A list is one setting, for layers replace it whole.
    """
    return _fields((), experiment, experiment.model_dump(mode="json"))


def disagreements(stack: Stack) -> tuple[Disagreement, ...]:
    """Return what the layers say of disagreements, the highest one's word on each setting.

    One about a setting that a higher layer sets to another value says by what it is overridden. Of
    two blocks of a preset the later one's value is the preset's: what the earlier one says of
    another value is not told.
    """
    said: dict[str, tuple[Disagreement, int]] = {}
    for level, layer in enumerate(stack.layers):
        for spec, node in layer.disagreements:
            place = node.place
            one = Disagreement(spec.setting, spec.paper, spec.code, spec.takes, spec.why, place)
            said[spec.setting] = (one, level)
    settled = _settled(stack)
    return tuple(
        _judged(stack, one, level)
        for one, level in said.values()
        if not _taken_back(settled, one, level)
    )


def preset_notes(stack: Stack) -> tuple[Diagnostic, ...]:
    """Return a note where a preset is used for what it has no published results of."""
    preset, subject = stack.preset, stack.subject
    if preset is None or subject is None or not preset.content.published:
        return ()
    from ddspec.spec.presets import is_published

    if is_published(preset, subject):
        return ()
    count = subject.images_per_class
    budget = f"{count:,} image{'' if count == 1 else 's'} per class"
    message = f"`{preset.content.name}` has no published result for {subject.dataset} at {budget}"
    return (
        Diagnostic(message, stack.document.place("preset", "name"), "its settings are general"),
    )


def _fields(
    path: tuple[str, ...], model: BaseModel, dumped: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], Json]]:
    for name, value in model:
        if name not in dumped:
            continue
        if isinstance(value, BaseModel):
            yield from _fields((*path, name), value, dumped[name])
        else:
            yield (*path, name), dumped[name]


def _settled(stack: Stack) -> Sequence[Node]:
    """Return what the blocks of the preset add up to, after each of them."""
    blocks = [layer.root for layer in stack.layers if layer.kind == "preset"]
    return list(accumulate(blocks, merge))


def _taken_back(settled: Sequence[Node], one: Disagreement, level: int) -> bool:
    """Tell whether a later block of the preset sets another value than the one spoken of."""
    path = one.setting.split(".")
    if level >= len(settled):
        return False
    then = settled[level].find(*path)
    return then is not None and then.value != _value(settled[-1].find(*path))


def _judged(stack: Stack, one: Disagreement, level: int) -> Disagreement:
    path = tuple(one.setting.split("."))
    whole = stack.layers
    top = level + 1
    while whole[level].kind == "preset" and top < len(whole) and whole[top].kind == "preset":
        top += 1
    chosen = reduce(merge, (layer.root for layer in whole[:top])).find(*path)
    now = stack.document.find(*path)
    if top == len(whole) or _value(chosen) == _value(now):
        return one
    depths = [(_depth(layer.root, path), number) for number, layer in enumerate(whole[top:], top)]
    layer = whole[max(depths)[1]]
    return replace(one, overridden=_origin(layer, stack.document.place(*path)))


def _depth(node: Node, path: Path) -> int:
    """Return how much of a path a layer writes."""
    return next(n for n in range(len(path), -1, -1) if node.find(*path[:n]) is not None)


def _value(node: Node | None) -> Json:
    return None if node is None else node.value


def _same(one: Node, other: Node) -> bool:
    return one.span == other.span and one.source is other.source


def _origin(layer: Layer, place: Place) -> Origin:
    return Origin(layer.kind, place, layer.source, layer.note)
