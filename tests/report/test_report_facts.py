"""What a report says of attempts, times, losses and pictures."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import fake_store
import pytest
from fake_cli import SPEC

from ddspec.canon import Json
from ddspec.cli.inputs import compile_spec
from ddspec.plan.forecast import Span
from ddspec.report.costs import CostRow, cost_rows
from ddspec.report.experiment import Ground, outcome_of
from ddspec.report.figures import Figure, drawn, line
from ddspec.report.history import Attempt, History, history_of, timeline
from ddspec.report.losses import distillation_figures, training_figure
from ddspec.report.pictures import TOGETHER, Album
from ddspec.report.side import side_of
from ddspec.report.subject import DAMAGED, IN_STORE, NOT_NEEDED, TO_RUN, Subject, shelf_of
from ddspec.report.words import level, moment_utc, points


def attempt(label: str, started: float, ended: float, outcome: str = "published") -> Attempt:
    return Attempt(label, 1, "host 1", "cpu", "local", started, ended, outcome)


def spans(history: History) -> list[tuple[object, ...]]:
    """Return row, start, stop and group of each span of a timeline."""
    figure = timeline(history, "t")
    assert figure is not None
    told = figure.question["spans"]
    assert isinstance(told, list)
    return [tuple(one.values()) for one in told if isinstance(one, dict)]


def series_of(figure: Figure) -> list[dict[str, Any]]:
    series: Any = figure.question["series"]
    return list(series)


def test_attempts_stand_where_they_were_made_in_time() -> None:
    history = History((attempt("pool/0", 100, 110), attempt("distill", 110, 140, "failed")))

    assert spans(history) == [("pool/0", 0, 10, "finished"), ("distill", 10, 40, "failed")]


def test_a_week_of_nothing_is_cut_short_and_counted() -> None:
    week = 7 * 86_400
    history = History((attempt("pool/0", 0, 10), attempt("pool/1", week, week + 10)))

    figure = timeline(history, "t")

    assert spans(history) == [("pool/0", 0, 10, "finished"), ("pool/1", 40, 50, "finished")]
    assert figure is not None
    assert figure.caption == "2 attempts, one row a stage. 1 idle spell cut short."


def test_what_overlaps_leaves_no_idle_spell_between() -> None:
    long = attempt("distill", 0, 1000)
    history = History((long, attempt("pool/0", 10, 20), attempt("pool/1", 990, 999)))

    # in minutes from three minutes on
    assert spans(history)[2][1:3] == pytest.approx((16.5, 16.65))


def test_many_stages_share_a_row_of_their_kind() -> None:
    history = History(tuple(attempt(f"evaluate/x/{i}@v", i, i + 1) for i in range(30)))

    assert {row for row, *_ in spans(history)} == {"evaluate"}


def test_the_store_is_told_apart_from_what_is_left(spec: Path, tmp_path: Path) -> None:
    plan = compile_spec(spec).plan
    made = ("distill", "select/init", "prepare/test", "prepare/train")
    store = fake_store.fill(tmp_path / "store", plan, wanted=lambda stage: stage.label in made)
    key = plan.stage("select/init").key
    assert key is not None
    (store.layout.object(key) / "result.json").unlink()

    states = {one.stage.label: one.state for one in shelf_of(plan, store).kept}

    assert states["distill"] == IN_STORE
    assert states["select/init"] == DAMAGED
    assert states["pool/0"] == NOT_NEEDED  # the set that is learned from it is there
    assert states["evaluate/convnet2-w8/0"] == TO_RUN


def test_a_time_is_judged_by_its_forecast() -> None:
    rows = [CostRow("distill", "cpu", 1, 1, Span(10, 40), seconds) for seconds in (5.0, 20.0, 80.0)]

    assert [row.verdict for row in rows] == ["faster", "within", "slower"]
    assert [row.times for row in rows] == [0.25, 1, 4]


def test_measured_times_are_gathered_by_kind(spec: Path, tmp_path: Path) -> None:
    plan = compile_spec(spec).plan
    store = fake_store.fill(tmp_path / "store", plan)

    rows = {row.kind: row for row in cost_rows(plan, shelf_of(plan, store))}

    # every made-up stage says that it worked for two seconds
    assert (rows["pool"].stages, rows["pool"].seconds, rows["pool"].device) == (2, 4.0, "cpu")
    assert (rows["evaluate"].stages, rows["evaluate"].seconds) == (5, 10.0)
    assert rows["distill"].forecast is not None


def test_losses_are_read_from_what_stages_wrote(spec: Path, tmp_path: Path) -> None:
    plan = compile_spec(spec).plan
    shelf = shelf_of(plan, fake_store.fill(tmp_path / "store", plan))

    (loss,) = distillation_figures(plan, shelf, "a1")
    training = training_figure(plan, shelf, "a1")

    assert loss.name == "a1-loss"
    (line,) = series_of(loss)
    assert (line["x"], line["y"]) == (list(range(8)), [9.0 - x for x in range(8)])
    assert training is not None
    series = {one["name"]: one for one in series_of(training)}
    # networks end at 0.8 and 0.81, whose made-up losses at step 5 are 1 and a tenth of that more
    assert series["distilled"]["y"][1] == pytest.approx(1.0805)
    assert series["distilled"]["low"][1] == pytest.approx(1.08)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\xff\xfe", id="bytes"),
        pytest.param(b"[1, 2]\n7\n", id="other values"),
        pytest.param(b'{"outer_loop": 0, "loss": NaN}\n', id="no number"),
        pytest.param(b'{"outer_loop": 1' + b"0" * 400 + b', "loss": 1}\n', id="a huge number"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_record_of_no_losses_is_no_figure(
    content: bytes, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = compile_spec(spec).plan
    made = dict(fake_store._files(plan.stage("distill"), (), 0)) | {"metrics.jsonl": content}
    monkeypatch.setattr(fake_store, "_files", lambda *_: made)
    store = fake_store.fill(tmp_path / "store", plan, wanted=lambda one: one.label == "distill")

    assert list(distillation_figures(plan, shelf_of(plan, store), "a1")) == []


@pytest.mark.parametrize(
    "content", [b"<svg onload=alert(1)>", b"\x89PNG\r\n\x1a\n" + b"\0" * 40], ids=["svg", "hollow"]
)
def test_what_is_no_picture_is_not_embedded(
    content: bytes, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = compile_spec(spec).plan
    monkeypatch.setattr(fake_store, "png", lambda *_: content)
    shelf = shelf_of(plan, fake_store.fill(tmp_path / "store", plan))

    pictures = list(Album().pictures(plan, shelf))

    assert [(one.data, one.left_out) for one in pictures] == [
        ("", "its picture is too large, or none")
    ] * 2


def test_pictures_stop_where_the_page_is_large(spec: Path, tmp_path: Path) -> None:
    plan = compile_spec(spec).plan
    shelf = shelf_of(plan, fake_store.fill(tmp_path / "store", plan))

    pictures = list(Album(taken=TOGETHER - len(fake_store.png(40, 20))).pictures(plan, shelf))

    assert pictures[0].data
    assert pictures[1].left_out == "the page is large enough already"


def test_an_entry_that_is_none_is_named(spec: Path, tmp_path: Path) -> None:
    plan = compile_spec(spec).plan
    store = fake_store.fill(tmp_path / "store", plan)
    stage = plan.stage("pool/1")
    broken = {**json.loads(next(store.layout.journal(stage.key or "").iterdir()).read_text())}
    next(store.layout.journal(stage.key or "").iterdir()).write_text(
        json.dumps({**broken, "started": "noon"})
    )

    history = history_of(plan, store)

    assert history.damaged == ("pool/1",)
    assert len(history.attempts) == len(plan.stages) - 1


def test_parts_of_two_figures_have_names_of_their_own() -> None:
    alike: list[dict[str, Json]] = [{"name": 'id="s"', "x": [1, 2], "y": [1, 2]}]
    figures = [line(name, "", x="x", y={"label": "y"}, series=alike) for name in ("one", "two")]

    found = drawn(figures)

    names = {name: set(re.findall(r'<[^>]* id="([^"]+)"', svg)) for name, svg in found.items()}
    assert names["one"]
    assert names["two"]
    assert names["one"].isdisjoint(names["two"])


def test_without_a_figure_nothing_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ddspec.report.figures.ask", lambda *_: pytest.fail("asked"))

    assert drawn([]) == {}


def test_an_outcome_tells_networks_apart(spec: Path, tmp_path: Path) -> None:
    text = spec.read_text()
    spec.write_text(
        text.replace(
            "  repeats: 2\n",
            "  repeats: 2\n  networks:\n    - {kind: convnet, depth: 2, width: 8}\n"
            "    - {kind: convnet, depth: 1, width: 8}\n",
        )
    )
    plan = compile_spec(spec).plan
    shelf = shelf_of(plan, fake_store.fill(tmp_path / "store", plan))

    outcome = outcome_of(plan, "", {}, Ground(shelf, Album(), ()), "a1")

    (crossed,) = outcome.crossed
    assert crossed.sets == ("distilled", "random", "init")
    assert [network for network, _ in crossed.rows] == ["convnet2-w8", "convnet1-w8"]
    assert outcome.main is not None
    assert outcome.main.score.mean == pytest.approx(0.805)


SNAPSHOTS = SPEC.replace("loops: {", "loops: {snapshots: [1], ").replace(
    "  repeats: 2\n", "  repeats: 2\n  snapshots: true\n"
)


def test_snapshots_have_a_curve_and_pictures(tmp_path: Path, spec: Path) -> None:
    spec.write_text(SNAPSHOTS)
    plan = compile_spec(spec).plan
    shelf = shelf_of(plan, fake_store.fill(tmp_path / "store", plan))

    outcome = outcome_of(plan, "", {}, Ground(shelf, Album(), ()), "a1")

    curve = next(one for one in outcome.figures if one.name == "a1-loops-0")
    (line,) = series_of(curve)
    assert (line["x"], line["y"]) == ([1, 2], pytest.approx([0.805, 0.805]))
    assert line["high"] == pytest.approx([0.805 + 0.01 / math.sqrt(2)] * 2)
    captions = [one.caption for one in outcome.pictures]
    assert captions == ["Where the images started", "After 1 outer loop", "The distilled set"]


def test_snapshots_on_the_test_split_are_warned_of(tmp_path: Path, spec: Path) -> None:
    spec.write_text(SNAPSHOTS)
    plan = compile_spec(spec).plan
    store = fake_store.fill(tmp_path / "store", plan)

    side = side_of(Subject(plan, plan, "small.yaml"), store, Album(), "a")

    told = {one.title: one.text for one in side.cautions}
    assert told["Test split"].startswith("Snapshots are judged on the test split")
    assert told["Few repeats"] == "Accuracies over 2 networks say little."


def test_losses_of_shards_are_told_apart(tmp_path: Path, spec: Path) -> None:
    spec.write_text(SPEC + "resources: {shards: 2}\n")
    plan = compile_spec(spec).plan
    shelf = shelf_of(plan, fake_store.fill(tmp_path / "store", plan))

    (loss,) = distillation_figures(plan, shelf, "a1")

    assert [one["name"] for one in series_of(loss)] == ["classes 0 to 4", "classes 5 to 9"]


def test_figures_in_words() -> None:
    assert [points(value) for value in (0.161, -0.081, None)] == ["+16.1", "\u22128.1", "\u2013"]
    assert [level(count, (0, 1, 99)) for count in (0, 1, 99)] == [0, 1, 8]
    assert moment_utc(fake_store.START) == "2026-09-21 14:13:20"
    assert moment_utc(1e30) == "some time"
