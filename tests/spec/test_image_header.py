"""Heads of images say what Pillow says, and nothing that is none is taken for one."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ddspec.spec.image_header import ImageHeader, read_header

SHAPES = {
    "png": [("L", 1), ("RGB", 3), ("P", 3), ("LA", 4), ("RGBA", 4)],
    "jpeg": [("L", 1), ("RGB", 3), ("CMYK", 3)],
    "gif": [("P", 3)],
    "bmp": [("RGB", 3), ("RGBA", 4)],
    "webp": [("RGB", 3), ("RGBA", 4)],
    "tiff": [("L", 1), ("RGB", 3), ("RGBA", 4)],
}
CASES = [(kind, mode, channels) for kind, modes in SHAPES.items() for mode, channels in modes]


def encoded(kind: str, mode: str, size: tuple[int, int], **options: object) -> io.BytesIO:
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind, **options)
    file.seek(0)
    return file


@pytest.mark.parametrize(("kind", "mode", "channels"), CASES, ids=lambda value: str(value))
def test_size_and_channels_are_read_from_the_head(kind: str, mode: str, channels: int) -> None:
    assert read_header(encoded(kind, mode, (37, 23))) == ImageHeader(37, 23, channels)


@pytest.mark.parametrize(
    "options", [{"lossless": True}, {"lossless": False}], ids=["lossless", "lossy"]
)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_every_sort_of_webp_is_read(mode: str, options: dict[str, bool]) -> None:
    found = read_header(encoded("webp", mode, (300, 9), **options))

    assert found is not None
    assert (found.width, found.height) == (300, 9)


def test_a_jpeg_with_much_before_its_frame_is_read() -> None:
    file = encoded("jpeg", "RGB", (40, 30), exif=b"Exif\0\0" + b"x" * 60_000, progressive=True)

    assert read_header(file) == ImageHeader(40, 30, 3)


def test_a_real_picture_is_read() -> None:
    path = Path(__file__).parents[2] / "specs" / "digits.png"
    with path.open("rb") as file, Image.open(path) as image:
        found = read_header(file)

        assert found is not None
        assert (found.width, found.height) == image.size


@pytest.mark.parametrize(
    "data",
    [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0\xff\xff\xff\xff", b"<svg/>"],
    ids=["empty", "half a GIF", "half a PNG", "half a JPEG", "TIFF to nowhere", "text"],
)
def test_what_is_no_image_is_none(data: bytes) -> None:
    assert read_header(io.BytesIO(data)) is None


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([b"", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"BM", b"RIFF0000WEBPVP8 "]),
    st.binary(max_size=200),
)
def test_no_bytes_make_it_fail(magic: bytes, rest: bytes) -> None:
    found = read_header(io.BytesIO(magic + rest))

    assert found is None or found.side > 0


def test_a_file_that_only_fills_space_is_not_read_to_its_end() -> None:
    file = io.BytesIO(b"\xff" * 1_000_000)

    assert read_header(file) is None
    assert file.tell() < 10_000
