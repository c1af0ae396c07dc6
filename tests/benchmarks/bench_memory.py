"""Peak memory of steps of distillation on CIFAR-10, beside what the plan says.

Each case runs in a process of its own: two inner steps of the first outer loop of a preset, its
networks, images and batches in their published sizes, in float32 on a CPU. Pixels are random, and
what only repeats is left out: classes but the first, further batches between the two steps. Steps
on one image before load what libraries load once. Two figures are taken:

- `resident`, the kernel's peak of resident memory (VmHWM, set back through clear_refs) less what
  was resident before the first tensor. MALLOC_MMAP_THRESHOLD_ has the C library hand freed blocks
  back at once: the peak would else be that of its heap. It holds the scratch space of oneDNN, of
  which torch knows nothing.
- `tensors`, the most bytes that torch's own allocator had given out at once, by the record of
  allocations of its profiler.

    python tests/benchmarks/bench_memory.py --threads 2
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.profiler import ProfilerActivity, profile

from ddspec.plan.compile import compile_spec
from ddspec.plan.estimate import stage_cost
from ddspec.spec.load import load_text
from ddspec.spec.method import OnSyntheticInnerSpec
from ddspec.wire.work import ClassRange, DistillWork
from ddspec_runners.distillation.assemble import assemble, first_images
from ddspec_runners.nets.make import make_network
from ddspec_runners.rng import generator
from ddspec_runners.site import Site

MIB = 2**20
PRESETS, BUDGETS = ("dc", "dsa", "idc", "acc_dd"), (1, 10, 50)
COUNT, CHANNELS, SIZE, CLASSES = 300, 3, 32, 10
"""Random images a class; a batch takes 256 at most."""


@dataclass(frozen=True, slots=True)
class Case:
    """The steps of a preset, and the bytes that the plan says they take."""

    work: DistillWork
    said: int

    @classmethod
    def of(cls, preset: str, images: int) -> Case:
        """Compile a preset at a budget."""
        text = f"name: memory\npreset: {preset}\ndataset: {{kind: cifar10}}\n"
        text += f"budget: {{images_per_class: {images}}}\n"
        plan = compile_spec(load_text(text, "memory.yaml"))
        work = next(stage.work for stage in plan if isinstance(stage.work, DistillWork))
        cost = stage_cost(plan, work)
        return cls(shortened(work), cost.memory_bytes - cost.resident_bytes)

    def run(self, site: Site, images: int | None = None) -> None:
        """Take the steps, from images that are real."""
        work = self.work
        if images is not None:
            work = work.model_copy(update={"images_per_class": images})
        parts = assemble(work, site)
        start = first_images(work, site, parts.split, parts.classes)
        parts.outer_loop(parts.fresh(start), 0)


def shortened(work: DistillWork) -> DistillWork:
    """Return a work on one class, without its repetitions; none is alive beside another.

    Of DC and DSA that leaves the matching alone: their networks are trained on batches of as many
    synthetic images as there are real ones, and only by all classes.
    """
    one = ClassRange(start=0, stop=1, of=CLASSES)
    if isinstance(work.inner, OnSyntheticInnerSpec):
        return work.model_copy(update={"classes": one, "inner_steps": 1})
    inner = work.inner.model_copy(update={"steps": 1})
    return work.model_copy(update={"classes": one, "inner_steps": 2, "inner": inner})


def inputs(root: Path, work: DistillWork) -> dict[str, Path]:
    """Write a random split and the members of the pool, where there are any."""
    train = root / "train"
    train.mkdir()
    shape = (CLASSES * COUNT, CHANNELS, SIZE, SIZE)
    pixels = np.random.default_rng(0).integers(0, 256, size=shape, dtype=np.uint8)
    np.save(train / "images.npy", pixels)
    np.save(train / "labels.npy", np.repeat(np.arange(CLASSES), COUNT))
    facts = {
        "name": "random",
        "split": "train",
        "content": "0" * 64,
        "classes": [str(label) for label in range(CLASSES)],
        "counts": [COUNT] * CLASSES,
        "size": SIZE,
        "channels": CHANNELS,
        "mean": [0.5] * CHANNELS,
        "std": [0.25] * CHANNELS,
        "test_split": "none",
    }
    (train / "dataset.json").write_text(json.dumps(facts), encoding="utf-8")
    found = {"train": train}
    if work.networks is None:
        network = make_network(work.network, channels=CHANNELS, size=SIZE, classes=CLASSES)
        for member in range(work.schedule.members):
            folder = found[f"pool/{member}"] = root / f"pool{member}"
            folder.mkdir()
            save_file(network.init(generator("pool", member)), folder / "network.safetensors")
    return found


def resident(run: Callable[[], None]) -> int:
    """Return the rise of resident memory to its peak, in bytes."""
    gc.collect()
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    run()
    return _status("VmHWM") - before


def tensors(run: Callable[[], None]) -> int:
    """Return the most bytes that torch's allocator had given out at once."""
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        run()
    moves = [e for e in record.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = peak = 0
    for move in sorted(moves, key=lambda e: e.start_ns()):
        held += move.nbytes()
        peak = max(peak, held)
    return peak


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


MEASURES: dict[str, Callable[[Callable[[], None]], int]] = {
    "resident": resident,
    "tensors": tensors,
}


def measure(preset: str, images: int, how: str, threads: int) -> tuple[int, int]:
    """Return what the plan says of one case, and what it takes in this process."""
    torch.set_num_threads(threads)
    case = Case.of(preset, images)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        site = Site(key="0" * 64, inputs=inputs(root, case.work), output=root, scratch=root)
        case.run(site, images=1)
        return case.said, MEASURES[how](lambda: case.run(site))


def in_a_process(preset: str, images: int, how: str, threads: int) -> tuple[int, int]:
    """Return what the plan says of one case, and what it takes in a process of its own."""
    options = ["--preset", preset, "--images", images, "--how", how, "--threads", threads]
    found = subprocess.run(
        [sys.executable, __file__, *map(str, options)],
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": str(threads)},
        check=True,
        capture_output=True,
        text=True,
    )
    said, taken = found.stdout.split()
    return int(said), int(taken)


def main() -> None:
    """Print one line a case, or the number of one."""
    parser = argparse.ArgumentParser(description=Path(__file__).name)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--preset", choices=PRESETS)
    parser.add_argument("--images", type=int)
    parser.add_argument("--how", choices=list(MEASURES))
    args = parser.parse_args()
    if args.how:
        print(*measure(args.preset, args.images, args.how, args.threads))
        return
    for preset in (args.preset,) if args.preset else PRESETS:
        for images in (args.images,) if args.images else BUDGETS:
            found = {how: in_a_process(preset, images, how, args.threads) for how in MEASURES}
            told = "   ".join(
                f"{how} {taken / MIB:7.0f} MiB, plan / it {said / taken:4.2f}"
                for how, (said, taken) in found.items()
            )
            said, _ = found["resident"]
            print(f"{preset:<7} {images:>3}   plan {said / MIB:7.0f} MiB   {told}", flush=True)


if __name__ == "__main__":
    main()
