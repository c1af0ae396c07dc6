"""A policy says of a plan what a team would, and the same on every machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddspec.errors import DdspecError, Exit
from ddspec.plan.compile import compile_spec
from ddspec.plan.ir import Plan
from ddspec.plan.policy import (
    Circumstances,
    PinnedImage,
    Verdict,
    enforce,
    judge,
    kept,
    read_policy,
)
from ddspec.spec.load import load_text

Policies = Callable[..., Any]
Plans = Callable[..., Plan]

PINNED = PinnedImage("team/runner:1", f"team/runner@sha256:{'a' * 64}")
LOCAL = PinnedImage("ddspec-runner:0.1.0", None)


@pytest.fixture
def policy(tmp_path: Path) -> Policies:
    """Return a policy of the rules that are given as flow mappings."""

    def written(*rules: str) -> Any:
        path = tmp_path / "ddspec-policy.yaml"
        lines = "".join(f"  - {{{rule}}}\n" for rule in rules)
        path.write_text(f"format: ddspec.policy/1\ndevice: a6000\nrules:\n{lines}")
        return read_policy(path)

    return written


RULES = [
    pytest.param("kind: gpu_hours, at_most: 100", "kept", id="few hours"),
    pytest.param("kind: gpu_hours, at_most: 1e-6", "denied", id="too many hours"),
    pytest.param("kind: gpu_hours, at_most: 1e-6, action: warn", "warned", id="only a warning"),
    pytest.param("kind: gpu_hours, at_most: 9, device: h100", "kept", id="on another device"),
    pytest.param("kind: memory, at_most: 1 GiB", "kept", id="little memory"),
    pytest.param("kind: memory, at_most: 1 kB", "denied", id="too much memory"),
    pytest.param("kind: disk, at_most: 1.5 TB", "kept", id="little disk"),
    pytest.param("kind: disk, at_most: 10 B", "denied", id="too much disk"),
    pytest.param("kind: stages, at_most: 1000", "kept", id="few stages"),
    pytest.param("kind: stages, at_most: 2", "denied", id="too many stages"),
    pytest.param("kind: baselines, random: 2, full: 1", "kept", id="baselines"),
    pytest.param("kind: baselines, random: 3", "denied", id="too few baselines"),
    pytest.param("kind: baselines, herding: 1", "denied", id="a set that is not chosen"),
    pytest.param("kind: repeats, at_least: 2", "kept", id="repeats"),
    pytest.param("kind: repeats, at_least: 5", "denied", id="too few repeats"),
    pytest.param("kind: test_split", "kept", id="one experiment may be tested"),
    pytest.param("kind: datasets, allow: [digits]", "kept", id="a dataset"),
    pytest.param("kind: datasets, allow: [cifar10, folder]", "denied", id="another dataset"),
    pytest.param("kind: protocols, allow: [dc]", "denied", id="a protocol of one's own"),
    pytest.param("kind: presets, allow: [none]", "unknown", id="who knows the preset"),
    pytest.param("kind: image", "unknown", id="no image is locked"),
]


@pytest.mark.parametrize(("rule", "state"), RULES)
def test_a_rule_finds_what_it_is_for(
    rule: str, state: str, policy: Policies, planned: Plans
) -> None:
    [verdict] = judge(planned(), policy(rule))

    assert verdict.state == state
    assert verdict.message


CIRCUMSTANCES = [
    pytest.param("kind: presets, allow: [acc_dd]", {"presets": ["acc_dd"]}, "kept", id="preset"),
    pytest.param("kind: presets, allow: [dc]", {"presets": ["acc_dd"]}, "denied", id="another"),
    pytest.param("kind: presets, allow: [none]", {"presets": []}, "kept", id="no preset"),
    pytest.param("kind: image", {"image": PINNED}, "kept", id="pinned"),
    pytest.param("kind: image", {"image": LOCAL}, "denied", id="of this host"),
    pytest.param("kind: image, pinned: false", {"image": LOCAL}, "kept", id="any image"),
    pytest.param(
        "kind: image, allow: ['team/*@sha256:*']", {"image": PINNED}, "kept", id="of the team"
    ),
    pytest.param("kind: image, allow: ['x/*']", {"image": PINNED}, "denied", id="of others"),
    pytest.param("kind: image", {"contained": False}, "kept", id="in processes"),
]


@pytest.mark.parametrize(("rule", "found", "state"), CIRCUMSTANCES)
def test_what_is_no_part_of_a_plan_is_judged_too(
    rule: str, found: dict[str, Any], state: str, policy: Policies, planned: Plans
) -> None:
    [verdict] = judge(planned(), policy(rule), Circumstances(**found))

    assert verdict.state == state


def test_a_protocol_written_out_as_it_is_built_in_is_that_protocol(
    policy: Policies, planned: Plans
) -> None:
    from ddspec.presets.protocols import PROTOCOLS

    written = PROTOCOLS["dc"]().model_dump(mode="json", exclude_none=True)
    rule = "kind: protocols, allow: [dc]"

    assert [one.state for one in judge(planned(evaluate__protocol=written), policy(rule))] == [
        "kept"
    ]
    changed = written | {"epochs": 10}
    [verdict] = judge(planned(evaluate__protocol=changed), policy(rule))
    assert verdict.message == "protocol `dc (written out)` not among `dc`"


MATRIX = """\
name: m
preset: acc_dd
dataset: {{kind: cifar10, validation: 0.1}}
budget: {{images_per_class: 1}}
matrix: {{{axes}}}
evaluate: {{on: {on}}}
"""


@pytest.mark.parametrize(
    ("axes", "on", "state"),
    [
        pytest.param("loops.outer_loops: [300, 400]", "test", "denied", id="chosen on the test"),
        pytest.param("loops.outer_loops: [300, 400]", "validation", "kept", id="on validation"),
        pytest.param("budget.images_per_class: [1, 10]", "test", "kept", id="reported budgets"),
        pytest.param("preset: [acc_dd, dc]", "test", "kept", id="reported methods"),
        pytest.param(
            "variants: {slow: {pool.epochs: 3}, fast: {pool.epochs: 1}}",
            "test",
            "denied",
            id="named variants",
        ),
    ],
)
def test_candidates_are_not_compared_on_the_test_split(
    axes: str, on: str, state: str, policy: Policies
) -> None:
    plan = compile_spec(load_text(MATRIX.format(axes=axes, on=on), "m.yaml"), None)

    [verdict] = judge(plan, policy("kind: test_split"))

    assert verdict.state == state


def test_verdicts_come_in_order_with_reason_and_place(policy: Policies, planned: Plans) -> None:
    found = judge(
        planned(),
        policy("kind: stages, at_most: 1, reason: nobody reads more", "kind: test_split"),
    )

    assert [(one.kind, one.state, one.place.line) for one in found] == [
        ("stages", "denied", 4),
        ("test_split", "kept", 5),
    ]
    assert kept(found) == 1
    with pytest.raises(DdspecError) as caught:
        enforce(found)
    assert caught.value.exit is Exit.REFUSED
    assert "hint: nobody reads more" in str(caught.value)


def test_a_rule_that_cannot_be_judged_denies_when_a_run_begins(
    policy: Policies, planned: Plans
) -> None:
    found = judge(planned(), policy("kind: image"))

    enforce(found)
    with pytest.raises(DdspecError):
        enforce(found, running=True)


def test_before_the_data_are_locked_hours_are_not_judged(policy: Policies, planned: Plans) -> None:
    folder = {"kind": "folder", "path": "x", "size": 32}
    rules = policy("kind: gpu_hours, at_most: 1", "kind: disk, at_most: 1 TB")

    found = judge(planned(dataset=folder), rules)

    assert {one.state for one in found} == {"unknown"}


SLIPS = {
    "a device": ("device: a600\nrules:\n  - {kind: test_split}", "did you mean `a6000`?"),
    "a dataset": (
        "rules:\n  - {kind: datasets, allow: [cifar01]}",
        "no dataset is called `cifar01`",
    ),
    "a rule": ("rules:\n  - {kind: gpu_hour, at_most: 1}", "did you mean `gpu_hours`?"),
    "hours of what": ("rules:\n  - {kind: gpu_hours, at_most: 1}", "needs a `device`"),
    "a size": ("rules:\n  - {kind: disk, at_most: 3}", "must be"),
    "an action": ("rules:\n  - {kind: test_split, action: denied}", "did you mean `deny`?"),
    "nothing": ("rules: []", "rules"),
}


@pytest.mark.parametrize(("text", "said"), SLIPS.values(), ids=SLIPS)
def test_a_slip_in_a_policy_is_located(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(f"format: ddspec.policy/1\n{text}\n")

    with pytest.raises(DdspecError) as caught:
        read_policy(path)

    assert caught.value.exit is Exit.INVALID
    assert said in str(caught.value)
    assert all(one.place is not None and one.place.line for one in caught.value.diagnostics)


WHOLE = """\
format: ddspec.policy/1
device: a6000
rules:
  - {kind: gpu_hours, at_most: 200, reason: a week}
  - {kind: memory, at_most: 48 GiB, action: warn}
  - {kind: datasets, allow: [digits]}
  - {kind: image, allow: ['team/*']}
"""
PIECES = [
    "{",
    "}",
    "[",
    ":",
    " ",
    "\n",
    "- ",
    "null",
    "-1",
    "''",
    "&a",
    "*a",
    "!x",
    "\t",
    "9e99",
    "é",
]
edits = st.lists(
    st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 12), st.sampled_from(PIECES)),
    min_size=1,
    max_size=3,
)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(changes=edits)
def test_a_damaged_policy_is_a_policy_or_located_problems(
    changes: list[tuple[int, int, str]], tmp_path: Path, planned: Plans
) -> None:
    text = WHOLE
    for start, length, piece in changes:
        text = text[:start] + piece + text[start + length :]
    path = tmp_path / "damaged.yaml"
    path.write_text(text, encoding="utf-8")

    try:
        found, problems = judge(planned(), read_policy(path)), ()
    except DdspecError as error:
        found, problems = (), error.diagnostics

    assert found or problems
    assert all(one.place is not None for one in problems)


def test_verdicts_do_not_depend_on_who_asks(policy: Policies, planned: Plans) -> None:
    rules = policy("kind: gpu_hours, at_most: 1")

    first: tuple[Verdict, ...] = judge(planned(), rules)

    assert judge(planned(), rules) == first


def test_seconds_are_told_as_next_to_no_hours(policy: Policies, planned: Plans) -> None:
    plan = planned(loops={"outer_loops": 1, "inner_steps": 1}, evaluate__repeats=1)

    (found,) = judge(plan, policy("kind: gpu_hours, at_most: 1e-6"))

    assert found.message.startswith("0-0.0")
    assert found.message.endswith("GPU-hours on a6000, at most 1e-06 by the high end")
