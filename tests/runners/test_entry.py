"""The contract of a job: results whole and last, one exit code, no stage taking others along."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from ddspec.spec.facts import FACTS
from ddspec.wire.job import Event, Job, JobExit, JobStage, Result
from ddspec.wire.work import PrepareWork, PretrainWork, SelectWork, SourceModel
from ddspec_runners.entry import main

DIGITS = FACTS["digits"]
SOURCE = SourceModel(
    name="digits",
    content=DIGITS.content or "",
    classes=DIGITS.class_names,
    size=8,
    channels=1,
    validation=0.0,
    holdout=DIGITS.holdout,
)
KEYS = {name: (digit * 64) for name, digit in zip(["train", "random", "other"], "abc", strict=True)}
TRAIN = JobStage(
    key=KEYS["train"],
    label="prepare/train",
    work=PrepareWork(source=SOURCE, split="train"),
    inputs={},
)
RANDOM = JobStage(
    key=KEYS["random"],
    label="select/random/0",
    work=SelectWork.model_validate(
        {"selection": {"kind": "random"}, "images_per_class": 1, "seed": [0]}
    ),
    inputs={"train": KEYS["train"]},
)


pytestmark = pytest.mark.usefixtures("process_wide_switches")


def realise(root: Path, *stages: JobStage) -> int:
    (root / "job").mkdir(parents=True, exist_ok=True)
    (root / "job/job.json").write_text(Job(stages=stages).model_dump_json())
    if not (root / "inputs").exists():
        (root / "inputs").symlink_to(root / "output")
    return main(["--root", str(root)])


def test_a_job_realises_every_stage_under_its_own_key(tmp_path: Path) -> None:
    code = realise(tmp_path, TRAIN, RANDOM)

    results = {
        name: Result.model_validate_json((tmp_path / "output" / key / "result.json").read_bytes())
        for name, key in KEYS.items()
        if name != "other"
    }
    assert code == JobExit.DONE
    assert results["train"].key == KEYS["train"]
    assert results["random"].revision == RANDOM.work.revision
    assert results["random"].engine["torch"] == torch.__version__


def test_events_are_recorded_in_scratch_and_copied_to_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    realise(tmp_path, TRAIN)

    record = (tmp_path / "scratch" / KEYS["train"] / "events.jsonl").read_text()
    events = [Event.model_validate_json(line) for line in record.splitlines()]
    assert events[0].event == "started"
    assert events[-1].event == "done"
    assert capsys.readouterr().out == record


def test_a_stage_that_has_its_result_is_passed_over(tmp_path: Path) -> None:
    done = tmp_path / "output" / KEYS["train"]
    done.mkdir(parents=True)
    (done / "result.json").write_text("as it was")

    code = realise(tmp_path, TRAIN)

    assert code == JobExit.DONE
    assert [path.name for path in done.iterdir()] == ["result.json"]


def test_a_stage_that_contradicts_this_version_fails_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = SOURCE.model_copy(update={"content": "0" * 64})
    wrong = TRAIN.model_copy(
        update={"key": KEYS["other"], "work": PrepareWork(source=other, split="train")}
    )

    code = realise(tmp_path, wrong, TRAIN)

    assert code == JobExit.BAD_JOB
    assert not (tmp_path / "output" / KEYS["other"] / "result.json").exists()
    assert (tmp_path / "output" / KEYS["train"] / "result.json").exists()
    assert "prepare/train: bad job: the plan means another" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"format": "ddspec.job/2"}, id="a newer format"),
        pytest.param({"surprise": 1}, id="an unknown field"),
        pytest.param({"device": "cuda"}, id="a device that is not there"),
    ],
)
def test_a_job_that_is_not_understood_is_refused(
    tmp_path: Path, change: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    plain = json.loads(Job(stages=(TRAIN,)).model_dump_json()) | change
    (tmp_path / "job").mkdir()
    (tmp_path / "job/job.json").write_text(json.dumps(plain))

    assert main(["--root", str(tmp_path)]) == JobExit.BAD_JOB


def test_an_unknown_revision_is_refused(tmp_path: Path) -> None:
    plain = json.loads(Job(stages=(TRAIN,)).model_dump_json())
    plain["stages"][0]["work"]["revision"] = 99
    (tmp_path / "job").mkdir()
    (tmp_path / "job/job.json").write_text(json.dumps(plain))

    assert main(["--root", str(tmp_path)]) == JobExit.BAD_JOB


def test_an_input_that_the_job_does_not_name_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = realise(tmp_path, RANDOM.model_copy(update={"inputs": {}}))

    assert code == JobExit.BAD_JOB
    told = capsys.readouterr().err
    assert told == "select/random/0: bad job: the job names no input `train`\n"


@pytest.mark.parametrize("images", [0, -1, 10**12])
def test_a_number_of_images_that_is_none_is_refused(tmp_path: Path, images: int) -> None:
    plain = json.loads(Job(stages=(TRAIN, RANDOM)).model_dump_json())
    plain["stages"][1]["work"]["images_per_class"] = images
    (tmp_path / "job").mkdir()
    (tmp_path / "job/job.json").write_text(json.dumps(plain))

    assert main(["--root", str(tmp_path)]) == JobExit.BAD_JOB


def test_numbers_that_stop_being_finite_are_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steep = {"kind": "sgd", "learning_rate": 1e30, "momentum": 0.0, "weight_decay": 0.0}
    plain = {
        "network": {"kind": "convnet", "depth": 1, "width": 4},
        **{"epochs": 1, "batch": 64, "optimizer": steep, "decay": None, "cutmix": 0.0},
        **{"augmentation": {"kind": "none"}, "seed": [0, "pool", 0], "precision": "float32"},
    }
    pool = RANDOM.model_copy(update={"work": PretrainWork.model_validate(plain), "label": "pool/0"})

    code = realise(tmp_path, TRAIN, pool)

    assert code == JobExit.FAULT
    told = capsys.readouterr().err
    assert told.startswith("pool/0: training diverged in epoch 1: the loss is ")
    assert told.count("\n") == 1


def test_a_job_without_a_document_is_refused(tmp_path: Path) -> None:
    assert main(["--root", str(tmp_path)]) == JobExit.BAD_JOB
