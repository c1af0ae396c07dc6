from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.method import MultiFormationSpec, ParameterizationSpec, PixelsSpec
from ddspec.wire.work import ClassRange
from ddspec_runners.artifacts import (
    atomic,
    labels_of,
    read_synthetic_set,
    write_json,
    write_synthetic_set,
    write_tensors,
)
from ddspec_runners.card import Card, DatasetOfCard, Provenance
from ddspec_runners.faults import BadData
from ddspec_runners.grid import LONGEST, grid_of


def card_of(
    parameterization: ParameterizationSpec | None = None, covers: tuple[int, int] = (0, 3)
) -> Card:
    return Card(
        parameterization=parameterization or PixelsSpec(),
        mean=(0.25,),
        std=(0.5,),
        size=4,
        channels=1,
        classes=("a", "b", "c"),
        covers=ClassRange(start=covers[0], stop=covers[1], of=3),
        images_per_class=2,
        dataset=DatasetOfCard(name="shapes", content="0" * 64, test_split="made up"),
        provenance=Provenance(key="1" * 64, kind="distill", seed=(0, "distill")),
    )


def images_of(card: Card, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(card.shape, generator=torch.Generator().manual_seed(0), dtype=dtype) * 3 - 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_a_set_is_read_exactly_as_it_was_written(tmp_path: Path, dtype: torch.dtype) -> None:
    card = card_of(MultiFormationSpec(kind="multi_formation", factor=2), covers=(1, 3))
    images = images_of(card, dtype)

    write_synthetic_set(tmp_path, images, labels_of(card), card)

    found = read_synthetic_set(tmp_path)
    assert found.images.equal(images)
    assert found.images.dtype == dtype
    assert found.labels.tolist() == [[1, 1], [2, 2]]
    assert found.card == card
    assert Card.model_validate_json((tmp_path / "card.json").read_bytes()) == card
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "card.json",
        "grid.png",
        "synthetic.safetensors",
    ]


def test_the_same_set_is_the_same_bytes(tmp_path: Path) -> None:
    card = card_of()
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        write_synthetic_set(tmp_path / name, images_of(card), labels_of(card), card)

    for file in ("synthetic.safetensors", "card.json", "grid.png"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda x, y: (x[:2], y), "the card says", id="fewer-classes"),
        pytest.param(lambda x, y: (x, y.flip(0)), "labels", id="labels-swapped"),
        pytest.param(lambda x, y: (x.half(), y), "neither float32 nor float64", id="half"),
        pytest.param(lambda x, y: (x.log(), y), "NaN", id="not-finite"),
    ],
)
def test_a_set_that_contradicts_its_card_is_not_written(
    tmp_path: Path, spoil: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], message: str
) -> None:
    card = card_of()
    images, labels = spoil(images_of(card), labels_of(card))

    with pytest.raises(ValueError, match=message):
        write_synthetic_set(tmp_path, images, labels, card)

    assert list(tmp_path.iterdir()) == []


def _foreign(path: Path) -> None:
    write_tensors(path, {"images": torch.zeros(1)})


def _other_images(path: Path) -> None:
    card = card_of()
    tensors = {"images": torch.zeros(1, 2, 1, 4, 4), "labels": labels_of(card)}
    write_tensors(path, tensors, {"ddspec": card.model_dump_json()})


def _newer(path: Path) -> None:
    card = card_of()
    text = card.model_dump_json().replace("ddspec.card/1", "ddspec.card/2")
    tensors = {"images": images_of(card), "labels": labels_of(card)}
    write_tensors(path, tensors, {"ddspec": text})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(lambda p: p.write_bytes(p.read_bytes()[:-5]), "cannot be read", id="short"),
        pytest.param(lambda p: p.write_bytes(b"PK\3\4" * 9), "cannot be read", id="zip"),
        pytest.param(lambda p: p.write_bytes(b""), "cannot be read", id="empty"),
        pytest.param(lambda p: p.unlink(), "is missing", id="missing"),
        pytest.param(_foreign, "was not written by ddspec", id="foreign"),
        pytest.param(_other_images, "contradicts its card", id="other-images"),
        pytest.param(_newer, "not one that this version reads", id="newer"),
    ],
)
def test_a_damaged_set_is_bad_data_that_names_the_file(
    tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    card = card_of()
    write_synthetic_set(tmp_path, images_of(card), labels_of(card), card)

    damage(tmp_path / "synthetic.safetensors")

    with pytest.raises(BadData, match=message) as error:
        read_synthetic_set(tmp_path)
    assert "synthetic.safetensors" in str(error.value)


def test_a_card_beside_the_file_may_add_the_protocol_alone(tmp_path: Path) -> None:
    card = card_of()
    write_synthetic_set(tmp_path, images_of(card), labels_of(card), card)
    protocol = ProtocolSpec(name="quick", steps=10)
    known = card.model_copy(update={"protocol": protocol})
    other = known.model_copy(update={"mean": (0.3,)})

    (tmp_path / "card.json").write_text(known.model_dump_json())
    assert read_synthetic_set(tmp_path).card == known
    (tmp_path / "card.json").write_text(other.model_dump_json())
    with pytest.raises(BadData, match=r"card\.json contradicts the card inside"):
        read_synthetic_set(tmp_path)
    (tmp_path / "card.json").write_text("{")
    with pytest.raises(BadData, match="not one that this version reads"):
        read_synthetic_set(tmp_path)


def fail_halfway(path: Path) -> None:
    with atomic(path) as partial:
        partial.write_text("half")
        raise RuntimeError


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    write_json(path, {"accuracy": 0.5})

    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"accuracy": float("nan")})
    with pytest.raises(RuntimeError):
        fail_halfway(path)

    assert path.read_text() == '{\n  "accuracy": 0.5\n}\n'
    assert list(tmp_path.iterdir()) == [path]


def cell(sheet: Image.Image, row: int, column: int, side: int) -> Image.Image:
    top, left = 2 + row * (side + 2), 2 + column * (side + 2)
    return sheet.crop((left, top, left + side, top + side))


def test_the_picture_has_a_row_a_class_and_enlarges_small_images() -> None:
    pixels = torch.zeros(2, 3, 1, 8, 8)
    pixels[1, 2, 0, 0, 7] = 2.0  # clamped to white
    pixels[0, 0] = -1.0  # and to black

    sheet = grid_of(pixels)

    assert sheet.size == (3 * 50 + 2, 2 * 50 + 2)
    corner = np.asarray(cell(sheet, 1, 2, 48))
    assert (corner[:6, 42:] == 255).all()
    assert int((corner == 255).sum()) == 36
    assert (np.asarray(cell(sheet, 0, 0, 48)) == 0).all()


@pytest.mark.parametrize(
    ("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")], ids=["grey", "colour", "alpha"]
)
def test_the_picture_has_the_channels_of_the_images(channels: int, mode: str) -> None:
    assert grid_of(torch.zeros(1, 1, channels, 4, 4)).mode == mode


def test_a_picture_of_many_classes_stays_of_bearable_size() -> None:
    sheet = grid_of(torch.zeros(200, 2, 1, 64, 64))

    assert max(sheet.size) <= LONGEST + 2


def test_single_images_stand_ten_a_row() -> None:
    levels = torch.arange(12.0).reshape(12, 1, 1, 1, 1).expand(12, 1, 1, 8, 8) / 255

    sheet = grid_of(levels)

    assert sheet.size == (10 * 50 + 2, 2 * 50 + 2)
    assert [sheet.getpixel((27, 27)), sheet.getpixel((477, 27)), sheet.getpixel((77, 77))] == [
        *(0, 9, 11)
    ]


def soft_card(labels: str = "learned", rate: float | None = 0.02) -> Card:
    return card_of().model_copy(update={"labels": labels, "learned_lr": rate})


def soft_labels(card: Card, kind: str = "learned") -> Tensor:
    drawn = torch.randn(3, 2, 3, generator=torch.Generator().manual_seed(1))
    return drawn if kind == "learned" else drawn.softmax(-1)


@pytest.mark.parametrize("kind", ["learned", "expert"])
def test_soft_labels_and_a_learned_rate_lie_with_the_images(tmp_path: Path, kind: str) -> None:
    card = soft_card(kind)
    soft = soft_labels(card, kind)

    write_synthetic_set(tmp_path, images_of(card), labels_of(card), card, soft_labels=soft)

    found = read_synthetic_set(tmp_path)
    assert found.soft_labels is not None
    assert found.soft_labels.equal(soft)
    assert found.labels.tolist() == [[0, 0], [1, 1], [2, 2]]
    assert (found.card.labels, found.card.learned_lr) == (kind, 0.02)


@pytest.mark.parametrize(
    ("kind", "spoil", "message"),
    [
        pytest.param("learned", lambda soft: None, "is missing", id="missing"),
        pytest.param("hard", lambda soft: soft, "labels are hard", id="beside-hard"),
        pytest.param("learned", lambda soft: soft[:, :1], "not torch.float32", id="too-few"),
        pytest.param("learned", lambda soft: soft.double(), "torch.float64", id="other-type"),
        pytest.param("learned", lambda soft: soft / 0, "NaN or infinite", id="not-finite"),
        pytest.param("expert", lambda soft: soft, "no probabilities", id="logits-of-an-expert"),
    ],
)
def test_soft_labels_that_contradict_the_card_are_neither_written_nor_read(
    tmp_path: Path, kind: str, spoil: Callable[[Tensor], Tensor | None], message: str
) -> None:
    card = soft_card(kind)
    images, labels, soft = images_of(card), labels_of(card), spoil(soft_labels(card))

    with pytest.raises(ValueError, match=message):
        write_synthetic_set(tmp_path, images, labels, card, soft_labels=soft)

    tensors = {"images": images, "labels": labels}
    tensors |= {} if soft is None else {"soft_labels": soft}
    metadata = {"ddspec": card.model_dump_json()}
    write_tensors(tmp_path / "synthetic.safetensors", tensors, metadata)
    with pytest.raises(BadData, match=message):
        read_synthetic_set(tmp_path)


@pytest.mark.parametrize(
    ("inner", "outer", "fits"),
    [("hard", "soft", True), ("soft", "hard", False), ("hard", "learned", False)],
)
def test_a_card_beside_a_set_may_add_that_teachers_label_it_and_nothing_else(
    tmp_path: Path, inner: str, outer: str, fits: bool
) -> None:
    card = soft_card(inner, None)
    write_synthetic_set(tmp_path, images_of(card), labels_of(card), card)
    told = card.model_copy(update={"labels": outer})
    (tmp_path / "card.json").write_text(told.model_dump_json())

    if fits:
        assert read_synthetic_set(tmp_path).card.labels == "soft"
    else:
        with pytest.raises(BadData, match="contradicts the card"):
            read_synthetic_set(tmp_path)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf")])
def test_a_learned_rate_is_positive(rate: float) -> None:
    plain = card_of().model_dump() | {"learned_lr": rate}

    with pytest.raises(ValueError, match="learned_lr"):
        Card.model_validate(plain)
