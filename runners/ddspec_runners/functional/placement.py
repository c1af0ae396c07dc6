"""Where small tensors lie: draws and constants on the device that computes, without waiting for it.

A blocking copy to an accelerator waits until all of its queued work is done; there are a dozen such
copies in the step of one class. Copies from ordinary memory are staged before the call returns, so
not waiting is as safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor


def placed(tensor: Tensor, device: torch.device | None, dtype: torch.dtype | None = None) -> Tensor:
    """Return a tensor on a device and in a type, itself where it is so; None keeps either."""
    # A copy back to the CPU has to be waited for: its numbers are not there yet.
    waits = tensor.device.type != "cpu"
    return tensor.to(device=device, dtype=dtype, non_blocking=not waits)


SHARE = 4
"""A data set may take one part in so many of the memory that is free; networks need the rest."""
UNASKED_BYTES = 8 * 2**30
"""What it may take on an accelerator that cannot be asked."""


def fits(size: int, device: torch.device) -> bool:
    """Tell whether a data set of `size` bytes may lie in the memory of an accelerator.

    CUDA devices are asked how much is free now. No number depends on the answer.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return size <= free // SHARE
    return device.type != "cpu" and size <= UNASKED_BYTES


def channels(values: Sequence[float], like: Tensor) -> Tensor:
    """Return one value a channel as (C, 1, 1), in the type and on the device of `like`.

    The tensor is kept for the next call: it must not be changed.
    """
    return _channels(tuple(values), like.dtype, like.device)


@lru_cache(maxsize=64)
def _channels(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=dtype, device=device)[:, None, None]
