"""Open a file that nobody here has written: nothing but tensors and containers is unpickled."""

from __future__ import annotations

import hashlib
import io
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ddspec_runners.faults import BadData

LIMIT = 4 * 2**30
"""No file is larger, in bytes: that is 7,000 images of 224 pixels in float32."""
SHOWN = 6
"""Keys or entries that a message names."""
PASSED_OVER = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype")
"""What VICO's code pickles beside its tensors: accuracies, as numbers of numpy."""
BYTEARRAY = b"\nbytearray\n"
"""How a pickle names the one thing that torch allows which takes memory by a number alone."""


Allowed: TypeAlias = Callable[..., Any] | tuple[Callable[..., Any], str]
"""What torch takes as allowed to be unpickled: a stand-in, with the name that it stands for."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file, as far as it is known."""

    path: Path
    digest: str
    """SHA-256 of the whole file."""
    value: object
    """What it holds: tensors in lists, tuples and mappings; none takes more than the file."""


class _Unused:
    """Stands for a number of numpy, and keeps nothing of it."""

    def __init__(self, *_given: object) -> None:
        pass

    def __setstate__(self, _state: object) -> None:
        pass


def opened(path: Path, digest: str | None = None) -> Opened:
    """Return what a file of torch.save holds; with a `digest`, only where it is that file's.

    The file is read once, hashed, and parsed only then. Raises BadData, naming it, where it is
    missing, another one, damaged or hostile.
    """
    content = _content(path)
    found = hashlib.sha256(content).hexdigest()
    if digest is not None and found != digest:
        raise BadData(f"{path} has SHA-256 {found}, the plan says {digest}")
    try:
        value = _parsed(content)
    except BadData as error:
        raise BadData(f"{path} {error}") from error
    except Exception as error:  # what a hostile pickle raises is for it to choose
        why = f"it is damaged, or holds more than tensors ({type(error).__name__})"
        raise BadData(f"{path} cannot be read as a file of torch.save: {why}") from error
    return Opened(path, found, value)


def plain(tensor: Tensor, room: int) -> bool:
    """Tell whether a tensor is numbers side by side that take no more than `room` bytes."""
    strided = tensor.layout == torch.strided and not tensor.is_meta and not tensor.is_quantized
    return strided and tensor.numel() * tensor.element_size() <= room


def described(value: object) -> str:
    """Return what an object is, in one line that is safe to tell: shapes and types, not values."""
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)} of {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, Mapping):
        keys = ", ".join(f"`{ascii(str(key)[:40])[1:-1]}`" for key in list(value)[:SHOWN])
        return f"a mapping of {len(value)}: {keys}{' …' if len(value) > SHOWN else ''}"
    if isinstance(value, list | tuple):
        inside = ", ".join(_briefly(one) for one in value[:2])
        more = " …" if len(value) > 2 else ""
        return f"a {type(value).__name__} of {len(value)}: {inside}{more}"
    return f"a {ascii(type(value).__name__)[1:-1]}"


def _briefly(value: object) -> str:
    return described(value) if isinstance(value, Tensor) else f"a {type(value).__name__}"


def _content(path: Path) -> bytes:
    if not path.exists():
        raise BadData(f"there is no set at {path}: put the file there")
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


def _parsed(content: bytes) -> object:
    if content.startswith(b"PK"):
        _refuse_packed(content)
    if BYTEARRAY in content:
        raise BadData("cannot be read: it asks for memory that no tensor of it needs")
    numbers: list[Allowed] = [(_Unused, name) for name in PASSED_OVER]
    with warnings.catch_warnings(), torch.serialization.safe_globals(numbers):
        warnings.simplefilter("ignore")  # of old types of storage, which published files have
        value: object = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    _refuse_inflated(value, len(content))
    return value


def _refuse_packed(content: bytes) -> None:
    """Refuse archives whose parts unpack to more than they take: torch packs none."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    if not stored or sum(entry.file_size for entry in entries) > len(content):
        raise BadData("cannot be read: its parts are packed, which torch's are not")


def _refuse_inflated(value: object, room: int) -> None:
    """Refuse tensors that say one number many times over: none of them is an image."""
    waiting = [value]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, Tensor) and not plain(one, room):
            raise BadData(f"holds {described(one)}, which is no array of numbers in the file")
        if isinstance(one, Mapping):
            waiting += list(one.values())
        elif isinstance(one, list | tuple):
            waiting += list(one)
