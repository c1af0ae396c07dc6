"""One inner step of matching: ours beside a plain class-by-class loop of modules and optimiser.

Both do the same work in float32 on the same draws: real gradient, decode, synthetic gradient with
its graph, image gradient, update. Rounds alternate, so that a busy machine slows both.

    python tests/benchmarks/bench_matching.py --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ddspec.spec.augmentation import NoAugmentationSpec
from ddspec.spec.method import GradientMatcherSpec, MultiFormationSpec, UpdateSpec
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

CLASSES, RATE, MOMENTUM = 10, 1e-3, 0.5


@dataclass(frozen=True, slots=True)
class Case:
    """What is matched; `images` a class, each of factor x factor views."""

    name: str
    channels: int
    size: int
    depth: int
    width: int
    images: int
    factor: int
    real_batch: int


CASES = (
    Case("digits, width 32, 1 image", 1, 8, 2, 32, 1, 1, 32),
    Case("CIFAR-10, width 128, 1 image of 4 views", 3, 32, 3, 128, 1, 2, 64),
    Case("CIFAR-10, width 128, 10 images of 4 views", 3, 32, 3, 128, 10, 2, 64),
)


@dataclass(frozen=True, slots=True)
class Setting:
    """One case made concrete: our step and the plain one, on the same draws."""

    matching: Matching
    state: State
    params: dict[str, Tensor]
    draws: tuple[ClassDraws, ...]
    module: nn.Module

    def ours(self) -> Tensor:
        """Return the images after one step of ours."""
        state, _ = self.matching.step(self.state, Point(self.params), self.draws)
        return state.images

    def plain(self) -> Tensor:
        """Return the images after one step written as the official code is laid out."""
        images = self.state.images.flatten(0, 1).clone().requires_grad_()
        optimizer = torch.optim.SGD([images], RATE, momentum=MOMENTUM)
        n = self.state.images.shape[1]
        for label, draws in enumerate(self.draws):
            real = self.matching.split.gather(draws.real)
            views = self.matching.parameterization.decode(images[label * n : (label + 1) * n])
            views = self.matching.parameterization.normalise(views)
            loss = self._matching_loss(real, views, label)
            # Zeros, not None: momentum then moves the images of every class, as it did there.
            optimizer.zero_grad(set_to_none=False)
            torch.autograd.backward(loss, inputs=[images])
            optimizer.step()
        return images.detach().view_as(self.state.images)

    def _matching_loss(self, real: Tensor, views: Tensor, label: int) -> Tensor:
        weights = list(self.module.parameters())
        wanted = torch.autograd.grad(self._loss(real, label), weights)
        given = torch.autograd.grad(self._loss(views, label), weights, create_graph=True)
        pairs = zip(wanted, given, strict=True)
        return torch.stack([(a - b).square().sum() for a, b in pairs if a.ndim == 4]).sum()

    def _loss(self, images: Tensor, label: int) -> Tensor:
        return F.cross_entropy(self.module(images), torch.full((len(images),), label))


def setting(case: Case) -> Setting:
    """Make a case from random pixels: speed does not depend on them."""
    spec = ConvNetSpec(kind="convnet", depth=case.depth, width=case.width)
    network = make_network(spec, channels=case.channels, size=case.size, classes=CLASSES)
    params = network.init(generator("bench"))
    split = random_split(case)
    classes, policy = range(CLASSES), make_policy(NoAugmentationSpec())
    formation = MultiFormationSpec(kind="multi_formation", factor=case.factor)
    parameterization = make_parameterization(formation, mean=split.mean, std=split.std)
    matcher = GradientMatcherSpec(kind="gradient", distance="squared", real_batch=case.real_batch)
    matching = Matching(
        matcher=make_matcher(matcher, network),
        parameterization=parameterization,
        policy=policy,
        rule=Rule.of(UpdateSpec(learning_rate=RATE, momentum=MOMENTUM)),
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
        views=parameterization.count(case.images),
        max_views=matcher.max_views,
    )
    shape = (CLASSES, case.images, case.channels, case.size, case.size)
    images = torch.rand(shape, generator=generator("bench", "images"))
    state = State(images, matching.rule.rest(images))
    return Setting(matching, state, params, draws.inner(0, 0), module_of(case, params))


def random_split(case: Case) -> PreparedSplit:
    """Return 100 random images a class."""
    shape = (CLASSES * 100, case.channels, case.size, case.size)
    pixels = np.random.default_rng(0).integers(0, 256, size=shape, dtype=np.uint8)
    card = DatasetCard(
        name="random",
        split="train",
        content="0" * 64,
        classes=tuple(map(str, range(CLASSES))),
        counts=(100,) * CLASSES,
        size=case.size,
        channels=case.channels,
        mean=(0.5,) * case.channels,
        std=(0.25,) * case.channels,
        test_split="none",
    )
    return PreparedSplit(card, pixels, torch.arange(CLASSES).repeat_interleave(100))


def module_of(case: Case, params: dict[str, Tensor]) -> nn.Module:
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
    """Return one line: median CPU time in ms, their ratio, and how far the results are apart."""
    both = setting(case)
    apart = (both.ours() - both.plain()).abs().max().item()
    ours, plain = [], []
    for _ in range(rounds):
        plain.append(seconds(both.plain))
        ours.append(seconds(both.ours))
    a, b = statistics.median(ours) * 1e3, statistics.median(plain) * 1e3
    return (
        f"{case.name:<44} ours {a:9.1f} ms   plain {b:9.1f} ms   "
        f"plain / ours {b / a:5.2f}   apart {apart:.1e}"
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
