from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from ddspec.plan.ir import Plan
from ddspec.plan.past import Past, Said, decode, encode, mark_of

SAID = (Said("pool.epochs", 2, "x.yaml:12"), Said("seed", 0, "default"))


def back(plan: Plan) -> Past:
    past = decode(encode(plan, SAID, 1_790_000_000.25))
    assert past is not None
    return past


def test_a_record_holds_what_a_run_was_asked_to_do(planned: Callable[..., Plan]) -> None:
    plan = planned()
    past = back(plan)

    assert (past.time, past.plan) == (1_790_000_000.25, plan.digest)
    assert tuple(past.settings.values()) == SAID
    assert list(past.stages) == [stage.label for stage in plan]
    for stage in plan:
        was = past.stages[stage.label]
        assert was.key == stage.key
        assert dict(was.inputs) == dict(stage.upstream)
        assert was.work == stage.work.model_dump(mode="json", exclude_none=True)


def test_a_record_takes_a_few_kilobytes(specified: Callable[[str], Plan]) -> None:
    assert len(encode(specified("imagenet100"), (), 0.0)) < 16_384


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b'{"format": "ddspec.planned/2"}',
        b'{"format": "ddspec.planned/1"}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_what_is_no_record_says_nothing(content: bytes) -> None:
    assert decode(content) is None


def test_a_record_with_numbers_out_of_range_says_nothing(planned: Callable[..., Plan]) -> None:
    plain = json.loads(encode(planned(), SAID, 0.0))
    plain["stages"][0][2] = 10_000

    assert decode(json.dumps(plain).encode()) is None


def test_requests_are_told_apart_by_plan_and_by_place(planned: Callable[..., Plan]) -> None:
    plan, other = planned(), planned(pool__epochs=3)
    moved = (Said("pool.epochs", 2, "x.yaml:13"), *SAID[1:])

    assert mark_of(plan, SAID) == mark_of(plan, SAID)
    assert len({mark_of(plan, SAID), mark_of(other, SAID), mark_of(plan, moved)}) == 3
