"""From a folder of pictures to a distilled set, by the commands that each step prints."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

SHORT = """
pool: {models: 1, epochs: 1}
inner: {kind: frozen}
augmentation: {matching: {kind: none}, training: {kind: none}, cutmix: 0.0}
network: {width: 8}
matcher: {real_batch: 4}
loops: {outer_loops: 1, inner_steps: 1, snapshots: []}
evaluate:
  protocol: {name: short, steps: 2, batch: 8}
  repeats: 1
  baselines: {random: 1, init: 0, full: 0}
"""


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    root = tmp_path / "my shapes"
    for split, number in (("train", 24), ("test", 4)):
        for name in ("disc", "square"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for index in range(number):
                image = Image.new("RGB", (20, 18 + index % 3), (9 * index % 256, 40, 90))
                shape = ImageDraw.Draw(image)
                (shape.ellipse if name == "disc" else shape.rectangle)((4, 4, 14, 13), fill="white")
                image.save(folder / f"{index}.png")
    return root


def ddspec(*arguments: str, at: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ddspec", *arguments],
        cwd=at,
        env={**os.environ, "DDSPEC_HOME": str(at / "store")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_folder_is_distilled_by_the_steps_that_are_printed(
    tmp_path: Path, pictures: Path
) -> None:
    printed = ddspec("init", pictures.name, at=tmp_path)
    spec = tmp_path / "specs" / "my-shapes.yaml"
    steps = [shlex.split(line) for line in printed.split("next\n")[1].splitlines()]

    spec.write_text(spec.read_text() + SHORT)
    outputs = {step[1]: ddspec(*step[1:], at=tmp_path) for step in steps}
    plan = "specs/my-shapes.plan.yaml"
    ddspec("plan", "specs/my-shapes.yaml", "-o", plan, at=tmp_path)
    again = ddspec("run", plan, "--data", ".", at=tmp_path)

    assert [step[:2] for step in steps] == [["ddspec", verb] for verb in ("lock", "plan", "run")]
    assert "my-shapes.lock.yaml: 56 images" in outputs["lock"]
    assert "distilled" in outputs["run"]
    assert "distilled" in again
    assert (tmp_path / "store" / "results" / "my-shapes" / "synthetic.safetensors").is_file()
