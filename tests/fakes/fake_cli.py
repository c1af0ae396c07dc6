"""The command line called in this process, with runners that compute nothing."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fake_plans import RUNNER

from ddspec.cli.app import main
from ddspec.executors.base import Site, Terms
from ddspec.executors.local import LocalExecutor

SPEC = """\
name: small
title: A small experiment
dataset: {kind: digits, validation: 0.2}
budget: {images_per_class: 1}
network: {kind: convnet, depth: 2, width: 8}
pool: {kind: recorded, models: 2, epochs: 1}
inner: {kind: frozen}
matcher: {kind: gradient, distance: l1}
update: {learning_rate: 0.1}
loops: {outer_loops: 2, inner_steps: 1}
evaluate:
  protocol: {name: brief, steps: 10}
  repeats: 2
  baselines: {random: 2, init: 1, full: 0}
"""
ACCURACIES = {
    "evaluate/convnet2-w8/0": 0.8,
    "evaluate/convnet2-w8/1": 0.9,
    "evaluate/random/convnet2-w8/0": 0.5,
    "evaluate/random/convnet2-w8/1": 0.7,
    "evaluate/init/convnet2-w8/0": 0.4,
}


def fake_executor(site: Site, terms: Terms) -> LocalExecutor:
    """Stand in for the local executor: the same, but for what its jobs do."""
    folder = site.attempts.parent.parent
    command = (sys.executable, str(RUNNER), str(folder / "script.json"), str(folder / "log"))
    return LocalExecutor(site, terms, command=command)


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Shell:
    """A folder with a spec and a store, and a way to call `ddspec` there."""

    folder: Path
    capture: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    @property
    def home(self) -> Path:
        return self.folder / "store"

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def behave(self, **failing: int) -> None:
        """Let evaluations find `ACCURACIES`, and stages (`__` for a slash) end with exit codes."""
        script: dict[str, Any] = {
            label: {"result": {"metrics": {"accuracy": value}}}
            for label, value in ACCURACIES.items()
        }
        for label, code in failing.items():
            script[label.replace("__", "/")] = {"exits": [code] * 9}
        (self.folder / "script.json").write_text(json.dumps(script))
        (self.folder / "log").touch()

    def __call__(self, *arguments: str) -> Ended:
        self.monkeypatch.setattr(sys, "argv", ["ddspec", *arguments])
        self.capture.readouterr()
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        assert isinstance(code, int)
        return Ended(code, *self.capture.readouterr())
