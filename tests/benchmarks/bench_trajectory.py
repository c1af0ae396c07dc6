"""One outer loop of trajectory matching: ours beside MTT's loop with a flat vector of parameters.

Both take the same student steps in float32 and return the gradient in the images and in the rate:
`plain` as MTT's code is laid out (a module that reads its parameters from one vector, graphs of all
steps kept, one backward pass), ours in its three forms. Rounds alternate, so that a busy machine
slows all of them. With `--memory`, the most bytes that autograd keeps at once is shown as well, at
5, 20 and 50 steps.

    python tests/benchmarks/bench_trajectory.py --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddspec.spec.augmentation import NoAugmentationSpec
from ddspec.spec.network import ConvNetSpec
from ddspec_runners.augment.make import make_policy
from ddspec_runners.distillation.student import Curriculum, Pupil
from ddspec_runners.functional.unroll import GRADIENTS
from ddspec_runners.matchers.trajectory import squared_distance
from ddspec_runners.nets.base import Params
from ddspec_runners.nets.make import make_network
from ddspec_runners.rng import generator

sys.path.append(str(Path(__file__).parents[1] / "fakes"))
from held_memory import most_kept

CLASSES, RATE, MIB = 10, 0.01, 2**20
FORMS = tuple(GRADIENTS)


@dataclass(frozen=True, slots=True)
class Case:
    """What a student is taught; `images` a class."""

    name: str
    channels: int
    size: int
    depth: int
    width: int
    images: int
    steps: int


CASES = (
    Case("digits, width 32, 1 image, 20 steps", 1, 8, 2, 32, 1, 20),
    Case("CIFAR-10, width 32, 1 image, 20 steps", 3, 32, 3, 32, 1, 20),
    Case("CIFAR-10, width 128, 1 image, 10 steps", 3, 32, 3, 128, 1, 10),
    Case("CIFAR-10, width 128, 10 images, 3 steps", 3, 32, 3, 128, 10, 3),
)


@dataclass(frozen=True, slots=True)
class Setting:
    """One case made concrete."""

    pupil: Pupil
    start: Params
    end: Params
    views: Tensor
    module: nn.Module

    def ours(self, form: str) -> Tensor:
        """Return the gradient in the images by a form of ours."""
        scale = squared_distance(self.start, self.end)

        def distance(params: Params) -> Tensor:
            return squared_distance(params, self.end) / scale

        rate = torch.tensor(RATE, dtype=torch.float64)
        through = dict(GRADIENTS.items())[form]  # type: ignore[index]
        return through(self.pupil, self.start, (self.views,), rate, distance).material[0]

    def plain(self) -> Tensor:
        """Return it as MTT's code has it."""
        images = self.views.clone().requires_grad_()
        rate = torch.tensor(RATE, requires_grad=True)
        start, end = (
            torch.cat([value.reshape(-1) for value in params.values()])
            for params in (self.start, self.end)
        )
        theta = start.clone().requires_grad_()
        for _ in range(self.pupil.steps):
            loss = F.cross_entropy(self._at(theta, images), self.pupil.labels)
            (slope,) = torch.autograd.grad(loss, theta, create_graph=True)
            theta = theta - rate * slope
        gap = F.mse_loss(theta, end, reduction="sum") / F.mse_loss(start, end, reduction="sum")
        gradient, _ = torch.autograd.grad(gap, (images, rate))
        return gradient

    def _at(self, theta: Tensor, images: Tensor) -> Tensor:
        own = dict(self.module.named_parameters())
        parts = torch.split(theta, [value.numel() for value in own.values()])
        named = {
            name: part.view_as(value)
            for (name, value), part in zip(own.items(), parts, strict=True)
        }
        logits: Tensor = torch.func.functional_call(self.module, named, images)
        return logits


def setting(case: Case) -> Setting:
    """Make a case from random images: speed does not depend on them."""
    spec = ConvNetSpec(kind="convnet", depth=case.depth, width=case.width)
    network = make_network(spec, channels=case.channels, size=case.size, classes=CLASSES)
    start = network.init(generator("bench"))
    end = {
        name: value + 0.01 * torch.randn(value.shape, generator=generator("bench", name))
        for name, value in start.items()
    }
    count = CLASSES * case.images
    shape = (count, case.channels, case.size, case.size)
    views = torch.randn(shape, generator=generator("bench", "images"))
    policy = make_policy(NoAugmentationSpec())
    lessons = Curriculum(network, policy, 0.0, case.steps, None, case.size, ("bench",))
    labels = torch.arange(CLASSES).repeat_interleave(case.images)
    pupil = Pupil(network, policy, lessons.lessons(0, count), labels)
    return Setting(pupil, start, end, views, module_of(case, start))


def module_of(case: Case, params: Params) -> nn.Module:
    """Return the same network as a module; its parameters come in the same order."""
    layers: list[nn.Module] = []
    for depth in range(case.depth):
        fan_in = case.channels if depth == 0 else case.width
        layers += [
            nn.Conv2d(fan_in, case.width, 3, padding=1),
            nn.GroupNorm(case.width, case.width),
            nn.ReLU(),
            nn.AvgPool2d(2),
        ]
    side = case.size >> case.depth
    module = nn.Sequential(*layers, nn.Flatten(), nn.Linear(case.width * side**2, CLASSES))
    with torch.no_grad():
        for own, value in zip(module.parameters(), params.values(), strict=True):
            own.copy_(value)
    return module


def seconds(run: Callable[[], Tensor]) -> float:
    """Return the CPU time of one call, all threads together: other processes do not count."""
    start = time.process_time()
    run()
    return time.process_time() - start


def report(case: Case, rounds: int) -> str:
    """Return lines of median CPU time in ms, its ratio to the plain loop's, and the difference."""
    one = setting(case)
    wanted = one.plain()
    runs: dict[str, Callable[[], Tensor]] = {"plain": one.plain}
    runs |= {form: partial(one.ours, form) for form in FORMS}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(seconds(run))
    middle = {name: statistics.median(took) * 1e3 for name, took in times.items()}
    lines = [case.name]
    for name, run in runs.items():
        apart = ((run() - wanted).norm() / wanted.norm()).item()
        lines.append(
            f"  {name:<12}{middle[name]:9.1f} ms   plain / it {middle['plain'] / middle[name]:5.2f}"
            f"   apart {apart:.0e}"
        )
    return "\n".join(lines)


def memory(case: Case) -> str:
    """Return lines of the most MiB that autograd keeps at once, by number of steps."""
    lines = [f"{case.name.rsplit(',', 1)[0]}: MiB kept at 5, 20, 50 steps"]
    for form in FORMS:
        kept = []
        for steps in (5, 20, 50):
            one = setting(replace(case, steps=steps))
            kept.append(most_kept(partial(one.ours, form)) / MIB)
        lines.append(f"  {form:<12}" + "".join(f"{size:10.1f}" for size in kept))
    return "\n".join(lines)


def main() -> None:
    """Print some lines a case."""
    parser = argparse.ArgumentParser(description=Path(__file__).name)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="run the cases whose name holds this text")
    parser.add_argument("--memory", action="store_true", help="show memory instead of time")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for case in CASES:
        if args.only in case.name:
            print(memory(case) if args.memory else report(case, args.rounds), flush=True)


if __name__ == "__main__":
    main()
