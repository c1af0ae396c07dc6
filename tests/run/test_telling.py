"""Differences in tables are asked of statistics once each, all together."""

from __future__ import annotations

from collections.abc import Sequence

from made_up import evidence, paper, score

from ddspec.run.inference import Inference, Inferences
from ddspec.run.pairs import Pair
from ddspec.run.relating import related
from ddspec.run.tables import Block
from ddspec.run.tabulating import blocks_of
from ddspec.run.telling import told


class Told:
    """Statistics that call every difference ahead, and note what they were asked."""

    def __init__(self) -> None:
        self.asked: list[Pair] = []

    def __call__(self, pairs: Sequence[Pair]) -> Inferences:
        self.asked += pairs
        one = Inference(0.1, 0.05, 0.15, 0.01, 0.02, "sets", "welch", None, 0.01, None, "ahead")
        return Inferences((one,) * len(pairs), len(pairs))


def levels(pair: Pair) -> tuple[object, object]:
    """Return the accuracies before and after, a tuple a set."""
    before, after = ([score.accuracies for score in side] for side in (pair.before, pair.after))
    return before, after


def names(block: Block) -> set[str]:
    """Return the rows of which something is told."""
    return {row.name for row in block.rows for cell in row.cells.values() if cell.told}


def test_every_difference_is_asked_with_all_its_sets() -> None:
    statistics = Told()

    (block,) = told(related(blocks_of(paper()), "DC"), statistics)

    assert names(block) == {"DM", "random", "full data"}
    assert block.corrected_over == len(statistics.asked) == 6
    after = [(0.48, 0.5), (0.49, 0.5), (0.5, 0.5)]
    assert ([(0.44, 0.45)], after) in [levels(pair) for pair in statistics.asked]


def test_labels_of_another_kind_are_not_asked_about() -> None:
    statistics = Told()
    soft = score("distilled", (0.6, 0.7), labels="soft")
    plain = score("random_hard", (0.4, 0.5))

    (block,) = told(
        related(blocks_of([evidence("SRe2L", 1, soft, plain)]), "random_hard"), statistics
    )

    assert statistics.asked == []
    assert names(block) == set()


def test_the_same_runs_are_known_as_such() -> None:
    statistics = Told()
    one = evidence("DC", 1, score("distilled", (0.5, 0.6), runs="x"))
    other = evidence("DM", 1, score("distilled", (0.5, 0.6), runs="x"))

    told(related(blocks_of([one, other]), "DC"), statistics)

    assert [pair.is_same for pair in statistics.asked] == [True]


def test_a_table_without_a_baseline_asks_nothing() -> None:
    statistics = Told()

    told(related(blocks_of(paper())), statistics)

    assert statistics.asked == []


def test_statistics_themselves_tell_a_gap_from_chance() -> None:
    far = evidence("DM", 1, score("distilled", (0.80, 0.81, 0.79)), score("random", (0.5, 0.51)))
    near = evidence("DC", 1, score("distilled", (0.5, 0.52)))

    (block,) = told(related(blocks_of([far, near]), "random"))

    verdicts = {
        row.name: cell.told.verdict
        for row in block.rows
        for cell in row.cells.values()
        if cell.told is not None
    }
    assert verdicts == {"DM": "ahead", "DC": "cannot tell"}
