"""The keys of a spec that are resolved away before it is an experiment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field

from ddspec.spec.base import Name, SpecModel, Text
from ddspec.spec.merge import made, section
from ddspec.spec.nodes import Node

Setting = Annotated[str, Field(strict=True, pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$")]
"""A setting by its keys: `perturbation.coefficient`."""


Replicates = Annotated[int, Field(strict=True, ge=1, le=1000)]
"""How often all is done, with a seed of its own each time."""


class PresetChoice(SpecModel):
    """Which published method gives what a spec leaves out."""

    name: Name | None = None
    """A file under `presets/methods`; naming one anew forgets the variant of a lower layer."""
    variant: Name | None = None
    """One of those that the preset knows, such as a speed."""


class DisagreementSpec(SpecModel):
    """Where paper and official code differ, and what is taken."""

    setting: Setting
    paper: Text
    code: Text
    takes: Literal["paper", "code", "ours"]
    why: Text


class Directives(SpecModel):
    """All of them, after `normalised`."""

    preset: PresetChoice | None = None
    extends: tuple[Text, ...] = ()
    matrix: Any = None
    replicates: Replicates | None = None
    disagreements: tuple[DisagreementSpec, ...] = ()


def normalised(root: Node) -> Node:
    """Return a document whose `preset` is a section and whose `extends` is a list."""
    children = {
        key: _FORMS[key](child) if key in _FORMS else child for key, child in root.children.items()
    }
    if all(child is root.children[key] for key, child in children.items()):
        return root
    return section(root, children, root.keys, sound=root.sound)


def _choice(node: Node) -> Node:
    """Return a choice of a preset as a section; a name without a variant means none."""
    children: dict[str | int, Node] = {"name": node}
    if isinstance(node.value, dict):
        children = dict(node.children)
    if isinstance(node.value, list) or "name" not in children or "variant" in children:
        return node
    children["variant"] = made(None, node)
    keys = {key: node.keys.get(key, node.span) for key in children}
    return section(node, children, keys, sound=node.sound)


def _listed(node: Node) -> Node:
    if isinstance(node.value, (dict, list)):
        return node
    return replace(node, value=[node.value], children={0: node})


_FORMS: Mapping[str | int, Callable[[Node], Node]] = {"preset": _choice, "extends": _listed}
