"""Mean and deviation of each channel, exact in integers, so that no order of reading shows."""

from __future__ import annotations

import math

import numpy as np

from ddspec_runners.data.corpus import Bytes


class ChannelStatistics:
    """Counts of the 256 levels of each channel, over all blocks that were added."""

    def __init__(self, channels: int) -> None:
        self._levels = np.zeros((channels, 256), dtype=np.int64)

    def add(self, block: Bytes) -> None:
        """Count the levels of a block (b, C, H, W)."""
        for channel, levels in enumerate(self._levels):
            levels += np.bincount(block[:, channel].ravel(), minlength=256)

    def mean(self) -> tuple[float, ...]:
        """Return the mean of level / 255 for each channel."""
        return tuple(sums[1] / (255 * sums[0]) for sums in self._sums())

    def std(self) -> tuple[float, ...]:
        """Return the deviation (population) of level / 255; 1 for a channel that never varies."""
        return tuple(
            math.sqrt(n * squares - total * total) / (255 * n) or 1.0
            for n, total, squares in self._sums()
        )

    def constant(self) -> tuple[int, ...]:
        """Return the channels that never vary, such as the alpha of opaque images."""
        return tuple(
            channel
            for channel, (n, total, squares) in enumerate(self._sums())
            if n * squares == total * total
        )

    def _sums(self) -> list[tuple[int, int, int]]:
        """Return (count, sum, sum of squares) of each channel as Python integers."""
        return [
            (
                sum(counts),
                sum(level * count for level, count in enumerate(counts)),
                sum(level * level * count for level, count in enumerate(counts)),
            )
            for counts in self._levels.tolist()
        ]
