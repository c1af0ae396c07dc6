"""Torch's own counters around real code: operations, and the bytes of tensors that are alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

aten = torch.ops.aten


class Counter(TorchDispatchMode):
    """Count while it is entered.

    Operations are those of `torch.utils.flop_counter`, by its registry rather than its context
    manager, which also follows modules and cannot where gradients are taken of functions. Torch
    counts the weight gradient of a grouped convolution as if it had one group; here each face of
    one counts as much as its forward pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0
        self.peak = 0
        """Most bytes of storages made in here that were alive at once."""
        self.kernels = 0
        """Operations that wrote to new or given memory."""
        self._alive: dict[int, int] = {}
        self._sum = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        self.flops += _flops(func, args, kwargs or {}, out)
        given = {id_of(t) for t in _tensors((args, kwargs))}
        fresh = [t for t in _tensors(out) if id_of(t) not in given]
        self.kernels += bool(fresh) or func.__name__.split(".")[0].endswith("_")
        for tensor in fresh:
            self._watch(tensor.untyped_storage())
        return out

    def _watch(self, storage: Any) -> None:
        key = storage._cdata
        if key not in self._alive:
            self._alive[key] = storage.nbytes()
            self._sum += storage.nbytes()
            self.peak = max(self.peak, self._sum)
            weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self._sum -= self._alive.pop(key, 0)


def counted(run: Callable[[], object]) -> Counter:
    """Run something and return what was counted."""
    with Counter() as counter:
        run()
    return counter


def id_of(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _tensors(tree: object) -> Iterable[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _flops(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> int:
    if func is aten.convolution_backward.default and args[9] > 1:
        grad, _, weight = args[:3]
        faces = int(args[10][0]) + int(args[10][1])
        return faces * 2 * grad.numel() * weight.numel() // weight.shape[0]
    rule = flop_registry.get(func._overloadpacket)
    return int(rule(*args, **kwargs, out_val=out)) if rule else 0
