"""The core schema of YAML 1.2: which plain text is null, a truth value or a number."""

from __future__ import annotations

import math
import re
from typing import TypeAlias

Scalar: TypeAlias = "bool | int | float | str | None"

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"], None),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
}
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

MAX_DIGITS = 400
"""Longest number; float64 needs 17 significant digits, and its range 309 before the point."""


def resolve(text: str) -> Scalar:
    """Return the value of an unquoted scalar by the core schema of YAML 1.2.2, section 10.3.2.

    So `1e-3` is a number, and `yes`, `1:30`, `012` of YAML 1.1 are text, text and twelve. Raises
    `ValueError`, in words for people, for NaN, infinities and integers beyond 64 bits.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"`{text}` is not a finite number")
    if len(text) > MAX_DIGITS and _FLOAT.fullmatch(text):
        raise ValueError(f"a number of {len(text)} characters is too long")
    for pattern, base in ((_DECIMAL, 10), (_OCTAL, 8), (_HEXADECIMAL, 16)):
        if pattern.fullmatch(text):
            return _integer(text, base)
    return _float(text) if _FLOAT.fullmatch(text) else text


def _integer(text: str, base: int) -> int:
    digits = text if base == 10 else text[2:]
    value = int(digits, base) if len(digits) <= MAX_DIGITS else 2**64
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"`{text[:40]}` does not fit into 64 bits")
    return value


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"`{text[:40]}` is not a finite number")
    return value
