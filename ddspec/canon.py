"""Canonical JSON and SHA-256: the only hashing of meaning in the project."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Digest: TypeAlias = str
"""64 lower-case hexadecimal characters of a SHA-256."""


def canonical(value: Json) -> bytes:
    """Return the one byte string that stands for a JSON value.

    Keys are sorted by code point, there is no white space, and a float with an integral value is
    written as that integer, so that `1` and `1.0` mean the same. NaN and infinities raise
    `ValueError`: they have no place in what is hashed.
    """
    return _ENCODER.encode(_plain(value)).encode()


def assembled(parts: Mapping[str, bytes]) -> bytes:
    """Return the canonical form of a mapping from the canonical forms of its values."""
    return b"{" + b",".join(_KEY(key) + b":" + parts[key] for key in sorted(parts)) + b"}"


def digest(value: Json) -> Digest:
    """Return the SHA-256 of the canonical form of a JSON value, in hexadecimal."""
    return digest_of(canonical(value))


def digest_of(form: bytes) -> Digest:
    """Return the SHA-256 of a canonical form, in hexadecimal."""
    return hashlib.sha256(form).hexdigest()


_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)
"""Made once: `json.dumps` makes one for each value, and a large plan has thousands."""

_KEY = lru_cache(maxsize=2**10)(canonical)
"""Names of fields, of which there are few."""


def _plain(value: Json) -> Json:
    # exact types first: asking abstract classes takes most of the time of a large plan
    if type(value) is dict:
        return {key: _plain(inner) for key, inner in value.items()}
    if type(value) is list:
        return [_plain(inner) for inner in value]
    if type(value) is str or type(value) is int:
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} cannot be part of an identity")
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(inner) for inner in value]
    return value
