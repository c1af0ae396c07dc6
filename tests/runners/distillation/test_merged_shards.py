from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ddspec.wire.work import ClassRange, MergeWork
from ddspec_runners.site import Site
from ddspec_runners.tasks import merge


@pytest.mark.parametrize("clock", ["shared", "per_class"])
def test_merged_shards_are_the_files_of_an_unsharded_distillation(
    bench: Any, tmp_path: Path, clock: str
) -> None:
    update = {"learning_rate": 0.05, "clock": clock, "clamp": "outer_loop"}
    changes = {"update": update, "precision": "float32"}
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
