"""The page of a gallery: a golden one, and one of hostile texts."""

from __future__ import annotations

from pathlib import Path

from ddspec.console.gallery_page import MARK, Exhibit, gallery_page, rows_of
from ddspec.plan.forecast import Span
from ddspec.run.recorded import Record
from ddspec.run.scores import Score

GOLDEN = Path(__file__).parent / "golden" / "gallery.md"


def score(name: str, *accuracies: float, labels: str = "hard") -> Score:
    return Score(name, "convnet3", "idc", "test", accuracies, len(accuracies), labels=labels)


def record(*scores: Score, variant: str = "", seconds: float | None = 90.0) -> Record:
    return Record(
        plan="a" * 64,
        scores={variant: scores},
        seconds=seconds,
        keys={"distill": "b" * 64},
        devices=("CPU (x86_64), 1 thread",),
        dates=("2026-11-20", "2026-11-21"),
        asked={variant: {}},
    )


def exhibit(path: str = "digits.yaml", **given: object) -> Exhibit:
    settings: dict[str, object] = {
        "path": path,
        "command": f"ddspec run specs/{path}",
        "name": Path(path).stem,
        "title": "Digits at one image",
        "facts": "digits, 10 classes x 1 image at 8 px",
        "about": "One image per class. Needs `no` download.",
        "plan": "a" * 64,
        "expected": 0,
        "papers": (),
        "forecast": Span(60.0, 600.0),
        "record_path": "measured/digits.json",
        **given,
    }
    return Exhibit(**settings)  # type: ignore[arg-type]  # a test sets what it is about


DISTILLED = score("distilled", 0.9, 0.92)
BASELINES = (score("random", 0.7, 0.8), score("init", 0.6), score("full", 0.99))


def test_the_page_is_the_golden_one() -> None:
    exhibits = (
        exhibit(record=record(DISTILLED, *BASELINES), picture="pictures/digits.png"),
        exhibit(
            "second.yaml",
            record=record(DISTILLED, BASELINES[0], variant="half", seconds=30.0),
            moves=("`loops.outer_loops` was 40, is 20",),
            record_path="measured/second.json",
            verdicts=(),
        ),
        exhibit("large.yaml", title="A large one", expected=3),
        exhibit("papers/a/table.yaml", papers=("A (X 2020)",), expected=2, forecast=None),
        exhibit(
            "papers/a/done.yaml",
            record=record(DISTILLED),
            record_path="measured/papers/a/done.json",
            papers=("A (X 2020)",),
            verdicts=("1 reproduced",),
        ),
    )

    assert gallery_page(exhibits, "RTX A6000") == GOLDEN.read_text()


def test_hostile_texts_are_only_text() -> None:
    nasty = "[x](http://evil) <img src=x onerror=alert(1)> | # `a` ![p](q) @all"
    page = gallery_page(
        [
            exhibit(
                title=nasty, about=nasty, facts=nasty, moves=(nasty,), record=record(DISTILLED)
            ),
            exhibit("odd (1)] name.yaml", title=nasty, papers=(nasty,)),
        ],
        "RTX A6000",
    )

    assert "<img" not in page
    assert "](http" not in page
    assert "@all" not in page
    assert "(odd%20%281%29%5D%20name.yaml)" in page
    links = [part.partition(")")[0] for part in page.split("](")[1:]]
    assert links == ["digits.yaml", "measured/digits.json", "odd%20%281%29%5D%20name.yaml"]


def test_the_best_baseline_has_the_same_labels_and_is_not_the_whole_data() -> None:
    soft = score("distilled", 0.9, labels="soft")
    beside = (
        score("random", 0.7, labels="soft"),
        score("random_hard", 0.8),
        score("full", 0.99, labels="soft"),
    )

    (row,) = rows_of(record(soft, *beside))

    assert row.baseline == beside[0]
    assert row.whole == beside[2]


def test_another_network_is_another_row() -> None:
    wide = Score("distilled", "resnet18", "idc", "test", (0.5,), 1)

    rows = rows_of(record(DISTILLED, wide, BASELINES[0]))

    assert [(row.score.network, row.baseline) for row in rows] == [
        ("convnet3", BASELINES[0]),
        ("resnet18", None),
    ]


def test_a_page_is_known_by_its_first_line() -> None:
    assert gallery_page([exhibit()], "one").startswith(f"{MARK}\n")
