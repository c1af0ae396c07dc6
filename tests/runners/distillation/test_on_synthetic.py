"""Networks trained on the synthetic set (DC, DSA): against plain loops, resumed, cut into shards.

The oracle is written from Algorithm 1 of Zhao et al., ICLR 2021, and the description of their code:
`nn.Module`, `torch.optim.SGD` for images and for networks, float64. Of the runners it has the law
of draws, initial values, perturbation and augmentation, which have oracles of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ddspec.wire.work import DistillWork
from ddspec_runners.augment.make import make_policy
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.distillation.assemble import assemble
from ddspec_runners.distillation.class_loop import Distillation
from ddspec_runners.faults import BadJob
from ddspec_runners.nets.make import make_network
from ddspec_runners.parameterization.init import initial_images
from ddspec_runners.pools.dependent import DependentNetworks
from ddspec_runners.pools.perturb import perturb
from ddspec_runners.rng import generator
from ddspec_runners.site import StopRequested

STEPS = 5
CONVNET = {"kind": "convnet", "depth": 2, "width": 4}
BATCH_NORM = {**CONVNET, "norm": "batch"}
MATCHER = {"kind": "gradient", "distance": "cosine", "parameters": "matrices", "real_batch": 4}
TRAINING = {"kind": "on_synthetic", "epochs": 2, "batch": 4}
DC: dict[str, Any] = {
    "inner_steps": STEPS,
    "inner": TRAINING,
    "matcher": MATCHER,
    "cutmix": 0.0,
    "parameterization": {"kind": "pixels", "space": "normalised"},
    "init": {"kind": "real"},
    "update": {"learning_rate": 0.1, "clock": "joint"},
    "networks": {"kind": "fresh"},
    "perturbation": {"kind": "none"},
}
"""Two images of three classes make a batch of 4 and one of 2."""
AUGMENTED = {"matching_augmentation": {"kind": "dsa"}, "training_augmentation": {"kind": "dsa"}}
FROZEN = {"network": BATCH_NORM, "matcher": {**MATCHER, "batch_norm": "frozen"}}
MODELS = {"networks": None, "perturbation": {
    "kind": "filter_gaussian",
    "directions": 2,
    "coefficient": {"law": "uniform_signed", "low": 0.01, "high": 0.09},
}}  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    "DC": {},
    "DSA": AUGMENTED,
    "the shared clock": {"update": {"learning_rate": 0.05, "clock": "shared"}},
    "momentum in the network": {
        "inner": {**TRAINING, "optimizer": {"learning_rate": 0.1, "momentum": 0.9}}
    },
    "model augmentation over DSA": {**AUGMENTED, **MODELS},
    "batch norm, frozen": {**AUGMENTED, **FROZEN},
    "batch norm, by batches": {"network": BATCH_NORM},
    "two formations a side": {
        "parameterization": {"kind": "multi_formation", "factor": 2, "space": "pixel"},
        "init": {"kind": "mix"},
    },
}


class Plain:
    """One work, written out."""

    def __init__(self, bench: Any, work: DistillWork) -> None:
        self.bench, self.work = bench, work
        self.split = PreparedSplit.open(bench.inputs["train"])
        self.whole = self.split.gather(slice(0, len(self.split)), dtype=torch.float64)
        self.labels = self.split.labels
        self.factor = getattr(work.parameterization, "factor", 1)

    def start(self) -> Tensor:
        work = self.work
        rows = initial_images(
            work.parameterization,
            work.init,
            work.images_per_class,
            self.split,
            work.seed,
            range(3),
            dtype=torch.float64,
        )
        return rows.flatten(0, 1)

    def network(self, outer: int) -> nn.Sequential:
        row = self.work.schedule.row(outer)
        if self.work.networks is None:
            stored = load_file(self.bench.inputs[f"pool/{row.member}"] / "network.safetensors")
            start = {name: value for name, value in stored.items() if "running" not in name}
            order = make_network(self.work.network, channels=3, size=8, classes=3)
            names = order.init(generator("any"))
            params = perturb({name: start[name] for name in names}, row)
        else:
            fresh = make_network(self.work.network, channels=3, size=8, classes=3)
            params = fresh.init(generator(*self.work.seed, "fresh", outer))
        norms = [
            nn.BatchNorm2d(4) if self.work.network.norm == "batch" else nn.GroupNorm(4, 4)
            for _ in range(2)
        ]
        net = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), norms[0], nn.ReLU(), nn.AvgPool2d(2),
            nn.Conv2d(4, 4, 3, padding=1), norms[1], nn.ReLU(), nn.AvgPool2d(2),
            nn.Flatten(), nn.Linear(16, 3),
        ).double()  # fmt: skip
        with torch.no_grad():
            for own, value in zip(net.parameters(), params.values(), strict=True):
                own.copy_(value)
        return net

    def decoded(self, images: Tensor) -> Tensor:
        """Return the views of images (n, C, H, W) as networks see them."""
        if self.factor == 1:
            return images
        side = images.shape[-1] // 2
        cells = [images[:, :, i : i + side, j : j + side] for i in (0, side) for j in (0, side)]
        grown = nn.functional.interpolate(torch.cat(cells), scale_factor=2.0, mode="bilinear")
        return self.split.normalise(grown)

    def freeze(self, net: nn.Sequential, outer: int, inner: int) -> None:
        """Move running statistics by 16 real images a class, then keep them."""
        chosen = []
        for c in range(3):
            own = (self.labels == c).nonzero().flatten()
            rng = generator(*self.work.seed, "statistics", outer, inner, c)
            chosen.append(own[torch.randperm(len(own), generator=rng)[:16]])
        net.train()
        with torch.no_grad():
            net(self.whole[torch.cat(chosen)])
        for module in net:
            if isinstance(module, nn.BatchNorm2d):
                module.eval()

    def distance(self, net: nn.Sequential, images: Tensor, c: int, at: tuple[int, int]) -> Tensor:
        work, n = self.work, self.work.images_per_class
        own = (self.labels == c).nonzero().flatten()
        t, batches = at[0] * STEPS + at[1], len(own) // 4
        order = torch.randperm(len(own), generator=generator(*work.seed, "real", c, t // batches))
        real = self.whole[own[order[t % batches * 4 : t % batches * 4 + 4]]]
        views = self.decoded(images[c * n : (c + 1) * n])
        policy = make_policy(work.matching_augmentation)
        row = policy.draw(1, 8, generator(*work.seed, "augment", *at, c), shared=True)
        pair = []
        for part in (real, views):
            loss = nn.CrossEntropyLoss()(net(policy.apply(part, row)), torch.full((len(part),), c))
            pair.append(torch.autograd.grad(loss, list(net.parameters()), create_graph=True))
        total = torch.zeros((), dtype=torch.float64)
        for r, s in zip(*pair, strict=True):
            if r.ndim == 1:
                continue
            for a, b in zip(r.detach().flatten(1), s.flatten(1), strict=True):
                total = total + 1 - (a @ b) / (a.norm() * b.norm() + 1e-6)
        return total

    def train(
        self, net: nn.Sequential, optimizer: Any, images: Tensor, at: tuple[int, int]
    ) -> None:
        work, n = self.work, self.work.images_per_class
        views = torch.cat([self.decoded(part) for part in images.detach().split(n)])
        labels = torch.arange(3).repeat_interleave(len(views) // 3)
        policy = make_policy(work.training_augmentation)
        net.train()
        for epoch in range(work.inner.epochs):
            rng = generator(*work.seed, "network", *at, epoch)
            order = torch.randperm(len(views), generator=rng)
            for b, chosen in enumerate(order.split(work.inner.batch)):
                rng = generator(*work.seed, "network-augment", *at, epoch, b)
                x = policy.apply(views[chosen], policy.draw(len(chosen), 8, rng, shared=False))
                optimizer.zero_grad()
                nn.CrossEntropyLoss()(net(x), labels[chosen]).backward()
                optimizer.step()

    def outer_loops(self) -> Iterator[tuple[Tensor, float]]:
        work, spec = self.work, self.work.inner.optimizer
        images = self.start().requires_grad_()
        moving = torch.optim.SGD([images], work.update.learning_rate, momentum=0.5)
        for outer in range(work.stop):
            net, losses = self.network(outer), []
            trainer = torch.optim.SGD(
                net.parameters(),
                spec.learning_rate,
                momentum=spec.momentum,
                weight_decay=spec.weight_decay,
            )
            for inner in range(STEPS):
                if work.matcher.batch_norm == "frozen":
                    self.freeze(net, outer, inner)
                groups = [range(3)] if work.update.clock == "joint" else [[0], [1], [2]]
                for group in groups:
                    total = sum(
                        (self.distance(net, images, c, (outer, inner)) for c in group),
                        torch.zeros((), dtype=torch.float64),
                    )
                    losses.append(total.detach().item())
                    (images.grad,) = torch.autograd.grad(total, images)
                    moving.step()
                if inner < STEPS - 1:
                    self.train(net, trainer, images, (outer, inner))
            yield images.detach().clone(), sum(losses) / (3 * STEPS)


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_the_first_steps_are_those_of_the_paper(bench: Any, changes: dict[str, Any]) -> None:
    work = bench.work(**{**DC, **changes})
    plain = Plain(bench, work)
    expected = list(plain.outer_loops())
    outcome = bench.run("task", work)

    # float64: sums in another order differ by 1e-15 a term, and ten steps keep that below 1e-8
    images = expected[-1][0].view_as(outcome.images)
    moved = (images - plain.start().view_as(images)).abs().max()
    assert moved > 1e-2
    assert (outcome.images - images).abs().max() < 1e-8 * moved
    assert outcome.losses == pytest.approx([loss for _, loss in expected], rel=1e-8)


def networks_of(parts: Distillation) -> DependentNetworks:
    assert isinstance(parts.stream, DependentNetworks)
    return parts.stream


def trained(networks: DependentNetworks, images: Tensor, inner: int = 0) -> dict[str, Tensor]:
    walk = networks.starts.walk(0)
    networks.train(walk, images, 0, inner)
    return walk.params


def test_networks_depend_on_the_images_and_on_their_place_alone(bench: Any) -> None:
    networks = networks_of(assemble(bench.work(**DC), bench.site("a")))
    images = torch.rand(3, 2, 3, 8, 8, dtype=torch.float64, generator=generator(1))
    before = images.clone()
    one, again, other = (trained(networks, x) for x in (images, images, images.flip(0)))
    later = trained(networks, images, inner=1)

    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["classifier.weight"], other["classifier.weight"])
    assert not torch.equal(one["classifier.weight"], later["classifier.weight"])
    assert torch.equal(images, before)


def test_the_network_of_the_last_step_is_not_trained_on(bench: Any) -> None:
    # with one step there is nothing to train, so how one would train does not matter
    few, many = (
        bench.run(
            str(epochs),
            bench.work(**{**DC, "inner_steps": 1, "inner": {**TRAINING, "epochs": epochs}}),
        )
        for epochs in (1, 3)
    )

    assert torch.equal(few.images, many.images)


@pytest.mark.parametrize("clock", ["shared", "per_class", "joint"])
@pytest.mark.parametrize("cuts", [(0, 1, 3), (0, 1, 2, 3)], ids=["one and two", "each alone"])
def test_with_one_step_shards_are_bit_equal_to_the_whole(
    bench: Any, clock: str, cuts: tuple[int, ...]
) -> None:
    settings = {**DC, **AUGMENTED, **FROZEN, "inner_steps": 1, "stop": 4, "precision": "float32"}
    settings["update"] = {"learning_rate": 0.1, "clock": clock}
    whole = bench.run("whole", bench.work(**settings))
    shards = [
        bench.run(f"{a}", bench.work(**settings, classes={"start": a, "stop": b, "of": 3}))
        for a, b in pairwise(cuts)
    ]

    assert torch.equal(torch.cat([shard.images for shard in shards]), whole.images)
    assert torch.equal(torch.cat([shard.velocity for shard in shards]), whole.velocity)


def test_with_more_steps_a_shard_is_refused(bench: Any) -> None:
    work = bench.work(**DC, classes={"start": 0, "stop": 2, "of": 3})

    with pytest.raises(BadJob, match="the whole synthetic set have no shards"):
        bench.run("a", work)


@pytest.mark.parametrize("changes", [AUGMENTED, {**AUGMENTED, **FROZEN}], ids=["DSA", "frozen"])
@pytest.mark.parametrize("stop_at", [1, 2])
def test_a_killed_run_goes_on_bit_equal(bench: Any, changes: dict[str, Any], stop_at: int) -> None:
    fast = {"inner_steps": 2, "stop": 3, "precision": "float32"}
    work = bench.work(**{**DC, **changes, **fast})
    whole = bench.run("whole", work)
    with pytest.raises(StopRequested):
        bench.run("torn", work, stop_at=stop_at)
    resumed = bench.run("torn", work)

    assert torch.equal(resumed.images, whole.images)
    assert torch.equal(resumed.velocity, whole.velocity)
    assert resumed.losses == whole.losses


def test_segments_end_as_one_run(bench: Any) -> None:
    settings = {**DC, **AUGMENTED, "inner_steps": 2, "precision": "float32"}
    whole = bench.run("whole", bench.work(**settings, stop=3))
    head = bench.run("head", bench.work(**settings, stop=1))
    tail = bench.run("tail", bench.work(**settings, start=1, stop=3), previous=head.folder)

    assert torch.equal(tail.images, whole.images)
    assert head.losses + tail.losses == whole.losses
