"""What a set took is the sum over the stages that made it, each once, where it ran."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ddspec.plan.compile import compile_noted
from ddspec.plan.ir import Plan, Stage
from ddspec.run.costs import costs_of
from ddspec.spec.load import load_spec
from ddspec.store.store import StoredResult

SPEC = """\
name: costs
dataset: {kind: digits}
budget: {images_per_class: 1}
network: {kind: convnet, depth: 2, width: 8}
pool: {kind: recorded, models: 2, epochs: 1}
inner: {kind: frozen}
matcher: {kind: gradient, distance: l1}
update: {learning_rate: 0.1}
evaluate:
  protocol: {name: brief, steps: 10}
  repeats: 2
  SNAPSHOTS
  baselines: {random: 2, init: 0, herding: 1, full: 1}
"""
PLAIN = SPEC.replace("  SNAPSHOTS\n", "") + "loops: {outer_loops: 2, inner_steps: 1}\n"
SHARDED = PLAIN + "resources: {shards: 2}\n"
CUT = SPEC.replace("SNAPSHOTS", "snapshots: true") + (
    "loops: {outer_loops: 4, inner_steps: 1, snapshots: [1]}\n"
)


class FakeStored:
    """Results by the label of their stage."""

    def __init__(self, results: Mapping[str, StoredResult]) -> None:
        self._results = results

    def result(self, stage: Stage) -> StoredResult | None:
        return self._results.get(stage.label)


def ran(seconds: float | None, device: str = "", kind: str = "") -> StoredResult:
    return StoredResult(seconds, {}, {"device_name": device, "device": "cpu"}, kind)


def plan_of(tmp_path: Path, text: str) -> Plan:
    (tmp_path / "s.yaml").write_text(text)
    return compile_noted(load_spec(tmp_path / "s.yaml"), None)[0]


def all_ran(plan: Plan, seconds: Mapping[str, float], device: str = "") -> dict[str, StoredResult]:
    """Return results of all stages, 1000 s each where nothing else is said."""
    return {
        stage.label: ran(seconds.get(stage.label, 1000.0), device, stage.work.kind)
        for stage in plan
    }


def test_pool_and_distillation_count_but_data_and_evaluations_do_not(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, PLAIN)
    times = {"pool/0": 1.0, "pool/1": 2.0, "distill": 4.0, "select/random/0": 8.0}

    found = costs_of(plan, FakeStored(all_ran(plan, times)))

    assert found["distilled"].seconds == 7.0
    assert found["random"].seconds == 8.0  # of the first draw
    assert "full" not in found


def test_a_selection_takes_the_network_that_chooses(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, PLAIN)
    (chosen,) = [stage for stage in plan if stage.label.startswith("select/herding")]
    times = {chosen.label: 1.0, chosen.upstream["network"]: 16.0}

    assert costs_of(plan, FakeStored(all_ran(plan, times)))["herding"].seconds == 17.0


def test_all_shards_and_their_merge_count(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, SHARDED)
    times = {"pool/0": 1.0, "pool/1": 1.0, "distill/0": 10.0, "distill/1": 20.0, "merge": 0.5}

    assert costs_of(plan, FakeStored(all_ran(plan, times)))["distilled"].seconds == 32.5


def test_a_set_that_was_distilled_whole_answers_for_its_shards(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, SHARDED)
    results = {"pool/0": ran(1.0), "pool/1": ran(1.0), "merge": ran(15.0, kind="distill")}

    assert costs_of(plan, FakeStored(results))["distilled"].seconds == 17.0


def test_a_set_that_was_merged_does_not_tell_how_long_its_shards_took(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, PLAIN)
    results = all_ran(plan, {}) | {"distill": ran(0.5, kind="merge")}

    assert costs_of(plan, FakeStored(results))["distilled"].seconds is None


def test_snapshots_cost_what_led_to_them(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, CUT)
    times = {"pool/0": 1.0, "pool/1": 1.0, "distill/to-1": 4.0, "distill/to-4": 8.0}

    found = costs_of(plan, FakeStored(all_ran(plan, times)))

    assert (found["to-1"].seconds, found["distilled"].seconds) == (6.0, 14.0)
    assert found["to-1"].flops is not None
    assert found["distilled"].flops is not None
    assert found["to-1"].flops < found["distilled"].flops


def test_nobody_knows_what_an_imported_set_took(tmp_path: Path) -> None:
    files = f"[{{path: a.pt, sha256: {'ab' * 32}}}]"
    imported = f"imported: {{layout: dc, files: {files}, space: normalised}}\n"
    plan = plan_of(tmp_path, PLAIN + imported)

    found = costs_of(plan, FakeStored(all_ran(plan, {})))

    assert "distilled" not in found
    assert found["random"].seconds == 1000.0


@pytest.mark.parametrize("label", ["pool/1", "distill"])
def test_nothing_is_known_unless_every_stage_is(tmp_path: Path, label: str) -> None:
    plan = plan_of(tmp_path, PLAIN)
    results = all_ran(plan, {})
    absent = {key: value for key, value in results.items() if key != label}

    assert costs_of(plan, FakeStored(absent))["distilled"].seconds is None
    assert costs_of(plan, FakeStored(results | {label: ran(None)}))["distilled"].seconds is None


@pytest.mark.parametrize(
    ("devices", "device", "unit"),
    [
        pytest.param({}, "cpu", "CPU-hours", id="processor"),
        pytest.param(
            dict.fromkeys(("pool/0", "pool/1", "distill"), "NVIDIA H200"),
            "NVIDIA H200",
            "GPU-hours",
            id="accelerator",
        ),
        pytest.param({"distill": "NVIDIA H200"}, "NVIDIA H200, cpu", "hours", id="both"),
    ],
)
def test_the_device_is_where_networks_and_images_were_learned(
    tmp_path: Path, devices: dict[str, str], device: str, unit: str
) -> None:
    plan = plan_of(tmp_path, PLAIN)
    results = all_ran(plan, {}) | {label: ran(1.0, name) for label, name in devices.items()}

    cost = costs_of(plan, FakeStored(results))["distilled"]

    assert (cost.device, cost.unit) == (device, unit)


def test_where_shards_were_joined_is_not_where_images_were_learned(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, SHARDED)
    results = all_ran(plan, {}, "NVIDIA H200") | {"merge": ran(1.0, kind="merge")}

    cost = costs_of(plan, FakeStored(results))["distilled"]

    assert (cost.device, cost.unit) == ("NVIDIA H200", "GPU-hours")
