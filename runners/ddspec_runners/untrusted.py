"""Files of torch.save that nobody here has written: read once, and nothing in them runs."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch

from ddspec_runners.faults import BadData

LIMIT = 4 * 2**30
"""No file is larger, in bytes: that is 7,000 images of 224 pixels in float32, or twenty times the
largest weights that torchvision publishes for these networks."""
BYTEARRAY = b"\nbytearray\n"
"""How a pickle names the one thing that torch allows which takes memory by a number alone."""

Allowed: TypeAlias = Callable[..., Any] | tuple[Callable[..., Any], str]
"""What torch takes as allowed to be unpickled: a stand-in, with the name that it stands for."""


def content_of(path: Path, missing: str) -> bytes:
    """Return what a file holds; BadData names it, `missing` first where there is none."""
    if not path.exists():
        raise BadData(f"{missing} at {path}: put the file there")
    if not path.is_file():  # opening a pipe would wait for its writer
        raise BadData(f"{path} is not a regular file")
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT + 1)
    except OSError as error:
        raise BadData(f"{path} cannot be read: {error}") from error
    if len(content) > LIMIT:
        raise BadData(f"{path} is larger than {LIMIT // 2**30} GiB")
    return content


def unpickled(content: bytes, allowed: Sequence[Allowed] = ()) -> object:
    """Return the tensors and containers of a file of torch.save.

    Raises BadData, to be said behind the path, where it would take more memory than its size; and
    what a damaged or hostile pickle chooses to raise.
    """
    if content.startswith(b"PK"):
        _refuse_packed(content)
    if BYTEARRAY in content:
        raise BadData("cannot be read: it asks for memory that no tensor of it needs")
    with warnings.catch_warnings(), torch.serialization.safe_globals(list(allowed)):
        warnings.simplefilter("ignore")  # of old types of storage, which published files have
        value: object = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return value


def _refuse_packed(content: bytes) -> None:
    """Refuse archives whose parts unpack to more than they take: torch packs none."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    if not stored or sum(entry.file_size for entry in entries) > len(content):
        raise BadData("cannot be read: its parts are packed, which torch's are not")
