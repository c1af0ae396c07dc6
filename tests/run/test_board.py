"""The board answers at once, and as if it had worked everything out anew."""

from __future__ import annotations

import pytest
from fake_plans import chain, diamond, key_of, wide
from hypothesis import given
from hypothesis import strategies as st

from ddspec.canon import Digest
from ddspec.host import this_process
from ddspec.run.board import board_of
from ddspec.run.demand import needed
from ddspec.run.desk import GLANCE, Tracked
from ddspec.store.claims import Claim

KEYS = {made.label: key_of(made) for made in diamond()}


COMINGS = st.lists(st.tuples(st.sampled_from(sorted(KEYS.values())), st.booleans()), max_size=20)


@given(COMINGS)
def test_what_is_needed_is_kept_right_while_keys_come_and_go(
    changes: list[tuple[Digest, bool]],
) -> None:
    board = board_of(diamond())
    board.needed()

    for key, comes in changes:
        (board.appeared if comes else board.vanished)(key)
        assert board.needed() == needed(board.stages, board.present, board.wanted)


@pytest.mark.parametrize(
    ("failed", "present", "blocked"),
    [
        pytest.param("prepare", "", "pool/0 merge evaluate/0", id="everything below"),
        pytest.param("pool/3", "prepare", "merge evaluate/0", id="through a merge"),
        pytest.param("pool/3", "prepare merge", "", id="not through what is present"),
        pytest.param("evaluate/1", "prepare", "", id="not beside"),
        pytest.param("", "", "", id="nothing failed"),
    ],
)
def test_what_lies_below_a_failed_stage_is_blocked_by_it(
    failed: str, present: str, blocked: str
) -> None:
    board = board_of(diamond())
    for label in present.split():
        board.appeared(KEYS[label])
    assert board.blocker(KEYS["merge"]) is None

    for label in failed.split():
        board.failing(KEYS[label], "it broke")

    asked = ("pool/0", "merge", "evaluate/0")
    found = {label: board.blocker(KEYS[label]) for label in asked if label not in present}
    assert {label for label, by in found.items() if by is not None} == set(blocked.split())
    assert all(by in (None, KEYS.get(failed)) for by in found.values())


def test_a_stage_made_elsewhere_unblocks_what_is_below() -> None:
    first, second, third = map(key_of, chain())
    board = board_of(chain())
    board.failing(first, "it broke")
    assert (board.blocker(third), board.open()) == (first, False)

    board.appeared(second)

    assert (board.blocker(third), board.open()) == (None, True)


def tracked(count: int) -> Tracked:
    job = Tracked("attempt", "local", this_process(), "handle")
    for made in wide()[:count]:
        key = key_of(made)
        job.add(made, Claim(key, made.label, "attempt", "local", "handle", job.owner, 0, 0.0))
    return job


def test_a_short_job_is_looked_at_as_a_whole() -> None:
    job = tracked(2 * GLANCE)

    assert job.watched() == tuple(job.stages)


def test_of_a_long_job_the_stage_at_work_and_the_next_are_always_looked_at() -> None:
    job = tracked(300)
    keys = tuple(job.stages)
    job.last = keys[150]

    looks = [set(job.watched()) for _ in range(20)]

    assert all(looked.issuperset(keys[150 : 150 + GLANCE]) for looked in looks)
    assert all(len(looked) <= 2 * GLANCE for looked in looks)


def test_of_a_long_job_every_stage_has_its_turn() -> None:
    job = tracked(300)

    looked = {key for _ in range(-(-300 // GLANCE)) for key in job.watched()}

    assert looked == set(job.stages)
