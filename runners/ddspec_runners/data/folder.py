"""Class-per-folder trees of images, decoded in parallel with bounded memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ddspec_runners.data.corpus import Bytes, Indices
from ddspec_runners.data.decode import Undecodable, decode_image
from ddspec_runners.faults import BadData

WINDOW_BYTES = 64 * 2**20
"""Decoded bytes that are held at once."""
NAMED = 20
"""Undecodable files that a message names."""


@dataclass(frozen=True, slots=True)
class FolderPart:
    """One split of a tree."""

    files: tuple[Path, ...]
    """In source order: by class, then by file name."""
    labels: Indices
    size: int
    channels: int
    threads: int = 1

    def blocks(self, indices: Indices) -> Iterator[Bytes]:
        """Yield the images at `indices`, decoded by `threads` threads, a window at a time.

        All files are tried; then BadData counts those that failed and names the first 20.
        """
        window = max(self.threads, WINDOW_BYTES // (self.size**2 * self.channels))
        failed: list[str] = []
        with warnings.catch_warnings(), ThreadPoolExecutor(self.threads) as pool:
            # Pillow only warns of bombs below twice its limit; nothing of that size is wanted
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            for start in range(0, len(indices), window):
                chosen = [self.files[i] for i in indices[start : start + window].tolist()]
                results = list(pool.map(self._decode, chosen))
                failed += [result for result in results if isinstance(result, str)]
                images = [result for result in results if not isinstance(result, str)]
                if not failed:
                    yield np.stack(images)
        if failed:
            raise BadData(_report(failed, len(indices)))

    def _decode(self, path: Path) -> Bytes | str:
        try:
            return decode_image(path, size=self.size, channels=self.channels)
        except Undecodable as error:
            return f"{path.parent.name}/{path.name}: {error}"


def _report(failed: Sequence[str], total: int) -> str:
    head = f"{len(failed)} of {total} images cannot be decoded"
    more = [f"… and {len(failed) - NAMED} more"] if len(failed) > NAMED else []
    way_out = "mend or remove them, then lock the images again with `ddspec lock SPEC`"
    return "\n  ".join([head, *failed[:NAMED], *more, way_out])


def inside(root: Path, path: Path) -> Path:
    """Return `path` resolved; raises BadData where a symbolic link leads out of `root`."""
    resolved = path.resolve()
    if not resolved.is_relative_to(root.resolve()):
        raise BadData(f"{path} leads out of the data directory, to {resolved}")
    return resolved
