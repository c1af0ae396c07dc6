"""A distilled set leaves by the command line: real runners on real digits, and what others read."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ddspec.store.store import open_store
from ddspec_runners import load_synthetic

SPEC = """
name: {name}
title: "Small \\e[31mred\\e[0m | `x` <b>"
preset: {preset}
dataset: {{kind: digits}}
budget: {{images_per_class: 1}}
network: {{kind: convnet, depth: 1, width: 8, norm: {norm}}}
{more}
"""
HARD = """
parameterization: {kind: multi_formation, factor: 2, space: normalised}
pool: {models: 1, epochs: 1}
perturbation: {kind: none}
augmentation: {training: {kind: idc, operations: [color, crop]}, cutmix: 0.0}
loops: {outer_loops: 1, inner_steps: 1, snapshots: []}
evaluate:
  protocol: {name: short, steps: 8, batch: 8}
  repeats: 2
  baselines: {random: 0, init: 0, full: 0}
"""
SOFT = """
pool: {models: 1, epochs: 1, augmentation: {kind: none}}
loops: {outer_loops: 2, inner_steps: 1}
augmentation: {matching: {kind: none}}
labels: {stored: per_view}
evaluate:
  protocol:
    {name: short, epochs: 2, batch: 5, cutmix: 1.0, teaching: {temperature: 4.0, squared: false}}
  repeats: 1
  baselines: {random: 0, init: 0, full: 0}
"""


pytestmark = pytest.mark.slow  # two dozen process starts of torch


def called(folder: Path, *words: str, code: int = 0) -> tuple[str, str]:
    """Call ddspec in a folder; return what it said on stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "ddspec", *words],
        cwd=folder,
        env={**os.environ, "DDSPEC_HOME": str(folder / "home"), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


def write(folder: Path) -> None:
    said = {"name": "hard", "preset": "acc_dd", "norm": "instance", "more": HARD}
    (folder / "hard.yaml").write_text(SPEC.format(**said), encoding="utf-8")
    soft = {"name": "soft", "preset": "sre2l", "norm": "batch", "more": SOFT}
    (folder / "soft.yaml").write_text(SPEC.format(**soft), encoding="utf-8")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a spec whose stages are all in the store, exported as pictures."""
    folder = tmp_path_factory.mktemp("export")
    write(folder)
    called(folder, "run", "hard.yaml", "--device", "cpu", "--jobs", "1")
    words = ("export", "hard.yaml", "--as", "png", "--to", "out", "--device", "cpu", "-j", "1")
    (folder / "told.json").write_text(called(folder, *words, "--json")[0], encoding="utf-8")
    return folder


def test_accuracies_before_and_after_are_of_the_same_seeds(ran: Path) -> None:
    told = json.loads((ran / "told.json").read_text())
    measured = json.loads(called(ran, "results", "hard.yaml", "--json")[0])

    (row,) = told["accuracy"]
    assert row["before"]["accuracies"] == measured["results"][0]["accuracies"]
    assert row["repeats"] == row["repeats_planned"] == len(row["after"]["accuracies"]) == 2
    differences = np.subtract(row["after"]["accuracies"], row["before"]["accuracies"])
    assert row["difference"] == pytest.approx(differences.mean())
    assert json.loads((ran / "out/card.json").read_text()).items() <= told.items()


def test_pictures_are_the_decoded_images_in_8_bits(ran: Path) -> None:
    learned = load_synthetic(ran / "home/results/hard")

    expected = (learned.images().double().clamp(0, 1) * 255).round().numpy()[:, 0]
    files = sorted((ran / "out/train").rglob("*.png"))
    found = np.stack([np.asarray(Image.open(path)) for path in files])
    assert len(files) == 40  # of each of ten images four patches are used
    # the float32 of the loader may fall on the other side of a half
    assert np.abs(found - expected).max() <= 1
    assert (found != expected).mean() < 0.01


def test_what_the_readme_says_of_reading_works(ran: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ran / "out/README.md").read_text(encoding="utf-8")
    monkeypatch.chdir(ran / "out")

    names = told_by(text)

    images = torch.stack([image for image, _ in names["data"]])
    learned = load_synthetic(ran / "home/results/hard")
    assert [label for _, label in names["data"]] == learned.y.tolist()
    assert names["names"] == list("0123456789")
    inside = learned.images().clamp(0, 1)
    mean, std = learned.card.mean[0], learned.card.std[0]
    assert float((images * std + mean - inside).abs().max()) <= 0.5 / 255 + 1e-6


def told_by(text: str) -> dict[str, Any]:
    """Return what the code of a README finds in the folder in which it lies."""
    (script,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(script, names)
    return names


def test_titles_steer_neither_terminals_nor_markdown(ran: Path) -> None:
    text = (ran / "out/README.md").read_text(encoding="utf-8")

    assert "\x1b" not in text
    assert text.startswith("# Small \N{REPLACEMENT CHARACTER}&#91;31mred")
    assert "<b>" not in text


@pytest.mark.parametrize("form", ["npz", "parquet"])
def test_a_second_export_trains_nothing(ran: Path, form: str) -> None:
    words = ("export", "hard.yaml", "--as", form, "--to", f"second-{form}", "--device", "cpu")

    printed, said = called(ran, *words)

    assert "0 stages to run" in said
    assert "by protocol short, on the test split" in printed
    assert max(map(len, printed.splitlines())) <= 100
    assert {"card.json", "README.md"} < {one.name for one in (ran / f"second-{form}").iterdir()}


def test_the_learned_numbers_come_along_exactly(ran: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("--as", "npz", "--exact", "--to", "exact", "--no-evaluate", "--device", "cpu")

    called(ran, "export", "hard.yaml", *words)

    learned = load_synthetic(ran / "home/results/hard")
    with np.load(ran / "exact/train.npz", allow_pickle=False) as found:
        assert np.array_equal(found["learned"], learned.learned.numpy())
        assert str(found["learned_space"]) == "normalised"
    monkeypatch.chdir(ran / "exact")
    names = told_by((ran / "exact/README.md").read_text(encoding="utf-8"))
    assert names["labels"].tolist() == learned.y.tolist()
    bound = (0.5 / 255 + 1e-6) / learned.card.std[0]
    off = names["images"] - learned.x.clamp(names["images"].min(), names["images"].max())
    assert float(off.abs().max()) <= bound


def test_without_evaluation_it_says_that_nothing_was_measured(ran: Path, tmp_path: Path) -> None:
    write(tmp_path)
    shutil.copytree(ran / "home", tmp_path / "home")
    store = open_store(tmp_path / "home")
    told = json.loads((ran / "told.json").read_text())
    shutil.rmtree(store.layout.object(told["provenance"]["rounded"]))
    keys = list(store.objects.keys())
    judged = [key for key in keys if _rounded(store.layout.object(key))]
    for key in judged:
        shutil.rmtree(store.layout.object(key))
    words = ("--as", "png", "--to", "new", "--no-evaluate", "--device", "cpu")

    printed, said = called(tmp_path, "export", "hard.yaml", *words)

    assert len(judged) == 2
    assert "1 stages to run" in said or "1 stage to run" in said
    assert "accuracy   after rounding not measured" in printed
    assert "was not measured" in (tmp_path / "new/README.md").read_text(encoding="utf-8")
    assert (tmp_path / "new/train/0/0000.png").read_bytes() == (
        ran / "out/train/0/0000.png"
    ).read_bytes()


def _rounded(folder: Path) -> bool:
    label: str = json.loads((folder / "result.json").read_text())["label"]
    return label.startswith("evaluate/rounded/")


def test_teachers_label_the_rounded_images_and_hard_labels_are_warned_of(ran: Path) -> None:
    called(ran, "run", "soft.yaml", "--device", "cpu", "--jobs", "1")

    words = ("export", "soft.yaml", "--as", "png", "--to", "soft", "--device", "cpu", "-j", "1")
    printed, said = called(ran, *words)

    assert "relabel/rounded: done" in said
    assert "the accuracies are of networks that learned from what" in printed
    assert "**It holds the labels of classes;" in (ran / "soft/README.md").read_text()
    card = json.loads((ran / "soft/card.json").read_text())
    assert (card["labels"], "set/labels" in card["note"]) == ("soft", True)
    taught = load_synthetic(ran / "soft/set")
    assert (taught.epochs, taught.card.labels) == (2, "soft")
    views, soft = next(iter(taught.epoch(0)))
    assert soft.sum(1).tolist() == pytest.approx([1.0] * len(views), abs=1e-3)
    levels = (taught.images() * 255).numpy()
    assert levels == pytest.approx(levels.round(), abs=1e-3)
