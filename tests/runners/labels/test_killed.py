"""A relabelling and a student that are killed outright go on to the same bytes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import taught_sets as taught

from ddspec_runners.tasks import evaluate, relabel

SCRIPT = """
import os, signal, sys
from pathlib import Path
import taught_sets as taught
import torch
from ddspec_runners.evaluation import train
from ddspec_runners.tasks import evaluate, relabel

folder, name, moment = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
torch.set_num_threads(1)
relabel.PART_BYTES = 48
relabel.CHECKPOINT_S = train.CHECKPOINT_S = train.REPORT_S = 0.0
inputs = dict(zip(sys.argv[4::2], map(Path, sys.argv[5::2])))
at = taught.site(folder, name, inputs)
seen = []

def die(done, total, unit, metrics):
    seen.append(done)
    if len(seen) == moment + 1:  # what was done before it is in the checkpoint
        os.kill(os.getpid(), signal.SIGKILL)

at.emit = die
by = taught.protocol(cutmix=0.5, augmentation={"kind": "dsa"})
if name == "relabel":
    relabel.run(taught.relabel_work(by), at)
else:
    evaluate.run(taught.evaluate_work(by), at)
"""


def killed(folder: Path, name: str, moment: int, inputs: Mapping[str, Path]) -> int:
    named = [part for pair in inputs.items() for part in map(str, pair)]
    given = [sys.executable, "-c", SCRIPT, str(folder), name, str(moment), *named]
    path = ":".join(sys.path)
    return subprocess.run(given, env={"PYTHONPATH": path}, check=False).returncode


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


MOMENT = 5
"""Batches that are done; of two batches a part, the third part has begun."""


@pytest.mark.slow  # two process starts of torch
def test_killed_while_teachers_are_asked_and_while_a_student_learns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relabel, "PART_BYTES", 48)
    by = taught.protocol(cutmix=0.5, augmentation={"kind": "dsa"})
    inputs = taught.inputs_of(tmp_path)
    peaceful = taught.site(tmp_path, "peaceful", inputs)
    relabel.run(taught.relabel_work(by), peaceful)

    died = killed(tmp_path, "relabel", MOMENT, inputs)
    begun: list[int] = []
    again = taught.site(tmp_path, "relabel", inputs)
    again.emit = lambda done, *_: begun.append(done)
    relabel.run(taught.relabel_work(by), again)

    assert died == -signal.SIGKILL
    assert begun[0] == MOMENT + 1
    assert files(again.output) == files(peaceful.output)

    labelled = {name: inputs[name] for name in ("set", "test")} | {"labels": again.output}
    expected = taught.site(tmp_path, "expected", labelled)
    evaluate.run(taught.evaluate_work(by), expected)
    died = killed(tmp_path, "evaluate", MOMENT, labelled)
    begun.clear()
    at = taught.site(tmp_path, "evaluate", labelled)
    at.emit = lambda done, *_: begun.append(done)
    monkeypatch.setattr("ddspec_runners.evaluation.train.REPORT_S", 0.0)
    evaluate.run(taught.evaluate_work(by), at)

    assert died == -signal.SIGKILL
    assert begun[0] == MOMENT + 1
    assert files(at.output) == files(expected.output)
