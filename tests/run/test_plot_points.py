"""Which results are one line of a figure, and which may not stand in one at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ddspec.canon import Json
from ddspec.errors import DdspecError, Exit
from ddspec.plan.compile import compile_noted
from ddspec.run.costs import Cost
from ddspec.run.curves import Curve, Point
from ddspec.run.evidence import Evidence, evidence_of
from ddspec.run.plot_axis import measure
from ddspec.run.plot_choice import Choice, results_of
from ddspec.run.plot_figure import figure, plain, words_of
from ddspec.run.plot_points import Plotted, plotted
from ddspec.run.scores import Score
from ddspec.spec.load import load_spec

DISTILLED = Choice(("distilled",))


def score(*accuracies: float, set: str = "distilled", **fields: str) -> Score:
    told = {"network": "convnet3", "protocol": "brief", "on": "test", **fields}
    keys = tuple(f"{set}{value}" for value in accuracies)
    return Score(set, accuracies=accuracies, planned=len(accuracies), keys=keys, **told)  # type: ignore[arg-type]


def found(row: str, *scores: Score, budget: int = 10, **fields: object) -> Evidence:
    told: dict[str, object] = {
        "variant": row,
        "method": f"{row} {budget}",
        "dataset": "CIFAR-10",
        "protocol": "1" * 64,
        "test_set": "2" * 64,
        "images_per_class": budget,
        **fields,
    }
    return Evidence("s.yaml", "s", row=row, scores=scores, **told)  # type: ignore[arg-type]


def shown(evidence: Sequence[Evidence], axis: str, *sets: str) -> Plotted:
    return plotted(results_of(evidence, Choice(sets or ("distilled",))), axis)


def numbers(plot: Plotted) -> dict[str, list[tuple[float | str, float]]]:
    return {line.name: [(p.at, round(p.mean, 6)) for p in line.points] for line in plot.lines}


def test_steps_on_the_images_are_those_of_all_loops(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(
        "name: s\npreset: dm\ndataset: {kind: digits}\nbudget: {images_per_class: 1}\n"
        "loops: {outer_loops: 7, inner_steps: 3}\n"
    )
    (one,) = evidence_of(compile_noted(load_spec(tmp_path / "s.yaml"), None)[0], None)

    assert [measure(one, axis, "distilled", None).at for axis in ("outer_loops", "steps")] == [
        7, 21,
    ]  # fmt: skip
    assert measure(one, "steps", "to-2", 2).at == 6


def test_a_method_is_a_line_along_budgets() -> None:
    evidence = [
        found("IDC", score(0.6), budget=50),
        found("IDC", score(0.5, 0.7), budget=10),
        found("DSA", score(0.4), budget=10),
    ]

    assert numbers(shown(evidence, "images_per_class")) == {
        "IDC": [(10, 0.6), (50, 0.6)],
        "DSA": [(10, 0.4)],
    }


def test_replicates_are_one_point_with_the_spread_of_their_means() -> None:
    evidence = [found("IDC", score(a, a + 0.1), seed=s) for s, a in enumerate((0.5, 0.6, 0.7))]
    (line,) = shown(evidence, "images_per_class").lines
    (point,) = line.points

    assert (point.mean, point.std) == (pytest.approx(0.65), pytest.approx(0.1))
    assert (point.replicates, point.repeats) == (3, 2)


def test_the_same_runs_count_once() -> None:
    random = score(0.3, 0.5, set="random")
    evidence = [found(row, score(0.6), random) for row in ("IDC", "DSA")]
    evidence.append(found("DSA", score(0.7), score(0.4, set="random"), budget=50))
    lines = {line.name: line for line in shown(evidence, "images_per_class", "random").lines}

    assert [(p.at, p.mean, p.replicates) for p in lines["Random images"].points] == [
        (10, pytest.approx(0.4), 1),
        (50, pytest.approx(0.4), 1),
    ]


def test_what_is_the_same_all_along_is_a_reference() -> None:
    full = score(0.9, 0.91, set="full")
    evidence = [found("IDC", score(0.6), full, budget=n) for n in (1, 10)]
    plot = shown(evidence, "images_per_class")

    assert [(line.name, line.points[0].mean) for line in plot.references] == [
        ("Full data", pytest.approx(0.905))
    ]
    assert list(numbers(plot)) == ["IDC"]


def snapshots(*points: tuple[int, float]) -> tuple[Curve, ...]:
    place = ("convnet3", "brief", "test")
    return (Curve(place, tuple(Point(n, score(a, set=f"to-{n}")) for n, a in points)),)


def test_snapshots_are_the_line_of_their_method_over_the_work_behind_each() -> None:
    costs = {"to-10": Cost(3600, "H200", 5), "to-20": Cost(7200, "H200", 10)}
    evidence = [
        found("IDC", score(0.6), curves=snapshots((10, 0.5), (20, 0.6)), costs=costs),
        found("Acc-DD", score(0.7), cost=Cost(1800, "H200", 3)),
    ]
    hours = shown(evidence, "gpu_hours")

    assert numbers(hours) == {"IDC": [(1, 0.5), (2, 0.6)], "Acc-DD": [(0.5, 0.7)]}
    assert numbers(shown(evidence, "flops"))["IDC"] == [(5, 0.5), (10, 0.6)]


def test_work_that_is_not_known_is_left_out_and_said() -> None:
    evidence = [found("IDC", score(0.6)), found("DSA", score(0.5), cost=Cost(7200, "cpu", 1))]
    plot = shown(evidence, "gpu_hours")

    assert list(numbers(plot)) == ["DSA"]
    assert [(one.of, one.why) for one in plot.left_out] == [
        ("s/IDC", "the working time of a stage behind it is not known")
    ]


def test_files_of_results_have_no_place_along_settings() -> None:
    plot = shown([found("IDC", score(0.6))], "pool.models")

    assert plot.lines == ()
    assert "settings" in plot.left_out[0].why


MIXED: Mapping[str, tuple[Evidence, str, str]] = {
    "network": (found("B", score(0.5, network="resnet10")), "networks: convnet3", "--network"),
    "labels": (found("B", score(0.5, labels="soft")), "label kinds: hard (1), soft", "--labels"),
    "protocol": (
        found("B", score(0.5), protocol="3" * 64),
        "protocols: brief (111111111111) (1), brief (333333333333) (1)",
        "--protocol",
    ),
    "test set": (found("B", score(0.5), test_set="4" * 64), "test sets: CIFAR-10", "--variant"),
    "split": (found("B", score(0.5, on="validation")), "splits: test (1)", "--on"),
}


@pytest.mark.parametrize(("other", "told", "hint"), MIXED.values(), ids=MIXED)
def test_what_was_not_measured_alike_is_refused(other: Evidence, told: str, hint: str) -> None:
    with pytest.raises(DdspecError) as refused:
        results_of([found("A", score(0.5)), other], DISTILLED)

    assert refused.value.exit is Exit.REFUSED
    assert told in str(refused.value)
    assert hint in str(refused.value.diagnostics[-1].hint)


def test_one_of_them_can_be_chosen() -> None:
    evidence = [found("A", score(0.5)), found("B", score(0.6), protocol="3" * 64)]
    chosen = results_of(evidence, replace(DISTILLED, protocol="3333"))

    assert [one.evidence.row for one in chosen] == ["B"]


def test_full_data_judged_otherwise_are_no_reference() -> None:
    evidence = [found("A", score(0.5), score(0.9, set="full", labels="soft"))]

    assert shown(evidence, "images_per_class").references == ()


def test_nothing_to_show_says_what_there_is() -> None:
    with pytest.raises(DdspecError) as refused:
        results_of([found("A", score(0.5))], Choice(("herding",)))

    assert "sets distilled" in str(refused.value.diagnostics[0].hint)


def asked(plot: Plotted, log: bool | None = None) -> dict[str, Json]:
    return figure(
        plot, words_of(results_of([found("A", score(0.5))], DISTILLED), plot, None), log=log
    )


def test_the_figure_has_intervals_of_a_standard_deviation_and_says_so() -> None:
    evidence = [found("IDC", score(0.5, 0.7), budget=n) for n in (1, 10)]
    plot = shown(evidence, "images_per_class")
    drawn = asked(plot)
    (series,) = drawn["series"]  # type: ignore[misc]

    # the sample standard deviation of two values is their difference by the root of 2
    assert series["low"] == [pytest.approx(0.6 - 0.2 / 2**0.5)] * 2  # type: ignore[index,call-overload]
    assert series["high"] == [pytest.approx(0.6 + 0.2 / 2**0.5)] * 2  # type: ignore[index,call-overload]
    assert str(drawn["note"]).endswith("± std over 2 repeats")


def test_an_axis_is_logarithmic_where_its_values_spread_wide() -> None:
    wide = shown([found("IDC", score(0.5), budget=n) for n in (1, 10, 50)], "images_per_class")
    narrow = shown([found("IDC", score(0.5), budget=n) for n in (10, 50)], "images_per_class")

    assert [asked(plot)["x"]["log"] for plot in (wide, narrow)] == [True, False]  # type: ignore[index,call-overload]
    assert asked(wide, log=False)["x"]["log"] is False  # type: ignore[index,call-overload]


def test_short_work_is_shown_in_seconds_and_printed_in_hours() -> None:
    evidence = [found("A", score(0.5), cost=Cost(36, "cpu", 1))]
    plot = shown(evidence, "gpu_hours")
    drawn = asked(plot)
    told = plain(
        plot, words_of(results_of(evidence, DISTILLED), plot, "T"), results_of(evidence, DISTILLED)
    )

    assert drawn["x"]["label"] == "CPU-seconds, all work behind the set"  # type: ignore[index,call-overload]
    assert drawn["series"][0]["x"] == [36]  # type: ignore[index,call-overload]
    assert told["series"][0]["points"][0]["x"] == 0.01  # type: ignore[index,call-overload]


def test_single_points_are_drawn_with_their_names() -> None:
    costs = [Cost(3600 * n, "H200", n) for n in (1, 2)]
    evidence = [found(r, score(0.5), cost=c) for r, c in zip(("IDC", "DSA"), costs, strict=True)]
    drawn = asked(shown(evidence, "gpu_hours"))

    assert drawn["kind"] == "scatter"
    assert [one["labels"] for one in drawn["series"]] == [["IDC"], ["DSA"]]  # type: ignore
    assert drawn["x"]["label"] == "GPU-hours on H200, all work behind the set"  # type: ignore[index,call-overload]
