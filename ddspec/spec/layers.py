"""What a spec is made of, lowest first: preset, specs that it extends, its own file, a variant.

Each layer is a tree whose values know where they are written; `Layers.over` lays them on each
other. What does not change between the variants of a matrix is laid once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn, TypeAlias, TypeVar

from ddspec.errors import DdspecError, Diagnostic, Exit, Place
from ddspec.spec.experiment import Experiment
from ddspec.spec.explain import explained, in_order
from ddspec.spec.facts import FACTS
from ddspec.spec.merge import merge, only, section, without
from ddspec.spec.nodes import Document, Node
from ddspec.visible import visible

if TYPE_CHECKING:
    from ddspec.spec.directives import DisagreementSpec
    from ddspec.spec.presets import Preset, Subject

F = TypeVar("F")
Kind: TypeAlias = Literal["preset", "extends", "spec", "matrix"]
DIRECTIVES = ("preset", "extends", "matrix", "replicates", "disagreements")
"""Keys of a spec that are resolved away before it is an experiment."""
CONTEXT = ("preset", "dataset", "budget")
"""Sections on which it depends what a preset sets."""
OWN, PLAIN = ("own",), ("plain",)
"""What variants stand on that leave the preset alone, and those that have none."""
METHOD = (
    "network",
    "pool",
    "perturbation",
    "inner",
    "matcher",
    "augmentation",
    "parameterization",
    "init",
    "update",
    "labels",
    "loops",
    "precision",
)
"""Sections that a published number stands for."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Part of a spec, from one place."""

    kind: Kind
    root: Node
    source: str = ""
    """For a block of a preset: where its values are from."""
    note: str = ""
    """How its file came in; empty for the file that a person named."""
    disagreements: tuple[tuple[DisagreementSpec, Node], ...] = ()
    """Each with where it is written."""


@dataclass(frozen=True, slots=True)
class Stack:
    """All layers that apply, lowest first, and the document that they add up to."""

    layers: tuple[Layer, ...]
    document: Document
    preset: Preset | None = None
    subject: Subject | None = None


@dataclass(slots=True)
class Ground:
    """What variants have in common where the same blocks of a preset apply."""

    stack: Stack
    known: tuple[Document, Experiment] | None = None
    """One of the variants, whose sections need not be validated again."""


@dataclass(frozen=True, slots=True)
class Layers:
    """A spec before its preset is chosen."""

    document: Document
    """All that the person wrote, this file over what it extends, with problems of form."""
    personal: tuple[Layer, ...]
    presets: Path
    count_classes: Callable[[], int | None]
    """Asked only where a preset is applied to a folder that does not list its classes."""
    grounds: dict[tuple[object, ...], Ground] = field(default_factory=dict, repr=False)

    def ground(self, overrides: Node | None = None) -> Ground:
        """Return what lies below a variant: it depends on the preset and facts that it chooses.

        Raises `DdspecError` (invalid) for a preset or variant of one that does not exist.
        """
        touched = overrides is not None and any(key in overrides.children for key in CONTEXT)
        if not touched and OWN in self.grounds:
            return self.grounds[OWN]
        own = only(self.document.root, CONTEXT)
        if overrides is not None:
            own = merge(own, only(overrides, CONTEXT))
        found = self._found(own)
        if not touched:
            self.grounds[OWN] = found
        return found

    def _found(self, own: Node) -> Ground:
        if _no_preset(own):
            return self._remembered(PLAIN, lambda: Stack(self.personal, self.document))
        preset, subject = choose(own, self.presets, self.count_classes)
        key = (preset.content.name, subject)
        return self._remembered(key, lambda: self._with_preset(own, preset, subject))

    def _remembered(self, key: tuple[object, ...], make: Callable[[], Stack]) -> Ground:
        if key not in self.grounds:
            self.grounds[key] = Ground(make())
        return self.grounds[key]

    def _with_preset(self, own: Node, preset: Preset, subject: Subject) -> Stack:
        from ddspec.spec.presets import applied

        expected = () if _departs(self.document.root) else _expected(preset, subject)
        blocks = _layers_of(preset, applied(preset, subject))
        layers = (*expected, *blocks, *self.personal)
        named = own.children["preset"].children["name"]
        at = named.place
        note = f"from preset `{preset.content.name}`, which {at.file}:{at.line} names"
        others = {**self.document.others, visible(preset.document.source.file): note}
        root = reduce(merge, (layer.root for layer in layers))
        return Stack(layers, replace(self.document, root=root, others=others), preset, subject)


def over(ground: Ground, overrides: Node | None) -> Stack:
    """Return the layers of one variant; its sections that it does not touch are the ground's."""
    if overrides is None:
        return ground.stack
    below = ground.stack
    root = merge(below.document.root, overrides, stay=True)
    if _departs(overrides) and _from_preset(below, root):
        root = without(root, ("expect",))
    layer = Layer("matrix", overrides)
    return replace(
        below, layers=(*below.layers, layer), document=replace(below.document, root=root)
    )


def bare(document: Document) -> Document:
    """Return a document whose value lacks what was resolved away; it is still found in it."""
    root = document.root
    if not any(key in root.children for key in DIRECTIVES):
        return document
    kept = {str(key): node.value for key, node in root.children.items() if key not in DIRECTIVES}
    return replace(document, root=replace(root, value=kept))


def with_rest(error: DdspecError, document: Document) -> DdspecError:
    """Return an error together with what is wrong in a document that cannot be resolved.

    What is missing in it is not told: the layers that cannot be found may have it.
    """
    _, found = explained(bare(document), Experiment, also=DIRECTIVES, whole=False)
    problems = in_order([*error.diagnostics, *document.problems, *found], document.source.file)
    return DdspecError(problems, exit=error.exit)


def _departs(own: Node) -> bool:
    """Tell whether a person's settings are another method than the preset's, or another test."""
    return any(key in METHOD for key in own.children) or any(
        own.find("evaluate", key) is not None for key in ("protocol", "on")
    )


def _from_preset(stack: Stack, root: Node) -> bool:
    """Tell whether the number that is expected is the preset's."""
    lowest = stack.layers[0]
    given = lowest.root.children.get("expect") if lowest.kind == "preset" else None
    return given is not None and given is root.children.get("expect")


def _no_preset(own: Node) -> bool:
    """Tell whether none is chosen; `preset: null` forgets one that is inherited."""
    choice = own.children.get("preset")
    return choice is None or all(
        key in choice.children and choice.children[key].value is None for key in ("name", "variant")
    )


def choose(
    own: Node, folder: Path, count_classes: Callable[[], int | None]
) -> tuple[Preset, Subject]:
    """Return the preset that a person chose, and what it is applied to."""
    from ddspec.spec.presets import preset_names, read_preset

    choice = own.children["preset"]
    name = choice.find("name")
    if name is None or not isinstance(name.value, str):
        at = choice.source.place(*own.keys["preset"])
        _refuse("missing key `name` in `preset`", at, preset_names(folder))
    try:
        preset = read_preset(name.value, folder)
    except KeyError:
        message = f"no preset is called `{_short(name)}`"
        _refuse(message, name.place, preset_names(folder), name.value)
    subject = subject_of(own, count_classes)
    variant = choice.find("variant")
    if subject.variant is None:
        subject = replace(subject, variant=preset.content.default)
    if variant is not None and subject.variant not in (None, *preset.content.variants):
        message = f"preset `{name.value}` has no variant `{_short(variant)}`"
        _refuse(message, variant.place, preset.content.variants, str(variant.value))
    return preset, subject


def subject_of(own: Node, count_classes: Callable[[], int | None]) -> Subject:
    """Return what a person's part of a spec tells a preset; what is unknown or unfit is None."""
    from ddspec.spec.presets import Subject

    kind = _value(own, "dataset", "kind", fit=str)
    facts = FACTS.get(kind) if kind is not None else None
    classes = own.find("dataset", "classes")
    if facts is not None:
        count: int | None = len(facts.class_names)
    elif classes is not None and isinstance(classes.value, list):
        count = len(classes.value)
    else:
        count = count_classes()
    return Subject(
        dataset=kind,
        size=_value(own, "dataset", "size", fit=int) or (facts.size if facts else None),
        channels=facts.channels if facts else _value(own, "dataset", "channels", fit=int) or 3,
        classes=count,
        images_per_class=_value(own, "budget", "images_per_class", fit=int),
        variant=_value(own, "preset", "variant", fit=str),
    )


def _value(own: Node, *path: str, fit: type[F]) -> F | None:
    node = own.find(*path)
    return node.value if node is not None and type(node.value) is fit else None


def _layers_of(preset: Preset, blocks: Iterable[int]) -> Iterator[Layer]:
    """Yield the blocks of a preset that apply; one that sets nothing may still tell something."""
    for index in blocks:
        block = preset.content.blocks[index]
        items = preset.document.find("blocks", index, "disagreements")
        nodes = items.children.values() if items is not None else ()
        yield Layer(
            "preset",
            preset.settings(index),
            source=block.source,
            disagreements=tuple(zip(block.disagreements, nodes, strict=True)),
        )


def _expected(preset: Preset, subject: Subject) -> Iterator[Layer]:
    """Yield what is expected of the method where nothing of it is changed."""
    from ddspec.spec.presets import result_of

    index = result_of(preset, subject)
    if index is None:
        return
    row = preset.document.find("results", index)
    assert row is not None  # `content` was read from it
    item = only(row, ("accuracy", "std", "source"))
    expect = replace(section(row, {0: item}, {}), value=[item.value])
    root = section(row, {"expect": expect}, {"expect": row.span})
    yield Layer("preset", root, source=preset.content.results[index].source)


def _short(node: Node) -> str:
    return visible(str(node.value)[:40])


def _refuse(message: str, place: Place, known: Sequence[str], word: str = "") -> NoReturn:
    close = get_close_matches(word, known, n=1)
    listed = ", ".join(f"`{name}`" for name in known) or "none"
    there = f"there {'are' if len(known) > 1 else 'is'} {listed}"
    hint = f"did you mean `{close[0]}`?" if close else there
    raise DdspecError([Diagnostic(message, place, hint)], exit=Exit.INVALID)
