"""Networks that are new in every outer loop."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ddspec.spec.network import ConvNetSpec
from ddspec_runners.distillation.assemble import assemble
from ddspec_runners.faults import BadJob
from ddspec_runners.nets.make import make_network
from ddspec_runners.rng import generator

FRESH = {"networks": {"kind": "fresh"}, "perturbation": {"kind": "none"}}


def test_each_outer_loop_starts_from_a_random_network_of_its_own(bench: Any) -> None:
    stream = assemble(bench.work(**FRESH), bench.site("a")).stream
    spec = ConvNetSpec(kind="convnet", depth=2, width=4)
    network = make_network(spec, channels=3, size=8, classes=3)

    first, second = (next(iter(stream.window(outer))).params for outer in (0, 1))

    drawn = network.init(generator(7, "distill", "fresh", 1))
    assert all(second[name].equal(value.double()) for name, value in drawn.items())
    assert not all(first[name].equal(second[name]) for name in first)


def test_segments_of_fresh_networks_end_as_one_run(bench: Any) -> None:
    whole = bench.run("whole", bench.work(**FRESH, stop=4))
    head = bench.run("head", bench.work(**FRESH, stop=2))

    tail = bench.run("tail", bench.work(**FRESH, start=2, stop=4), previous=head.folder)

    assert torch.equal(tail.images, whole.images)


def test_pool_members_are_not_needed(bench: Any) -> None:
    site = bench.site("alone")
    site.inputs = {"train": bench.inputs["train"]}

    assert bench.run_at(site, bench.work(**FRESH)).images.isfinite().all()


def test_a_joint_clock_moves_classes_as_their_own_clocks_do(bench: Any) -> None:
    own, joint = (
        bench.run(clock, bench.work(update={"learning_rate": 0.05, "clock": clock}))
        for clock in ("per_class", "joint")
    )

    assert torch.equal(own.images, joint.images)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"record": [0, 1]}, id="snapshots that were not recorded"),
        pytest.param(
            {"inner": {"kind": "unrolled", "steps": 1, "learning_rate": 0.1}}, id="a student"
        ),
    ],
)
def test_what_is_not_there_is_refused(bench: Any, changes: dict[str, object]) -> None:
    with pytest.raises(BadJob):
        bench.run("refused", bench.work(**changes))


def test_shards_of_fresh_networks_are_parts_of_the_whole(bench: Any) -> None:
    whole = bench.run("whole", bench.work(**FRESH))

    part = bench.run("part", bench.work(**FRESH, classes={"start": 1, "stop": 3, "of": 3}))

    assert torch.equal(part.images, whole.images[1:])
