"""Labels of stages as people read them: several that differ in a number become one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def pattern(label: str) -> str:
    """Return a label without its number, `distill/*/to-100`."""
    return "/".join("*" if part.isdecimal() else part for part in label.split("/"))


def range_label(labels: Sequence[str]) -> str:
    """Return one label for several that differ in a number, `pool/0..4`."""
    if len(labels) == 1:
        return labels[0]
    numbers = [part for label in labels for part in label.split("/") if part.isdecimal()]
    return pattern(labels[0]).replace("*", f"{numbers[0]}..{numbers[-1]}")


def folded(labels: Iterable[str]) -> list[str]:
    """Return labels with runs of last numbers folded: `pool/0`, `pool/1`, `pool/2` to `pool/0..2`.

    >>> folded(["prepare", "pool/0", "pool/1", "pool/3"])
    ['prepare', 'pool/0..1', 'pool/3']
    """
    runs: list[tuple[str, list[int]]] = []
    for label in labels:
        stem, _, last = label.rpartition("/")
        number = int(last) if stem and last.isdecimal() else None
        if number is None:
            runs.append((label, []))
        elif runs and runs[-1][0] == stem and runs[-1][1] and runs[-1][1][-1] + 1 == number:
            runs[-1][1].append(number)
        else:
            runs.append((stem, [number]))
    return [_range(stem, numbers) for stem, numbers in runs]


def _range(stem: str, numbers: Sequence[int]) -> str:
    if not numbers:
        return stem
    first, last = numbers[0], numbers[-1]
    return f"{stem}/{first}" if first == last else f"{stem}/{first}..{last}"
