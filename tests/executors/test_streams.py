"""One stream out of two, byte by byte."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ddspec.executors.base import LogChunk
from ddspec.executors.streams import LOG_BYTES, payloads, window


def frame(content: bytes) -> bytes:
    return b"\x02\0\0\0" + len(content).to_bytes(4, "big") + content


def cut(content: bytes, size: int) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


@pytest.mark.parametrize("size", [1, 3, 8, 9, 1000, 1 << 20])
def test_frames_are_joined_wherever_the_network_cuts_them(size: int) -> None:
    line = b"x" * 100_000 + b"\n"
    chunks = cut(b"".join(frame(part) for part in cut(line, 16_384)) + frame(b"end"), size)

    assert b"".join(payloads(chunks)) == line + b"end"


def test_a_frame_that_is_cut_short_is_left_out() -> None:
    assert list(payloads([frame(b"whole"), frame(b"half of it")[:-3]])) == [b"whole"]


@pytest.mark.parametrize("size", [1, 2, 6])
@pytest.mark.parametrize(
    ("offset", "text", "end"),
    [(0, "abcdef", 6), (2, "cdef", 6), (6, "", 6), (9, "", 9), (-2, "ef", 6), (-99, "abcdef", 6)],
)
def test_a_window_is_the_same_for_any_pieces(size: int, offset: int, text: str, end: int) -> None:
    chunk = window(cut(b"abcdef", size), offset)

    assert (chunk.text, chunk.offset) == (text, end)


@pytest.mark.parametrize(
    ("content", "text", "offset"),
    [
        pytest.param("né".encode(), "né", 13, id="whole"),
        pytest.param("né".encode()[:-1], "n", 11, id="cut off"),
        pytest.param(b"n\xe9m", "n\ufffdm", 13, id="no text"),
        pytest.param(b"\xf0\x9f", "\ufffd", 12, id="nothing but what is cut off"),
        pytest.param(b"", "", 10, id="nothing"),
    ],
)
def test_a_character_that_is_cut_off_waits_for_its_rest(
    content: bytes, text: str, offset: int
) -> None:
    assert LogChunk.of(content, 10) == LogChunk(text, offset)


@pytest.mark.parametrize("offset", [0, 5, -LOG_BYTES - 7])
def test_a_window_is_bounded(offset: int) -> None:
    content = b"0123456789" * (LOG_BYTES // 5)

    chunk = window(cut(content, 65_536), offset)

    begin = offset % len(content)
    assert chunk.text.encode() == content[begin : begin + LOG_BYTES]
    assert chunk.offset == begin + LOG_BYTES
