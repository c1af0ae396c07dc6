"""Whatever pieces compile together also run together, and in shards where the planner allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from composed import BATCH_NORM, POOLS, UPDATES, Pieces, everything, experiment, refused
from safetensors.torch import load_file
from torch import Tensor

from ddspec.plan.data import data_facts
from ddspec.plan.sharding import why_not
from ddspec.plan.works import distill_work
from ddspec.spec.network import ConvNetSpec
from ddspec.wire.work import ClassRange, DistillWork
from ddspec_runners.artifacts import write_tensors
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.distillation.assemble import first_images
from ddspec_runners.nets.make import make_network
from ddspec_runners.pools.recorded import CUT, files_of
from ddspec_runners.rng import generator
from ddspec_runners.site import StopRequested

CHANNELS, SIZE, CLASSES = 3, 8, 3
SAME = {"random": "early", "checkpoints": "early"}
"""Pools whose networks distillation is handed in the same way."""


def different() -> list[Pieces]:
    """Return what distillation can tell apart, with the updates taking turns."""
    kept: dict[tuple[str, ...], list[Pieces]] = {}
    for pieces in everything():
        if not refused(pieces) and pieces.labels != "soft":
            pool = SAME.get(pieces.pool, pieces.pool)
            kept.setdefault((pool, *pieces[1:5]), []).append(pieces)
    turns: Counter[str] = Counter()
    run = []
    for forms in kept.values():
        run.append(forms[turns[forms[0].matcher] % len(forms)])
        turns[forms[0].matcher] += 1
    seen = {(pieces.matcher, pieces.update) for pieces in run}
    rest = {(one.matcher, one.update): one for forms in kept.values() for one in forms}
    return run + [pieces for pair, pieces in rest.items() if pair not in seen]


def name_of(pieces: Pieces) -> str:
    return "; ".join(pieces)


def work_of(pieces: Pieces, **changes: Any) -> DistillWork:
    asked = experiment(pieces)
    work = distill_work(asked, data_facts(asked.dataset), 0, 2)
    return work.model_copy(update={"precision": "float64", **changes})


def write_pool(root: Path, work: DistillWork, pool: str) -> dict[str, Path]:
    """Write networks as the stages of a pool do; those of an expert move from epoch to epoch."""
    network = make_network(
        ConvNetSpec.model_validate(BATCH_NORM), channels=CHANNELS, size=SIZE, classes=CLASSES
    )
    folders = {}
    for run in range(2 if work.networks is None else 0):
        folder = folders[f"pool/{run}"] = root / f"{pool}-{run}"
        folder.mkdir(exist_ok=True)
        for number, name in enumerate(files_of(work.record)):
            tensors = {**network.init(generator("pool", run, number)), **network.buffers()}
            if pool == "pruned":
                write_tensors(folder / name, cut(tensors, 3 - run), CUT)
            else:
                write_tensors(folder / name, tensors)
    return folders


def cut(tensors: dict[str, Tensor], left: int) -> dict[str, Tensor]:
    """Return a network that has `left` channels in its last block."""
    block = {name: t[:left] for name, t in tensors.items() if name.startswith("block1.")}
    weight = tensors["classifier.weight"][:, : left * (SIZE // 4) ** 2]
    return {**tensors, **block, "classifier.weight": weight}


def run(
    bench: Any,
    pieces: Pieces,
    name: str,
    stopping: Callable[[], bool] = lambda: False,
    **changes: Any,
) -> dict[str, Tensor]:
    work = work_of(pieces, **changes)
    site = bench.site(name)
    site.stopping = stopping
    site.inputs = {"train": bench.inputs["train"], **write_pool(bench.root, work, pieces.pool)}
    outcome = bench.run_at(site, work)
    assert all(torch.tensor(outcome.losses).isfinite())
    return load_file(outcome.folder / "synthetic.safetensors")


def test_every_pool_and_update_is_among_what_is_run() -> None:
    run = different()

    assert {SAME.get(pieces.pool, pieces.pool) for pieces in run} == {*POOLS} - {*SAME}
    assert {(pieces.matcher, pieces.update) for pieces in run} == {
        (pieces.matcher, pieces.update) for pieces in everything() if not refused(pieces)
    }
    assert {pieces.update for pieces in run} == {*UPDATES}


@pytest.mark.parametrize("pieces", different(), ids=name_of)
def test_what_compiles_runs(bench: Any, pieces: Pieces) -> None:
    made = run(bench, pieces, "run")

    assert made["images"].shape == (CLASSES, 2, CHANNELS, SIZE, SIZE)
    assert made["images"].isfinite().all()
    assert ("soft_labels" in made) == (pieces.labels in ("learned", "expert"))
    assert not torch.equal(made["images"], before_learning(bench, pieces))


def before_learning(bench: Any, pieces: Pieces) -> Tensor:
    work = work_of(pieces)
    split = PreparedSplit.open(bench.inputs["train"])
    return first_images(work, bench.site("before"), split, range(CLASSES))


ALL_IN_ONE = "adam, per class, all"
SHAPES: dict[str, dict[str, Any]] = {
    "formation of pixels": {"kind": "multi_formation", "factor": 2},
    "formation, normalised": {"kind": "multi_formation", "factor": 2, "space": "normalised"},
    "whitened": {"kind": "pixels", "space": "zca", "zca_eps": 0.1},
}


def one_a_matcher() -> list[Pieces]:
    """Return for each matcher pieces that carry on as much as they can."""
    last = {
        pieces.matcher: pieces
        for pieces in everything()
        if not refused(pieces) and pieces.labels != "soft" and pieces.update == ALL_IN_ONE
    }
    return list(last.values())


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("pieces", one_a_matcher(), ids=name_of)
def test_every_matcher_learns_in_every_shape_and_space(
    bench: Any, pieces: Pieces, shape: dict[str, Any]
) -> None:
    update = UPDATES[ALL_IN_ONE] | {"clamp": "none"}
    work = work_of(pieces)
    asked = {**work.model_dump(), "parameterization": shape, "update": update}
    site = bench.site("shaped")
    site.inputs = {"train": bench.inputs["train"], **write_pool(bench.root, work, pieces.pool)}
    outcome = bench.run_at(site, DistillWork.model_validate(asked))

    assert outcome.images.isfinite().all()
    assert len(outcome.losses) == 2


@pytest.mark.parametrize("pieces", one_a_matcher(), ids=name_of)
def test_every_matcher_goes_on_where_it_was_stopped(bench: Any, pieces: Pieces) -> None:
    whole = run(bench, pieces, "whole")
    with pytest.raises(StopRequested):
        run(bench, pieces, "torn", stopping=lambda: True)

    resumed = run(bench, pieces, "torn")

    assert all(tensor.equal(whole[name]) for name, tensor in resumed.items())


def sharded() -> Iterator[Pieces]:
    """Yield what has exact shards, in few forms: every pool and update with every matcher."""
    seen: set[tuple[str, str]] = set()
    for pieces in different():
        asked = experiment(pieces)
        new = {(pieces.matcher, pieces.pool), (pieces.matcher, pieces.update)} - seen
        if new and not why_not(asked, CLASSES)[0]:
            seen |= new
            yield pieces


@pytest.mark.parametrize("pieces", list(sharded()), ids=name_of)
def test_what_may_be_sharded_is_so_bit_for_bit(bench: Any, pieces: Pieces) -> None:
    fast = {"precision": "float32"}
    whole = run(bench, pieces, "whole", **fast)
    parts = [
        run(bench, pieces, f"from-{a}", classes=ClassRange(start=a, stop=b, of=CLASSES), **fast)
        for a, b in [(0, 1), (1, CLASSES)]
    ]

    assert torch.equal(torch.cat([part["images"] for part in parts]), whole["images"])
