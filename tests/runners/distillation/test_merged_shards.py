from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from ddspec.wire.work import ClassRange, MergeWork
from ddspec_runners.faults import BadData
from ddspec_runners.site import Site
from ddspec_runners.tasks import merge

CLAMPED = {"learning_rate": 0.05, "clamp": "outer_loop"}
QUEUE = {"kind": "online", "start": 1, "every": 1, "most": 2, "trained": 1, "steps": 1, "batch": 5}
CHANGES: dict[str, dict[str, Any]] = {
    "shared clock": {"update": {**CLAMPED, "clock": "shared"}},
    "clock per class": {"update": {**CLAMPED, "clock": "per_class"}},
    "joint clock": {"update": {**CLAMPED, "clock": "joint"}},
    "adam and average": {"update": {"kind": "adam", "learning_rate": 0.01, "averaging": 0.5}},
    "queue": {"networks": QUEUE},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_merged_shards_are_the_files_of_an_unsharded_distillation(
    bench: Any, tmp_path: Path, changes: dict[str, Any]
) -> None:
    changes = {**changes, "precision": "float32"}
    whole = bench.run("whole", bench.work(**changes))
    shards = [
        bench.run(f"shard{i}", bench.work(classes=ClassRange(start=a, stop=b, of=3), **changes))
        for i, (a, b) in enumerate([(0, 1), (1, 3)])
    ]
    output = tmp_path / "merged"
    output.mkdir()
    inputs = {f"shard/{i}": shard.folder for i, shard in enumerate(shards)}

    metrics = merge.run(
        MergeWork(shards=2), Site(key="0" * 64, inputs=inputs, output=output, scratch=output)
    )

    names = {path.name for path in whole.folder.iterdir()}
    assert {path.name for path in output.iterdir()} == names
    for name in names - {"metrics.jsonl"}:
        assert (output / name).read_bytes() == (whole.folder / name).read_bytes(), name
    assert set(metrics) == set(whole.metrics)
    # a mean of means: a few roundings of float32 losses apart
    assert metrics["loss"] == pytest.approx(whole.metrics["loss"], rel=1e-5)


def test_shards_that_kept_different_queues_do_not_join(bench: Any, tmp_path: Path) -> None:
    changes = {"networks": QUEUE, "precision": "float32"}
    shards = [
        bench.run(f"shard{i}", bench.work(classes=ClassRange(start=a, stop=b, of=3), **changes))
        for i, (a, b) in enumerate([(0, 1), (1, 3)])
    ]
    path = shards[1].folder / "state.safetensors"
    tensors = load_file(path)
    tensors["queue/1/parameters/block0.conv.bias"] += 1
    save_file(tensors, path)
    output = tmp_path / "merged"
    output.mkdir()
    inputs = {f"shard/{i}": shard.folder for i, shard in enumerate(shards)}

    with pytest.raises(BadData, match=r"`queue/1/parameters/block0.conv.bias` of shard 1 is not"):
        merge.run(
            MergeWork(shards=2), Site(key="0" * 64, inputs=inputs, output=output, scratch=output)
        )
