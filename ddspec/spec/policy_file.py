"""Where a policy lies; the models of what is in it take a while to load, and few specs have one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

POLICY_FILE = "ddspec-policy.yaml"
"""Found in the folder of a spec, or in one above it up to the root of its repository."""


def find_policy(spec: Path) -> Path | None:
    """Return the policy that a spec falls under: the nearest from its folder to its repository's.

    Outside a repository only that of its own folder counts.
    """
    folder = spec.absolute().parent
    for at in _up_to_repository(folder):
        found = at / POLICY_FILE
        if found.is_symlink() or found.exists():
            return found
    return None


def _up_to_repository(folder: Path) -> Iterator[Path]:
    chain = [folder, *folder.parents]
    root = next((at for at in chain if (at / ".git").exists()), folder)
    for at in chain:
        yield at
        if at == root:
            return
