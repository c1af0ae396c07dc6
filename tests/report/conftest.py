"""A spec, and a page of it that waits for no figures."""

from __future__ import annotations

from pathlib import Path

import fake_cli
import pytest

from ddspec.canon import Json
from ddspec.report import figures

DRAWING = '<?xml version="1.0"?>\n<svg viewBox="0 0 9 9"><g id="a"></g><use href="#a"/></svg>'


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DDSPEC_HOME", str(tmp_path / "store"))
    path = tmp_path / "small.yaml"
    path.write_text(fake_cli.SPEC)
    return path


@pytest.fixture
def drawings(monkeypatch: pytest.MonkeyPatch) -> list[Json]:
    """Everything that is asked to be drawn; nothing is, which would take a second and more."""
    asked: list[Json] = []

    def answer(tool: str, question: Json) -> Json:
        assert tool == "draw"
        assert isinstance(question, dict)
        wanted = question["figures"]
        assert isinstance(wanted, list)
        asked.extend(wanted)
        return {"figures": [DRAWING for _ in wanted]}

    monkeypatch.setattr(figures, "ask", answer)
    return asked


@pytest.fixture
def shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, spec: Path
) -> fake_cli.Shell:
    return fake_cli.Shell(tmp_path, capsys, monkeypatch)
