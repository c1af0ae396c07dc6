"""What a container printed: one stream out of two, in bytes, as it was written."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ddspec.engine.faults import EngineRefused, translated
from ddspec.executors.base import LogChunk, Stream

LOG_BYTES = 1 << 20
HEADER = 8
"""Bytes before each piece: which stream, three of padding, four of length (big-endian)."""
PIECE = 1 << 16


def pieces(api: Any, container: str, stream: Stream) -> Iterator[bytes]:
    """Yield one stream of a container so far; pieces end anywhere, lines of any length are whole.

    Raises `EngineRefused` (404 where the container is gone) and `EngineGone`.
    """
    wanted = {"stdout": int(stream == "stdout"), "stderr": int(stream == "stderr"), "tail": "all"}
    url = f"{api.base_url}/v{api.api_version}/containers/{container}/logs"
    with (
        translated("hand out what a job printed"),
        api.get(url, params=wanted, stream=True, timeout=api.timeout) as answer,
    ):
        if answer.status_code >= 400:
            raise EngineRefused("hand out what a job printed", answer.status_code, answer.text)
        yield from payloads(answer.iter_content(PIECE))


def payloads(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what is in the frames of an engine's stream; a frame that is cut short is left out."""
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        while len(buffer) >= HEADER:
            end = HEADER + int.from_bytes(buffer[4:HEADER], "big")
            if len(buffer) < end:
                break
            yield bytes(buffer[HEADER:end])
            del buffer[:end]


def window(parts: Iterable[bytes], offset: int) -> LogChunk:
    """Return at most 1 MiB from a byte offset on; a negative one counts from the end."""
    total, kept = 0, bytearray()
    for part in parts:
        begin, total = total, total + len(part)
        kept += part if offset < 0 else part[max(0, offset - begin) :]
        if offset < 0:
            del kept[: max(0, len(kept) + offset)]
        elif len(kept) >= LOG_BYTES:
            break
    begin = max(0, total + offset) if offset < 0 else offset
    content = bytes(kept[:LOG_BYTES])
    return LogChunk.of(content, begin)


def read_file(path: Path, offset: int) -> LogChunk:
    """Return at most 1 MiB of a file; raises FileNotFoundError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        begin = file.seek(max(0, size + offset) if offset < 0 else offset)
        content = file.read(LOG_BYTES)
    return LogChunk.of(content, begin)


def save(parts: Iterable[bytes], path: Path) -> None:
    """Write a stream to a file, whole; it may be larger than the memory."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with partial.open("wb") as file:
            file.writelines(parts)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
