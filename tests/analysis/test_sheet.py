"""Sheets of pictures: placed, captioned, made small, and refused where there is no picture."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ddspec_analysis.sheet import CAPTION, GAP, TALL, answer


def png(width: int, height: int, *, noise: bool = False) -> str:
    """Return a picture of one grey, or of noise in all colours."""
    values = np.full((height, width), 128, np.uint8)
    if noise:
        values = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def sheet(*pictures: str, width: int = 200, most: int = 60_000) -> tuple[Any, Image.Image]:
    plain = [{"name": f"p{at}", "png": one} for at, one in enumerate(pictures)]
    found: Any = answer({"pictures": plain, "width": width, "bytes": most})
    return found, Image.open(io.BytesIO(base64.b64decode(found["png"])))


def test_a_single_picture_is_itself() -> None:
    found, image = sheet(png(150, 40))

    assert image.size == (150, 40)
    assert (found["width"], found["height"], found["left_out"]) == (150, 40, 0)
    assert image.getextrema() == (128, 128)


def test_pictures_go_side_by_side_and_into_rows() -> None:
    _, image = sheet(png(90, 40), png(90, 32), png(90, 30))

    assert image.size == (90 + GAP + 90, CAPTION + 40 + GAP + CAPTION + 30)
    assert image.getpixel((90 + GAP, CAPTION)) == 128
    assert image.getpixel((0, CAPTION + 40 + GAP + CAPTION)) == 128


def test_a_much_higher_picture_begins_a_row() -> None:
    _, image = sheet(png(50, 20), png(50, 200))

    assert image.size == (50, CAPTION + 20 + GAP + CAPTION + 200)


def test_captions_stand_above_their_pictures() -> None:
    _, image = sheet(png(90, 40), png(90, 40))

    caption = image.crop((0, 0, 90, CAPTION))
    assert np.asarray(caption).min() < 100  # there is ink


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [
        pytest.param(401, 30, (134, 10), id="wide"),
        pytest.param(100, TALL + 1, (50, (TALL + 1) // 2 + 1), id="tall"),
    ],
)
def test_large_pictures_shrink_a_whole_number_of_times(
    width: int, height: int, size: tuple[int, int]
) -> None:
    _, image = sheet(png(width, height))

    assert image.size == size


def test_many_pictures_are_half_as_wide_as_the_sheet() -> None:
    _, image = sheet(*[png(120, 24)] * 6)

    assert image.size == (60 + GAP + 60, 3 * (CAPTION + 12) + 2 * GAP)


def test_a_sheet_keeps_to_its_bytes() -> None:
    found, image = sheet(png(200, 200, noise=True), most=9_000)

    assert len(base64.b64decode(found["png"])) <= 9_000
    assert image.width < 200


def test_the_thirteenth_picture_is_left_out_and_counted() -> None:
    found, _ = sheet(*[png(10, 10)] * 14)

    assert found["left_out"] == 2


@pytest.mark.parametrize(
    "question",
    [
        pytest.param(None, id="nothing"),
        pytest.param({"pictures": [], "width": 100, "bytes": 9}, id="no picture"),
        pytest.param({"pictures": [{"png": "!"}], "width": 100, "bytes": 9}, id="no base64"),
        pytest.param({"pictures": [{"png": "YQ=="}], "width": 100, "bytes": 9}, id="no PNG"),
        pytest.param({"pictures": [{"png": png(9, 9)}], "width": 1, "bytes": 9}, id="narrow"),
    ],
)
def test_what_cannot_be_drawn_is_a_mistake_of_the_question(question: Any) -> None:
    with pytest.raises(ValueError, match=r"picture|sheet"):
        answer(question)
