"""Sizes of images from the first bytes of their files: the planner has no library for pictures."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO

_HEAD = 32
_MOST_SEGMENTS = 1_000
"""Segments of a JPEG before its frame; real ones have a few dozen."""
_MOST_FILL = 1_000
"""Bytes that may fill the space before a segment; a file of nothing else is no image."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What the head of an image file says."""

    width: int
    height: int
    channels: int
    """1 grey, 3 colour, 4 colour with transparency."""

    @property
    def side(self) -> int:
        """The shorter side, in pixels."""
        return min(self.width, self.height)


def read_header(file: BinaryIO) -> ImageHeader | None:
    """Return size and channels of a PNG, JPEG, GIF, BMP, WebP or TIFF; None for what is none.

    Reads the file from where it stands, and little of it. Orientation marks are not looked at.
    """
    head = file.read(_HEAD)
    for magic, parse in _FORMATS.items():
        if head.startswith(magic):
            try:
                found = parse(head, file)
            except (struct.error, IndexError, OSError):
                return None
            return found if found is not None and found.side > 0 else None
    return None


def _png(head: bytes, _file: BinaryIO) -> ImageHeader | None:
    width, height, _depth, colour = struct.unpack(">IIBB", head[16:26])
    channels = {0: 1, 2: 3, 3: 3, 4: 4, 6: 4}.get(colour)
    return None if channels is None else ImageHeader(width, height, channels)


def _gif(head: bytes, _file: BinaryIO) -> ImageHeader:
    width, height = struct.unpack("<HH", head[6:10])
    return ImageHeader(width, height, 3)


def _bmp(head: bytes, _file: BinaryIO) -> ImageHeader:
    if struct.unpack("<I", head[14:18])[0] == 12:  # the header of OS/2
        width, height, _planes, bits = struct.unpack("<HHHH", head[18:26])
    else:
        width, height, _planes, bits = struct.unpack("<iiHH", head[18:30])
    return ImageHeader(abs(width), abs(height), 4 if bits == 32 else 3)


def _webp(head: bytes, _file: BinaryIO) -> ImageHeader | None:
    match head[8:16]:
        case b"WEBPVP8 ":
            width, height = struct.unpack("<HH", head[26:30])
            return ImageHeader(width & 0x3FFF, height & 0x3FFF, 3)
        case b"WEBPVP8L":
            bits = struct.unpack("<I", head[21:25])[0]
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
            return ImageHeader(width, height, 4 if bits >> 28 & 1 else 3)
        case b"WEBPVP8X":
            width = int.from_bytes(head[24:27], "little") + 1
            height = int.from_bytes(head[27:30], "little") + 1
            return ImageHeader(width, height, 4 if head[20] & 0x10 else 3)
        case _:
            return None


def _jpeg(_head: bytes, file: BinaryIO) -> ImageHeader | None:
    """Walk the segments to the first frame; entropy-coded data come after it."""
    file.seek(2)
    for _ in range(_MOST_SEGMENTS):
        marker = _marker(file)
        if marker is None or marker in {0xD9, 0xDA}:
            return None
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            continue
        length = struct.unpack(">H", file.read(2))[0]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            _precision, height, width, parts = struct.unpack(">BHHB", file.read(6))
            return ImageHeader(width, height, 1 if parts == 1 else 3)
        file.seek(max(0, length - 2), 1)
    return None


def _marker(file: BinaryIO) -> int | None:
    if file.read(1) != b"\xff":
        return None
    for _ in range(_MOST_FILL):
        byte = file.read(1)
        if byte != b"\xff":
            return byte[0] if byte else None
    return None


_WIDTH, _HEIGHT, _SAMPLES = 256, 257, 277


def _tiff(head: bytes, file: BinaryIO) -> ImageHeader | None:
    order = "<" if head[:2] == b"II" else ">"
    file.seek(struct.unpack(f"{order}I", head[4:8])[0])
    entries = struct.unpack(f"{order}H", file.read(2))[0]
    tags: dict[int, int] = {}
    for _ in range(min(entries, 200)):
        tag, kind, _count, value = struct.unpack(f"{order}HHI4s", file.read(12))
        if tag in {_WIDTH, _HEIGHT, _SAMPLES} and kind in {3, 4}:
            short = struct.unpack(f"{order}H", value[:2])[0]
            tags[tag] = short if kind == 3 else struct.unpack(f"{order}I", value)[0]
    if _WIDTH not in tags or _HEIGHT not in tags:
        return None
    samples = tags.get(_SAMPLES, 1)
    return ImageHeader(tags[_WIDTH], tags[_HEIGHT], samples if samples in {1, 4} else 3)


_FORMATS: Mapping[bytes, Callable[[bytes, BinaryIO], ImageHeader | None]] = {
    b"\x89PNG\r\n\x1a\n": _png,
    b"\xff\xd8\xff": _jpeg,
    b"GIF87a": _gif,
    b"GIF89a": _gif,
    b"BM": _bmp,
    b"RIFF": _webp,
    b"II*\0": _tiff,
    b"MM\0*": _tiff,
}
"""By the bytes that a file begins with."""
