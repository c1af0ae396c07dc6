"""Class-per-folder trees of images, decoded in parallel with bounded memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ddspec_runners.data.corpus import Block, Bytes, Indices
from ddspec_runners.data.decode import Undecodable, decode_image
from ddspec_runners.faults import BadData

WINDOW_BYTES = 64 * 2**20
"""Decoded bytes that are held at once."""
WINDOW_FILES = 4096
"""Files that wait to be decoded at once, however small their images are."""
NAMED = 20
"""Undecodable files that a message names."""


@dataclass(frozen=True, slots=True)
class FolderPart:
    """One split of a tree."""

    split: str
    """`train` or `test`, whatever its folder is called."""
    files: tuple[Path, ...]
    """In source order: by class, then by file name."""
    labels: Indices
    classes: tuple[str, ...]
    """Names in label order."""
    size: int
    channels: int
    threads: int = 1
    corrupt: int = 0
    """How many of the images that are asked for may be undecodable; those are left out."""

    def blocks(self, indices: Indices) -> Iterator[Block]:
        """Yield the images at `indices`, decoded by `threads` threads, a window at a time.

        Where more of them are undecodable than allowed, all files are tried; then BadData counts
        those that failed and names the first 20.
        """
        fitting = min(WINDOW_FILES, WINDOW_BYTES // (self.size**2 * self.channels))
        window = max(self.threads, fitting)
        failed: list[str] = []
        with warnings.catch_warnings(), ThreadPoolExecutor(self.threads) as pool:
            # Pillow only warns of bombs below twice its limit; nothing of that size is wanted
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            for start in range(0, len(indices), window):
                chosen = indices[start : start + window]
                results = list(pool.map(self._decode, chosen.tolist()))
                bad = tuple(result for result in results if isinstance(result, str))
                failed += bad
                if len(failed) <= self.corrupt:
                    yield self._block(chosen, results, bad)
        if len(failed) > self.corrupt:
            raise BadData(_report(failed, len(indices), self.corrupt))

    def _block(
        self, chosen: Indices, results: Sequence[Bytes | str], bad: tuple[str, ...]
    ) -> Block:
        images = [result for result in results if not isinstance(result, str)]
        kept = [not isinstance(result, str) for result in results]
        shape = (0, self.channels, self.size, self.size)
        stacked = np.stack(images) if images else np.empty(shape, np.uint8)
        return Block(stacked, chosen[kept], bad)

    def _decode(self, index: int) -> Bytes | str:
        path = self.files[index]
        try:
            return decode_image(path, size=self.size, channels=self.channels)
        except Undecodable as error:
            # by class and name, as the lock names it, wherever the file lies
            return f"{self.split}/{self.classes[self.labels[index]]}/{path.name}: {error}"


def _report(failed: Sequence[str], total: int, allowed: int) -> str:
    most = f", and {allowed} may be left out" if allowed else ""
    head = f"{len(failed)} of {total} images cannot be decoded{most}"
    more = [f"… and {len(failed) - NAMED} more"] if len(failed) > NAMED else []
    way_out = (
        "mend or remove them, then lock the images again with `ddspec lock SPEC`, "
        f"or leave them out with `dataset.corrupt: {len(failed)}`"
    )
    return "\n  ".join([head, *failed[:NAMED], *more, way_out])


def inside(root: Path, path: Path) -> Path:
    """Return `path` resolved; raises BadData where a symbolic link leads out of `root`."""
    resolved = path.resolve()
    if not resolved.is_relative_to(root.resolve()):
        raise BadData(f"{path} leads out of the data directory, to {resolved}")
    return resolved
