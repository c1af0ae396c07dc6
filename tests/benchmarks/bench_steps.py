"""Peak memory of one outer loop of trajectory matching on CIFAR-10, by the steps of the student.

Each case runs in a process of its own, in float32 on a CPU, with MTT's network and 1 image a class:
the loops that the task would take, experts of random parameters. Figures are those of
`bench_memory`: `resident` and `tensors`. The forms of constant memory keep a vector of parameters
for each step; what is left without those is shown too, and shall not grow.

    python tests/benchmarks/bench_steps.py
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from bench_memory import (  # type: ignore[import-not-found]  # beside this script
    CHANNELS,
    CLASSES,
    MEASURES,
    MIB,
    SIZE,
    inputs,
)
from safetensors.torch import save_file

from ddspec.plan.compile import compile_spec
from ddspec.plan.estimate import stage_cost
from ddspec.spec.load import load_text
from ddspec.spec.method import FreshPoolSpec
from ddspec.wire.schedule import Schedule
from ddspec.wire.work import DistillWork
from ddspec_runners.distillation.assemble import assemble, first_images
from ddspec_runners.nets.make import make_network
from ddspec_runners.rng import generator
from ddspec_runners.site import Site

FORMS = ("unrolled", "recomputed", "tesla")
STEPS = (5, 20, 50)
FLOAT = 4


def case(form: str, steps: int) -> tuple[DistillWork, int]:
    """Return the work of MTT at 1 image a class with so many steps, and what the plan says."""
    text = f"""
name: steps
preset: mtt
dataset: {{kind: cifar10}}
budget: {{images_per_class: 1}}
inner: {{steps: {steps}}}
matcher: {{gradient: {form}, max_start: 1}}
parameterization: {{space: normalised, zca_eps: null}}
evaluate: {{protocol: mtt}}
"""
    plan = compile_spec(load_text(text, "steps.yaml"))
    work = plan.distillation()[0]
    cost = stage_cost(plan, work)
    schedule = Schedule(
        seed=work.schedule.seed, members=1, perturbation=work.schedule.perturbation, starts=1
    )
    return work.model_copy(update={"schedule": schedule}), cost.memory_bytes - cost.resident_bytes


def expert(root: Path, work: DistillWork) -> Path:
    """Write an expert whose every epoch is another random network."""
    network = make_network(work.network, channels=CHANNELS, size=SIZE, classes=CLASSES)
    for epoch in range(3):
        save_file(network.init(generator("epoch", epoch)), root / f"epoch-{epoch}.safetensors")
    return root


def measure(form: str, steps: int, how: str) -> tuple[int, int, int]:
    """Return what the plan says, what a loop takes, and the bytes of one vector of parameters."""
    torch.set_num_threads(1)
    work, said = case(form, steps)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        fresh = FreshPoolSpec(kind="fresh")  # no member is written that nobody reads
        train = inputs(root, work.model_copy(update={"networks": fresh}))
        site = Site(
            key="0" * 64,
            inputs={**train, "pool/0": expert(root, work)},
            output=root,
            scratch=root,
        )
        loops = assemble(work, site)
        state = loops.fresh(first_images(work, site, loops.split, loops.classes))
        short = work.model_copy(update={"inner": work.inner.model_copy(update={"steps": 1})})
        assemble(short, site).outer_loop(state, 0)  # loads what libraries load once
        taken = MEASURES[how](lambda: loops.outer_loop(state, 1))
    network = make_network(work.network, channels=CHANNELS, size=SIZE, classes=CLASSES)
    numbers = sum(p.numel() for p in network.init(generator("count")).values())
    return said, taken, FLOAT * numbers


def in_a_process(form: str, steps: int, how: str) -> tuple[int, int, int]:
    """Return the same, from a process of its own."""
    options = ["--form", form, "--steps", str(steps), "--how", how]
    found = subprocess.run(
        [sys.executable, __file__, *options],
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    said, taken, vector = map(int, found.stdout.split())
    return said, taken, vector


def main() -> None:
    """Print one line a form and number of steps, or the numbers of one."""
    parser = argparse.ArgumentParser(description=Path(__file__).name)
    parser.add_argument("--form", choices=FORMS)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--how", choices=list(MEASURES))
    args = parser.parse_args()
    if args.how:
        print(*measure(args.form, args.steps, args.how))
        return
    for form in FORMS:
        for steps in STEPS:
            told = []
            for how in MEASURES:
                said, taken, vector = in_a_process(form, steps, how)
                rest = (taken - steps * vector) / MIB
                told.append(f"{how} {taken / MIB:6.0f} MiB, without vectors {rest:6.0f}")
            said_too = f"plan {said / MIB:6.0f} MiB"
            print(f"{form:<11}{steps:>3} steps   {said_too}   {'   '.join(told)}", flush=True)


if __name__ == "__main__":
    main()
