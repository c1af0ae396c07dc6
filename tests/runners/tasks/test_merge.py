from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ddspec.spec.method import PixelsSpec
from ddspec.wire.work import ClassRange, MergeWork
from ddspec_runners.artifacts import labels_of, read_tensors, write_synthetic_set, write_tensors
from ddspec_runners.card import Card, DatasetOfCard, Provenance
from ddspec_runners.faults import BadData, BadJob
from ddspec_runners.site import Site
from ddspec_runners.tasks import merge

WHOLE_KEY = "9" * 64


def publish(
    folder: Path, start: int, stop: int, key: str, *, loss: float = 1.0, n: int = 2, loops: int = 3
) -> None:
    """Write what a distillation of classes start..stop-1 of 5 publishes."""
    folder.mkdir()
    card = Card(
        parameterization=PixelsSpec(),
        mean=(0.25,),
        std=(0.5,),
        size=4,
        channels=1,
        classes=tuple("abcde"),
        covers=ClassRange(start=start, stop=stop, of=5),
        images_per_class=n,
        dataset=DatasetOfCard(name="letters", content="0" * 64, test_split="made up"),
        provenance=Provenance(key=key, kind="distill", seed=(0, "distill")),
    )
    images = torch.rand(5, n, 1, 4, 4, generator=torch.Generator().manual_seed(1))[start:stop]
    write_synthetic_set(folder, images, labels_of(card), card)
    write_tensors(folder / "state.safetensors", {"images": images, "velocity": images / 7})
    lines = [json.dumps({"outer_loop": i, "loss": loss + i}) for i in range(loops)]
    (folder / "metrics.jsonl").write_text("".join(f"{line}\n" for line in lines))


def joined(tmp_path: Path, shards: int = 2) -> Site:
    output = tmp_path / "output"
    output.mkdir()
    inputs = {f"shard/{i}": tmp_path / f"shard{i}" for i in range(shards)}
    site = Site(key=WHOLE_KEY, inputs=inputs, output=output, scratch=output)
    merge.run(MergeWork(shards=shards), site)
    return site


def test_shards_become_the_files_of_the_whole_byte_for_byte(tmp_path: Path) -> None:
    publish(tmp_path / "shard0", 0, 2, "1" * 64)
    publish(tmp_path / "shard1", 2, 5, "2" * 64)
    publish(tmp_path / "whole", 0, 5, WHOLE_KEY)

    output = joined(tmp_path).output

    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert sorted(path.name for path in output.iterdir()) == names
    for name in names:
        assert (output / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_losses_are_means_over_classes(tmp_path: Path) -> None:
    publish(tmp_path / "shard0", 0, 2, "1" * 64, loss=1.0)
    publish(tmp_path / "shard1", 2, 5, "2" * 64, loss=2.0)

    output = joined(tmp_path).output

    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert [line["outer_loop"] for line in lines] == [0, 1, 2]
    assert [line["loss"] for line in lines] == pytest.approx([1.6, 2.6, 3.6])


def _gap(tmp_path: Path) -> None:
    publish(tmp_path / "shard0", 0, 2, "1" * 64)
    publish(tmp_path / "shard1", 3, 5, "2" * 64)


def _overlap(tmp_path: Path) -> None:
    publish(tmp_path / "shard0", 0, 3, "1" * 64)
    publish(tmp_path / "shard1", 2, 5, "2" * 64)


def _swapped(tmp_path: Path) -> None:
    publish(tmp_path / "shard0", 2, 5, "1" * 64)
    publish(tmp_path / "shard1", 0, 2, "2" * 64)


def _other_budget(tmp_path: Path) -> None:
    publish(tmp_path / "shard0", 0, 2, "1" * 64)
    publish(tmp_path / "shard1", 2, 5, "2" * 64, n=3)


def _other_state(tmp_path: Path) -> None:
    publish(tmp_path / "shard0", 0, 2, "1" * 64)
    publish(tmp_path / "shard1", 2, 5, "2" * 64)
    tensors, _ = read_tensors(tmp_path / "shard1" / "state.safetensors")
    write_tensors(tmp_path / "shard1" / "state.safetensors", {"images": tensors["images"]})


def _short_state(tmp_path: Path) -> None:
    publish(tmp_path / "shard0", 0, 2, "1" * 64)
    publish(tmp_path / "shard1", 2, 5, "2" * 64)
    tensors, _ = read_tensors(tmp_path / "shard1" / "state.safetensors")
    short = {name: tensor[1:] for name, tensor in tensors.items()}
    write_tensors(tmp_path / "shard1" / "state.safetensors", short)


def _other_loops(tmp_path: Path) -> None:
    publish(tmp_path / "shard0", 0, 2, "1" * 64)
    publish(tmp_path / "shard1", 2, 5, "2" * 64, loops=2)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(_gap, "cover classes 0-1, 3-4 of 5", id="gap"),
        pytest.param(_overlap, "not each once", id="overlap"),
        pytest.param(_swapped, "not each once", id="order"),
        pytest.param(_other_budget, "their cards differ", id="budget"),
        pytest.param(_other_state, "not of the same kind", id="state"),
        pytest.param(_short_state, "other classes than its images", id="short-state"),
        pytest.param(_other_loops, "the same outer loops", id="loops"),
    ],
)
def test_shards_that_do_not_fit_are_refused(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(tmp_path)

    with pytest.raises(BadData, match=message):
        joined(tmp_path)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    publish(tmp_path / "shard0", 0, 2, "1" * 64)
    site = Site(
        key=WHOLE_KEY,
        inputs={"shard/0": tmp_path / "shard0"},
        output=tmp_path,
        scratch=tmp_path,
    )

    with pytest.raises(BadJob, match="shard/1"):
        merge.run(MergeWork(shards=2), site)
