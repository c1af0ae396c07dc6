"""Series of very many points, thinned to what a figure can show; what stands out stays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BINS = 600
"""Of a figure's width: about one for each pixel of a telephone's screen."""


def thin(
    x: NDArray[np.float64], columns: list[NDArray[np.float64]], *, log: bool
) -> NDArray[np.int64]:
    """Return the positions of the points to draw, in their order.

    Of each bin of `x` [N] the first and the last point stay, and for each of `columns` (all [N])
    the least and the greatest. Few points stay as they are; where `x` goes back, bins are by
    position.
    """
    if len(x) <= 2 * BINS:
        return np.arange(len(x))
    places = np.log(x) if log and x.min() > 0 else x
    if np.any(np.diff(places) < 0):
        places = np.arange(len(x), dtype=np.float64)
    edges = np.linspace(places[0], places[-1], BINS + 1)[1:-1]
    starts = np.unique([0, *np.searchsorted(places, edges, side="right")])
    starts = starts[starts < len(x)]
    stops = [*starts[1:], len(x)]
    kept = {0, len(x) - 1}
    for start, stop in zip(starts, stops, strict=True):
        kept |= {int(start), int(stop) - 1}
        for column in columns:
            kept |= {int(start + column[start:stop].argmin())}
            kept |= {int(start + column[start:stop].argmax())}
    return np.array(sorted(kept))
