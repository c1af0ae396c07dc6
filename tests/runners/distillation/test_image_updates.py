"""Adam, rates that decay and averages in whole runs: exact in shards, segments and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from ddspec_runners.faults import BadJob
from ddspec_runners.site import StopRequested

FAST: dict[str, Any] = {"precision": "float32", "inner_steps": 2}
COSINE = {"kind": "cosine"}
UPDATES: dict[str, dict[str, Any]] = {
    "adam": {"update": {"kind": "adam", "learning_rate": 0.02}},
    "adam that decays": {
        "update": {"kind": "adam", "learning_rate": 0.02, "clock": "per_class", "decay": COSINE},
        "loops": 4,
    },
    "decay": {
        "update": {"learning_rate": 0.05, "decay": {"factor": 0.1, "at": [0.5]}},
        "loops": 4,
    },
    "average": {"update": {"learning_rate": 0.05, "averaging": 0.9}},
    "all": {
        "update": {
            "kind": "adam",
            "learning_rate": 0.02,
            "decay": COSINE,
            "averaging": 0.5,
            "clamp": "every_step",
        },
        "loops": 4,
    },
}
cases = pytest.mark.parametrize("update", UPDATES.values(), ids=UPDATES)


def state(outcome: Any) -> dict[str, Tensor]:
    return load_file(outcome.folder / "state.safetensors")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@cases
def test_class_shards_are_bit_equal_to_the_whole(bench: Any, update: dict[str, Any]) -> None:
    whole = bench.run("whole", bench.work(**FAST, **update))
    parts = [
        bench.run(
            f"from-{start}",
            bench.work(**FAST, **update, classes={"start": start, "stop": stop, "of": 3}),
        )
        for start, stop in [(0, 1), (1, 3)]
    ]

    assert torch.equal(torch.cat([part.images for part in parts]), whole.images)
    for name, tensor in state(whole).items():
        assert torch.equal(torch.cat([state(part)[name] for part in parts]), tensor), name


@cases
@pytest.mark.parametrize("loops_before_kill", [1, 2, 3])
def test_a_killed_run_ends_with_the_same_bytes(
    bench: Any, update: dict[str, Any], loops_before_kill: int
) -> None:
    work = bench.work(**FAST, **update, stop=4)
    whole = bench.run("whole", work)
    with pytest.raises(StopRequested):
        bench.run("torn", work, stop_at=loops_before_kill)

    resumed = bench.run("torn", work)

    assert contents(resumed.folder) == contents(whole.folder)
    assert resumed.metrics == whole.metrics


@cases
def test_a_chain_of_segments_equals_one_run(bench: Any, update: dict[str, Any]) -> None:
    whole = bench.run("whole", bench.work(**FAST, **update, stop=4))
    first = bench.run("first", bench.work(**FAST, **update, stop=3))

    second = bench.run(
        "second", bench.work(**FAST, **update, start=3, stop=4), previous=first.folder
    )

    assert torch.equal(second.images, whole.images)
    assert all(tensor.equal(state(whole)[name]) for name, tensor in state(second).items())


def test_the_set_is_the_average_of_the_images_after_each_outer_loop(bench: Any) -> None:
    plain = {"learning_rate": 0.05}
    after = [bench.run(f"{n}", bench.work(update=plain, stop=n)).images for n in (1, 2, 3)]
    still = bench.run("still", bench.work(update={"learning_rate": 1e-300}, stop=1)).images

    averaged = bench.run("ema", bench.work(update={**plain, "averaging": 0.75}, stop=3))

    expected = still
    for images in after:
        expected = 0.75 * expected + 0.25 * images
    # three sums of two products in float64, of values below 2
    assert torch.allclose(averaged.images, expected, rtol=0, atol=1e-15)
    assert torch.equal(state(averaged)["images"], after[-1])


def test_adam_moves_whole_runs_as_a_plain_loop_over_their_gradients(bench: Any) -> None:
    one = {"stop": 1, "inner_steps": 1, "inner": {"kind": "frozen"}}
    rate = 1e-3
    before = bench.run("before", bench.work(**one, update={"learning_rate": 1e-300})).images
    once = bench.run("sgd", bench.work(**one, update={"learning_rate": 1.0, "clock": "joint"}))
    gradient = before - once.images

    moved = bench.run("adam", bench.work(**one, update={"kind": "adam", "learning_rate": rate}))

    expected = before - rate * gradient / (gradient.abs() + 1e-8)
    # the gradient is a difference of values near 1, so 1e-16 off, over 1e-8 where it is smallest
    assert torch.allclose(moved.images, expected, rtol=0, atol=rate * 1e-7)
    assert not torch.equal(moved.images, before)


def test_a_rate_that_decays_needs_to_know_where_it_ends(bench: Any) -> None:
    update = {"learning_rate": 0.05, "decay": COSINE}

    with pytest.raises(BadJob, match="needs the number of all outer loops"):
        bench.run("a", bench.work(update=update))
    with pytest.raises(BadJob, match="needs the number of all outer loops"):
        bench.run("b", bench.work(update=update, loops=1))


def test_a_state_without_its_average_is_no_state_to_go_on_from(bench: Any) -> None:
    first = bench.run("first", bench.work(**FAST, stop=1))
    update = {"learning_rate": 0.05, "averaging": 0.5}

    with pytest.raises(BadJob, match=r"`average` in .* is not \(3, 2, 3, 8, 8\) at precision"):
        bench.run("next", bench.work(**FAST, update=update, start=1), previous=first.folder)
