"""One iteration of distribution matching: ours beside a plain loop of a module and an optimiser.

The plain one is laid out as the official code of DM: class by class the features of the real batch
without gradients and of the synthetic images, one loss over all classes, one step. Ours is shown as
it runs on a CPU, a class at a time, and with all classes in one pass, as accelerators take them.
Both do the same work in float32 on the same draws. Rounds alternate, so that a busy machine slows
all.

    python tests/benchmarks/bench_distribution.py --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ddspec.spec.augmentation import NoAugmentationSpec
from ddspec.spec.method import DistributionMatcherSpec, PixelsSpec, UpdateSpec
from ddspec.spec.network import ConvNetSpec
from ddspec_runners.augment.make import make_policy
from ddspec_runners.data.prepared import DatasetCard, PreparedSplit
from ddspec_runners.distillation.draws import MatchingDraws
from ddspec_runners.distillation.state import State
from ddspec_runners.distillation.step import ClassDraws, Matching
from ddspec_runners.functional.update import Rule
from ddspec_runners.matchers.table import make_matcher
from ddspec_runners.nets.make import make_network
from ddspec_runners.parameterization.make import make_parameterization
from ddspec_runners.pools.start import Point
from ddspec_runners.rng import generator

CLASSES, RATE, MOMENTUM = 10, 1.0, 0.5


@dataclass(frozen=True, slots=True)
class Case:
    """What is matched; `images` and `real_batch` are of a class."""

    name: str
    channels: int
    size: int
    depth: int
    width: int
    images: int
    real_batch: int


CASES = (
    Case("digits, width 32, 1 of 32", 1, 8, 2, 32, 1, 32),
    Case("CIFAR-10, width 128, 1 of 256", 3, 32, 3, 128, 1, 256),
    Case("CIFAR-10, width 128, 10 of 256", 3, 32, 3, 128, 10, 256),
    Case("CIFAR-10, width 128, 50 of 256", 3, 32, 3, 128, 50, 256),
)


@dataclass(frozen=True, slots=True)
class Setting:
    """One case made concrete: our step and the plain one, on the same draws."""

    matching: Matching
    state: State
    params: dict[str, Tensor]
    draws: tuple[ClassDraws, ...]
    module: nn.Sequential

    def ours(self, together: int) -> Tensor:
        """Return the images after one step of ours, with so many classes in a pass."""
        matching = replace(self.matching, together=together)
        state, _ = matching.step(self.state, Point(self.params), self.draws)
        return state.images

    def plain(self) -> Tensor:
        """Return the images after one step written as the official code is laid out."""
        images = self.state.images.flatten(0, 1).clone().requires_grad_()
        optimizer = torch.optim.SGD([images], RATE, momentum=MOMENTUM)
        n, embed = self.state.images.shape[1], self.module[:-1]
        loss = torch.zeros(())
        for label, draws in enumerate(self.draws):
            real = embed(self.matching.split.gather(draws.real)).detach()
            synthetic = embed(images[label * n : (label + 1) * n])
            loss = loss + (real.mean(0) - synthetic.mean(0)).square().sum()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        return images.detach().view_as(self.state.images)


def setting(case: Case) -> Setting:
    """Make a case from random pixels: speed does not depend on them."""
    spec = ConvNetSpec(kind="convnet", depth=case.depth, width=case.width)
    network = make_network(spec, channels=case.channels, size=case.size, classes=CLASSES)
    params = network.init(generator("bench"))
    split = random_split(case)
    classes, policy = range(CLASSES), make_policy(NoAugmentationSpec())
    pixels = PixelsSpec(kind="pixels", space="normalised")
    parameterization = make_parameterization(pixels, mean=split.mean, std=split.std)
    matcher = DistributionMatcherSpec(kind="distribution", real_batch=case.real_batch)
    matching = Matching(
        matcher=make_matcher(matcher, network),
        parameterization=parameterization,
        policy=policy,
        rule=Rule.of(UpdateSpec(learning_rate=RATE, momentum=MOMENTUM, clock="joint")),
        split=split,
        classes=classes,
        of=CLASSES,
    )
    draws = MatchingDraws(
        seed=("bench",),
        split=split,
        policy=policy,
        classes=classes,
        inner_steps=1,
        real_batch=case.real_batch,
        views=case.images,
        max_views=case.images,
    )
    shape = (CLASSES, case.images, case.channels, case.size, case.size)
    images = torch.randn(shape, generator=generator("bench", "images"))
    state = State(images, matching.rule.rest(images))
    return Setting(matching, state, params, draws.inner(0, 0), module_of(case, params))


def random_split(case: Case) -> PreparedSplit:
    """Return 300 random images a class."""
    shape = (CLASSES * 300, case.channels, case.size, case.size)
    pixels = np.random.default_rng(0).integers(0, 256, size=shape, dtype=np.uint8)
    card = DatasetCard(
        name="random",
        split="train",
        content="0" * 64,
        classes=tuple(map(str, range(CLASSES))),
        counts=(300,) * CLASSES,
        size=case.size,
        channels=case.channels,
        mean=(0.5,) * case.channels,
        std=(0.25,) * case.channels,
        test_split="none",
    )
    return PreparedSplit(card, pixels, torch.arange(CLASSES).repeat_interleave(300))


def module_of(case: Case, params: dict[str, Tensor]) -> nn.Sequential:
    """Return the same network as a frozen module; its parameters come in the same order."""
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
    return module.requires_grad_(False)


def seconds(run: Callable[[], Tensor]) -> float:
    """Return the CPU time of one call, all threads together: other processes do not count."""
    start = time.process_time()
    run()
    return time.process_time() - start


def report(case: Case, rounds: int) -> str:
    """Return one line: median CPU times in ms, their ratios, and how far the images are apart."""
    one = setting(case)
    runs: tuple[Callable[[], Tensor], ...] = (
        one.plain,
        lambda: one.ours(1),
        lambda: one.ours(CLASSES),
    )
    plain, *others = (run() for run in runs)
    apart = max((images - plain).abs().max().item() for images in others)
    times = [[seconds(run) for run in runs] for _ in range(rounds)]
    a, b, c = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
    return (
        f"{case.name:<32} plain {a:9.1f} ms   ours {b:9.1f} ms ({a / b:.2f}x)   "
        f"in one pass {c:9.1f} ms ({a / c:.2f}x)   apart {apart:.1e}"
    )


def main() -> None:
    """Print one line a case."""
    parser = argparse.ArgumentParser(description=Path(__file__).name)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="run the cases whose name holds this text")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for case in CASES:
        if args.only in case.name:
            print(report(case, args.rounds), flush=True)


if __name__ == "__main__":
    main()
