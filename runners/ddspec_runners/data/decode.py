"""One image file to one square of bytes."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ddspec_runners.data.corpus import Bytes

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Channels to Pillow's mode."""
FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "TIFF", "WEBP")
"""Formats of the suffixes that count as images, whatever a file calls itself: Pillow knows others,
and hands one of them, PostScript, to an interpreter."""
MAX_PIXELS = 100_000_000
"""Larger images are refused before they are decompressed (a bomb of 1 MB can hold gigabytes)."""
LARGE = 16_000_000
"""Images of more pixels are decoded one at a time, so that threads do not multiply their memory."""
DEEP = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
"""Grey modes of 16 bits; older versions of Pillow open such files as `I`."""
DEEPEST = 65_535

_ALONE = Lock()


class Undecodable(Exception):
    """An image file that is damaged, foreign or too large."""


def decode_image(path: Path, *, size: int, channels: int) -> Bytes:
    """Return an image as uint8 (C, size, size).

    Of several frames or pages it is the first. EXIF orientation is applied. `channels` 1 is
    luminance (ITU-R 601), 3 drops alpha, 4 keeps it or makes it opaque. Grey of 16 bits becomes 8
    by value / 257, colour of 16 bits by its high byte. Then the short side is resized to `size`
    (bilinear, antialiased), every channel by itself, and the centre is kept. Raises Undecodable
    with the reason, which never says where the file lies.
    """
    try:
        with path.open("rb") as file, Image.open(file, formats=FORMATS) as opened:
            pixels = opened.width * opened.height
            if pixels > MAX_PIXELS:
                raise Undecodable(f"{opened.width} x {opened.height} px is more than is read")
            with _ALONE if pixels > LARGE else nullcontext():
                image = _in_mode(ImageOps.exif_transpose(opened), MODES[channels])
                square = np.asarray(_square(image, size))
    except Undecodable:
        raise
    except UnidentifiedImageError as error:  # its own message names the place of the file
        raise Undecodable("not an image of a known format") from error
    except Exception as error:  # a damaged file raises whatever its decoder stumbles on
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Undecodable(f"{type(error).__name__}: {said}") from error
    return square.reshape(size, size, channels).transpose(2, 0, 1)


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == "F":
        raise Undecodable("floating-point pixels have no defined range")
    if image.mode in DEEP:
        levels = np.asarray(image).astype(np.int64)
        if levels.min() < 0 or levels.max() > DEEPEST:
            raise Undecodable(f"pixels beyond 0 … {DEEPEST} have no defined range")
        image = Image.fromarray(np.rint(levels / 257).astype(np.uint8))
    if image.mode == "P" or "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert(mode)


def _square(image: Image.Image, size: int) -> Image.Image:
    """Resize the short side and keep the centre, in one step that never builds the long side."""
    width, height = image.size
    if width == height == size:
        return image
    short = min(width, height)
    # the sides after resizing, rounded down as torchvision's Resize does
    wide, high = (max(size, size * side // short) for side in (width, height))
    left, top = (round((side - size) / 2) for side in (wide, high))
    box = (
        left * width / wide,
        top * height / high,
        min(width, (left + size) * width / wide),
        min(height, (top + size) * height / high),
    )
    bands = image.split()  # in one piece, colours would be weighted by the fourth channel
    resized = [one.resize((size, size), Image.Resampling.BILINEAR, box=box) for one in bands]
    return Image.merge(image.mode, resized)
