"""What the journal remembers of finished stages narrows the forecasts of those to come."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ddspec.plan.compile import compile_plan
from ddspec.plan.devices import device
from ddspec.plan.forecast import Measured, forecast
from ddspec.plan.ir import Plan
from ddspec.run.measured_runs import counts_of, measured_runs, usual_device
from ddspec.spec.load import load_spec
from ddspec.store.journal import Entry
from ddspec.store.store import Store, open_store

DIGITS = Path(__file__).parents[2] / "specs" / "digits.yaml"
COUNTS = {"flops": 10**12, "traffic_bytes": 10**11, "kernels": 10**5, "precision": "float32"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "store")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return compile_plan(load_spec(DIGITS).experiment)


def entry(**changes: Any) -> Entry:
    found = Entry(
        key="a" * 64,
        label="distill",
        kind="distill",
        attempt="one",
        executor="local",
        host="here",
        started=1.0,
        ended=20.0,
        exit=0,
        outcome="published",
        engine={"device": "cuda", "device_name": "NVIDIA RTX A6000", "threads": 1},
        counted={**COUNTS, "seconds": 12.5},
    )
    return replace(found, **changes)


def test_a_finished_stage_is_measured(store: Store) -> None:
    store.journal.record(entry())

    assert measured_runs(store) == (
        Measured("distill", 10**12, 12.5, "a6000", traffic_bytes=10**11, kernels=10**5),
    )


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"outcome": "failed"}, id="failed"),
        pytest.param({"counted": {}}, id="not counted"),
        pytest.param({"counted": {**COUNTS, "seconds": 0}}, id="no time"),
        pytest.param({"counted": {**COUNTS, "seconds": "12"}}, id="no number"),
        pytest.param({"counted": {**COUNTS, "seconds": float("inf")}}, id="endless"),
        pytest.param({"engine": {}}, id="nowhere"),
        pytest.param({"engine": {"device_name": "NVIDIA TITAN X"}}, id="a device of no table"),
    ],
)
def test_what_says_nothing_is_left_out(store: Store, changes: dict[str, Any]) -> None:
    store.journal.record(entry(**changes))

    assert measured_runs(store) == ()


def test_damaged_entries_hide_no_others(store: Store) -> None:
    store.journal.record(entry())
    for key, content in (("b" * 64, b"{"), ("c" * 64, b"[]"), ("d" * 64, b'{"kind": 3}')):
        folder = store.layout.journal(key)
        folder.mkdir()
        (folder / "one.json").write_bytes(content)

    assert len(measured_runs(store)) == 1


def test_fields_of_a_later_version_are_left_out(store: Store) -> None:
    store.journal.record(entry())
    path = store.layout.journal("a" * 64) / "one.json"
    path.write_text(path.read_text().replace('"exit"', '"of_tomorrow": 1,\n  "exit"'))

    assert len(measured_runs(store)) == 1


def test_only_the_latest_are_looked_at(store: Store) -> None:
    for index in range(5):
        store.journal.record(entry(key=f"{index:064x}"))

    assert len(measured_runs(store, most=3)) == 3


def test_a_store_that_is_not_there_has_measured_nothing(tmp_path: Path) -> None:
    assert measured_runs(None) == ()
    assert usual_device(()) is None


def test_the_usual_device_is_the_one_of_most_runs() -> None:
    runs = [Measured("distill", 1, 1.0, name) for name in ("cpu", "h100", "h100")]
    found = usual_device(runs)

    assert found is not None
    assert found.name == "h100"


def test_only_what_takes_operations_is_counted(plan: Plan) -> None:
    counts = counts_of(plan)
    by_kind = {stage.work.kind for stage in plan if stage.key in counts}

    assert by_kind == {"pretrain", "distill", "evaluate"}
    assert counts[plan.stage("distill").key or ""]["flops"] > 10**11  # type: ignore[operator]


def test_what_a_run_told_the_journal_narrows_the_next_forecast(store: Store, plan: Plan) -> None:
    stage = plan.stage("distill")
    assert stage.key is not None
    counted = {**counts_of(plan)[stage.key], "seconds": 30.0}
    store.journal.record(entry(key=stage.key, counted=counted))
    found = forecast(plan, device("a6000"), measured_runs(store)).stages["distill"]

    assert found is not None
    assert found.low_s < 30 < found.high_s
    assert (found.high_s - 6) / found.low_s < 2.6  # one run: 1.6 either way, and the start
