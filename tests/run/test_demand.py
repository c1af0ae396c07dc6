"""What is wanted decides what is done; stages that are ready together share processes."""

from __future__ import annotations

import pytest
from fake_plans import chain, diamond, evaluate, pretrain, select, stage

from ddspec.run.demand import heights, needed, targets
from ddspec.run.gang import gangs


def keys_of(labels: str) -> set[str]:
    return {made.key or "" for made in diamond() if made.label in labels.split()}


def test_a_run_is_for_the_set_and_for_what_nobody_takes() -> None:
    assert targets(diamond()) == keys_of("merge evaluate/0 evaluate/1 evaluate/2 evaluate/3")


ALL = "prepare pool/0 pool/1 pool/2 pool/3 pool/4 merge evaluate/0 evaluate/1 evaluate/2 evaluate/3"


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        pytest.param("", ALL, id="an empty store needs everything"),
        pytest.param("merge", "evaluate/0 evaluate/1 evaluate/2 evaluate/3", id="a set is enough"),
        pytest.param(
            "pool/0 pool/1 pool/2 merge evaluate/0 evaluate/1 evaluate/2",
            "evaluate/3",
            id="a missing pool member is not needed below a set",
        ),
        pytest.param(
            "evaluate/0 evaluate/1 evaluate/2 evaluate/3 pool/0",
            "prepare pool/1 pool/2 pool/3 pool/4 merge",
            id="a missing set is made again for its own sake",
        ),
        pytest.param(ALL, "", id="a full store needs nothing"),
    ],
)
def test_only_absent_stages_that_lead_to_something_wanted_are_needed(
    present: str, expected: str
) -> None:
    stages = {made.key or "": made for made in diamond()}

    found = needed(stages, keys_of(present), targets(diamond()))

    assert {stages[key].label for key in found} == set(expected.split())


def test_the_height_of_a_stage_is_the_longest_chain_behind_it() -> None:
    assert list(heights(chain()).values()) == [2, 1, 0]


@pytest.mark.parametrize(
    ("count", "jobs", "sizes"),
    [
        pytest.param(5, 2, [3, 2], id="five over two"),
        pytest.param(5, 1, [5], id="one job takes all"),
        pytest.param(2, 4, [1, 1], id="no empty jobs"),
        pytest.param(7, 3, [3, 2, 2], id="seven over three"),
    ],
)
def test_stages_of_one_kind_are_dealt_evenly(count: int, jobs: int, sizes: list[int]) -> None:
    pool = [stage(f"pool/{i}", pretrain(i)) for i in range(count)]

    made = gangs(pool, jobs=jobs, heights=heights(pool))

    assert [len(gang) for gang in made] == sizes
    assert [one.label for gang in made for one in gang] == [one.label for one in pool]


def test_cheap_kinds_share_one_job_and_the_longest_chain_comes_first() -> None:
    data = stage("prepare", select(0))
    sets = [stage(f"select/{i}", select(i + 1)) for i in range(3)]
    member = stage("pool/0", pretrain(0), {"train": data})
    last = stage("evaluate/0", evaluate(0), {"set": member})
    ranks = heights([data, *sets, member, last])

    made = gangs([*sets, member], jobs=4, heights=ranks)

    assert [[one.label for one in gang] for gang in made] == [
        ["pool/0"],
        ["select/0", "select/1", "select/2"],
    ]
