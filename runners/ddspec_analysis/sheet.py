"""Small pictures of synthetic sets on one sheet, for a page that people scroll."""

from __future__ import annotations

import base64
import binascii
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from ddspec.canon import Json

GAP = 12
"""Pixels between pictures."""
CAPTION = 18
"""Pixels of the line above a picture."""
TALL = 300
"""Pixels that a picture is high at most."""
ALIKE = 1.5
"""A row ends before a picture that is so many times higher or lower."""
FEW = 4
"""More pictures than these are at most half as wide as the sheet."""
MOST = 12
"""Pictures on a sheet."""
MOST_PIXELS = 2**26
COLOURS = 64
"""Of a sheet that is too large otherwise."""
SHRINK = 0.8
LEAST = 64
"""Pixels that a sheet is wide at least."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture and its corner on the sheet."""

    name: str
    picture: Image.Image
    x: int
    y: int


def answer(question: Json) -> Json:
    """Return pictures side by side, each under its name where there are several.

    `question`: {"pictures": [{"name", "png" (base64)}], "width" (pixels), "bytes"}, `answer`:
    {"png" (base64), "width", "height", "left_out" (pictures beyond the twelfth)}. A picture wider
    than the sheet, or half of it where there are many, or higher than `TALL`, is made smaller; a
    sheet of more than so many bytes gets fewer colours, then fewer pixels. Raises ValueError where
    a picture is none.
    """
    if not isinstance(question, Mapping):
        raise ValueError("a sheet is asked for by its pictures, width and bytes")
    pictures, width, most = (question.get(name) for name in ("pictures", "width", "bytes"))
    if not isinstance(pictures, list) or not pictures:
        raise ValueError("a sheet needs pictures")
    if not isinstance(width, int) or not isinstance(most, int) or width < LEAST or most < 1:
        raise ValueError(f"a sheet is at least {LEAST} pixels wide, and has a number of bytes")
    named = [_picture(one) for one in pictures[:MOST]]
    sheet = _sheet(_placed(named, width), captions=len(named) > 1)
    sheet, png = _small(sheet, most)
    return {
        "png": base64.b64encode(png).decode(),
        "width": sheet.width,
        "height": sheet.height,
        "left_out": len(pictures) - len(named),
    }


def _picture(plain: Json) -> tuple[str, Image.Image]:
    if not isinstance(plain, Mapping) or not isinstance(plain.get("png"), str):
        raise ValueError("a picture has a name and a PNG in base64")
    name = str(plain.get("name", ""))
    try:
        found = Image.open(io.BytesIO(base64.b64decode(str(plain["png"]))), formats=["PNG"])
        if found.width * found.height > MOST_PIXELS:
            raise ValueError(f"the picture `{name}` has more than {MOST_PIXELS:,} pixels")
        return name, found.convert("L" if found.mode in ("1", "L") else "RGB")
    except (OSError, binascii.Error, SyntaxError) as error:
        raise ValueError(f"the picture `{name}` is no PNG: {error}") from None


def _placed(named: Sequence[tuple[str, Image.Image]], width: int) -> list[Placed]:
    """Return where pictures go: from left to right, in rows of pictures about as high."""
    caption = CAPTION if len(named) > 1 else 0
    found: list[Placed] = []
    x = y = height = 0
    for name, one in named:
        picture = _at_most(one, width if len(named) <= FEW else (width - GAP) // 2)
        uneven = x and not 1 / ALIKE <= (picture.height + caption) / height <= ALIKE
        if uneven or (x and x + picture.width > width):
            x, y, height = 0, y + height + GAP, 0
        found.append(Placed(name, picture, x, y + caption))
        x, height = x + picture.width + GAP, max(height, picture.height + caption)
    return found


def _at_most(picture: Image.Image, width: int) -> Image.Image:
    """Return a picture a whole number of times smaller, so that enlarged pixels stay squares."""
    factor = max(math.ceil(picture.width / width), math.ceil(picture.height / TALL))
    return picture if factor == 1 else picture.reduce(factor)


def _sheet(placed: Sequence[Placed], *, captions: bool) -> Image.Image:
    width = max(one.x + one.picture.width for one in placed)
    height = max(one.y + one.picture.height for one in placed)
    mode = "L" if all(one.picture.mode == "L" for one in placed) else "RGB"
    sheet = Image.new(mode, (width, height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for one in placed:
        sheet.paste(one.picture, (one.x, one.y))
        if captions:
            text = _fitting(one.name, one.picture.width, font)
            pen.text((one.x, one.y - CAPTION + 1), text, fill="black", font=font)
    return sheet


def _fitting(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Return a text as far as there is room for it."""
    while text and font.getlength(text) > width:
        text = text[:-1]
    return text


def _small(sheet: Image.Image, most: int) -> tuple[Image.Image, bytes]:
    """Return a sheet of at most so many bytes, and those; the smallest where none is."""
    png = _png(sheet)
    if len(png) <= most:
        return sheet, png
    smaller = sheet
    while True:
        png = _png(smaller.convert("RGB").quantize(COLOURS))
        if len(png) <= most or smaller.width * SHRINK < LEAST:
            return smaller, png
        size = (round(smaller.width * SHRINK), max(1, round(smaller.height * SHRINK)))
        smaller = smaller.resize(size, Image.Resampling.LANCZOS)


def _png(sheet: Image.Image) -> bytes:
    stream = io.BytesIO()
    sheet.save(stream, "PNG", optimize=True)
    return stream.getvalue()
