"""Stages of one job that are realised together: each published whole, none taking others along."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from digit_jobs import SPLITS, prepare

from ddspec.wire.job import Engine, Job, JobExit, JobStage, Result
from ddspec.wire.work import EvaluateWork, SelectWork
from ddspec_runners.entry import TEAM, main, teams

pytestmark = pytest.mark.usefixtures("process_wide_switches")


def choose(draw: int, images: int = 1) -> JobStage:
    facts = {"selection": {"kind": "random"}, "images_per_class": images, "seed": [draw]}
    return JobStage(
        key=f"{draw}" * 64,
        label=f"select/random/{draw}",
        work=SelectWork.model_validate(facts),
        inputs={"train": SPLITS["train"]},
    )


def judge(repeat: int, draw: int = 0, **changes: Any) -> JobStage:
    plain: dict[str, Any] = {
        "network": {"kind": "convnet", "depth": 2, "width": 4},
        "protocol": {"name": "short", "steps": 6, "batch": 8, "augmentation": {"kind": "dsa"}},
        "seed": [0, "evaluate", repeat],
        "precision": "float64",
    }
    work = EvaluateWork.model_validate(plain | changes)
    inputs = {"set": f"{draw}" * 64, "test": SPLITS["test"]}
    if work.best_on_validation:
        inputs["validation"] = SPLITS["validation"]
    key = f"{draw}{repeat}".ljust(64, "f")
    return JobStage(key=key, label=f"evaluate/net/{repeat}", work=work, inputs=inputs)


def realise(root: Path, *stages: JobStage, engine: Engine | None = None) -> int:
    (root / "job").mkdir(parents=True, exist_ok=True)
    (root / "job/job.json").write_text(Job(stages=stages, engine=engine).model_dump_json())
    if not (root / "inputs").exists():
        (root / "inputs").symlink_to(root / "output")
    return main(["--root", str(root)])


def result(root: Path, stage: JobStage) -> Result:
    path = root / "output" / stage.key / "result.json"
    return Result.model_validate_json(path.read_bytes())


def figures(root: Path, stage: JobStage) -> Any:
    return json.loads((root / "output" / stage.key / "metrics.json").read_text())


BEFORE = (prepare("train"), prepare("test"), prepare("validation"), choose(0), choose(1))
JUDGED = (judge(0), judge(1), judge(2, draw=1))


def test_an_ensemble_finds_what_single_trainings_find(tmp_path: Path) -> None:
    looking = tuple(judge(repeat, best_on_validation=3) for repeat in range(2))
    for engine in ("single", "ensemble"):
        assert realise(tmp_path / engine, *BEFORE, *looking, engine=engine) == JobExit.DONE

    for stage in looking:
        alone, together = (figures(tmp_path / engine, stage) for engine in ("single", "ensemble"))
        assert together["accuracy"] == alone["accuracy"]
        assert together["best_on_validation"] == alone["best_on_validation"]
        assert together["loss"] == pytest.approx(alone["loss"], abs=1e-10)


def test_results_say_which_engine_made_them(tmp_path: Path) -> None:
    realise(tmp_path, *BEFORE, *JUDGED, engine="ensemble")
    realise(tmp_path / "alone", *BEFORE, *JUDGED)

    assert [result(tmp_path, stage).engine.get("ensemble") for stage in JUDGED] == [3, 3, 3]
    assert "ensemble" not in result(tmp_path / "alone", JUDGED[0]).engine
    assert "ensemble" not in result(tmp_path, BEFORE[0]).engine


def test_what_an_ensemble_took_is_divided_among_its_members(tmp_path: Path) -> None:
    realise(tmp_path, *BEFORE, *JUDGED, engine="ensemble")

    for stage in JUDGED:
        events = (tmp_path / "scratch" / stage.key / "events.jsonl").read_text().splitlines()
        whole = json.loads(events[-1])["seconds"]
        assert result(tmp_path, stage).seconds <= whole / 3 + 0.001  # both are rounded to that


def test_a_member_that_cannot_be_done_does_not_take_the_others_along(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = judge(3, draw=9)

    code = realise(tmp_path, *BEFORE, *JUDGED, lost, engine="ensemble")

    assert code == JobExit.BAD_DATA
    assert all(result(tmp_path, stage).metrics["steps"] == 6 for stage in JUDGED)
    assert not (tmp_path / "output" / lost.key / "result.json").exists()
    assert "each is tried by itself" in capsys.readouterr().err


def test_sets_of_several_sizes_are_trained_on_one_by_one(tmp_path: Path) -> None:
    stages = (*BEFORE, choose(2, images=2), judge(0), judge(1, draw=2))

    code = realise(tmp_path, *stages, engine="ensemble")

    assert code == JobExit.DONE
    assert result(tmp_path, stages[-1]).metrics["set_images"] == 20


def test_what_is_done_already_is_left_alone(tmp_path: Path) -> None:
    realise(tmp_path, *BEFORE, JUDGED[0], engine="ensemble")
    before = result(tmp_path, JUDGED[0])

    realise(tmp_path, *JUDGED, engine="ensemble")

    assert result(tmp_path, JUDGED[0]) == before
    assert result(tmp_path, JUDGED[1]).engine["ensemble"] == 2


OTHERS = {
    "network": judge(5, network={"kind": "convnet", "depth": 1, "width": 4}),
    "protocol": judge(5, protocol={"name": "short", "steps": 7, "batch": 8}),
    "precision": judge(5, precision="float32"),
    "looks": judge(5, best_on_validation=2),
}


@pytest.mark.parametrize("name", OTHERS)
def test_who_differs_in_more_than_seed_and_set_is_no_mate(name: str) -> None:
    found = teams((judge(0), OTHERS[name], judge(1)), "ensemble")

    assert found == ((judge(0), judge(1)), (OTHERS[name],))


def test_batches_in_parts_are_left_to_the_single_engine() -> None:
    protocol = {"name": "parts", "steps": 6, "batch": 8, "accumulate": 2}

    found = teams((judge(0, protocol=protocol), judge(1, protocol=protocol)), "ensemble")

    assert [len(team) for team in found] == [1, 1]


def test_whose_images_are_filled_with_the_mean_of_the_batch_trains_alone(tmp_path: Path) -> None:
    filled = {"kind": "dc", "operations": ["crop", "rotate"]}
    protocol = {"name": "dc", "steps": 6, "batch": 8, "augmentation": filled}
    judged = tuple(judge(repeat, protocol=protocol) for repeat in range(2))
    for engine in ("single", "ensemble"):
        realise(tmp_path / engine, *BEFORE, *judged, engine=engine)

    for stage in judged:
        assert figures(tmp_path / "ensemble", stage) == figures(tmp_path / "single", stage)


def test_large_networks_train_alone() -> None:
    network = {"kind": "torchvision", "model": "mobilenet_v2", "dropout": 0.2}

    found = teams((judge(0, network=network), judge(1, network=network)), "ensemble")

    assert [len(team) for team in found] == [1, 1]


def test_nothing_is_done_together_unless_it_is_asked_for() -> None:
    assert [len(team) for team in teams(JUDGED, None)] == [1, 1, 1]


def test_a_team_has_a_largest_size() -> None:
    stages = tuple(judge(repeat) for repeat in range(10, 10 + TEAM + 1))

    assert [len(team) for team in teams(stages, "ensemble")] == [TEAM, 1]
