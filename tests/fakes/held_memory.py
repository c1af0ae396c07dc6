"""How many bytes autograd keeps for backward passes, at the worst moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor


class _Kept:
    """A tensor that a graph keeps; it is counted until the graph lets go of it."""

    def __init__(self, tensor: Tensor, books: Books) -> None:
        self.tensor, self.books = tensor, books
        books.take(tensor)

    def __del__(self) -> None:
        self.books.give(self.tensor)


class Books:
    """Bytes of the storages that are kept now, each counted once, and the most there ever were."""

    def __init__(self) -> None:
        self.holders: Counter[int] = Counter()
        self.now = self.most = 0

    def take(self, tensor: Tensor) -> None:
        """Count a tensor that is kept from now on."""
        storage = tensor.untyped_storage()
        if not self.holders[storage.data_ptr()]:
            self.now += storage.nbytes()
            self.most = max(self.most, self.now)
        self.holders[storage.data_ptr()] += 1

    def give(self, tensor: Tensor) -> None:
        """Count a tensor no longer."""
        storage = tensor.untyped_storage()
        self.holders[storage.data_ptr()] -= 1
        if not self.holders[storage.data_ptr()]:
            self.now -= storage.nbytes()


def most_kept(run: Callable[[], object]) -> int:
    """Return the most bytes that autograd has kept at once while `run` ran."""
    books = Books()
    hooks = torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: _Kept(tensor, books), lambda kept: kept.tensor
    )
    with hooks:
        run()
    return books.most
