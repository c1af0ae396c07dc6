"""Labels of stages as people read them: several that differ in a number become one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_RANGE = re.compile(r"(.*/)?(\d{1,9})\.\.(\d{1,9})(@.*)?", re.ASCII)


def pattern(label: str) -> str:
    """Return a label without its number, `distill/*/to-100`; a variant's name stays."""
    own, at, variant = label.partition("@")
    parts = ("*" if part.isdecimal() else part for part in own.split("/"))
    return "/".join(parts) + at + variant


def range_label(labels: Sequence[str]) -> str:
    """Return one label for several that differ in a number, `pool/0..4`."""
    if len(labels) == 1:
        return labels[0]
    owns = [label.partition("@")[0] for label in labels]
    numbers = [part for own in owns for part in own.split("/") if part.isdecimal()]
    return pattern(labels[0]).replace("*", f"{numbers[0]}..{numbers[-1]}")


def folded(labels: Iterable[str]) -> list[str]:
    """Return labels with runs of last numbers folded: `pool/0`, `pool/1`, `pool/2` to `pool/0..2`.

    >>> folded(["prepare", "pool/0", "pool/1", "pool/3", "pool/0@a", "pool/1@a"])
    ['prepare', 'pool/0..1', 'pool/3', 'pool/0..1@a']
    """
    runs: list[tuple[tuple[str, str], list[int]]] = []
    for label in labels:
        own, at, variant = label.partition("@")
        stem, _, last = own.rpartition("/")
        number = int(last) if stem and last.isdecimal() else None
        where = (stem, at + variant)
        if number is None:
            runs.append(((own, at + variant), []))
        elif runs and runs[-1][0] == where and runs[-1][1] and runs[-1][1][-1] + 1 == number:
            runs[-1][1].append(number)
        else:
            runs.append((where, [number]))
    return [_range(*where, numbers) for where, numbers in runs]


def unfolded(label: str, most: int) -> list[str]:
    """Return the labels that `folded` made one of; ValueError for more than `most`.

    >>> unfolded("pool/0..2@a", 10)
    ['pool/0@a', 'pool/1@a', 'pool/2@a']
    """
    match = _RANGE.fullmatch(label)
    if match is None:
        return [label]
    first, last = int(match[2]), int(match[3])
    if last - first >= most:
        raise ValueError(f"`{label}` stands for more stages than there are")
    return [f"{match[1] or ''}{number}{match[4] or ''}" for number in range(first, last + 1)]


def _range(stem: str, variant: str, numbers: Sequence[int]) -> str:
    if not numbers:
        return stem + variant
    first, last = numbers[0], numbers[-1]
    return f"{stem}/{first if first == last else f'{first}..{last}'}{variant}"
