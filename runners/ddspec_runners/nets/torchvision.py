"""Architectures of torchvision as pure functions, freshly initialised."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call

from ddspec.errors import DdspecError, Exit
from ddspec.spec.network import TorchvisionSpec
from ddspec_runners.nets.base import Moments, Observed, Params
from ddspec_runners.nets.layers import affine, he_normal, moments, uniform
from ddspec_runners.nets.noise import masks, set_masks

LEAST_SIZE = 32
"""Pixels. All architectures divide the side by 32, ResNets with the small stem by 8."""

DROPOUT, STOCHASTIC_DEPTH = "dropout", "stochastic_depth_prob"


@dataclass(frozen=True, slots=True)
class Architecture:
    """What ddspec has to know of an architecture, besides its forward pass."""

    noise: tuple[str, ...]
    """What torchvision's constructor calls dropout and stochastic depth, as far as it has them."""
    stem: str
    """Name of the first convolution."""
    kernels: Callable[[str, nn.Conv2d, Generator], dict[str, Tensor]]
    """Draws a convolution by torchvision's law for this architecture."""
    classifier: Callable[[str, nn.Linear, Generator], dict[str, Tensor]]
    """Draws weight and bias of the last layer by torchvision's law for this architecture."""


def _torch_law(name: str, layer: nn.Linear, rng: Generator) -> dict[str, Tensor]:
    return affine(name, (layer.out_features, layer.in_features), rng)


def _fan_out_law(name: str, layer: nn.Linear, rng: Generator) -> dict[str, Tensor]:
    shape, bound = (layer.out_features, layer.in_features), 1.0 / math.sqrt(layer.out_features)
    bias = torch.zeros(layer.out_features)
    return {f"{name}.weight": uniform(shape, bound, rng), f"{name}.bias": bias}


def _zero_shift(name: str, layer: nn.Linear, rng: Generator) -> dict[str, Tensor]:
    drawn = _torch_law(name, layer, rng)
    return drawn | {f"{name}.bias": torch.zeros(layer.out_features)}


def _narrow_normal(name: str, layer: nn.Linear, rng: Generator) -> dict[str, Tensor]:
    weight = torch.empty(layer.out_features, layer.in_features).normal_(0.0, 0.01, generator=rng)
    return {f"{name}.weight": weight, f"{name}.bias": torch.zeros(layer.out_features)}


def _he_fan_out(name: str, layer: nn.Conv2d, rng: Generator) -> dict[str, Tensor]:
    weight = {f"{name}.weight": he_normal(tuple(layer.weight.shape), rng)}
    bias = {} if layer.bias is None else {f"{name}.bias": torch.zeros(layer.out_channels)}
    return weight | bias


def _he_fan_in(name: str, layer: nn.Conv2d, rng: Generator) -> dict[str, Tensor]:
    std = math.sqrt(2.0 / math.prod(layer.weight.shape[1:]))
    return {f"{name}.weight": torch.empty(layer.weight.shape).normal_(0.0, std, generator=rng)}


def _uniform(name: str, layer: nn.Conv2d, rng: Generator) -> dict[str, Tensor]:
    shape = tuple(layer.weight.shape)
    return {f"{name}.weight": uniform(shape, 1.0 / math.sqrt(math.prod(shape[1:])), rng)}


ARCHITECTURES: Mapping[str, Architecture] = {
    "resnet18": Architecture((), "conv1", _he_fan_out, _torch_law),
    "resnet50": Architecture((), "conv1", _he_fan_out, _torch_law),
    "resnet101": Architecture((), "conv1", _he_fan_out, _torch_law),
    "densenet121": Architecture((), "features.conv0", _he_fan_in, _zero_shift),
    "mobilenet_v2": Architecture((DROPOUT,), "features.0.0", _he_fan_out, _narrow_normal),
    "shufflenet_v2_x1_0": Architecture((), "conv1.0", _uniform, _torch_law),
    "efficientnet_b0": Architecture(
        (DROPOUT, STOCHASTIC_DEPTH), "features.0.0", _he_fan_out, _fan_out_law
    ),
}


class TorchvisionNetwork:
    """One architecture of torchvision behind the seam `Network`.

    Its modules hold no numbers (they live on torch's `meta` device); every call is given its own.
    Parameters and running statistics keep torchvision's names. Initial values follow
    torchvision's laws, drawn from a named generator instead of the global one.

    Dropout and stochastic depth are off unless the spec sets them, where torchvision has 0.2 for
    MobileNetV2 and EfficientNet. They act in `train_step` alone, with masks from its generator.

    Images of another number of channels than 3 get a first convolution of that many.

    Raises:
        DdspecError: the images are smaller than 32 px.
    """

    def __init__(self, spec: TorchvisionSpec, *, channels: int, size: int, classes: int) -> None:
        if size < LEAST_SIZE:
            raise DdspecError(
                f"{spec.model} needs images of at least {LEAST_SIZE} px, these have {size}",
                exit=Exit.INVALID,
                hint="evaluate on a ConvNet, or on ResNetAP-10 with a smaller stem",
            )
        self._architecture = ARCHITECTURES[spec.model]
        self._batch = _modules(spec, channels, classes, "batch")
        self._tracking = _modules(spec, channels, classes, "tracking")
        self._running = _modules(spec, channels, classes, "running")
        self._headless = _modules(spec, channels, classes, "running")
        self._classifier = _last_linear(self._headless)
        self._headless.set_submodule(self._classifier, nn.Identity())

    def init(self, rng: Generator) -> dict[str, Tensor]:
        """Draw parameters module by module; norms start at scale one and shift zero."""
        params: dict[str, Tensor] = {}
        for name, module in self._batch.named_modules():
            match module:
                case nn.Conv2d():
                    params |= self._architecture.kernels(name, module, rng)
                case nn.Linear():
                    params |= self._architecture.classifier(name, module, rng)
                case nn.BatchNorm2d():
                    params[f"{name}.weight"] = torch.ones(module.num_features)
                    params[f"{name}.bias"] = torch.zeros(module.num_features)
                case _:
                    pass  # containers, activations and pooling have no parameters
        return params

    def buffers(self) -> dict[str, Tensor]:
        """Return running means of zero and variances of one for every batch norm."""
        return {
            name: (torch.zeros if name.endswith("mean") else torch.ones)(buffer.shape)
            for name, buffer in self._running.named_buffers()
        }

    def apply(self, params: Params, x: Tensor) -> Tensor:
        """Return logits (N, K) by the statistics of the batch."""
        return _call(self._batch, params, x)

    def train_step(
        self, params: Params, buffers: Params, x: Tensor, rng: Generator | None = None
    ) -> tuple[Tensor, Params]:
        """Return logits, as `apply` does but with noise, and the running statistics moved."""
        moved = {name: buffer.clone() for name, buffer in buffers.items()}
        drawn = masks(self._tracking, x, rng)
        return _call(self._tracking, {**params, **moved, **drawn}, x), moved

    def predict(self, params: Params, buffers: Params, x: Tensor) -> Tensor:
        """Return logits (N, K) by running statistics."""
        return _call(self._running, {**params, **buffers}, x)

    def features(self, params: Params, buffers: Params | None, x: Tensor) -> Tensor:
        """Return what enters the last linear layer, (N, D), by `buffers` or those of the batch."""
        if buffers is None:
            return self.observe(params, None, x).features
        body = {n: p for n, p in params.items() if n.rpartition(".")[0] != self._classifier}
        return _call(self._headless, {**body, **buffers}, x)

    def observe(self, params: Params, buffers: Params | None, x: Tensor) -> Observed:
        """Return logits, features and the moments of what enters each batch norm, in one pass."""
        modules = self._batch if buffers is None else self._running
        with _watched(modules, self._classifier) as seen:
            logits = _call(modules, {**params, **(buffers or {})}, x)
        return Observed(logits, seen.features[0], seen.norms)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What hooks on modules have caught."""

    norms: dict[str, Moments]
    features: list[Tensor]


@contextmanager
def _watched(modules: nn.Module, classifier: str) -> Iterator[_Seen]:
    """Catch what enters batch norms and the classifier, as long as the context is open."""
    seen = _Seen({}, [])
    with ExitStack() as hooks:
        for name, module in modules.named_modules():
            if isinstance(module, nn.BatchNorm2d):
                hooks.callback(module.register_forward_pre_hook(partial(_note, seen, name)).remove)
        last = modules.get_submodule(classifier)
        hooks.callback(last.register_forward_pre_hook(partial(_keep, seen)).remove)
        yield seen


def _note(seen: _Seen, name: str, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    seen.norms[name] = moments(inputs[0])


def _keep(seen: _Seen, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    seen.features.append(inputs[0])


def _last_linear(modules: nn.Module) -> str:
    """Return the name of the layer that puts out logits."""
    linears: list[str] = [
        name for name, one in modules.named_modules() if isinstance(one, nn.Linear)
    ]
    return linears[-1]


def _call(modules: nn.Module, tensors: Params, x: Tensor) -> Tensor:
    # strict: a tensor that is missing would otherwise be looked for on the meta device
    logits: Tensor = functional_call(modules, dict(tensors), (x,), strict=True)
    return logits


def _modules(
    spec: TorchvisionSpec,
    channels: int,
    classes: int,
    statistics: Literal["batch", "tracking", "running"],
) -> nn.Module:
    """Build the modules without numbers, with batch norms in one of their three states.

    Only those that track have noise.
    """
    import torchvision.models  # half a second that the other networks need not pay

    architecture = ARCHITECTURES[spec.model]
    with torch.device("meta"):
        build = torchvision.models.get_model_builder(spec.model)
        given = {DROPOUT: spec.dropout, STOCHASTIC_DEPTH: spec.stochastic_depth}
        noisy = statistics == "tracking"
        noise = {name: (given[name] or 0.0) * noisy for name in architecture.noise}
        modules: nn.Module = build(weights=None, num_classes=classes, **noise)
        if spec.stem == "cifar":
            _set_small_stem(modules)
        _set_channels(modules, architecture.stem, channels)
        if statistics == "tracking":
            set_masks(modules)
    for module in modules.modules():
        if isinstance(module, nn.BatchNorm2d):
            # the count of batches is used with a cumulative average only, which neither net has
            module.num_batches_tracked = None
            if statistics == "batch":
                module.track_running_stats = False
                module.running_mean = module.running_var = None
    return modules.train(statistics != "running").requires_grad_(False)


def _set_channels(modules: nn.Module, stem: str, channels: int) -> None:
    """Give the first convolution another number of input channels, in modules just built."""
    layer = modules.get_submodule(stem)
    shape = layer.get_parameter("weight").shape
    if shape[1] != channels:
        layer.weight = nn.Parameter(torch.empty(shape[0], channels, *shape[2:]))


def _set_small_stem(modules: nn.Module) -> None:
    """Let a ResNet begin with a 3x3 convolution of stride 1 and pool no more before its blocks."""
    modules.conv1 = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
    modules.maxpool = nn.Identity()
