"""Names of the variants of a matrix: short, readable, and the same on every machine."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from ddspec.canon import Json, digest

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
LONGEST = 63
SHORT: Mapping[str, str] = {"images_per_class": "ipc"}
"""Last parts of paths that the field has a shorter word for."""
_REPLICATE = re.compile(r"(?:\A|-)seed-\d+\Z")
_OTHER = re.compile(r"[^a-z0-9_-]+")


def slug(value: Json) -> str:
    """Return a value as part of a name: `0.03` as `0_03`, `-1` as `m1`, a section by its leaves.

    Empty where nothing of it can stand in a name. Different values may give the same slug.
    """
    match value:
        case None:
            return "none"
        case bool():
            return "on" if value else "off"
        case int() | float():
            return _number(value)
        case str():
            return _OTHER.sub("-", value.lower().replace(".", "_")).strip("-_")
        case Mapping():
            return _joined(value[name] for name in sorted(value))
        case _:
            return _joined(value)


def base_of(name: str) -> str:
    """Return the variant that a replicate is of, by its name; any other name as it is.

    >>> base_of("idc-seed-3"), base_of("seed-3"), base_of("idc")
    ('idc', '', 'idc')
    """
    return _REPLICATE.sub("", name)


def _number(value: float) -> str:
    text = repr(value).removesuffix(".0")
    return text.replace("+", "").replace("-", "m").replace(".", "_")


def _joined(values: Iterator[Json] | Sequence[Json]) -> str:
    return "-".join(filter(None, map(slug, values)))


def axis_words(paths: Sequence[tuple[str, ...]]) -> list[str]:
    """Return a word for each path: its last part, or more of it where that is not unique."""
    words = [_word(path, 1) for path in paths]
    for parts in (2, 3, 4):
        often = Counter(words)
        words = [
            _word(path, parts) if often[word] > 1 else word
            for path, word in zip(paths, words, strict=True)
        ]
    return words


def _word(path: Sequence[str], parts: int) -> str:
    *above, last = path[-parts:]
    return slug("_".join([*above, SHORT.get(last, last)]))


def value_words(word: str, values: Sequence[Json], *, bare: bool) -> list[str]:
    """Return a word for each value of an axis, `ipc-10`; without `word` where `bare`.

    Values that nothing readable tells apart are counted from 1.
    """
    slugs = [slug(value) for value in values]
    if "" in slugs or len(set(slugs)) < len(slugs) or max(map(len, slugs)) > LONGEST // 2:
        return [f"{word}-{number}" for number in range(1, len(values) + 1)]
    return slugs if bare else [f"{word}-{text}" for text in slugs]


def fitted(name: str, settings: Mapping[str, Json]) -> str:
    """Return a name that a variant may have: cut and told apart by a digest where it is long."""
    if NAME.fullmatch(name):
        return name
    kept = name.lstrip("-_")[: LONGEST - 9].rstrip("-_") or "variant"
    return f"{kept}-{digest(settings)[:8]}"


def distinct(names: Sequence[str]) -> list[str]:
    """Return names of which none is there twice; a later one gets a number."""
    taken: set[str] = set()
    numbers: dict[str, int] = {}
    """By a name as it is cut, the number that was tried last: none below it is free."""
    found = []
    for name in names:
        own, cut = name, name[: LONGEST - 6]
        while own in taken:
            numbers[cut] = numbers.get(cut, 1) + 1
            own = f"{cut}-{numbers[cut]}"
        taken.add(own)
        found.append(own)
    return found
