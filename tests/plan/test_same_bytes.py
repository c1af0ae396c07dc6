"""The same spec gives the same bytes everywhere, and an edit moves what depends on it alone."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from ddspec.plan.compile import compile_spec
from ddspec.plan.ir import Plan
from ddspec.plan.text import dump_plan
from ddspec.spec.load import load_text
from ddspec.wire.work import MergeWork

ROOT = Path(__file__).parents[2]
SPECS = sorted(
    str(path.relative_to(ROOT / "specs").with_suffix(""))
    for path in (ROOT / "specs").rglob("*.yaml")
    if not path.name.endswith((".plan.yaml", ".lock.yaml")) and "papers" not in path.parts
)
"""All but those of papers, whose plans are long: `tests/specs` holds their digests."""
WITHOUT_LOCK = [name for name in SPECS if name != "imagenet100"]
SOME = ("digits", "ablations/models", "ablations/perturbation")
COMPILE = (
    "import sys, hashlib; from ddspec.spec.load import load_spec;"
    "from ddspec.plan.compile import compile_spec; from ddspec.plan.text import dump_plan;"
    "print(*(hashlib.sha256(dump_plan(compile_spec(load_spec(path))).encode()).hexdigest()"
    " for path in sys.argv[1:]))"
)
"""Prints the digest of each spec's plan file."""


def shuffled(value: Any, order: Callable[[list[str]], list[str]]) -> Any:
    """Return a document with the keys of every section in another order."""
    if isinstance(value, Mapping):
        return {name: shuffled(value[name], order) for name in order(sorted(value))}
    return [shuffled(item, order) for item in value] if isinstance(value, list) else value


def written(document: Any) -> Plan:
    """Compile a document; JSON is YAML."""
    return compile_spec(load_text(json.dumps(document), "x.yaml"))


def read(name: str) -> Any:
    return YAML(typ="safe", pure=True).load((ROOT / "specs" / f"{name}.yaml").read_text())


@pytest.mark.parametrize("name", WITHOUT_LOCK)
def test_the_order_of_keys_changes_no_byte(name: str) -> None:
    document = read(name)
    plans = [
        written(shuffled(document, order))
        for order in (
            list,
            lambda names: names[::-1],
            lambda names: sorted(names, key=lambda one: hashlib.sha256(one.encode()).digest()),
        )
    ]

    assert len({dump_plan(plan) for plan in plans}) == 1
    assert dump_plan(plans[0]) == dump_plan(written(document))


def digests(python: str, seed: str, folder: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the digests of the plans of all specs, from another process."""
    paths = [os.path.relpath(ROOT / "specs" / f"{name}.yaml", folder) for name in names]
    found = subprocess.run(
        [python, "-c", COMPILE, *paths],
        cwd=folder,
        env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "LC_ALL": "C", "TZ": f"UTC+{seed}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(found.stdout.split())


def test_hash_seed_and_working_directory_change_no_byte(tmp_path: Path) -> None:
    found = {
        digests(sys.executable, seed, folder, SOME)
        for seed, folder in (("0", ROOT), ("1", tmp_path), ("12345", ROOT / "specs"))
    }

    assert len(found) == 1
    assert len(next(iter(found))) == len(SOME)


def other_python() -> str | None:
    """Return a Python of another version that can import what this package needs."""
    version = "3.12" if sys.version_info[:2] != (3, 12) else "3.11"
    named = os.environ.get("DDSPEC_OTHER_PYTHON")
    places = [named, ROOT / f".venv{version.replace('.', '')}" / "bin" / "python"]
    for place in (*places, shutil.which(f"python{version}")):
        if place is None:
            continue
        needs = "import pydantic, ruamel.yaml, sys; print('%d.%d' % sys.version_info[:2])"
        try:
            found = subprocess.run(
                [str(place), "-c", needs], capture_output=True, text=True, check=False
            )
        except OSError:
            continue
        if found.stdout.strip() == version:
            return str(place)
    return None


def test_another_python_makes_the_same_bytes(tmp_path: Path) -> None:
    other = other_python()
    if other is None:
        pytest.skip("no other Python with pydantic and ruamel.yaml; name it DDSPEC_OTHER_PYTHON")

    assert digests(other, "7", tmp_path, SOME) == digests(sys.executable, "0", ROOT, SOME)


SPEC: dict[str, Any] = {
    "name": "small",
    "dataset": {"kind": "digits", "validation": 0.2},
    "budget": {"images_per_class": 2},
    "network": {"kind": "convnet", "depth": 2, "width": 32},
    "pool": {"kind": "recorded", "models": 3, "epochs": 2, "batch": 64},
    "perturbation": {
        "kind": "filter_gaussian",
        "directions": 2,
        "coefficient": {"law": "uniform_signed", "low": 0.01, "high": 0.09},
    },
    "inner": {"kind": "on_real", "steps": 2, "batch": 64},
    "matcher": {"kind": "gradient", "distance": "l1", "real_batch": 32},
    "augmentation": {"matching": {"kind": "dsa"}, "training": {"kind": "none"}, "cutmix": 0.5},
    "parameterization": {"kind": "pixels"},
    "init": {"kind": "real"},
    "update": {"learning_rate": 2e-4, "momentum": 0.5},
    "loops": {"outer_loops": 6, "inner_steps": 2, "snapshots": [2, 4]},
    "precision": "float32",
    "seed": 0,
    "evaluate": {
        "protocol": {"name": "short", "steps": 100, "batch": 64},
        "repeats": 2,
        "baselines": {"random": 2, "init": 1, "full": 1},
        "on": "test",
    },
    "resources": {"shards": 1, "threads": 1},
}
EDITS: Mapping[str, Any] = {
    "name": "other",
    "title": "Other",
    "dataset.validation": 0.3,
    "budget.images_per_class": 3,
    "network.width": 16,
    "network.depth": 1,
    "pool.models": 4,
    "pool.epochs": 3,
    "pool.batch": 32,
    "perturbation": {"kind": "none"},
    "perturbation.coefficient.high": 0.5,
    "inner.steps": 3,
    "inner.batch": 32,
    "matcher.distance": "squared",
    "matcher.real_batch": 16,
    "augmentation.matching": {"kind": "none"},
    "augmentation.training": {"kind": "dsa"},
    "augmentation.cutmix": 0.25,
    "parameterization": {"kind": "multi_formation", "factor": 2},
    "init.kind": "noise",
    "update.learning_rate": 1e-3,
    "update.momentum": 0.9,
    "loops.outer_loops": 7,
    "loops.inner_steps": 3,
    "loops.snapshots": [2],
    "precision": "float64",
    "seed": 1,
    "evaluate.protocol.steps": 200,
    "evaluate.protocol.name": "renamed",
    "evaluate.repeats": 3,
    "evaluate.baselines.random": 1,
    "evaluate.on": "validation",
    "evaluate.networks": [{"kind": "convnet", "depth": 1}],
    "resources.threads": 2,
}
"""One other value of each setting that a small spec has."""
NO_STAGE = frozenset({"name", "title", "resources.threads", "evaluate.protocol.name"})


def edited(document: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a document with one setting changed."""
    head, _, rest = path.partition(".")
    inner = edited(document.get(head, {}), rest, value) if rest else value
    return {**document, head: inner}


def moved(before: Plan, after: Plan) -> dict[str, bool]:
    """Return for each label of both plans whether its stage must have another key.

    Recomputed from meaning: its work says something else, or an input does, or it has other inputs.
    """
    old = {stage.label: stage for stage in before}
    found: dict[str, bool] = {}
    for stage in after:
        if stage.label not in old:
            found[stage.label] = True
            continue
        was = old[stage.label]
        found[stage.label] = (
            was.work.identity() != stage.work.identity()
            or was.upstream != stage.upstream
            or any(found[label] for label in stage.upstream.values())
        )
    return {label: one for label, one in found.items() if label in old}


@pytest.mark.parametrize("path", EDITS)
def test_one_edit_moves_exactly_what_lies_below_it(path: str) -> None:
    before, after = written(SPEC), written(edited(SPEC, path, EDITS[path]))
    keys = {stage.label: stage.key for stage in before}

    actual = {stage.label: stage.key != keys[stage.label] for stage in after if stage.label in keys}

    assert actual == moved(before, after)
    assert any(actual.values()) == (path not in NO_STAGE and _is_felt(before, after))


def _is_felt(before: Plan, after: Plan) -> bool:
    """Return whether stages of the same label differ; more repeats only add some."""
    return any(moved(before, after).values())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(sorted(EDITS)), min_size=2, max_size=4, unique=True))
def test_several_edits_move_exactly_what_lies_below_them(paths: list[str]) -> None:
    document: Mapping[str, Any] = SPEC
    for path in paths:
        if not any(other != path and path.startswith(f"{other}.") for other in paths):
            document = edited(document, path, EDITS[path])
    before, after = written(SPEC), written(document)
    keys = {stage.label: stage.key for stage in before}

    actual = {stage.label: stage.key != keys[stage.label] for stage in after if stage.label in keys}

    assert actual == moved(before, after)
    assert not any(isinstance(stage.work, MergeWork) for stage in before)
