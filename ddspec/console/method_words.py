"""The pieces of a method in words: where networks start, how they move, what is compared."""

from __future__ import annotations

from typing import assert_never

from ddspec.console.quantities import brief, count
from ddspec.spec.method import (
    AdamUpdateSpec,
    AnyUpdateSpec,
    CheckpointsPoolSpec,
    DistributionMatcherSpec,
    ExpertLabelsSpec,
    FixedCoefficientSpec,
    FreshPoolSpec,
    FrozenInnerSpec,
    GradientMatcherSpec,
    HardLabelsSpec,
    InnerSpec,
    LabelsSpec,
    LearnedLabelsSpec,
    MatcherSpec,
    NoPerturbationSpec,
    OnlinePoolSpec,
    OnRealInnerSpec,
    OnSyntheticInnerSpec,
    PerturbationSpec,
    PoolSpec,
    PrunedPoolSpec,
    RecordedPoolSpec,
    SoftLabelsSpec,
    StatisticsMatcherSpec,
    TrajectoryMatcherSpec,
    UnrolledInnerSpec,
    UpdateSpec,
    VarySpec,
    WarmStartSpec,
)
from ddspec.spec.network import (
    ConvNetSpec,
    NetworkSpec,
    ResNetApSpec,
    TorchvisionSpec,
    network_name,
)
from ddspec.spec.optimizer import AdamSpec, AdamWSpec, DecaySpec, OptimizerSpec, SgdSpec
from ddspec.visible import visible

EARLY = 10
"""Epochs up to which a network is called early-stage (Acc-DD, section 5)."""
PARAMETERS = {"kernels": "conv kernels", "matrices": "matrices", "all": "all parameters"}
DISTANCES = {
    "l1": "L1",
    "squared": "squared",
    "channel_mean": "channel-mean",
    "cosine": "cosine",
}
GRADIENTS = {
    "unrolled": "exact gradient, unrolled",
    "recomputed": "exact gradient, recomputed",
    "tesla": "TESLA's approximate gradient",
}
TITLES = {
    "resnet18": "ResNet-18",
    "resnet50": "ResNet-50",
    "resnet101": "ResNet-101",
    "densenet121": "DenseNet-121",
    "mobilenet_v2": "MobileNetV2",
    "shufflenet_v2_x1_0": "ShuffleNetV2",
    "efficientnet_b0": "EfficientNet-B0",
}


def network_words(network: NetworkSpec) -> str:
    """Return an architecture as papers call it: `ConvNet-3`, `ResNetAP-10`."""
    match network:
        case ConvNetSpec(width=128, norm="instance", pooling=None, activation=None):
            return f"ConvNet-{network.depth}"
        case ConvNetSpec(norm="instance", pooling=None, activation=None):
            return f"ConvNet-{network.depth} w{network.width}"
        case ResNetApSpec(norm="instance", stem="large", width=None):
            return f"ResNetAP-{network.depth}"
        case TorchvisionSpec():
            return TITLES.get(network.model, network.model)
        case _:
            return network_name(network)


def pool_words(pool: PoolSpec, network: str) -> list[str]:
    """Return where networks start; `network` is what they are called."""
    match pool:
        case RecordedPoolSpec():
            return [*_recorded(pool, network), *(_varied(pool.vary) if pool.models > 1 else [])]
        case FreshPoolSpec():
            return [f"a new random {network} for every outer loop"]
        case OnlinePoolSpec():
            return [
                f"queue of {network}: {pool.start} at first, one more every {pool.every} loops, "
                f"at most {pool.most}",
                f"{pool.trained} of them take {pool.steps} steps each loop, "
                f"{optimizer_words(pool.optimizer)}",
            ]
        case CheckpointsPoolSpec():
            return [f"{_several(pool.models, f'given {network}')}, trained elsewhere"]
        case PrunedPoolSpec():
            return _pruned(pool, network)
        case _:
            assert_never(pool)


def _recorded(pool: RecordedPoolSpec, network: str) -> list[str]:
    recorded = pool.epochs_recorded()
    trained = f"{optimizer_words(pool.optimizer)}, batch {pool.batch}"
    if len(recorded) > 1:
        every = recorded[1] - recorded[0]
        step = "" if every == 1 else f", every {every}"
        kept = f"kept after epochs {recorded[0]} to {recorded[-1]}{step}"
        kept += f" in {pool.record_precision}" if pool.record_precision else ""
        sharp = ["towards flat minima (GSAM)"] if pool.sharpness else []
        runs = "trajectory" if pool.models == 1 else "trajectories"
        return [f"{pool.models} {runs} of {network}, {kept}", trained, *sharp]
    if not recorded[0]:
        return [_several(pool.models, f"random {network}, not trained")]
    epochs = f"{recorded[0]} epoch{_s(recorded[0])}"
    stage = "early-stage" if recorded[0] <= EARLY else "trained"
    return [f"{_several(pool.models, f'{stage} {network}')}, {epochs}", trained]


def _pruned(pool: PrunedPoolSpec, network: str) -> list[str]:
    left = [
        *([f"{count(round(pool.flops))} MACs"] if pool.flops is not None else []),
        *([f"{count(pool.parameters)} parameters"] if pool.parameters is not None else []),
    ]
    tuned = ", ".join(map(str, dict.fromkeys(pool.epochs)))
    return [
        f"{_several(pool.models, f'{network} pruned')} from a converged one",
        f"to {' and '.join(left)}, fine-tuned {tuned} epochs",
    ]


def _varied(vary: VarySpec) -> list[str]:
    varied = ["seed"]
    varied += ["lr"] if len(set(vary.learning_rate)) > 1 else []
    varied += ["augmentation"] if len(vary.augmentation) > 1 else []
    return [f"differ in {', '.join(varied)}"]


def perturbation_words(perturbation: PerturbationSpec) -> str:
    """Return how a picked network is varied."""
    if isinstance(perturbation, NoPerturbationSpec):
        return "not perturbed"
    law, directions = perturbation.coefficient, perturbation.directions
    coefficient = (
        f"alpha {brief(law.value)}"
        if isinstance(law, FixedCoefficientSpec)
        else f"±U({brief(law.low)},{brief(law.high)})"
    )
    return f"{directions} filter-normalised direction{_s(directions)}, {coefficient}"


def _warmup_words(warmup: WarmStartSpec) -> str:
    return f"{warmup.epochs} epoch{_s(warmup.epochs)} on them before each outer loop"


def inner_words(inner: InnerSpec) -> list[str]:
    """Return how a network moves within an outer loop, and whether it sees the images."""
    match inner:
        case FrozenInnerSpec():
            return ["frozen: the network does not move within an outer loop"]
        case OnRealInnerSpec():
            warmup = inner.warmup
            return [
                f"on real data of all classes, never sees the images: {inner.steps} x "
                f"{inner.batch} a step, {optimizer_words(inner.optimizer)}",
                *([] if warmup is None else [_warmup_words(warmup)]),
            ]
        case OnSyntheticInnerSpec():
            return [
                f"on the synthetic set: {inner.epochs} epoch{_s(inner.epochs)} a step, "
                f"batch {inner.batch}, {optimizer_words(inner.optimizer)}"
            ]
        case UnrolledInnerSpec():
            batch = "the whole set" if inner.batch is None else f"{inner.batch} images"
            learned = "fixed" if inner.learned is None else f"learned ({inner.learned.law} law)"
            return [
                f"unrolled: {inner.steps} student steps on {batch}, "
                f"rate {brief(inner.learning_rate)} {learned}; gradients go through them"
            ]
        case _:
            assert_never(inner)


def matcher_words(matcher: MatcherSpec, views: int) -> list[str]:
    """Return what is compared; `views` are the decoded images of a class."""
    match matcher:
        case GradientMatcherSpec():
            over = PARAMETERS[matcher.parameters]
            return [
                f"gradient, {DISTANCES[matcher.distance]} over {over}",
                _sides(matcher.real_batch, views, matcher.max_views),
            ]
        case TrajectoryMatcherSpec():
            return [
                f"trajectory, {matcher.expert_epochs} expert epoch{_s(matcher.expert_epochs)} from "
                f"a start below {matcher.max_start}",
                GRADIENTS[matcher.gradient],
            ]
        case DistributionMatcherSpec():
            term = matcher.cross_entropy
            return [
                f"distribution, class means of {matcher.features}",
                _sides(matcher.real_batch, views, matcher.max_views or views),
                *([] if term is None else [f"cross-entropy x {brief(term.weight)}"]),
            ]
        case StatisticsMatcherSpec():
            networks = matcher.models_per_image
            first = f", first layer x {brief(matcher.first_layer)}"
            return [
                f"batch-norm statistics x {brief(matcher.batch_norm)}"
                f"{first if matcher.first_layer != 1 else ''}, "
                f"cross-entropy x {brief(matcher.cross_entropy)}"
                f"{' of the mean logits' if matcher.classifier == 'ensemble' else ''}",
                f"{networks} network{_s(networks)} an image",
                f"keeps the {matcher.keep}",
            ]
        case _:
            assert_never(matcher)


def _sides(real: int, views: int, most: int) -> str:
    shown = f"{most} of {views}" if views > most else f"{views}"
    return f"{real} real, {shown} view{_s(views)}"


def update_words(update: AnyUpdateSpec, rate: float) -> str:
    """Return how images move; `rate` is the effective learning rate, after scaling."""
    match update:
        case UpdateSpec():
            law = f"SGD {brief(rate)}, momentum {brief(update.momentum)}"
        case AdamUpdateSpec():
            law = f"Adam {brief(rate)}, betas {', '.join(map(brief, update.betas))}"
        case _:
            assert_never(update)
    averaged = "" if update.averaging is None else f", averaged {brief(update.averaging)}"
    return f"images {law}, {update.clock.replace('_', ' ')} clock{_decay(update.decay)}{averaged}"


def labels_words(labels: LabelsSpec | None) -> str:
    """Return what images are labelled with."""
    match labels:
        case None | HardLabelsSpec():
            return "hard labels"
        case LearnedLabelsSpec():
            return f"learned labels, rate {brief(labels.learning_rate)}"
        case ExpertLabelsSpec():
            return "labels of the expert that is followed"
        case SoftLabelsSpec():
            by = "one network" if labels.teachers == "one" else "all networks of the pool"
            how = "stored per view" if labels.stored == "per_view" else "asked while training"
            return f"soft labels of {by}, {how}"
        case _:
            assert_never(labels)


def optimizer_words(optimizer: OptimizerSpec) -> str:
    """Return an optimiser and its rate: `SGD 0.1`."""
    match optimizer:
        case SgdSpec():
            return f"SGD {brief(optimizer.learning_rate)}"
        case AdamSpec():
            return f"Adam {brief(optimizer.learning_rate)}"
        case AdamWSpec():
            return f"AdamW {brief(optimizer.learning_rate)}"
        case _:
            assert_never(optimizer)


def _decay(decay: DecaySpec | None) -> str:
    if decay is None:
        return ""
    return ", cosine decay" if decay.kind == "cosine" else ", decayed in steps"


def _several(number: int, what: str) -> str:
    return visible(f"{number} {what}")


def _s(number: int) -> str:
    return "" if number == 1 else "s"
