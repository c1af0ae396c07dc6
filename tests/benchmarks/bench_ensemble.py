"""How long networks that judge take one by one, and as one ensemble.

    python tests/benchmarks/bench_ensemble.py [--device cuda] [--threads 1] [--steps 20]

Prints a line a network: milliseconds a step of one network both ways, and how many times faster the
ensemble is. Engines take turns, so that what else the machine does meets both.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from ddspec.presets.protocols import PROTOCOLS
from ddspec.spec.network import ConvNetSpec, NetworkSpec, ResNetApSpec
from ddspec_runners.augment.make import make_policy
from ddspec_runners.evaluation.ensemble import Stack, step_together
from ddspec_runners.evaluation.examples import Resident
from ddspec_runners.evaluation.train import Training
from ddspec_runners.nets.make import make_network
from ddspec_runners.rng import generator

ROUNDS = 5
CLASSES, PER_CLASS = 10, 10


@dataclass(frozen=True, slots=True)
class Case:
    """What is trained."""

    name: str
    network: NetworkSpec
    channels: int
    size: int
    protocol: str = "idc"


CASES = (
    Case("convnet-2 width 16, 8 px", ConvNetSpec(kind="convnet", depth=2, width=16), 1, 8),
    Case("convnet-3 width 32, 28 px", ConvNetSpec(kind="convnet", width=32), 1, 28),
    Case("convnet-3 width 128, 32 px", ConvNetSpec(kind="convnet"), 3, 32),
    Case("resnet_ap-10, 32 px", ResNetApSpec(kind="resnet_ap"), 3, 32),
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--members", type=int, nargs="*", default=[5, 10])
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    device = torch.device(asked.device)
    print(f"torch {torch.__version__}, {device}, {asked.threads} threads, batch 64")
    print(f"{'network':<30}{'members':>8}{'alone':>12}{'together':>12}{'faster':>9}")
    for case in CASES:
        for members in asked.members:
            alone, together = measured(case, members, asked.steps, device)
            row = f"{case.name:<30}{members:>8}{alone:>9.1f} ms{together:>9.1f} ms"
            print(f"{row}{alone / together:>8.2f}x", flush=True)


def measured(case: Case, members: int, steps: int, device: torch.device) -> tuple[float, float]:
    """Return milliseconds a step of one network, alone and in an ensemble: medians of rounds."""
    trainings = list(_trainings(case, members, device))
    trainees = [one.fresh(device) for one in trainings]
    stacked = [one.fresh(device) for one in trainings]
    stack = Stack.of(stacked)
    stack.hand_out(stacked)

    def one_by_one() -> None:
        for training, trainee in zip(trainings, trainees, strict=True):
            for t in range(steps):
                training.step(trainee, t, 0.01)

    def together() -> None:
        for t in range(steps):
            step_together(trainings, stacked, stack, t, 0.01)

    times = _in_turns((one_by_one, together), device)
    return tuple(1000 * one / steps / members for one in times)  # type: ignore[return-value]


def _trainings(case: Case, members: int, device: torch.device) -> Iterator[Training]:
    protocol = PROTOCOLS[case.protocol]()
    labels = torch.arange(CLASSES).repeat_interleave(PER_CLASS)
    shape = (CLASSES * PER_CLASS, case.channels, case.size, case.size)
    images = torch.randn(shape, generator=generator("bench"))
    network = make_network(case.network, channels=case.channels, size=case.size, classes=CLASSES)
    examples = Resident(images.to(device), labels.to(device))
    policy = make_policy(protocol.augmentation)
    first = Training(network, examples, protocol, policy, (0,), torch.float32)
    return (replace(first, seed=(member,)) for member in range(members))


def _in_turns(runs: Sequence[Callable[[], None]], device: torch.device) -> tuple[float, ...]:
    """Return the median seconds of each run, after one round that does not count."""
    rounds = [[_timed(run, device) for run in runs] for _ in range(ROUNDS + 1)][1:]
    return tuple(statistics.median(column) for column in zip(*rounds, strict=True))


def _timed(run: Callable[[], None], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    began = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
