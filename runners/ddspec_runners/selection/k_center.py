"""k-center: choose so that no image is far from all of the chosen.

The greedy algorithm of Sener and Savarese, "Active learning for convolutional neural networks: a
core-set approach", ICLR 2018, algorithm 1: at most twice the least possible radius.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ddspec_runners.selection.distances import mean_of, squared_distances

CHOSEN = -1.0
"""Distance of what is chosen already: less than any, so that nothing is chosen twice."""


def k_center(features: Tensor, count: int) -> Tensor:
    """Return which rows of (n, D) are chosen, in their order: int64 (count,), count at most n.

    The paper adds to images that it has; here the first is the one nearest to the mean, as at one
    image a class the tables of DC print the same accuracy for k-center and herding. Each other is
    the one farthest from its nearest chosen one; of equally far ones the first.
    """
    distances = squared_distances(features, mean_of(features))
    chosen = [int(distances.argmin())]
    distances = squared_distances(features, features[chosen[0]].double())
    distances[chosen] = CHOSEN
    while len(chosen) < count:
        farthest = int(distances.argmax())
        chosen.append(farthest)
        distances = distances.minimum(squared_distances(features, features[farthest].double()))
        distances[chosen] = CHOSEN
    return torch.tensor(chosen, dtype=torch.int64)
