"""Names of classes as names of folders, which every file system takes and sorts alike."""

from __future__ import annotations

import re
from collections.abc import Sequence

LONGEST = 64
"""Characters of a name; file systems take 255 bytes."""
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE | re.ASCII)
"""What Windows opens as a device, whatever follows the dot."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def folders_of(classes: Sequence[str]) -> tuple[str, ...]:
    """Return a folder for each class, such that sorting folders by name sorts them by label.

    That is how `ImageFolder` of torchvision numbers classes. Letters and digits of ASCII, `.`, `_`
    and `-` stay, everything else becomes `_`; where names do not sort as labels do, or would meet
    on a file system that ignores case, all of them begin with their label.
    """
    plain = tuple(map(_safe, classes))
    folded = [name.casefold() for name in plain]
    if len(set(folded)) == len(plain) and list(plain) == sorted(plain) and folded == sorted(folded):
        return plain
    width = len(str(len(plain) - 1))
    return tuple(f"{label:0{width}}-{name}" for label, name in enumerate(plain))


def _safe(name: str) -> str:
    """Return a name without what a file system may refuse or read as something else."""
    found = _UNSAFE.sub("_", name)[:LONGEST].strip(".")
    if not found or found[0] == "-":
        found = f"class{found}"
    return f"{found}_" if RESERVED.fullmatch(found) else found
