"""Steps of recovery from batch-norm statistics: ours beside SRe2L's loop with hooks on modules.

Both learn one batch in float32 with the same teachers, without views, and end with images that are
compared. `plain` is laid out as SRe2L's code: a module with forward hooks, one graph for all
teachers, torch.optim.Adam, a clamp for each channel. Rounds alternate, so that a busy machine slows
both. With `--memory`, the most bytes that autograd keeps at once is shown as well: ours frees the
graph of a teacher before that of the next one.

    python tests/benchmarks/bench_recover.py --rounds 5
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import resnet18

from ddspec.spec.augmentation import NoAugmentationSpec
from ddspec.spec.method import AdamUpdateSpec, PixelsSpec, StatisticsMatcherSpec
from ddspec.spec.network import NetworkSpec, TorchvisionSpec
from ddspec.wire.schedule import Schedule, ScheduleRow
from ddspec_runners.augment.make import make_policy
from ddspec_runners.distillation.recover import Batch, Recovery
from ddspec_runners.functional.update import Rule
from ddspec_runners.matchers.statistics import StatisticsMatcher
from ddspec_runners.nets.make import make_network
from ddspec_runners.parameterization.make import make_parameterization
from ddspec_runners.pools.start import Snapshot
from ddspec_runners.rng import generator

sys.path.append(str(Path(__file__).parents[1] / "fakes"))
from held_memory import most_kept

MIB = 2**20
MEAN, STD = (0.49, 0.48, 0.45), (0.2, 0.2, 0.2)
UPDATE = AdamUpdateSpec(kind="adam", learning_rate=0.1, betas=(0.5, 0.9), clamp="every_step")
MATCHER = {"kind": "statistics", "batch_norm": 0.01, "first_layer": 10.0}


@dataclass(frozen=True, slots=True)
class Case:
    """What a batch is: one image of each class."""

    name: str
    size: int
    classes: int
    teachers: int
    steps: int


CASES = (
    Case("ResNet-18 at 32 px, 10 classes, 1 teacher", 32, 10, 1, 5),
    Case("ResNet-18 at 32 px, 10 classes, 3 teachers", 32, 10, 3, 3),
    Case("ResNet-18 at 64 px, 20 classes, 1 teacher", 64, 20, 1, 2),
)


@dataclass(frozen=True, slots=True)
class Members:
    """A pool in memory."""

    snapshots: tuple[Snapshot, ...]

    def start(self, row: ScheduleRow) -> Snapshot:
        """Return the member of a row."""
        return self.snapshots[row.member]


@dataclass(frozen=True, slots=True)
class Setting:
    """One case made concrete."""

    case: Case
    recovery: Recovery
    modules: tuple[nn.Module, ...]
    first: Tensor

    def ours(self) -> Tensor:
        """Return the images after all steps."""
        batch = Batch(0, range(self.case.classes))
        run, teachers = self.recovery.fresh(self.first), self.recovery.teachers(0)
        for outer in range(self.case.steps):
            run, _ = self.recovery.outer_loop(run, batch, teachers, outer)
        return run.result

    def plain(self) -> Tensor:
        """Return them as SRe2L's code makes them."""
        inputs = self.first.clone().requires_grad_()
        optimizer = torch.optim.Adam([inputs], lr=UPDATE.learning_rate, betas=UPDATE.betas)
        labels = torch.arange(self.case.classes)
        for _ in range(self.case.steps):
            loss = torch.stack([self._of(module, inputs, labels) for module in self.modules]).sum()
            (inputs.grad,) = torch.autograd.grad(loss, inputs)
            optimizer.step()
            for channel, (mean, std) in enumerate(zip(MEAN, STD, strict=True)):
                inputs.data[:, channel].clamp_(-mean / std, (1 - mean) / std)
        return inputs.detach()

    def _of(self, module: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
        distances: list[Tensor] = []

        def hook(norm: nn.BatchNorm2d, given: tuple[Tensor, ...], _: Tensor) -> None:
            x = given[0]
            mean = x.mean([0, 2, 3])
            var = x.permute(1, 0, 2, 3).contiguous().view(x.shape[1], -1).var(1, correction=0)
            distances.append(
                torch.norm(norm.get_buffer("running_var") - var)
                + torch.norm(norm.get_buffer("running_mean") - mean)
            )

        hooks = [
            one.register_forward_hook(hook)
            for one in module.modules()
            if isinstance(one, nn.BatchNorm2d)
        ]
        entropy = F.cross_entropy(module(inputs), labels)
        for one in hooks:
            one.remove()
        return entropy + 0.01 * (10 * distances[0] + torch.stack(distances[1:]).sum())


def setting(case: Case) -> Setting:
    """Make a case from random networks and images: speed does not depend on them."""
    spec: NetworkSpec = TorchvisionSpec(kind="torchvision", model="resnet18", stem="cifar")
    network = make_network(spec, channels=3, size=case.size, classes=case.classes)
    made = [network.init(generator("bench", i)) for i in range(case.teachers)]
    pool = Members(tuple(Snapshot(params, network.buffers()) for params in made))
    matcher = {**MATCHER, "models_per_image": case.teachers}
    several = case.teachers if case.teachers > 1 else None
    normalised = PixelsSpec(kind="pixels", space="normalised")
    shape = make_parameterization(normalised, mean=MEAN, std=STD, whitening=None)
    recovery = Recovery(
        matcher=StatisticsMatcher(StatisticsMatcherSpec.model_validate(matcher), network),
        pool=pool,
        schedule=Schedule(
            seed=("bench",), members=case.teachers, perturbation={"kind": "none"}, apart=several
        ),
        parameterization=shape,
        images=1,
        policy=make_policy(NoAugmentationSpec()),
        rule=Rule.of(UPDATE, limit=shape.clamp),
        seed=("bench",),
        inner_steps=1,
        clamp=False,
        averaging=None,
    )
    first = torch.randn(case.classes, 3, case.size, case.size, generator=generator("images"))
    return Setting(case, recovery, tuple(module_of(case, one) for one in pool.snapshots), first)


def module_of(case: Case, stored: Snapshot) -> nn.Module:
    """Return the same network as a module."""
    module: nn.Module = resnet18(num_classes=case.classes)
    module.conv1 = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
    module.maxpool = nn.Identity()
    module.load_state_dict({**stored.params, **stored.buffers}, strict=False)
    return module.eval().requires_grad_(False)


def seconds(run: Callable[[], Tensor]) -> float:
    """Return the CPU time of one call, all threads together: other processes do not count."""
    start = time.process_time()
    run()
    return time.process_time() - start


def report(case: Case, rounds: int) -> str:
    """Return a line of median CPU time of a step in ms, their ratio, and how far images differ."""
    one = setting(case)
    times: dict[str, list[float]] = {"plain": [], "ours": []}
    for _ in range(rounds):
        times["plain"].append(seconds(one.plain))
        times["ours"].append(seconds(one.ours))
    plain, ours = (1e3 * statistics.median(took) / case.steps for took in times.values())
    apart = (one.ours() - one.plain()).abs().mean().item()
    return (
        f"{case.name:<44}plain {plain:8.1f} ms   ours {ours:8.1f} ms   plain / ours "
        f"{plain / ours:5.2f}   apart {apart:.0e}"
    )


def memory(case: Case) -> str:
    """Return a line of the most MiB that autograd keeps at once."""
    one = setting(case)
    plain, ours = (most_kept(run) / MIB for run in (one.plain, one.ours))
    return f"{case.name:<44}plain {plain:8.1f} MiB  ours {ours:8.1f} MiB"


def main() -> None:
    """Print a line a case."""
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
