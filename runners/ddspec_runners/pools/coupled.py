"""Which channels of a network belong together: those that leave it at once, or not at all.

Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023, by the authors' own library. It
reads the graph of autograd and wants torch's modules, so that a network of plain functions is shown
to it as one: every call of a layer passes through a module that holds the layer's parameters.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ddspec_runners.faults import BadJob
from ddspec_runners.nets.base import Network, Params
from ddspec_runners.nets.layer_calls import BATCH_NORM, CONV, GROUP_NORM, LINEAR, LayerCalls


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of one tensor that belongs to channels."""

    tensor: str
    dim: int
    indices: Tensor
    """Along that dimension, int64 (n,)."""
    channels: Tensor
    """Which channel each of them belongs to, int64 (n,)."""


@dataclass(frozen=True, slots=True)
class Coupled:
    """Channels that can leave a network, each with everything that depends on it."""

    name: str
    """The first layer that makes them."""
    channels: int
    slices: tuple[Slice, ...]


def coupled_channels(
    network: Network, params: Params, buffers: Params, *, channels: int, size: int
) -> tuple[Coupled, ...]:
    """Return all channels that can be cut from a network, in the order of its layers.

    Those of the classifier are classes, and none of them. Raises BadJob where a layer has groups
    or a norm is of none of the kinds whose channels stand alone.
    """
    import torch_pruning  # slow to load, and needed by one task alone

    module = _Layers(network, params, buffers)
    images = torch.zeros(1, channels, size, size)
    module.find(images)
    with warnings.catch_warnings(), torch.enable_grad():
        warnings.simplefilter("ignore")  # of operations that it takes for elementwise ones
        graph = torch_pruning.DependencyGraph().build_dependency(module, images, verbose=False)
        return tuple(_coupled(graph, module))


class _Layers(nn.Module):
    """A network as modules, one for each layer with parameters."""

    def __init__(self, network: Network, params: Params, buffers: Params) -> None:
        super().__init__()
        self._network, self._running = network, _plain(buffers)
        self._tensors = {n: nn.Parameter(p) for n, p in _plain(params).items()}
        self._names = {id(p): name.rpartition(".")[0] for name, p in self._tensors.items()}
        self._layers: dict[str, nn.Module] = {}
        self.listed = nn.ModuleList()

    def find(self, images: Tensor) -> None:
        """Make the modules, by a pass that notes every layer down."""
        with torch.no_grad(), LayerCalls(self._note):
            self._network.predict(self._tensors, self._running, images)
        self.listed.extend(self._layers.values())

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, through the modules."""
        with LayerCalls(self._passed):
            return self._network.predict(self._tensors, self._running, images)

    def named(self) -> Mapping[nn.Module, str]:
        """Return the name of each layer."""
        return {layer: name for name, layer in self._layers.items()}

    @property
    def last(self) -> nn.Module:
        """The classifier."""
        return list(self._layers.values())[-1]

    def _passed(self, func: Callable[..., Any], weight: Tensor, args: Any, kwargs: Any) -> Any:
        given = args[0] if args else kwargs["input"]
        return self._layers[self._names[id(weight)]](given)

    def _note(self, func: Callable[..., Any], weight: Tensor, args: Any, kwargs: Any) -> Any:
        name = self._names[id(weight)]
        layer, out = self._module(name, func, args, kwargs), func(*args, **kwargs)
        for kind in ("weight", "bias"):
            if f"{name}.{kind}" in self._tensors:
                layer.register_parameter(kind, self._tensors[f"{name}.{kind}"])
        self._layers[name] = layer
        return out

    def _module(self, name: str, func: Callable[..., Any], args: Any, kwargs: Any) -> nn.Module:
        shape, biased = self._tensors[f"{name}.weight"].shape, f"{name}.bias" in self._tensors
        if func is CONV:
            return _convolution(name, shape, biased, args, kwargs)
        if func is LINEAR:
            return nn.Linear(shape[1], shape[0], bias=biased, device="meta")
        alone = func is GROUP_NORM and (args[1] if len(args) > 1 else kwargs["num_groups"])
        if func is BATCH_NORM:
            return nn.BatchNorm2d(shape[0])
        if alone == shape[0]:
            return nn.GroupNorm(shape[0], shape[0])
        raise BadJob(f"channels of `{name}` cannot be cut: its norm takes several at once")


def _plain(tensors: Params) -> dict[str, Tensor]:
    return {name: value.detach().float().cpu() for name, value in tensors.items()}


def _convolution(name: str, shape: torch.Size, biased: bool, args: Any, kwargs: Any) -> nn.Conv2d:
    places = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    said = {**dict(zip(places, args, strict=False)), **kwargs}
    if said.get("groups", 1) != 1:
        raise BadJob(f"channels of `{name}` cannot be cut: it convolves them in groups")
    how = {key: said[key] for key in ("stride", "padding", "dilation") if key in said}
    return nn.Conv2d(shape[1], shape[0], (shape[2], shape[3]), bias=biased, device="meta", **how)


def _coupled(graph: Any, module: _Layers) -> Iterator[Coupled]:
    names, seen = module.named(), set()
    for layer, name in names.items():
        if layer in seen or not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        cut = graph.get_pruner_of_module(layer)
        count = cut.get_out_channels(layer)
        group = graph.get_pruning_group(layer, cut.prune_out_channels, list(range(count)))
        makers = {
            item.dep.target.module
            for item in group.items
            if graph.is_out_channel_pruning_fn(item.dep.handler)
        }
        seen |= makers
        if module.last not in makers:
            yield Coupled(name, count, tuple(_slices(graph, group, names)))


def _slices(graph: Any, group: Any, names: Mapping[nn.Module, str]) -> Iterator[Slice]:
    for item in group.items:
        layer = item.dep.target.module
        if layer not in names:
            continue  # operations without parameters
        indices, channels = torch.tensor(item.idxs), torch.tensor(item.root_idxs)
        name, out = names[layer], graph.is_out_channel_pruning_fn(item.dep.handler)
        if isinstance(layer, nn.BatchNorm2d | nn.GroupNorm):
            for kind in ("weight", "bias", "running_mean", "running_var"):
                yield Slice(f"{name}.{kind}", 0, indices, channels)
        elif out:
            yield Slice(f"{name}.weight", 0, indices, channels)
            yield Slice(f"{name}.bias", 0, indices, channels)
        else:
            yield Slice(f"{name}.weight", 1, indices, channels)
