"""What there is to say of a plan's results class by class."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ddspec.canon import Digest, Json
from ddspec.cli.output import show, show_json
from ddspec.cli.report import headline
from ddspec.console.per_class_view import render_classes
from ddspec.plan.ir import Plan
from ddspec.run.per_class import METRICS, ClassTable, class_tables
from ddspec.store.store import Store
from ddspec.wire.work import EvaluateWork


def show_classes(plan: Plan, store: Store | None, *, as_json: bool) -> None:
    """Print the tables of every variant; nothing is run or changed."""
    found = {one.name: _tables(plan.of(one.name), store) for one in plan.variants}
    if as_json:
        show_json({"format": "ddspec.classes/1", "name": plan.name, "variants": _plain(found)})
        return
    titles = {name: f"variant {name}" if name else headline(plan) for name in found}
    blocks = [render_classes(titles[name], tables) for name, tables in found.items()]
    show("\n\n".join(blocks))


def _plain(found: Mapping[str, tuple[ClassTable, ...]]) -> list[Json]:
    return [
        {"name": name, "results": [table.plain() for table in tables]}
        for name, tables in found.items()
    ]


def _tables(plan: Plan, store: Store | None) -> tuple[ClassTable, ...]:
    judged = [stage.key for stage in plan if isinstance(stage.work, EvaluateWork) and stage.key]
    return class_tables(plan, {key: _figures(store, key) for key in judged})


def _figures(store: Store | None, key: Digest) -> Mapping[str, Json]:
    """Return what an evaluation wrote; nothing where it is not there or not JSON."""
    if store is None or not store.objects.has(key):
        return {}
    try:
        plain = json.loads((store.layout.object(key) / METRICS).read_bytes())
    except (OSError, ValueError):
        return {}
    return plain if isinstance(plain, dict) else {}
