"""Every number that the compiler can emit is explained, by an example that is true."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import ddspec.plan
from ddspec.errors import DdspecError, Exit
from ddspec.plan.check import check
from ddspec.plan.data import data_facts
from ddspec.plan.findings import Report
from ddspec.plan.rule import Rule
from ddspec.plan.rules import RULES, rule
from ddspec.spec.experiment import Experiment
from ddspec.spec.lock import Lock, LockedClass, digest_of_splits
from ddspec.spec.nodes import compose
from ddspec.spec.source import Source

BASE = """\
name: example
dataset: {kind: digits, validation: 0.0}
budget: {images_per_class: 1}
network: {kind: convnet, depth: 2, width: 32}
pool: {kind: recorded, models: 3, epochs: 2}
perturbation: {kind: none}
inner: {kind: on_real, steps: 2}
matcher: {kind: gradient, distance: l1}
update: {learning_rate: 0.1}
loops: {outer_loops: 40, inner_steps: 10}
evaluate:
  protocol: {name: short, steps: 100}
  repeats: 5
  baselines: {random: 10}
"""


def merged(lower: Any, upper: Any) -> Any:
    if not isinstance(lower, dict) or not isinstance(upper, dict):
        return upper
    if any(key in upper and lower.get(key) != upper[key] for key in ("kind", "law")):
        return upper
    return {**lower, **{key: merged(lower.get(key), value) for key, value in upper.items()}}


def plain(text: str) -> Any:
    return compose(Source("example.yaml", text)).root.value


def locked(images: Mapping[str, int] | None) -> Lock | None:
    if images is None:
        return None
    classes = {name: LockedClass(images=number, digest="0" * 64) for name, number in images.items()}
    splits: dict[Any, Any] = {"train": classes, "test": classes}
    return Lock(kind="folder", splits=splits, digest=digest_of_splits(splits))


def report(fragment: str, images: Mapping[str, int] | None) -> Report:
    experiment = Experiment.model_validate(merged(plain(BASE), plain(fragment)))
    return check(experiment, data_facts(experiment.dataset, locked(images)))


def emitted() -> Iterator[tuple[int, str]]:
    """Yield number and severity of every finding that the source of the planner can make."""
    folder = Path(ddspec.plan.__file__).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                first = node.args[0] if node.args else None
                if node.func.id in {"error", "note"} and isinstance(first, ast.Constant):
                    yield first.value, node.func.id


def test_the_rules_are_those_that_the_compiler_can_find_violated() -> None:
    found: dict[int, set[str]] = {}
    for number, severity in emitted():
        found.setdefault(number, set()).add(severity)

    assert {one.number: set(one.severity.split(" or ")) for one in RULES} == found


def test_numbers_are_used_once() -> None:
    assert len({one.number for one in RULES}) == len(RULES)


@pytest.mark.parametrize("one", RULES, ids=lambda one: one.code)
def test_the_example_of_a_rule_violates_it(one: Rule) -> None:
    found = report(one.wrong, one.images)

    assert one.code in {each.code for each in (*found.errors, *found.notes)}


@pytest.mark.parametrize("one", RULES, ids=lambda one: one.code)
def test_the_mended_example_is_a_sound_spec(one: Rule) -> None:
    assert report(one.right, one.images) == Report((), ())


@pytest.mark.parametrize("written", ["DDS014", "dds014", "14", "DDS14", " 014 "])
def test_a_rule_is_found_however_its_number_is_written(written: str) -> None:
    assert rule(written).number == 14


@pytest.mark.parametrize(("written", "hint"), [("DDS999", "did you mean"), ("x", "lists them all")])
def test_an_unknown_number_says_so(written: str, hint: str) -> None:
    with pytest.raises(DdspecError) as caught:
        rule(written)

    assert caught.value.exit is Exit.USAGE
    assert hint in str(caught.value)
