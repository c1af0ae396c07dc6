"""Rules about networks: whether they take the images, and whether they may be matched."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from ddspec.plan.cost_networks import STEMS, convnet_sides, least_cut, network_cost
from ddspec.plan.findings import Finding, Path, error, note
from ddspec.plan.ir import DataFacts
from ddspec.plan.works import networks_of
from ddspec.spec.experiment import Experiment
from ddspec.spec.method import (
    GradientMatcherSpec,
    MatcherSpec,
    PrunedPoolSpec,
    TrajectoryMatcherSpec,
)
from ddspec.spec.network import (
    CLASSIC_LEAST,
    ClassicSpec,
    ConvNetSpec,
    NetworkSpec,
    ResNetApSpec,
    TorchvisionSpec,
    network_name,
    norm_of,
    padded_side,
)

GROUPED = ("mobilenet_v2", "shufflenet_v2_x1_0", "efficientnet_b0")
"""Networks of torchvision that convolve channels in groups."""
SMALLEST_TORCHVISION = 32
"""Most of them halve the image five times."""


def network_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield what is wrong with the network that is matched and with those that judge."""
    yield from _takes_images(experiment.network, ("network",), data)
    yield from _may_be_matched(experiment.network, experiment.matcher)
    yield from _can_be_cut(experiment, data)
    if experiment.evaluate.networks is None:
        return
    seen: set[str] = set()
    for index, network in enumerate(networks_of(experiment)):
        path: Path = ("evaluate", "networks", index)
        yield from _takes_images(network, path, data)
        name = network_name(network)
        if name in seen:
            yield error(18, path, f"`{name}` is listed twice", "raise `evaluate.repeats` instead")
        seen.add(name)


def _may_be_matched(network: NetworkSpec, matcher: MatcherSpec) -> Iterator[Finding]:
    """Yield what keeps a network from matching that differentiates through its gradients."""
    if not isinstance(matcher, GradientMatcherSpec | TrajectoryMatcherSpec):
        return
    if isinstance(network, TorchvisionSpec):
        yield error(
            5,
            ("network", "kind"),
            f"`{network_name(network)}` can judge a set but not be matched: it has batch norm and "
            "pooling that matching does not support",
            "use `convnet`, `resnet_ap` or `classic`, and list it under `evaluate.networks`",
        )
    elif (
        norm_of(network) == "batch"
        and isinstance(matcher, GradientMatcherSpec)
        and matcher.batch_norm is None
    ):
        yield error(
            4,
            ("network", "norm"),
            "batch norm under gradient matching: a batch holds one class, so its statistics are "
            "that class's and not the data's",
            "use `instance`, or `matcher.batch_norm: frozen` as DC's code does; under "
            "`evaluate.networks` batch norm is fine",
        )
    elif (
        isinstance(matcher, GradientMatcherSpec)
        and matcher.parameters == "kernels"
        and isinstance(network, ClassicSpec)
        and network.model == "mlp"
    ):
        yield error(
            60,
            ("matcher", "parameters"),
            "an MLP has linear layers only, no kernels whose gradients could be matched",
            "use `matrices` or `all`",
        )


def _can_be_cut(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield what keeps a pruned pool from having networks with fewer channels."""
    network, pool = experiment.network, experiment.pool
    if not isinstance(pool, PrunedPoolSpec) or any(_takes_images(network, ("network",), data)):
        return
    groups = isinstance(network, TorchvisionSpec) and network.model in GROUPED
    norm = norm_of(network)
    if groups or norm in ("group", "layer"):
        why = "convolves them in groups" if groups else f"has `{norm}` norm over several of them"
        yield error(
            65,
            ("pool", "kind"),
            f"single channels of `{network_name(network)}` cannot be cut: it {why}",
            "use a ResNet, or a ConvNet with `norm: batch`",
        )
        return
    yield from _targets(network, pool, data)


def _targets(network: NetworkSpec, pool: PrunedPoolSpec, data: DataFacts) -> Iterator[Finding]:
    """Yield targets that no cut network meets, or that the whole one does."""
    channels, size, classes = data.channels, data.size, max(1, len(data.classes))
    cost = network_cost(network, channels=channels, size=size, classes=classes)
    operations, numbers = cost.flops // 2, cost.parameters
    least = least_cut(network, channels=channels, size=size, classes=classes)
    whole = f"`{network_name(network)}` has {operations:,} operations and {numbers:,} parameters"
    targets = {"flops": pool.flops, "parameters": pool.parameters}
    few = [
        name
        for (name, most), low in zip(targets.items(), least, strict=True)
        if most is not None and most < low
    ]
    if few:
        yield error(
            73,
            ("pool", few[0]),
            f"no cut leaves so little: with one channel of every layer there are at least "
            f"{least[0]:,} operations and {least[1]:,} parameters",
            f"raise the target; it is a number, no share, and {whole}",
        )
    elif operations <= (pool.flops or inf) and numbers <= (pool.parameters or inf):
        yield note(
            66,
            ("pool", "parameters" if pool.flops is None else "flops"),
            f"nothing is cut: {whole} as it is",
            "lower the targets, so that the networks of the pool differ",
        )


def _takes_images(network: NetworkSpec, path: Path, data: DataFacts) -> Iterator[Finding]:
    match network:
        case ConvNetSpec():
            yield from _convnet(network, path, data)
        case ResNetApSpec():
            yield from _resnet_ap(network, path, data)
        case TorchvisionSpec():
            yield from _torchvision(network, path, data)
        case ClassicSpec():
            least = CLASSIC_LEAST[network.model]
            if padded_side(data.channels, data.size) < least:
                yield error(
                    7,
                    (*path, "model"),
                    f"`{network.model}` takes at least {least} pixels, not {data.size}",
                    "judge with a ConvNet, or raise `dataset.size`",
                )


def _torchvision(network: TorchvisionSpec, path: Path, data: DataFacts) -> Iterator[Finding]:
    if data.channels != 3 or data.size < SMALLEST_TORCHVISION:
        yield error(
            7,
            (*path, "model"),
            f"`{network.model}` takes 3 channels and at least {SMALLEST_TORCHVISION} "
            f"pixels, not {data.channels} x {data.size} x {data.size}",
            "judge with a ConvNet"
            + (", or raise `dataset.size`" if data.channels == 3 else " or a `classic` network"),
        )
    if network.stem == "cifar" and not network.model.startswith("resnet"):
        yield error(
            33,
            (*path, "stem"),
            f"`{network.model}` has no stem for small images, only ResNets have",
            "leave `stem` out, or take `resnet18`",
        )


def _convnet(network: ConvNetSpec, path: Path, data: DataFacts) -> Iterator[Finding]:
    sides = convnet_sides(network, channels=data.channels, size=data.size)
    if sides[-1] < 1:
        most = next(i for i, side in enumerate(sides) if side < 1) - 1
        yield error(
            3,
            (*path, "depth"),
            f"images of {data.size} pixels are gone after {most} of {network.depth} halvings",
            f"use `depth: {most}` or less" if most else "use larger images",
        )
    if network.norm == "group" and network.width % 4:
        message = f"4 groups do not divide {network.width} channels evenly"
        yield error(20, (*path, "width"), message, "use a multiple of 4")


def _resnet_ap(network: ResNetApSpec, path: Path, data: DataFacts) -> Iterator[Finding]:
    fitting = "large" if data.size > 128 else "mid" if data.size > 64 else "small"
    left = data.size // STEMS[network.stem][1] // 8
    if left < 2:
        yield error(
            6,
            (*path, "stem"),
            f"images of {data.size} pixels leave the last block of the `{network.stem}` network "
            "less than 2 of them a side",
            "use a `convnet`" if network.stem == fitting else f"use `stem: {fitting}`",
        )
    elif network.stem != fitting:
        yield note(
            6,
            (*path, "stem"),
            f"IDC takes the `{fitting}` stem at {data.size} pixels, not `{network.stem}`",
        )
