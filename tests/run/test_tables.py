"""Numbers stand beside each other where they compare, and say it where they do not."""

from __future__ import annotations

import statistics

import pytest
from made_up import evidence, paper, score

from ddspec.canon import digest
from ddspec.errors import DdspecError, Exit
from ddspec.run.evidence import Evidence
from ddspec.run.relating import related
from ddspec.run.tables import Block, Cell, Row
from ddspec.run.tabulating import blocks_of


def table(*found: Evidence, baseline: str = "") -> Block:
    (block,) = related(blocks_of(found), baseline)
    return block


def row(block: Block, name: str) -> Row:
    return next(one for one in block.rows if one.name == name)


def names(block: Block) -> list[str]:
    return [one.name for one in block.rows]


def test_rows_are_methods_and_columns_budgets() -> None:
    block = table(*paper())

    assert block.columns == (1, 10)
    assert names(block) == ["DC", "DM", "random", "full data"]
    assert row(block, "DC").cells[1].mean == pytest.approx(0.285)


def test_replicates_count_as_sets() -> None:
    cell = row(table(*paper()), "DM").cells[10]

    means = [0.49, 0.495, 0.5]  # of (0.48 + seed / 100, 0.5)
    assert cell.mean == pytest.approx(statistics.fmean(means))
    assert cell.std == pytest.approx(statistics.stdev(means))
    assert (cell.std_over, cell.counts) == ("sets", "3 x 2")
    assert cell.cost.seconds == pytest.approx(1801)


def test_full_data_serve_every_budget() -> None:
    block = table(*paper())

    # only budgets of DC have them, and they are the same runs
    assert row(block, "DM").cells[10].of_full == pytest.approx(0.495 / 0.85)
    assert row(block, "full data").cells[1].of_full is None


def test_a_baseline_gives_differences_and_a_speed_up() -> None:
    block = table(*paper(), baseline="dc")

    assert block.against == "DC"
    cell = row(block, "DM").cells[10]
    assert cell.ahead == pytest.approx(0.495 - 0.445)
    assert cell.speed_up == pytest.approx(7200 / 1801)
    assert row(block, "DC").cells[10].ahead is None


def test_sets_count_alike_in_a_mean_whatever_the_number_of_their_networks() -> None:
    few = evidence("DM", 1, score("distilled", (0.4,)), seed=0)
    many = evidence("DM", 1, score("distilled", (0.6, 0.6, 0.6)), seed=1)

    assert row(table(few, many), "DM").cells[1].mean == pytest.approx(0.5)


def test_full_data_of_other_runs_serve_no_further_budget() -> None:
    one, ten, fifty = (
        evidence("DC", budget, score("distilled", (0.5,)), *more)
        for budget, more in (
            (1, [score("full", (0.8,), runs="a")]),
            (10, [score("full", (0.9,), runs="b")]),
            (50, []),
        )
    )

    cells = row(table(one, ten, fifty), "DC").cells

    assert [cells[at].of_full for at in (1, 10)] == pytest.approx([0.5 / 0.8, 0.5 / 0.9])
    assert cells[50].of_full is None


def test_of_baselines_by_labels_each_method_is_beside_that_of_its_own() -> None:
    hard = evidence("DM", 1, score("distilled", (0.5,)), score("random", (0.3,), runs="a"))
    soft = evidence(
        "SRe2L", 1, score("distilled", (0.6,), labels="soft"),
        score("random", (0.4,), labels="soft", runs="b"),
    )  # fmt: skip
    bare = evidence("Teddy", 1, score("distilled", (0.7,), labels="soft"))

    cell = row(table(hard, soft, bare, baseline="random"), "Teddy").cells[1]

    assert (cell.ahead, cell.unlike) == (pytest.approx(0.3), False)


def test_times_on_other_devices_give_no_speed_up() -> None:
    first = evidence("DC", 1, score("distilled", (0.5,)))
    second = evidence("DM", 1, score("distilled", (0.6,)), device="cpu")

    cell = row(table(first, second, baseline="DC"), "DM").cells[1]

    assert cell.ahead == pytest.approx(0.1)
    assert cell.speed_up is None


@pytest.mark.parametrize(
    ("baseline", "hint"),
    [
        pytest.param("DMM", "did you mean `DM`?", id="near"),
        pytest.param("zzz", "there are `DC`, `DM`, `random`, `full data`", id="far"),
    ],
)
def test_a_baseline_that_no_table_has_is_an_error(baseline: str, hint: str) -> None:
    with pytest.raises(DdspecError) as caught:
        related(blocks_of(paper()), baseline)

    assert caught.value.exit is Exit.USAGE
    assert caught.value.diagnostics[0].hint == hint


def test_other_protocols_have_tables_of_their_own_though_they_are_called_alike() -> None:
    one = evidence("DC", 1, score("distilled", (0.5,)))
    other = evidence("DM", 1, score("distilled", (0.6,)), protocol=digest("another"))

    first, second = blocks_of([one, other])

    assert (names(first), names(second)) == (["DC"], ["DM"])
    assert first.mark.startswith("protocol ")
    assert first.title != second.title


def test_other_labels_have_rows_of_their_own_and_differences_say_so() -> None:
    soft = score("distilled", (0.6,), labels="soft", runs="a")
    taught = score("random", (0.5,), labels="soft", runs="b")
    plain = score("random_hard", (0.4,), runs="c")

    block = table(evidence("SRe2L", 1, soft, taught, plain), baseline="random_hard")

    assert block.labelled
    cell = row(block, "SRe2L").cells[1]
    assert cell.ahead == pytest.approx(0.2)
    assert cell.unlike


def test_baselines_of_other_runs_have_a_row_each() -> None:
    one = evidence("DC", 1, score("distilled", (0.5,)), score("init", (0.3,), runs="a"))
    other = evidence("DM", 1, score("distilled", (0.6,)), score("init", (0.2,), runs="b"))

    block = table(one, other, baseline="init")

    assert names(block) == ["DC", "DM", "init (DC)", "init (DM)"]
    # each is beside its own
    assert row(block, "DC").cells[1].ahead == pytest.approx(0.2)
    assert row(block, "DM").cells[1].ahead == pytest.approx(0.4)


def test_of_the_same_draws_the_more_count() -> None:
    few = score("random", (0.1, 0.2), runs="a")
    many = score("random", (0.1, 0.2, 0.3), runs="a")
    one = evidence("DC", 1, score("distilled", (0.5,)), few)
    other = evidence("DM", 1, score("distilled", (0.6,)), many)

    assert row(table(one, other), "random").cells[1].networks == 3


def test_initialisations_of_other_budgets_are_no_row_together() -> None:
    one = evidence("DC", 1, score("distilled", (0.5,)), score("init", (0.3,), runs="a"))
    other = evidence("DM", 10, score("distilled", (0.6,)), score("init", (0.2,), runs="b"))

    assert names(table(one, other))[2:] == ["init (DC)", "init (DM)"]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param("a", "b", ["DM (a)", "DM (b)"], id="other specs"),
        pytest.param("a", "a", ["DM"], id="the same"),
    ],
)
def test_methods_of_one_name_are_told_apart(first: str, second: str, expected: list[str]) -> None:
    found = [
        evidence("DM", 1, score("distilled", (0.5,)), name=first),
        evidence("DM", 1, score("distilled", (0.5,)), name=second),
    ]

    assert names(table(*found)) == expected


def test_files_that_do_not_tell_what_they_are_of_stay_apart() -> None:
    one = Evidence("a.json", "s", row="s", scores=(score("distilled", (0.5,)),))
    other = Evidence("b.json", "s", row="s", scores=(score("distilled", (0.6,)),))

    assert names(table(one, other)) == ["s (a.json)", "s (b.json)"]


@pytest.mark.parametrize(
    ("levels", "sets", "planned", "counts"),
    [
        pytest.param(((0.1, 0.2),), 1, 2, "2", id="one set"),
        pytest.param(((0.1, 0.2),), 1, 5, "2 of 5", id="one in part"),
        pytest.param(((0.1, 0.2), (0.3, 0.4)), 2, 4, "2 x 2", id="two sets"),
        pytest.param(((0.1, 0.2), (0.3,)), 2, 4, "3 of 4, 2 sets", id="two in part"),
        pytest.param(((0.1, 0.2),), 2, 4, "2 of 4, 1 set", id="one is missing"),
    ],
)
def test_counts_say_what_is_behind_a_number(
    levels: tuple[tuple[float, ...], ...], sets: int, planned: int, counts: str
) -> None:
    assert Cell(levels, sets, planned).counts == counts


def test_a_single_number_has_no_deviation() -> None:
    assert Cell(((0.5,),), 1, 1).std is None


def test_what_nothing_is_known_of_has_no_table() -> None:
    assert blocks_of([evidence("DM", 1)]) == ()
