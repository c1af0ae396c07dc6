"""The question beside jobs: what is in files of official code."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from official_files import in_class_order, write_dc, write_mtt

from ddspec.wire.job import JobExit
from ddspec_runners.inspection import main

IMAGES = torch.randn(6, 1, 4, 4, generator=torch.Generator().manual_seed(0))
LABELS = in_class_order(3, 2)


def asked(monkeypatch: pytest.MonkeyPatch, question: object) -> int:
    stdin = io.TextIOWrapper(io.BytesIO(json.dumps(question).encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    return main()


def answered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], question: object
) -> Any:
    assert asked(monkeypatch, question) == JobExit.DONE
    return json.loads(capsys.readouterr().out)


def test_what_is_told_of_a_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = write_dc(tmp_path / "res.pt", [(IMAGES, LABELS), (IMAGES, LABELS.flip(0))])

    told = answered(monkeypatch, capsys, {"layout": "dc", "files": [str(path)], "experiment": 1})

    assert told["shape"] == [6, 1, 4, 4]
    assert told["experiments"] == 2
    assert told["low"] == pytest.approx(float(IMAGES.min()))
    assert not told["pixels"]
    assert told["labels"] == {
        "kind": "hard",
        "low": 0,
        "high": 2,
        "classes": 3,
        "even": True,
        "ordered": False,
    }


@pytest.mark.parametrize("kind", ["expert", "learned"])
def test_soft_labels_are_probabilities_or_logits(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    kind: str,
) -> None:
    soft = IMAGES.flatten(1)[:, :3]
    paths = write_mtt(tmp_path, IMAGES, soft.softmax(1) if kind == "expert" else soft)

    told = answered(monkeypatch, capsys, {"layout": "mtt", "files": [str(one) for one in paths]})

    assert [file["holds"] for file in told["files"]] == ["images", "labels"]
    assert told["labels"] == {"kind": kind, "classes": 3}


@pytest.mark.parametrize(
    ("question", "code", "said"),
    [
        pytest.param({"layout": "kip", "files": ["a"]}, JobExit.BAD_JOB, "bad question", id="kip"),
        pytest.param({"layout": "dc", "files": []}, JobExit.BAD_JOB, "bad question", id="no file"),
        pytest.param(
            {"layout": "dc", "files": ["/no/such/file"]}, JobExit.BAD_DATA, "no set at", id="none"
        ),
    ],
)
def test_what_cannot_be_answered_is_told_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    question: dict[str, Any],
    code: JobExit,
    said: str,
) -> None:
    assert asked(monkeypatch, question) == code

    told = capsys.readouterr()
    assert said in told.err
    assert told.out == ""
