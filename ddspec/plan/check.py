"""Rules between sections: what no single section of a spec can know to be wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import TypeAlias

from ddspec.plan.check_composition import COMPOSITION_RULES, expert_label_findings
from ddspec.plan.check_fit import FIT_RULES, loose_settings
from ddspec.plan.check_imported import IMPORT_RULES
from ddspec.plan.check_judging import JUDGING_RULES
from ddspec.plan.check_networks import network_findings
from ddspec.plan.findings import Finding, Path, Places, Report, error, located, note, nowhere
from ddspec.plan.imports import idle
from ddspec.plan.ir import DataFacts
from ddspec.plan.memo import Memo
from ddspec.plan.works import factor_of, networks_of
from ddspec.presets.protocols import PROTOCOLS
from ddspec.spec.augmentation import (
    AugmentationSpec,
    DsaSpec,
    IdcAugmentationSpec,
    ImageNetAugmentationSpec,
    PadCropSpec,
)
from ddspec.spec.baselines import BaselinesSpec
from ddspec.spec.dataset import FolderDatasetSpec
from ddspec.spec.experiment import Experiment
from ddspec.spec.method import (
    FilterGaussianSpec,
    FixedCoefficientSpec,
    MultiFormationSpec,
    PoolSpec,
    RecordedPoolSpec,
)
from ddspec.spec.network import network_name
from ddspec.visible import visible

Rule: TypeAlias = "Callable[[Experiment, DataFacts], Iterator[Finding]]"

FEWEST_DRAWS = 10
"""Random sets spread by several points over draws; fewer of them make a poor baseline."""
MOST_STAGES = 10_000
"""More would make a plan file of more than 2 MB, which nobody reviews."""
MOST_OF_A_MATRIX = 100_000
"""Stages of all variants, shared ones counted in each: more take minutes and gigabytes to plan."""
MOST_ROWS_OF_A_MATRIX = 20_000_000
"""Outer loops of all distillations that differ: the schedule of each is drawn and hashed."""
SMALLEST_IMAGENET_CROP = 64
"""A random resized crop of half the area leaves smaller images next to nothing."""
DIGITS = frozenset({"digits", "mnist"})
"""Datasets whose images mean something else, or nothing, in a mirror."""


def check(experiment: Experiment, data: DataFacts, places: Places = nowhere) -> Report:
    """Return every violated rule of an experiment, located."""
    return located(findings(experiment, data, Memo()), places)


def findings(experiment: Experiment, data: DataFacts, memo: Memo) -> Iterator[Finding]:
    """Yield every violated rule of an experiment.

    `memo` has what rules found in experiments that are alike, as the variants of a matrix are.
    """
    if experiment.imported is None:
        for found in memo.each(FINDERS, experiment, data):
            yield from found
        return
    unread = idle(experiment)
    for found in memo.each(IMPORT_FINDERS, experiment, data):
        yield from (one for one in found if one.path[0] not in unread)


def _protocol(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    protocol, path = experiment.evaluate.protocol, ("evaluate", "protocol")
    if isinstance(protocol, str):
        if protocol not in PROTOCOLS:
            close = get_close_matches(protocol, PROTOCOLS, n=1)
            known = ", ".join(f"`{name}`" for name in PROTOCOLS)
            hint = f"did you mean `{close[0]}`?" if close else f"known are {known}"
            yield error(1, path, f"no protocol is called `{protocol}`", hint)
        return
    if (protocol.epochs is None) == (protocol.steps is None):
        hint = "add one of them" if protocol.steps is None else "leave one of them out"
        yield error(2, path, "a protocol has `epochs` or `steps`, exactly one of them", hint)
    yield from _augmentation(protocol.augmentation, (*path, "augmentation"), data)


def _augmentations(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    learning = tuple(_while_learning(experiment))
    for path, policy in (*learning, *_of_features(experiment.evaluate.baselines)):
        yield from _augmentation(policy, path, data)
    protocol = experiment.evaluate.protocol
    if isinstance(protocol, str) and protocol in PROTOCOLS:
        yield from _augmentation(PROTOCOLS[protocol]().augmentation, ("evaluate", "protocol"), data)
    if experiment.parameterization.space == "zca":
        yield from (_whitened(path, policy) for path, policy in learning if _of_pixels(policy))


def _of_pixels(policy: AugmentationSpec) -> bool:
    """Return whether a policy asks what a value is as a pixel."""
    black = isinstance(policy, PadCropSpec) and policy.fill == "black"
    return black or isinstance(policy, ImageNetAugmentationSpec)


def _whitened(path: Path, policy: AugmentationSpec) -> Finding:
    if isinstance(policy, PadCropSpec):
        message = "`fill: black` is a colour, and whitened images have none"
        return error(48, (*path, "fill"), message, "leave `fill` out")
    message = "`imagenet` augmentation jitters colours, and whitened images have none"
    return error(48, path, message, "use `kind: dsa` or `kind: idc`")


def _while_learning(experiment: Experiment) -> Iterator[tuple[Path, AugmentationSpec]]:
    """Yield the policies that act on images in the space in which they are learned."""
    yield ("augmentation", "matching"), experiment.augmentation.matching
    yield ("augmentation", "training"), experiment.augmentation.training
    yield from _of_pool(experiment.pool)


def _of_pool(pool: PoolSpec) -> Iterator[tuple[Path, AugmentationSpec]]:
    """Yield the policies that a pool names itself."""
    if not isinstance(pool, RecordedPoolSpec):
        return
    if pool.augmentation is not None:
        yield ("pool", "augmentation"), pool.augmentation
    for index, policy in enumerate(pool.vary.augmentation):
        yield ("pool", "vary", "augmentation", index), policy


def _of_features(baselines: BaselinesSpec) -> Iterator[tuple[Path, AugmentationSpec]]:
    """Yield the policy of the network that images are chosen by, where it is said."""
    if baselines.features is not None:
        yield ("evaluate", "baselines", "features", "augmentation"), baselines.features.augmentation


def _augmentation(policy: AugmentationSpec, path: Path, data: DataFacts) -> Iterator[Finding]:
    if isinstance(policy, DsaSpec | IdcAugmentationSpec):
        if data.name in DIGITS and "flip" in policy.operations:
            message = "`flip` mirrors digits; the codes of DSA and IDC leave it out for MNIST"
            yield note(23, path, message, "write out the `operations` without `flip`")
        return
    if not isinstance(policy, ImageNetAugmentationSpec):
        return
    if data.channels != 3:
        message = f"`imagenet` augmentation is for 3 channels, these images have {data.channels}"
        yield error(9, path, message, "use `idc`")
    elif data.size < SMALLEST_IMAGENET_CROP:
        yield note(9, path, f"`imagenet` augmentation on images of {data.size} pixels", "use `idc`")


def _splits(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    dataset = experiment.dataset
    if experiment.evaluate.on == "validation":
        yield from _validation(dataset.validation, data)
    if isinstance(dataset, FolderDatasetSpec) and (dataset.test is None) != bool(dataset.holdout):
        message, hint = (
            ("no test split: `test` is null and `holdout` is 0", "set `holdout`, such as 0.2")
            if dataset.test is None
            else ("two test splits: a folder and a part of the training images", "drop one of them")
        )
        yield error(17, ("dataset", "holdout" if dataset.holdout else "test"), message, hint)
    if data.smallest_class == 0:
        message = "a class is left without a training image"
        yield error(19, ("dataset", "validation"), message, "hold out less")
    if len(data.classes) == 1:
        message = f"`{visible(data.classes[0])}` is the only class, there is nothing to tell apart"
        yield error(45, ("dataset", "classes"), message, "name two classes or more")


def _validation(share: float, data: DataFacts) -> Iterator[Finding]:
    if not share:
        message = "evaluation on `validation`, but nothing is held out"
        yield error(13, ("evaluate", "on"), message, "set `dataset.validation`, for example to 0.1")
    elif data.validation == 0:
        message = f"evaluation on `validation`, but {share:g} of each class is no whole image"
        yield error(13, ("evaluate", "on"), message, "set a larger `dataset.validation`")


def _budget(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    start = "noise" if experiment.imported else experiment.init.kind
    each = factor_of(experiment) ** 2 if start == "mix" else 1
    if start == "noise" and not _compared_with_real(experiment):
        return
    wanted = each * experiment.budget.images_per_class
    if data.smallest_class is not None and wanted > data.smallest_class:
        most = data.smallest_class // each
        yield error(
            8,
            ("budget", "images_per_class"),
            f"{wanted} real images a class are needed to start from or to compare with, "
            f"the smallest class has {data.smallest_class}",
            f"use {most} or less" if most else "use `init.kind: real`",
        )


def _compared_with_real(experiment: Experiment) -> bool:
    baselines = experiment.evaluate.baselines
    return bool(baselines.random or baselines.random_hard or baselines.selected)


def _parameterization(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    shape = experiment.parameterization
    if isinstance(shape, MultiFormationSpec):
        if shape.factor > data.size:
            yield error(
                11,
                ("parameterization", "factor"),
                f"{shape.factor} cells a side do not fit into {data.size} pixels",
                f"use {data.size} or less",
            )
    elif experiment.init.kind == "mix":
        yield error(
            12,
            ("init", "kind"),
            "`mix` fills the cells of multi-formation images, these have none",
            "use `real`, or `parameterization: {kind: multi_formation}`",
        )


def _shards(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    shards = experiment.resources.shards
    if data.classes and shards > len(data.classes):
        message = f"{shards} shards of {len(data.classes)} classes"
        yield error(10, ("resources", "shards"), message, f"use {len(data.classes)} or less")


def _stages(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    pieces, evaluate = experiment.resources.shards + 1, experiment.evaluate
    curve = len(experiment.loops.snapshots) if evaluate.snapshots else 0
    judged = evaluate.repeats * (1 + curve) + evaluate.baselines.networks
    wholes = {
        ("evaluate", "repeats"): judged * len(networks_of(experiment)),
        ("loops", "snapshots"): (len(experiment.loops.snapshots) + 1) * pieces,
    }
    for path, number in wholes.items():
        if number > MOST_STAGES:
            message = f"{number:,} stages are more than the {MOST_STAGES:,} that a plan may have"
            yield error(22, path, message, "ask for fewer")


def _perturbation(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    perturbation = experiment.perturbation
    if not isinstance(perturbation, FilterGaussianSpec):
        return
    law = perturbation.coefficient
    largest = law.value if isinstance(law, FixedCoefficientSpec) else law.high
    path = ("perturbation", "coefficient")
    if largest == 0:
        yield note(16, path, "all coefficients are 0: nothing is perturbed", "use `kind: none`")


def _baselines(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    evaluate = experiment.evaluate
    path = ("evaluate", "baselines", "random")
    if evaluate.baselines.random == 0:
        yield note(14, path, "without the random baseline nothing shows that learning helped")
    elif evaluate.baselines.random < FEWEST_DRAWS:
        yield note(
            14,
            path,
            f"random sets spread widely: {evaluate.baselines.random} draws are few, "
            f"{FEWEST_DRAWS} would do",
        )
    if evaluate.baselines.features is not None and not evaluate.baselines.selected:
        yield note(
            56,
            ("evaluate", "baselines", "features"),
            "no baseline chooses images by this network",
            "ask for `herding`, `k_center` or `forgetting`",
        )


def _expectations(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    judges = [network_name(network) for network in networks_of(experiment)]
    sets = _judged_sets(experiment)
    for index, expected in enumerate(experiment.expect):
        asked = {"network": (expected.network, judges), "set": (expected.set, sets)}
        for key, (name, known) in asked.items():
            if name is not None and name not in known:
                close = get_close_matches(name, known, n=1)
                hint = f"did you mean `{close[0]}`?" if close else f"evaluated: {', '.join(known)}"
                yield error(15, ("expect", index, key), f"`{name}` is not evaluated", hint)


def _judged_sets(experiment: Experiment) -> list[str]:
    """Return the sets that networks are trained on, as labels call them."""
    names = [name for name, count in experiment.evaluate.baselines.counts.items() if count]
    if experiment.evaluate.snapshots:
        names += [f"to-{loops}" for loops in experiment.loops.snapshots]
    return ["distilled", *names]


RULES: tuple[Rule, ...] = (
    *FIT_RULES,
    *COMPOSITION_RULES,
    *JUDGING_RULES,
    network_findings,
    _splits,
    _budget,
    _parameterization,
    _perturbation,
    _augmentations,
    _protocol,
    _shards,
    _stages,
    _baselines,
    _expectations,
)
"""Numbers are never used again: the next is DDS073."""


def _finder(rule: Rule) -> Callable[[Experiment, DataFacts], tuple[Finding, ...]]:
    """Return a rule whose findings can be kept."""
    return lambda experiment, data: tuple(rule(experiment, data))


FINDERS = tuple(map(_finder, RULES))
IMPORT_FINDERS = tuple(
    map(
        _finder,
        (
            *IMPORT_RULES,
            loose_settings,
            expert_label_findings,
            *(rule for rule in RULES if rule not in {*FIT_RULES, *COMPOSITION_RULES}),
        ),
    )
)
"""Where the set is imported: rules about how it would have been distilled do not count."""
