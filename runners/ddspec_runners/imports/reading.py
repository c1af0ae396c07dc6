"""Open a file that nobody here has written: nothing but tensors and containers is unpickled."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ddspec_runners.faults import BadData
from ddspec_runners.untrusted import content_of, unpickled

SHOWN = 6
"""Keys or entries that a message names."""
PASSED_OVER = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype")
"""What VICO's code pickles beside its tensors: accuracies, as numbers of numpy."""


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
    content = content_of(path, "there is no set")
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


def _parsed(content: bytes) -> object:
    value = unpickled(content, [(_Unused, name) for name in PASSED_OVER])
    _refuse_inflated(value, len(content))
    return value


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
