"""What the docstrings of our models say, read from their source when somebody asks."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from itertools import pairwise
from typing import Any, get_args

from pydantic import BaseModel


def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """Return the string below each field of a model and of those it inherits from, on one line.

    Read from the source, so that importing the models costs nothing for it.
    """
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if issubclass(owner, BaseModel) and owner is not BaseModel:
            found |= dict(_documented(owner))
    return found


def models_in(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """Return a model and all that its fields may hold, by name."""
    found = {model.__name__: model}
    for field in model.model_fields.values():
        for inner in _models(field.annotation):
            if inner.__name__ not in found:
                found |= models_in(inner)
    return found


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _documented(owner: type[BaseModel]) -> Iterator[tuple[str, str]]:
    for field, below in pairwise(_classes(owner.__module__).get(owner.__name__, ())):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            text = _text(below)
            if text is not None:
                yield field.target.id, " ".join(text.split())


@cache
def _classes(module: str) -> Mapping[str, Sequence[ast.stmt]]:
    """Return the body of every class at the top of a module, by name."""
    tree = ast.parse(inspect.getsource(import_module(module)))
    return {node.name: node.body for node in tree.body if isinstance(node, ast.ClassDef)}


def _text(node: ast.stmt) -> str | None:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        value = node.value.value
        return value if isinstance(value, str) else None
    return None
