"""Files that are parsed only after their published checksum was found right."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path

from ddspec_runners.faults import BadData

LIMIT = 512 * 2**20
"""No published file is larger, packed or not, in bytes."""


def read_verified(path: Path, *, md5: str, sha256: str | None) -> bytes:
    """Return the content of a file, or of its `.gz` where only that is there.

    Checksums are of the unpacked content; a SHA-256 of None is not known. Raises BadData, naming
    the file, where it is missing, damaged or another one.
    """
    content = _content(path)
    # MD5 is what the authors published; it tells damage, SHA-256 tells tampering as well
    found = {
        "MD5": (hashlib.md5(content, usedforsecurity=False).hexdigest(), md5),
        "SHA-256": (hashlib.sha256(content).hexdigest(), sha256),
    }
    for kind, (actual, published) in found.items():
        if published is not None and actual != published:
            raise BadData(f"{path} has {kind} {actual}, the published file has {published}")
    return content


def _content(path: Path) -> bytes:
    packed = path.with_name(f"{path.name}.gz")
    try:
        plain = path.exists() or not packed.exists()
        found = path if plain else packed
        if found.exists() and not found.is_file():  # opening a pipe would wait for its writer
            raise BadData(f"{found} is not a regular file")
        with path.open("rb") if plain else gzip.open(packed) as file:
            content = file.read(LIMIT + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BadData(f"{path} cannot be read: {error}") from error
    if len(content) > LIMIT:
        raise BadData(f"{path} is larger than any published file")
    return content
