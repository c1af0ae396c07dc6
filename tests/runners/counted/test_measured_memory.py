"""The memory that a plan says is what a process takes: resident, with all that torch allocates."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "bench_memory.py"


@pytest.mark.slow  # published widths in a process of their own
@pytest.mark.parametrize("how", ["resident", "tensors"])
@pytest.mark.parametrize(("preset", "images"), [("dsa", 1), ("idc", 10), ("acc_dd", 1)])
def test_a_step_on_cifar10_takes_what_the_plan_says_within_a_fifth(
    preset: str, images: int, how: str
) -> None:
    options = ["--preset", preset, "--images", str(images), "--how", how]
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), *options],
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    said, taken = map(int, done.stdout.split())

    assert taken == pytest.approx(said, rel=0.2)
