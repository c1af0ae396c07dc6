"""What a network's forward pass calls: its layers, found by the parameters that they use."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ddspec_runners.nets.base import Network, Params

CONV, LINEAR, BATCH_NORM, GROUP_NORM, LAYER_NORM = (
    F.conv2d,
    F.linear,
    F.batch_norm,
    F.group_norm,
    F.layer_norm,
)
WEIGHT: Mapping[Callable[..., Any], tuple[int, str]] = {
    CONV: (1, "weight"),
    LINEAR: (1, "weight"),
    BATCH_NORM: (3, "weight"),
    GROUP_NORM: (2, "weight"),
    LAYER_NORM: (2, "weight"),
}
"""Functions with parameters, and where among their arguments the weight is."""
PAIR = 2
"""Images of a pass that is only counted: a batch norm asks for more than one number a channel."""


class LayerCalls(TorchFunctionMode):
    """Hand every call of a layer to `answer`, with the function, its weight and its arguments."""

    def __init__(self, answer: Callable[[Callable[..., Any], Tensor, Any, Any], Any]) -> None:
        super().__init__()
        self._answer = answer

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Let other functions pass."""
        given = kwargs or {}
        if func not in WEIGHT:
            return func(*args, **given)
        place, name = WEIGHT[func]
        weight = args[place] if len(args) > place else given[name]
        return self._answer(func, weight, args, given)


def multiplications(network: Network, params: Params, *, channels: int, size: int) -> int:
    """Return the multiply-accumulate operations of one image (channels, size, size).

    Those of convolutions and linear layers, as published counts of networks are. Only shapes of
    `params` are read, so that they may lie on torch's `meta` device.
    """
    counted: list[int] = []

    def count(func: Callable[..., Any], weight: Tensor, args: Any, kwargs: Any) -> Tensor:
        out: Tensor = func(*args, **kwargs)
        if func in (CONV, LINEAR):
            counted.append(out.numel() // PAIR * math.prod(weight.shape[1:]))
        return out

    shapes = {name: torch.empty(value.shape, device="meta") for name, value in params.items()}
    with torch.no_grad(), LayerCalls(count):
        network.apply(shapes, torch.empty(PAIR, channels, size, size, device="meta"))
    return sum(counted)
