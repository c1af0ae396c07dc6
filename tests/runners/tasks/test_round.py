"""Rounding a set, against numpy by the definition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ddspec.spec.method import MultiFormationSpec, ParameterizationSpec, PixelsSpec
from ddspec.wire.work import ClassRange, RoundWork
from ddspec_runners.artifacts import (
    SyntheticSet,
    labels_of,
    read_synthetic_set,
    read_tensors,
    write_synthetic_set,
)
from ddspec_runners.card import Card, DatasetOfCard, LabelKind, Provenance
from ddspec_runners.data.whitening import Whitening
from ddspec_runners.evaluation.examples import synthetic_examples
from ddspec_runners.faults import BadJob
from ddspec_runners.site import Site
from ddspec_runners.tasks.round import run

Floats = NDArray[np.float64]

CLASSES, SIZE, MEAN, STD = 3, 4, 0.3, 0.2
KEY = "7" * 64


def card_of(
    shape: ParameterizationSpec, n: int, channels: int = 1, labels: LabelKind = "hard"
) -> Card:
    return Card(
        parameterization=shape,
        mean=(MEAN,) * channels,
        std=(STD,) * channels,
        size=SIZE,
        channels=channels,
        classes=tuple("abc"),
        covers=ClassRange(start=0, stop=CLASSES, of=CLASSES),
        images_per_class=n,
        labels=labels,
        learned_lr=0.02 if labels == "learned" else None,
        dataset=DatasetOfCard(name="letters", content="0" * 64, test_split="made up"),
        provenance=Provenance(key="1" * 64, kind="distill", seed=(0, "distill")),
    )


def rounded(
    folder: Path,
    shape: ParameterizationSpec | None = None,
    *,
    n: int = 2,
    channels: int = 1,
    labels: LabelKind = "hard",
    dtype: torch.dtype = torch.float32,
    whitening: Whitening | None = None,
) -> tuple[SyntheticSet, SyntheticSet, Any]:
    """Write a set of noise and round it; return it, what became of it, and the figures."""
    card = card_of(shape or PixelsSpec(), n, channels, labels)
    rng = torch.Generator().manual_seed(3)
    images = (1.4 * torch.rand(card.shape, generator=rng, dtype=torch.float64) - 0.2).to(dtype)
    soft = None
    if card.soft_shape is not None:
        soft = torch.randn(card.soft_shape, generator=rng, dtype=dtype)
        soft = soft.softmax(-1) if labels == "expert" else soft
    for name in ("set", "out"):
        (folder / name).mkdir()
    write_synthetic_set(folder / "set", images, labels_of(card), card, whitening, soft)
    site = Site(KEY, inputs={"set": folder / "set"}, output=folder / "out", scratch=folder)
    figures = run(RoundWork(), site)
    return read_synthetic_set(folder / "set"), read_synthetic_set(folder / "out"), figures


def levels(pixels: Floats) -> Floats:
    """Return the multiples of 1/255 that are nearest, of two as near the even one."""
    values = np.minimum(np.maximum(pixels, 0.0), 1.0) * 255
    below = np.floor(values)
    up = (values - below > 0.5) | ((values - below == 0.5) & (below % 2 == 1))
    return np.asarray((below + up) / 255)


def enlarged(patch: Floats, size: int) -> Floats:
    """Return a square patch drawn bilinearly at another size, corners not aligned."""
    side = patch.shape[-1]
    found = np.empty((size, size))
    for y in range(size):
        for x in range(size):
            at = [max((i + 0.5) * side / size - 0.5, 0.0) for i in (y, x)]
            (top, left), low = (int(a) for a in at), [a - int(a) for a in at]
            down, right = min(top + 1, side - 1), min(left + 1, side - 1)
            upper = (1 - low[1]) * patch[top, left] + low[1] * patch[top, right]
            lower = (1 - low[1]) * patch[down, left] + low[1] * patch[down, right]
            found[y, x] = (1 - low[0]) * upper + low[0] * lower
    return found


def test_values_become_the_nearest_multiples_of_a_255th_within_bounds(tmp_path: Path) -> None:
    before, after, _ = rounded(tmp_path)

    expected = levels(before.images.double().numpy())
    assert np.array_equal(after.images.numpy(), expected.astype(np.float32))
    assert expected.min() == 0
    assert expected.max() == 1


def test_of_two_values_as_near_the_even_one_is_taken(tmp_path: Path) -> None:
    card = card_of(PixelsSpec(), 2)
    halves = (torch.arange(CLASSES * 2 * 16, dtype=torch.float64) + 0.5).reshape(card.shape) / 255
    for name in ("set", "out"):
        (tmp_path / name).mkdir()
    write_synthetic_set(tmp_path / "set", halves, labels_of(card), card)

    run(RoundWork(), Site(KEY, {"set": tmp_path / "set"}, tmp_path / "out", tmp_path))

    found = (read_synthetic_set(tmp_path / "out").images * 255).round()
    # a half that float64 cannot hold as k + 0.5 after the division is on one side of it
    exact = (halves * 255) % 1 == 0.5
    assert int(exact.sum()) > 50
    assert not (found[exact] % 2).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_every_level_survives_the_type_of_the_images(dtype: torch.dtype) -> None:
    stored = (torch.arange(256, dtype=torch.float64) / 255).to(dtype)

    assert torch.equal((stored * 255).round(), torch.arange(256).to(dtype))


@pytest.mark.parametrize("channels", [1, 3, 4], ids=["grey", "colour", "with transparency"])
def test_normalised_images_become_pixels(tmp_path: Path, channels: int) -> None:
    before, after, _ = rounded(tmp_path, PixelsSpec(space="normalised"), channels=channels)

    expected = levels(before.images.double().numpy() * STD + MEAN)
    assert after.card.parameterization == PixelsSpec()
    assert np.array_equal(after.images.numpy(), expected.astype(np.float32))


def whitened() -> tuple[Whitening, Floats, Floats]:
    """Return a whitening of images of 16 numbers, with the inverse matrix and the mean of it."""
    rng = np.random.Generator(np.random.PCG64(0))
    inverse = np.eye(16) + rng.normal(0, 0.1, (16, 16))
    mean = rng.uniform(0.3, 0.7, (1, 16))
    tensors = [torch.from_numpy(one) for one in (mean, np.linalg.inv(inverse), inverse)]
    return Whitening(*tensors), inverse, mean


def test_whitened_images_become_pixels_by_the_whitening_beside_them(tmp_path: Path) -> None:
    whitening, inverse, mean = whitened()

    before, after, _ = rounded(
        tmp_path,
        PixelsSpec(space="zca", zca_eps=0.1),
        whitening=whitening,
        dtype=torch.float64,
    )

    white = before.images.numpy().reshape(-1, 16)
    expected = levels((white @ inverse + mean).reshape(CLASSES, 2, 1, SIZE, SIZE))
    assert np.array_equal(after.images.numpy(), expected)
    assert not (tmp_path / "out/whitening.safetensors").exists()


def test_whitened_patches_are_drawn_before_they_become_pixels(tmp_path: Path) -> None:
    whitening, inverse, mean = whitened()
    shape = MultiFormationSpec(kind="multi_formation", factor=2, space="zca", zca_eps=0.1)

    before, after, _ = rounded(tmp_path, shape, n=1, whitening=whitening, dtype=torch.float64)

    # networks are fed the enlarged patch as it is, so that its pixels are those that whiten to it
    one = before.images[0, 0, 0].numpy()
    patches = [enlarged(one[y : y + 2, x : x + 2], SIZE) for y in (0, 2) for x in (0, 2)]
    white = np.stack(patches).reshape(4, 16)
    expected = levels((white @ inverse + mean).reshape(4, 1, SIZE, SIZE))
    assert np.array_equal(after.images[0].numpy(), expected)


def test_whitened_images_without_their_whitening_are_refused(tmp_path: Path) -> None:
    unit = Whitening(torch.zeros(1, 16), torch.eye(16), torch.eye(16))
    rounded(tmp_path, PixelsSpec(space="zca", zca_eps=0.1), whitening=unit)
    (tmp_path / "set/whitening.safetensors").unlink()

    with pytest.raises(BadJob, match="need the whitening"):
        run(RoundWork(), Site(KEY, {"set": tmp_path / "set"}, tmp_path / "out", tmp_path))


def test_patches_are_drawn_as_they_are_used(tmp_path: Path) -> None:
    shape = MultiFormationSpec(kind="multi_formation", factor=2)

    before, after, _ = rounded(tmp_path, shape)

    views = []
    for row in range(CLASSES):
        images = before.images[row, :, 0].double().numpy()
        cells = [(y, x) for y in (0, 2) for x in (0, 2)]
        views += [enlarged(one[y : y + 2, x : x + 2], SIZE) for y, x in cells for one in images]
    expected = levels(np.stack(views)).reshape(CLASSES, 8, 1, SIZE, SIZE)
    assert after.card.images_per_class == 8
    # a value within float64's rounding of a half could fall on the other side; this noise has none
    assert np.array_equal(after.images.numpy(), expected.astype(np.float32))


def test_a_set_is_rounded_as_it_is_used_and_not_as_it_was_learned(tmp_path: Path) -> None:
    shape = MultiFormationSpec(kind="multi_formation", factor=2, decode="multi", used="single")

    _, after, _ = rounded(tmp_path, shape)

    assert after.card.images_per_class == 8


@pytest.mark.parametrize("labels", ["learned", "expert"])
def test_each_decoded_image_keeps_the_labels_of_its_own(tmp_path: Path, labels: LabelKind) -> None:
    shape = MultiFormationSpec(kind="multi_formation", factor=2)

    before, after, _ = rounded(tmp_path, shape, labels=labels)

    assert before.soft_labels is not None
    assert after.soft_labels is not None
    assert (after.card.labels, after.card.learned_lr) == (labels, before.card.learned_lr)
    for view in range(8):  # the images of a cell stand together
        assert torch.equal(after.soft_labels[:, view], before.soft_labels[:, view % 2])


def test_students_learn_the_same_labels_in_the_same_order_after_rounding(tmp_path: Path) -> None:
    shape = MultiFormationSpec(kind="multi_formation", factor=2)

    sets = rounded(tmp_path, shape, labels="learned")[:2]

    before, after = (
        synthetic_examples(one, dtype=torch.float64, device=torch.device("cpu")) for one in sets
    )
    assert torch.equal(before.labels, after.labels)
    assert before.soft is not None
    assert after.soft is not None
    assert torch.equal(before.soft, after.soft)
    inside = (before.images * STD + MEAN).clamp(0, 1)
    # half a level, in units of the deviation, and the rounding of float32
    assert float((inside - (after.images * STD + MEAN)).abs().max()) <= 0.5 / 255 + 1e-6


def test_how_far_values_moved_is_told(tmp_path: Path) -> None:
    before, _, figures = rounded(tmp_path)

    pixels = before.images.double().numpy()
    limited = np.clip(pixels, 0, 1)
    assert figures == pytest.approx(
        {
            "images": 6,
            "clamped_share": np.mean((pixels < 0) | (pixels > 1)),
            "clamp_mean": np.abs(pixels - limited).mean(),
            "clamp_max": np.abs(pixels - limited).max(),
            "round_mean": np.abs(levels(pixels) - limited).mean(),
            "round_max": np.abs(levels(pixels) - limited).max(),
        }
    )


def test_values_that_were_limited_in_another_space_are_not_outside(tmp_path: Path) -> None:
    card = card_of(PixelsSpec(space="normalised"), 2)
    dark = torch.full(card.shape, -MEAN / STD)  # black, and in float64 less than 1e-7 below it
    (tmp_path / "set").mkdir()
    (tmp_path / "out").mkdir()
    write_synthetic_set(tmp_path / "set", dark, labels_of(card), card)

    site = Site(KEY, {"set": tmp_path / "set"}, tmp_path / "out", tmp_path)

    assert float((dark.double() * STD + MEAN).min()) < 0
    assert run(RoundWork(), site)["clamped_share"] == 0


def test_the_card_names_the_stage_that_rounded(tmp_path: Path) -> None:
    before, after, _ = rounded(tmp_path)

    made = after.card.provenance
    assert (made.key, made.kind, made.seed) == (KEY, "round", before.card.provenance.seed)
    assert (tmp_path / "out/grid.png").is_file()


def test_rounding_again_changes_nothing(tmp_path: Path) -> None:
    _, once, _ = rounded(tmp_path)
    (tmp_path / "again").mkdir()

    figures = run(RoundWork(), Site(KEY, {"set": tmp_path / "out"}, tmp_path / "again", tmp_path))

    assert torch.equal(read_synthetic_set(tmp_path / "again").images, once.images)
    assert figures["clamped_share"] == 0
    # float32 holds a level to half of a unit in its last place
    assert 0 <= float(str(figures["round_max"])) <= 2**-25


def test_a_shard_is_refused(tmp_path: Path) -> None:
    card = card_of(PixelsSpec(), 2)
    part = card.model_copy(update={"covers": ClassRange(start=0, stop=1, of=CLASSES)})
    for name in ("set", "out"):
        (tmp_path / name).mkdir()
    write_synthetic_set(tmp_path / "set", torch.rand(part.shape), labels_of(part), part)

    with pytest.raises(BadJob, match="before it is merged"):
        run(RoundWork(), Site(KEY, {"set": tmp_path / "set"}, tmp_path / "out", tmp_path))


@pytest.mark.gpu
def test_a_job_on_a_gpu_rounds_to_the_same_bytes(tmp_path: Path) -> None:
    rounded(tmp_path)
    (tmp_path / "gpu").mkdir()
    inputs = {"set": tmp_path / "set"}

    run(RoundWork(), Site(KEY, inputs, tmp_path / "gpu", tmp_path, device=torch.device("cuda")))

    ours, theirs = (read_tensors(tmp_path / f"{n}/synthetic.safetensors") for n in ("out", "gpu"))
    assert torch.equal(ours[0]["images"], theirs[0]["images"])
