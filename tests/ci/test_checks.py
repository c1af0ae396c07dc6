"""The scripts of .ci see what they are there to see."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CI = Path(__file__).parents[2] / ".ci"
KEY = "ab" * 32


def script(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-S", str(CI / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def stores(tmp_path: Path) -> tuple[Path, Path]:
    """Two stores with the same output, made at other times on other machines."""
    homes = tmp_path / "one", tmp_path / "two"
    for number, home in enumerate(homes):
        folder = home / "objects" / KEY[:2] / KEY
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(f"inode {number}")
        (folder / "card.json").write_text("{}")
        write_result(folder, engine={"threads": number}, seconds=number, metrics={"accuracy": 0.5})
    return homes


def write_result(folder: Path, **values: object) -> None:
    (folder / "result.json").write_text(json.dumps({"label": "distill", **values}))


def folder_of(home: Path) -> Path:
    return home / "objects" / KEY[:2] / KEY


def test_outputs_of_other_machines_are_equal(stores: tuple[Path, Path]) -> None:
    found = script("compare_stores.py", *stores)

    assert found.returncode == 0, found.stderr
    assert found.stdout == "1 outputs are equal bit by bit: 1 card.json, 1 result.json\n"


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "another-byte": (
        lambda folder: (folder / "card.json").write_text("{} "),
        f"{KEY[:16]} distill: card.json differs",
    ),
    "another-accuracy": (
        lambda folder: write_result(folder, metrics={"accuracy": 0.5000001}),
        f"{KEY[:16]} distill: result.json differs",
    ),
    "a-file-more": (
        lambda folder: (folder / "grid.png").touch(),
        f"{KEY[:16]} distill: grid.png is in one of them only",
    ),
    "another-key": (
        lambda folder: folder.rename(folder.with_name("cd" * 32)),
        f"{KEY[:16]}: only in one store",
    ),
}


@pytest.mark.parametrize(("change", "words"), CHANGES.values(), ids=CHANGES)
def test_a_difference_is_named(
    stores: tuple[Path, Path], change: Callable[[Path], object], words: str
) -> None:
    change(folder_of(stores[1]))

    found = script("compare_stores.py", *stores)

    assert found.returncode == 1
    assert words in found.stderr


def test_empty_stores_are_not_called_equal(tmp_path: Path) -> None:
    found = script("compare_stores.py", tmp_path / "one", tmp_path / "two")

    assert found.returncode == 1
    assert "holds nothing" in found.stderr


RAN = '<testcase classname="c" name="ran"/>'
SKIPPED = '<testcase classname="c" name="left"><skipped message="no engine answers"/></testcase>'
REPORTS: dict[str, tuple[str, tuple[str, ...], int]] = {
    "all-ran": (RAN, (), 0),
    "one-skipped": (RAN + SKIPPED, (), 1),
    "skipped-for-another-reason": (RAN + SKIPPED, ("no GPU",), 1),
    "skipped-for-an-allowed-reason": (RAN + SKIPPED, ("no GPU", "no engine"), 0),
    "none-ran": (SKIPPED, ("no engine",), 1),
    "none-there": ("", (), 1),
}


@pytest.mark.parametrize(("cases", "allowed", "code"), REPORTS.values(), ids=REPORTS)
def test_a_skip_must_be_allowed(
    tmp_path: Path, cases: str, allowed: tuple[str, ...], code: int
) -> None:
    report = tmp_path / "report.xml"
    report.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")

    found = script("check_skips.py", report, *allowed)

    assert found.returncode == code, found.stderr
