"""Weights that were trained elsewhere: files that nobody here has written.

A file is read once, compared with the digest that the plan names, and parsed only then; and what
it holds is compared with the network before any number is used.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from ddspec_runners.faults import BadData
from ddspec_runners.nets.base import Network
from ddspec_runners.rng import generator
from ddspec_runners.untrusted import content_of, unpickled

WRAPPERS = ("state_dict", "model")
"""Under which training scripts put the weights beside other things."""
PARALLEL = "module."
"""What torch.nn.DataParallel puts before all names."""
COUNTER = "num_batches_tracked"
"""Batches that a norm has seen; only a cumulative average would need it, which no network has."""
DOTTED = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")
"""Layers of DenseNet as torchvision's published files name them, `norm.1` for `norm1`."""
NAMED = 3
"""Tensors that a message names."""
PLAIN = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64})
"""Types of numbers that every operation knows."""


def read_weights(path: Path, digest: str) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, or of one that torch.save wrote.

    Nothing but tensors is unpickled. `digest` is the SHA-256 of the file, or its first digits.
    Raises BadData, naming the file, where it is missing, another one, damaged or hostile.
    """
    content = content_of(path, "there are no weights")
    found = hashlib.sha256(content).hexdigest()
    if not found.startswith(digest):
        raise BadData(f"{path} has SHA-256 {found}, the plan says {digest}")
    try:
        tensors = _parsed(content)
    except BadData as error:
        raise BadData(f"{path} {error}") from error
    except Exception as error:  # what a hostile pickle raises is for it to choose
        why = f"it is damaged, or holds more than tensors ({type(error).__name__})"
        raise BadData(f"{path} cannot be read as weights: {why}") from error
    return {_renamed(name): tensor for name, tensor in tensors.items()}


def fitted(
    tensors: Mapping[str, Tensor], network: Network, path: Path, dtype: torch.dtype
) -> dict[str, Tensor]:
    """Return parameters and running statistics of `network`, in its order and in `dtype`.

    Raises BadData, naming `path`, where there are other tensors, other shapes, numbers that are
    not finite or negative variances.
    """
    example = {**network.init(generator("shapes")), **network.buffers()}
    kept = {n: t for n, t in tensors.items() if n.rpartition(".")[2] != COUNTER}
    missing, foreign = [n for n in example if n not in kept], [n for n in kept if n not in example]
    if missing or foreign:
        raise BadData(f"{path} holds another network: {_differences(missing, foreign)}")
    for name, value in example.items():
        problem = _problem(name, kept[name], value.shape, dtype)
        if problem:
            raise BadData(f"{path} cannot be used: `{name}` {problem}")
    return {name: kept[name].detach().to("cpu", dtype, copy=True) for name in example}


def _parsed(content: bytes) -> Mapping[str, Tensor]:
    if content[8:9] == b"{":
        return safetensors.torch.load(content)
    return _tensors(unpickled(content))


def _tensors(loaded: object) -> Mapping[str, Tensor]:
    for wrapper in WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping):
        raise BadData(f"holds a {type(loaded).__name__}, no tensors by name")
    tensors = {}
    for name, tensor in loaded.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise BadData(f"holds something that is no tensor, at {_quoted(name)}")
        tensors[name] = tensor
    if tensors and all(name.startswith(PARALLEL) for name in tensors):
        return {name.removeprefix(PARALLEL): tensor for name, tensor in tensors.items()}
    return tensors


def _renamed(name: str) -> str:
    return DOTTED.sub(r"\1\2", name)


def _differences(missing: list[str], foreign: list[str]) -> str:
    parts = [
        f"{len(names)} {what}, {', '.join(map(_quoted, names[:NAMED]))}"
        + (" …" if len(names) > NAMED else "")
        for names, what in ((missing, "tensors are missing"), (foreign, "are not of this one"))
        if names
    ]
    return "; ".join(parts)


def _quoted(name: object) -> str:
    """Return a name as it may be told: in one line, without what controls a terminal."""
    return f"`{ascii(str(name)[:80])[1:-1]}`"


def _problem(name: str, tensor: Tensor, shape: torch.Size, dtype: torch.dtype) -> str:
    if tensor.layout != torch.strided or tensor.dtype not in PLAIN or tensor.is_meta:
        return f"is {tensor.dtype} and {tensor.layout} on {tensor.device}, not plain numbers"
    if tensor.shape != shape:
        return f"is {tuple(tensor.shape)}, this network's is {tuple(shape)}"
    if not bool(tensor.to(dtype).isfinite().all()):
        return f"holds NaN or infinite values, or such as are infinite in {dtype}"
    if name.endswith("running_var") and bool((tensor < 0).any()):
        return "holds negative variances"
    return ""
