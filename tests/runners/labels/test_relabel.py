"""A relabelling: what is stored, against teachers by hand, kills, and files of others."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import taught_sets as taught
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from ddspec_runners.artifacts import read_synthetic_set, write_tensors
from ddspec_runners.augment.make import make_policy
from ddspec_runners.evaluation.batches import mixed
from ddspec_runners.evaluation.examples import Resident
from ddspec_runners.evaluation.train import Training
from ddspec_runners.faults import BadData, BadJob, Diverged
from ddspec_runners.labels import recording as stored_form
from ddspec_runners.labels.recording import Recording
from ddspec_runners.nets.make import make_network
from ddspec_runners.pools.recorded import CUT
from ddspec_runners.rng import generator
from ddspec_runners.site import StopRequested
from ddspec_runners.tasks import relabel, table

HALF = 2.0**-11
"""Relative rounding of float16: half of a unit in the last of its 11 digits."""

MIXES = {
    "plain": {},
    "cutmix": {"cutmix": 1.0},
    "mixup": {"mixup": 0.8},
    "dsa": {"augmentation": {"kind": "dsa"}, "cutmix": 0.5},
}


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two whole batches of four images and three classes a part."""
    monkeypatch.setattr(relabel, "PART_BYTES", 2 * 2 * 4 * taught.CLASSES)


def record(folder: Path, name: str = "labels", **changes: Any) -> Recording:
    inputs = taught.inputs_of(folder) if not (folder / "set").exists() else inputs_at(folder)
    by = taught.protocol(**changes.pop("protocol", {}))
    at = taught.site(folder, name, inputs)
    relabel.run(taught.relabel_work(by, **changes), at)
    return Recording.open(at.output)


def inputs_at(folder: Path) -> dict[str, Path]:
    asked = {f"teacher/{index}": folder / f"teacher-{index}" for index in range(2)}
    return {"set": folder / "set", "test": folder / "test"} | asked


def opinion(file: Path, images: NDArray[np.float64], *, batch: bool) -> NDArray[np.float64]:
    """A ConvNet of one block in float64, pixel by pixel."""
    p = {name: value.double().numpy() for name, value in load_file(file).items()}
    kernel = next(v for v in p.values() if v.ndim == 4)
    weight = next(v for v in p.values() if v.ndim == 2)
    bias = {len(v): v for name, v in p.items() if name.endswith("bias") and "norm" not in name}
    n, _, side, _ = images.shape
    padded = np.pad(images[:, 0], ((0, 0), (1, 1), (1, 1)))
    hidden = np.zeros((n, len(kernel), side, side))
    for row in range(side):
        for column in range(side):
            window = padded[:, row : row + 3, column : column + 3]
            hidden[:, :, row, column] = np.einsum("nij,oij->no", window, kernel[:, 0])
    convolution = next(v for k, v in p.items() if k.endswith("bias") and len(v) == len(kernel))
    hidden += convolution[None, :, None, None]
    norm = {k.rpartition(".")[2]: v for k, v in p.items() if "norm" in k}
    mean, var = norm["running_mean"], norm["running_var"]
    if batch:
        mean, var = hidden.mean((0, 2, 3)), hidden.var((0, 2, 3))
    spread = np.sqrt(var + 1e-5)[None, :, None, None]
    hidden = (hidden - mean[None, :, None, None]) / spread
    hidden = hidden * norm["weight"][None, :, None, None] + norm["bias"][None, :, None, None]
    hidden = np.maximum(hidden, 0).reshape(n, -1, side // 2, 2, side // 2, 2).mean((3, 5))
    return hidden.reshape(n, -1) @ weight.T + bias[len(weight)]


@pytest.mark.parametrize("batch_norm", ["running", "batch"])
@pytest.mark.parametrize("average", ["logits", "probabilities"])
def test_what_is_stored_is_what_teachers_say_of_the_images_by_hand(
    tmp_path: Path, average: str, batch_norm: str
) -> None:
    who = taught.teachers(average=average, batch_norm=batch_norm)
    found = record(tmp_path, teachers=who, precision="float64")
    images = read_synthetic_set(tmp_path / "set").images.double().flatten(0, 1).numpy()

    for t in range(found.facts.steps):
        draw = found.draw(t)
        assert draw.logits is not None
        seen = (images[draw.indices.numpy()] - 0.5) / 0.25
        files = [tmp_path / f"teacher-{i}" / "network.safetensors" for i in range(2)]
        said = [opinion(file, seen, batch=batch_norm == "batch") for file in files]
        expected = (said[0] + said[1]) / 2
        if average == "probabilities":
            odds = [np.exp(one) / np.exp(one).sum(1, keepdims=True) for one in said]
            expected = np.log((odds[0] + odds[1]) / 2)
        # float16 rounds; logits are of the order of one, so the smallest step is far below 1e-6
        np.testing.assert_allclose(draw.logits.double().numpy(), expected, rtol=HALF, atol=1e-6)


@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
def test_views_are_drawn_as_a_training_of_the_same_seed_draws_them(
    tmp_path: Path, mix: dict[str, Any], small_parts: None
) -> None:
    found = record(tmp_path, protocol=mix)
    by = taught.protocol(**mix)
    training = Training(
        network=make_network(taught.STUDENT, channels=1, size=4, classes=3),
        examples=Resident(torch.zeros(9, 1, 4, 4), torch.zeros(9, dtype=torch.int64)),
        protocol=by,
        policy=make_policy(by.augmentation),
        seed=taught.SEED,
        dtype=torch.float32,
    )

    assert found.facts.steps == training.steps == 9
    assert found.facts.parts > 1
    x = torch.rand(9, 1, 4, 4, generator=generator("x"))
    for t in range(found.facts.steps):
        mine, theirs = found.draw(t), training.draw(t)
        assert mine.indices.equal(theirs.indices)
        assert set(mine.augmentation) == set(theirs.augmentation)
        for name, value in theirs.augmentation.items():
            assert mine.augmentation[name].equal(value)
        images, labels = x[mine.indices], torch.arange(len(mine.indices))
        one, other = (mixed(images, labels, draw.mix) for draw in (mine, theirs))
        assert one[0].equal(other[0])
        assert one[1].kept == other[1].kept


def test_a_batch_takes_what_is_left_of_an_epoch_and_rows_are_those_of_all_epochs(
    tmp_path: Path, small_parts: None
) -> None:
    found = record(tmp_path)

    sizes = [len(found.draw(t).indices) for t in range(9)]

    assert sizes == [4, 4, 1] * 3
    for epoch in range(3):
        seen = torch.cat([found.draw(t).indices for t in range(3 * epoch, 3 * epoch + 3)])
        assert sorted(seen.tolist()) == list(range(9))
    assert [found.facts.row(t) for t in (0, 1, 3, 8, 9)] == [0, 4, 9, 26, 27]


@pytest.mark.parametrize("stop_after", [1, 2, 3, 7])
def test_a_relabelling_that_is_killed_goes_on_to_the_same_bytes(
    tmp_path: Path, stop_after: int, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = record(tmp_path, "whole", protocol=MIXES["dsa"])
    by = taught.protocol(**MIXES["dsa"])
    seen: list[int] = []
    at = taught.site(tmp_path, "killed", inputs_at(tmp_path))
    at.emit = lambda done, *_: seen.append(done)
    at.stopping = lambda: len(seen) == stop_after

    with pytest.raises(StopRequested):
        relabel.run(taught.relabel_work(by), at)
    again = taught.site(tmp_path, "killed", inputs_at(tmp_path))
    again.emit = lambda done, *_: seen.append(done)
    relabel.run(taught.relabel_work(by), again)

    assert seen == list(range(1, 10))  # nothing was asked twice
    assert folder_bytes(at.output) == folder_bytes(whole.folder)


def test_a_checkpoint_whose_parts_are_gone_is_worth_nothing(
    tmp_path: Path, small_parts: None
) -> None:
    whole = record(tmp_path, "whole")
    seen: list[int] = []
    at = taught.site(tmp_path, "killed", inputs_at(tmp_path))
    at.emit = lambda done, *_: seen.append(done)
    at.stopping = lambda: len(seen) == 5
    with pytest.raises(StopRequested):
        relabel.run(taught.relabel_work(taught.protocol()), at)
    (at.scratch / "part-0.safetensors").unlink()

    again = taught.site(tmp_path, "killed", inputs_at(tmp_path))
    relabel.run(taught.relabel_work(taught.protocol()), again)

    assert folder_bytes(again.output) == folder_bytes(whole.folder)


def test_a_relabelling_that_died_before_its_last_file_is_finished(
    tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relabel, "CHECKPOINT_S", 0.0)  # so that parts are those of before
    whole = record(tmp_path, "whole")
    with monkeypatch.context() as disk:
        disk.setattr(relabel, "write_json", full)
        with pytest.raises(OSError, match="No space left"):
            record(tmp_path, "torn")

    again = record(tmp_path, "torn")

    assert folder_bytes(again.folder) == folder_bytes(whole.folder)


def full(path: Path, _: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", str(path))


def folder_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_file_system_without_links_gets_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    linked = record(tmp_path, "linked")
    monkeypatch.setattr("os.link", refuse)
    copied = record(tmp_path, "copied")

    assert folder_bytes(copied.folder) == folder_bytes(linked.folder)


def test_snapshots_of_a_run_are_teachers_of_their_own(tmp_path: Path) -> None:
    inputs = taught.inputs_of(tmp_path, teachers=0)
    taught.write_teacher(tmp_path / "run", 0, ("epoch-1", "epoch-4"))
    at = taught.site(tmp_path, "labels", inputs | {"teacher/0": tmp_path / "run"})

    found = relabel.run(
        taught.relabel_work(taught.protocol(), teachers=taught.teachers(record=(1, 4))), at
    )

    assert found == {"views": 27, "batches": 9, "teachers": 2}


def test_what_float16_cannot_hold_is_no_label(tmp_path: Path) -> None:
    inputs = taught.inputs_of(tmp_path, teachers=1)
    file = tmp_path / "teacher-0" / "network.safetensors"
    save_file({name: value * 300 for name, value in load_file(file).items()}, file)
    at = taught.site(tmp_path, "labels", inputs)

    with pytest.raises(Diverged, match="not finite in float16"):
        relabel.run(taught.relabel_work(taught.protocol()), at)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"epochs": None}, "epochs, or of steps", id="no-length"),
        pytest.param({"steps": 2}, "epochs, or of steps", id="two-lengths"),
    ],
)
def test_a_relabelling_has_one_length(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    at = taught.site(tmp_path, "labels", taught.inputs_of(tmp_path))

    with pytest.raises(BadJob, match=message):
        relabel.run(taught.relabel_work(taught.protocol(), **change), at)


def test_a_job_without_teachers_is_refused(tmp_path: Path) -> None:
    at = taught.site(tmp_path, "labels", taught.inputs_of(tmp_path, teachers=0))

    with pytest.raises(BadJob, match="teacher/0"):
        relabel.run(taught.relabel_work(taught.protocol()), at)


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-9])


def changed(change: Callable[[dict[str, Tensor]], Mapping[str, Tensor]]) -> Callable[[Path], None]:
    return lambda file: save_file(dict(change(load_file(file))), file)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(truncated, "cannot be read as safetensors", id="truncated"),
        pytest.param(lambda f: f.write_bytes(b"{}"), "cannot be read", id="foreign"),
        pytest.param(
            changed(lambda t: t | {"logits": t["logits"] / 0}), "NaN or infinite", id="nan"
        ),
        pytest.param(
            changed(lambda t: t | {"logits": t["logits"][1:].clone()}), "`logits` is", id="short"
        ),
        pytest.param(
            changed(lambda t: t | {"logits": t["logits"].float()}), "float32", id="other-type"
        ),
        pytest.param(
            changed(lambda t: t | {"indices": t["indices"] + 1}), "outside of 0..8", id="indices"
        ),
        pytest.param(
            changed(lambda t: t | {"indices": t["indices"] - 1}), "outside of 0..8", id="negative"
        ),
        pytest.param(
            changed(lambda t: t | {"partner": t["partner"] * 0 + 3}),
            "points outside of the batch",
            id="partner",
        ),
        pytest.param(changed(lambda t: t | {"box": t["box"] + 4}), "`box` holds", id="box"),
        pytest.param(changed(lambda t: t | {"kept": t["kept"] + 1}), "`kept` holds", id="share"),
        pytest.param(
            changed(lambda t: {k: v for k, v in t.items() if k != "kept"}), "instead of", id="lost"
        ),
        pytest.param(
            changed(lambda t: t | {"augment/x": torch.zeros(2)}), "holds augment/x,", id="draws"
        ),
        pytest.param(changed(dict), "of another relabelling", id="of-nobody"),
    ],
)
def test_a_part_that_is_not_what_was_recorded_is_named(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    found = record(tmp_path, protocol=MIXES["cutmix"])
    spoil(found.folder / "part-0.safetensors")

    with pytest.raises(BadData, match=message) as caught:
        Recording.open(found.folder).draw(0)

    assert "part-0.safetensors" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda t: t.pop("augment/angle"), "instead of", id="lost"),
        pytest.param(
            lambda t: t.update({"augment/crop": t["augment/crop"][:, :1].clone()}),
            r"`augment/crop` is torch.float32 \(36, 1\), not \(36, 2\)",
            id="other-shape",
        ),
        pytest.param(
            lambda t: t.update({"augment/flip": t["augment/flip"].int()}), "int32", id="other-type"
        ),
    ],
)
def test_draws_of_another_augmentation_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], None], message: str
) -> None:
    found = record(tmp_path, protocol={"augmentation": {"kind": "dsa"}, "batch": 9, "epochs": 4})
    tensors = load_file(found.folder / "part-0.safetensors")
    change(tensors)
    save_file(tensors, found.folder / "part-0.safetensors")

    with pytest.raises(BadData, match=message):
        Recording.open(found.folder).draw(0)


@pytest.mark.parametrize("place", ["of another relabelling", "of this one"])
def test_a_part_of_the_same_form_in_a_wrong_place_is_refused(
    tmp_path: Path, small_parts: None, place: str
) -> None:
    steps = {"batch": 9, "epochs": 4}
    found, other = record(tmp_path, protocol=steps), record(tmp_path, "other", protocol=steps)
    facts = other.facts.model_copy(update={"key": "3" * 64})
    draws = [other.draw(0)]
    stored_form.write_part(other.folder, facts, 1, draws, other.logits(0))
    source = (
        other.folder / "part-1" if place == "of another relabelling" else found.folder / "part-0"
    )
    part = found.folder / "part-1.safetensors"
    part.write_bytes(source.with_name(source.name + ".safetensors").read_bytes())

    with pytest.raises(BadData, match="of another relabelling, or another part of this one"):
        Recording.open(found.folder).draw(1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(None, "labels.json is missing", id="missing"),
        pytest.param("nonsense", "no relabelling that this version reads", id="foreign"),
        pytest.param('{"format": "ddspec.labels/2"}', "no relabelling that", id="later"),
    ],
)
def test_a_relabelling_that_does_not_say_what_it_is_is_refused(
    tmp_path: Path, text: str | None, message: str
) -> None:
    found = record(tmp_path)
    path = found.folder / "labels.json"
    path.unlink() if text is None else path.write_text(text)

    with pytest.raises(BadData, match=message):
        Recording.open(found.folder)


def test_a_relabelling_that_lacks_a_part_is_refused(tmp_path: Path, small_parts: None) -> None:
    found = record(tmp_path)
    (found.folder / "part-1.safetensors").unlink()

    with pytest.raises(BadData, match=r"lacks part-1\.safetensors"):
        Recording.open(found.folder)


def test_facts_are_written_for_others_to_read(tmp_path: Path) -> None:
    found = record(tmp_path)

    said = json.loads((found.folder / "labels.json").read_text())

    assert said["format"] == "ddspec.labels/1"
    assert (said["images"], said["batch"], said["steps"]) == (9, 4, 9)
    assert said["set"] == taught.MADE


def test_the_task_is_in_the_table() -> None:
    assert table.TASKS["relabel"] is relabel.run
    assert stored_form.PART_BYTES == 32 * 2**20


@pytest.mark.gpu
def test_a_device_says_what_the_cpu_says(tmp_path: Path) -> None:
    on_cpu = record(tmp_path, "cpu", protocol=MIXES["dsa"])
    at = taught.site(tmp_path, "cuda", inputs_at(tmp_path))
    at.device = torch.device("cuda")
    relabel.run(taught.relabel_work(taught.protocol(**MIXES["dsa"])), at)
    on_gpu = Recording.open(at.output)

    for t in range(on_cpu.facts.steps):
        mine, theirs = on_cpu.draw(t).logits, on_gpu.draw(t).logits
        assert mine is not None
        assert theirs is not None
        # float32 sums of 36 products differ by some 1e-6, and float16 rounds once more
        assert torch.allclose(mine.float(), theirs.float(), rtol=2 * HALF, atol=1e-3)


def test_a_teacher_that_was_cut_down_says_what_is_left_of_it(tmp_path: Path) -> None:
    inputs = taught.inputs_of(tmp_path)
    file = tmp_path / "teacher-1" / "network.safetensors"
    whole = load_file(file)
    cut = {name: value[:2] if value.shape[:1] == (4,) else value for name, value in whole.items()}
    cut = {name: value[:, :8] if value.shape == (3, 16) else value for name, value in cut.items()}
    write_tensors(file, cut, CUT)
    at = taught.site(tmp_path, "labels", inputs)

    relabel.run(taught.relabel_work(taught.protocol(), precision="float64"), at)

    draw = Recording.open(at.output).draw(0)
    assert draw.logits is not None
    images = read_synthetic_set(tmp_path / "set").images.double().flatten(0, 1).numpy()
    seen = (images[draw.indices.numpy()] - 0.5) / 0.25
    files = [tmp_path / f"teacher-{i}" / "network.safetensors" for i in range(2)]
    expected = sum(opinion(file, seen, batch=False) for file in files) / 2
    np.testing.assert_allclose(draw.logits.double().numpy(), expected, rtol=HALF, atol=1e-6)
