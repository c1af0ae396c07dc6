"""The network that was best on held-out images, against one that is kept at every step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ddspec.spec.augmentation import DsaSpec
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.network import ConvNetSpec
from ddspec.spec.optimizer import SgdSpec
from ddspec_runners.augment.make import make_policy
from ddspec_runners.data.prepared import DatasetCard, PreparedSplit
from ddspec_runners.evaluation.ensemble import train_together
from ddspec_runners.evaluation.examples import Resident
from ddspec_runners.evaluation.measure import measure
from ddspec_runners.evaluation.train import Trained, Training, Watch
from ddspec_runners.nets.make import make_network
from ddspec_runners.rng import generator
from ddspec_runners.site import Site, StopRequested

CLASSES, SIZE, STEPS = 3, 8, 11
# A large rate, so that accuracy goes up and down.
PROTOCOL = ProtocolSpec(
    name="wild",
    steps=STEPS,
    batch=4,
    optimizer=SgdSpec(learning_rate=0.5),
    augmentation=DsaSpec(kind="dsa"),
    cutmix=0.5,
)


def held_out() -> PreparedSplit:
    rng = np.random.Generator(np.random.PCG64(1))
    counts = (7, 8, 9)
    levels = np.repeat(np.array([90, 120, 150]), counts).reshape(-1, 1, 1, 1)
    images = (levels + rng.integers(-80, 81, (sum(counts), 1, SIZE, SIZE))).astype(np.uint8)
    card = DatasetCard(
        name="shades",
        split="validation",
        content="0" * 64,
        classes=("a", "b", "c"),
        counts=counts,
        size=SIZE,
        channels=1,
        mean=(0.5,),
        std=(0.25,),
        test_split="made up",
    )
    return PreparedSplit(card, images, torch.arange(3).repeat_interleave(torch.tensor(counts)))


def training(times: int, norm: str = "batch") -> Training:
    labels = torch.arange(10) % CLASSES
    noise = torch.randn(10, 1, SIZE, SIZE, generator=generator("set"), dtype=torch.float64)
    spec = ConvNetSpec(kind="convnet", depth=2, width=4, norm=norm)
    return Training(
        network=make_network(spec, channels=1, size=SIZE, classes=CLASSES),
        examples=Resident(noise + labels.view(-1, 1, 1, 1) - 1, labels),
        protocol=PROTOCOL,
        policy=make_policy(PROTOCOL.augmentation),
        seed=(7, "evaluate"),
        dtype=torch.float64,
        watch=Watch(held_out(), times),
    )


def site(tmp_path: Path, name: str) -> Site:
    scratch = tmp_path / name
    scratch.mkdir(exist_ok=True)
    return Site(key="0" * 64, inputs={}, output=scratch, scratch=scratch)


def after(tmp_path: Path, steps: int, of: Training) -> Trained:
    """The network after some steps at the rates of the whole training, which never change here."""
    protocol = of.protocol.model_copy(update={"steps": steps, "decay": None})
    return replace(of, protocol=protocol, watch=None).run(site(tmp_path, f"after-{steps}"))


@pytest.mark.parametrize(
    ("times", "looks"),
    [(1, [11]), (4, [2, 5, 8, 11]), (11, list(range(1, 12))), (30, list(range(1, 12)))],
)
def test_looks_are_evenly_spaced_and_the_last_is_after_the_last_step(
    times: int, looks: list[int]
) -> None:
    watch = Watch(held_out(), times)

    assert [done for done in range(1, STEPS + 1) if watch.due(done, STEPS)] == looks


@pytest.mark.parametrize("times", [1, 4, 11])
def test_the_first_of_the_best_looks_is_kept(tmp_path: Path, times: int) -> None:
    protocol = PROTOCOL.model_copy(update={"decay": None})
    task = replace(training(times), protocol=protocol)

    found = task.run(site(tmp_path, "whole")).best

    looks = sorted({STEPS * i // times for i in range(1, times + 1)})
    networks = {step: after(tmp_path, step, task) for step in looks}
    scores = {
        step: measure(task.network, one.params, one.buffers, held_out()).accuracy
        for step, one in networks.items()
    }
    best = max(looks, key=lambda step: (scores[step], -step))
    assert found is not None
    assert (found.step, found.accuracy) == (best, scores[best])
    assert all(found.params[name].equal(p) for name, p in networks[best].params.items())
    assert all(found.buffers[name].equal(p) for name, p in networks[best].buffers.items())
    assert len(set(scores.values())) > 1 or times == 1


def test_looking_changes_nothing_about_the_last_network(tmp_path: Path) -> None:
    task = training(4)

    looked = task.run(site(tmp_path, "looked"))
    blind = replace(task, watch=None).run(site(tmp_path, "blind"))

    assert blind.best is None
    assert all(looked.params[name].equal(p) for name, p in blind.params.items())


@pytest.mark.parametrize("stop_at", [1, 3, 6, 10])
@pytest.mark.parametrize("together", [False, True], ids=["single", "ensemble"])
def test_the_best_network_survives_a_stop(tmp_path: Path, stop_at: int, together: bool) -> None:
    task = training(4)

    def trained(at: Site) -> Trained:
        return train_together([task], [at])[0] if together else task.run(at)

    whole = trained(site(tmp_path, "whole")).best
    stopped = site(tmp_path, "stopped")
    looks = iter([False] * (stop_at - 1) + [True] * STEPS)
    stopped.stopping = lambda: next(looks)
    with pytest.raises(StopRequested):
        trained(stopped)

    again = trained(site(tmp_path, "stopped")).best

    assert whole is not None
    assert again is not None
    assert (again.step, again.accuracy) == (whole.step, whole.accuracy)
    assert all(again.params[name].equal(p) for name, p in whole.params.items())
    assert all(again.buffers[name].equal(p) for name, p in whole.buffers.items())
