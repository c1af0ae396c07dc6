"""Forecasts: honest ranges, narrowed by what was measured, on one device and on several."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from ddspec.plan.compile import compile_plan
from ddspec.plan.devices import device
from ddspec.plan.estimate import stage_costs
from ddspec.plan.forecast import Forecast, Measured, Span, forecast, roofline
from ddspec.plan.ir import Plan
from ddspec.spec.experiment import Experiment

Plans = Callable[..., Plan]
A6000 = device("a6000")


def measured_as(plan: Plan, label: str, ratio: float, name: str = "a6000") -> Measured:
    """A run of a stage that took so many times what the formula says."""
    cost = stage_costs(plan)[label]
    return Measured(
        kind=plan.stage(label).work.kind,
        flops=cost.flops or 0,
        seconds=ratio * roofline(cost, device(name)),
        device=name,
        traffic_bytes=cost.traffic_bytes,
        kernels=cost.kernels,
    )


def span_of(found: Forecast, label: str) -> Span:
    span = found.stages[label]
    assert span is not None
    return span


def test_every_stage_has_a_range_and_the_total_is_their_sum(planned: Plans) -> None:
    plan = planned()
    found = forecast(plan, A6000)
    total = found.total()

    assert list(found.stages) == [stage.label for stage in plan]
    assert total is not None
    assert total.low_s == pytest.approx(sum(span.low_s for span in found.stages.values() if span))
    assert 0 < total.low_s < total.high_s


def test_some_stages_alone_take_less(planned: Plans) -> None:
    found = forecast(planned(), A6000)

    assert found.total(["distill"]) == found.stages["distill"]
    assert found.total([]) == Span(0.0, 0.0)


def test_data_that_nobody_has_counted_leave_times_unknown(
    small: Callable[..., Experiment],
) -> None:
    dataset = {"kind": "folder", "path": "somewhere", "size": 16, "classes": ["ant", "bee"]}
    found = forecast(compile_plan(small(dataset=dataset)), A6000)

    assert found.stages["pool/0"] is None
    assert found.stages["distill"] is not None
    assert found.total() is None
    assert found.elapsed(2) is None
    assert found.total(["distill"]) is not None


def test_a_faster_device_takes_less(specified: Callable[[str], Plan]) -> None:
    plan = specified("cifar10")
    slow, fast = forecast(plan, device("rtx2080")).total(), forecast(plan, device("h200")).total()

    assert slow is not None
    assert fast is not None
    assert fast.high_s < slow.high_s / 2


def test_more_threads_take_less_on_a_cpu(planned: Plans) -> None:
    one = forecast(planned(resources={"threads": 1}), device("cpu"))
    four = forecast(planned(resources={"threads": 4}), device("cpu"))

    assert span_of(four, "distill").low_s < span_of(one, "distill").low_s


# --- calibration ----------------------------------------------------------------------------------


def test_a_measured_run_moves_and_narrows_the_range(planned: Plans) -> None:
    plan = planned()
    run = measured_as(plan, "distill", ratio=3.0)
    alone, with_run = forecast(plan, A6000), forecast(plan, A6000, [run])
    low, high = span_of(with_run, "distill").low_s, span_of(with_run, "distill").high_s

    assert with_run.measured == 1
    assert low < run.seconds < high
    assert high / low < span_of(alone, "distill").high_s / span_of(alone, "distill").low_s
    assert with_run.stages["pool/0"] == alone.stages["pool/0"]  # of another kind


def width(found: Forecast, label: str = "distill") -> float:
    """How far a range goes, without the seconds that a process takes to start."""
    span = span_of(found, label)
    return (span.high_s - 6.0) / span.low_s


def test_more_runs_narrow_it_further(planned: Plans) -> None:
    plan = planned()
    run = measured_as(plan, "distill", ratio=2.0)
    widths = [width(forecast(plan, A6000, [run] * count)) for count in (1, 4, 16)]

    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == pytest.approx(1.15**2)


def test_runs_that_disagree_widen_it(planned: Plans) -> None:
    plan = planned()
    runs = [measured_as(plan, "distill", ratio) for ratio in (1.0, 3.0)]

    assert width(forecast(plan, A6000, runs)) > 3


def test_a_run_of_another_size_says_less(planned: Plans) -> None:
    plan, larger = planned(), planned(loops={"outer_loops": 4000, "inner_steps": 10})
    runs = [measured_as(plan, "distill", 2.0)] * 9

    near, far = forecast(plan, A6000, runs), forecast(larger, A6000, runs)

    assert width(near) < width(far) <= 2.4**2 + 1e-9


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param([Measured("distill", 10**12, 9.0, "h200")], id="another device"),
        pytest.param([Measured("distill", 10**12, 0.0, "a6000")], id="no time"),
        pytest.param([Measured("distill", 0, 9.0, "a6000")], id="no work"),
        pytest.param([Measured("squeeze", 10**12, 9.0, "a6000")], id="a kind of another version"),
    ],
)
def test_runs_that_say_nothing_of_a_plan_change_nothing(
    planned: Plans, runs: Sequence[Measured]
) -> None:
    plan = planned()

    assert forecast(plan, A6000, runs) == forecast(plan, A6000)


# --- several devices ------------------------------------------------------------------------------


def longest_chain(plan: Plan, spans: dict[str, float]) -> float:
    ends: dict[str, float] = {}
    for stage in plan:
        starts = max((ends[label] for label in stage.upstream.values()), default=0.0)
        ends[stage.label] = starts + spans[stage.label]
    return max(ends.values())


def test_one_device_takes_the_sum_and_many_the_longest_chain(planned: Plans) -> None:
    plan = planned(resources={"shards": 5})
    found = forecast(plan, A6000)
    total, one, many = found.total(), found.elapsed(1), found.elapsed(1000)
    highs = {label: span.high_s for label, span in found.stages.items() if span}

    assert total is not None
    assert one is not None
    assert many is not None
    assert one.high_s == pytest.approx(total.high_s)
    assert many.high_s == pytest.approx(longest_chain(plan, highs))


def test_more_devices_are_never_slower_and_never_better_than_their_share(planned: Plans) -> None:
    found = forecast(planned(resources={"shards": 5}), A6000)
    elapsed = [found.elapsed(count) for count in (1, 2, 4, 8)]
    highs = [span.high_s for span in elapsed if span]
    total = found.total()

    assert total is not None
    assert highs == sorted(highs, reverse=True)
    assert all(high > 0.999 * total.high_s / n for high, n in zip(highs, (1, 2, 4, 8), strict=True))


def test_json_has_seconds_of_every_stage(planned: Plans) -> None:
    plain = forecast(planned(), A6000).plain(devices=2)
    stages = plain["stages_s"]

    assert plain["device"] == "a6000"
    assert plain["devices"] == 2
    assert plain["elapsed_s"] != plain["total_s"]
    assert plain["measured_runs"] == 0
    assert isinstance(stages, dict)
    assert stages["distill"] != stages["pool/0"]
