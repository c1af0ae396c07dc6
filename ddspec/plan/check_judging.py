"""Rules about how a set is judged: labels, space and rate that protocol and set agree on."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

from ddspec.plan.check_fit import trained
from ddspec.plan.findings import Finding, Path, error, note
from ddspec.plan.ir import DataFacts
from ddspec.plan.pools import zca_of
from ddspec.plan.soft_labels import soft_labels
from ddspec.plan.works import effective_update
from ddspec.presets.protocols import PROTOCOLS
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.experiment import Experiment
from ddspec.spec.method import RecordedPoolSpec, SoftLabelsSpec, UnrolledInnerSpec
from ddspec.spec.variant_names import base_of

USUAL_STD = 0.008
"""Of accuracies over networks, where a publication prints none."""
SURE = 1.96
"""Standard errors that a difference must have to be told with 95 % confidence."""
POINT = 0.01
"""A difference that people argue about."""

RATES: Mapping[tuple[str, str], tuple[float, float]] = {
    ("gradient", "pixel"): (1e-6, 0.5),
    ("gradient", "normalised"): (1e-3, 2.0),
    ("gradient", "zca"): (1e-3, 2.0),
    ("distribution", "pixel"): (1e-3, 5.0),
    ("distribution", "normalised"): (0.02, 50.0),
    ("distribution", "zca"): (0.02, 50.0),
    ("trajectory", "pixel"): (0.1, 1e6),
    ("trajectory", "normalised"): (1.0, 1e6),
    ("trajectory", "zca"): (1.0, 1e6),
    ("statistics", "pixel"): (1e-3, 0.5),
    ("statistics", "normalised"): (0.01, 2.0),
    ("statistics", "zca"): (0.01, 2.0),
}
"""By matcher and space: what publications use, and several times less and more."""


def judged_by(experiment: Experiment) -> ProtocolSpec | None:
    """Return the protocol, looked up by name; None where no protocol has the name."""
    protocol = experiment.evaluate.protocol
    if isinstance(protocol, ProtocolSpec):
        return protocol
    return PROTOCOLS[protocol]() if protocol in PROTOCOLS else None


def label_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield soft labels that nobody gives, or nobody learns from."""
    protocol, soft = judged_by(experiment), soft_labels(experiment)
    if soft is not None and not _can_teach(experiment, soft):
        yield error(
            26,
            ("labels", "kind"),
            f"soft labels without a teacher: no network of this `{experiment.pool.kind}` pool was "
            "trained on the data",
            "record networks after some epochs, or leave `labels` out",
        )
    if protocol is None:
        return
    hard = experiment.labels is None or experiment.labels.kind == "hard"
    if not hard and protocol.teaching is None:
        of = "soft" if soft is not None else "soft, as they are made with the images"
        which = "sre2l-imagenet" if soft is not None else "tesla-soft"
        yield error(
            27,
            ("evaluate", "protocol"),
            f"labels are {of}, and protocol `{protocol.name}` learns from hard ones",
            f"take a protocol with `teaching`, such as `{which}`",
        )
    if hard and protocol.teaching is not None:
        yield error(
            26,
            ("evaluate", "protocol"),
            f"protocol `{protocol.name}` learns from soft labels, and nobody gives any",
            "add `labels: {kind: soft}`, or take another protocol",
        )


def hard_baseline_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield a second random baseline that is the first once more."""
    if experiment.evaluate.baselines.random_hard and soft_labels(experiment) is None:
        message = "no teacher labels random images here: `random_hard` is `random` once more"
        path = ("evaluate", "baselines", "random_hard")
        yield note(71, path, message, "leave it out, or add `labels: {kind: soft}`")


def _can_teach(experiment: Experiment, soft: SoftLabelsSpec) -> bool:
    """Tell whether all teachers were trained; of several snapshots of a run one is the last."""
    pool = experiment.pool
    if isinstance(pool, RecordedPoolSpec) and soft.teachers == "one":
        return pool.epochs_recorded()[-1:] != (0,)
    return trained(experiment)


def space_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield sets that were learned in another space than they are judged in."""
    protocol, eps = judged_by(experiment), zca_of(experiment)
    if protocol is None or protocol.zca == eps:
        return
    path = ("evaluate", "protocol")
    if eps is not None and protocol.zca is None:
        message = f"the set is learned in ZCA space, and `{protocol.name}` does not whiten images"
        written = isinstance(experiment.evaluate.protocol, ProtocolSpec)
        hint = "add it to the protocol" if written else "write the protocol out, with it"
        yield error(30, path, message, f"`zca: {eps}` whitens: {hint}")
    elif eps is not None:
        message = f"the set is whitened with eps {eps}, `{protocol.name}` whitens with another"
        yield error(30, path, message, f"use `zca: {eps}` in the protocol")
    else:
        message = f"`{protocol.name}` whitens images, the set is learned without"
        yield note(30, path, message, "learn it with `parameterization.space: zca`")


def rate_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield rates of images far from any published one, and learned ones that nobody uses."""
    space, kind = experiment.parameterization.space, experiment.matcher.kind
    low, high = RATES[kind, space]
    rate = effective_update(experiment, data).learning_rate
    if not low <= rate <= high:
        yield note(
            32,
            ("update", "learning_rate"),
            f"{rate:g} is far from what `{kind}` matching uses in {space} space, "
            f"{low:g} to {high:g}",
            "a rate belongs to its space: in [0, 1] it acts about 25 times as much as normalised",
        )
    protocol, learned = judged_by(experiment), _rate_learned(experiment)
    if protocol is None or bool(protocol.learned_rate) == (learned is not None):
        return
    if protocol.learned_rate:
        message = f"`{protocol.name}` takes the learning rate that was learned, and none is"
        yield error(36, ("evaluate", "protocol"), message, _to_learn(experiment))
    elif learned is not None:
        message = f"a learning rate is learned, and `{protocol.name}` takes its own"
        yield note(36, learned, message, "add `learned_rate: true` to the protocol")


def _rate_learned(experiment: Experiment) -> Path | None:
    """Return the setting by which a learning rate comes with the set; None where none does."""
    imported, inner = experiment.imported, experiment.inner
    if imported is not None:
        return None if imported.learning_rate is None else ("imported", "learning_rate")
    learns = isinstance(inner, UnrolledInnerSpec) and inner.learned is not None
    return ("inner", "learned") if learns else None


def _to_learn(experiment: Experiment) -> str:
    if experiment.imported is not None:
        return "say it in `imported.learning_rate`: logs have it, the files do not"
    unrolled = isinstance(experiment.inner, UnrolledInnerSpec)
    return "add `inner.learned`" if unrolled else "take another protocol, or write one out"


def repeat_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield repeats too few to tell a point, or to confirm what is expected."""
    repeats = experiment.evaluate.repeats
    many = "1 repeat" if repeats == 1 else f"{repeats} repeats"
    known = [one.std for one in experiment.expect if one.std and not one.set]
    spread = max(known, default=USUAL_STD)
    if repeats < (needed := repeats_to_tell(POINT, spread)):
        yield note(
            21,
            ("evaluate", "repeats"),
            f"{many} cannot tell 1 point apart, {needed} can",
            f"accuracies spread by {100 * spread:.2g} points" + ("" if known else " as a rule"),
        )
    for index, expected in enumerate(experiment.expect):
        if not expected.tolerance or expected.set:
            continue  # baselines have repeats of their own
        spread = expected.std or USUAL_STD
        if repeats < (needed := repeats_to_tell(expected.tolerance, spread)):
            yield note(
                31,
                ("expect", index, "tolerance"),
                f"{many} cannot tell {100 * expected.tolerance:.3g} points apart where "
                f"accuracies spread by {100 * spread:.2g}: {needed} can",
                f"set `evaluate.repeats: {needed}`, or widen the tolerance",
            )


def repeats_to_tell(difference: float, spread: float) -> int:
    """Return of how many networks two means that differ so much are told apart, 19 times of 20.

    The difference of two means of n has the standard error `spread` x sqrt(2 / n).
    """
    return math.ceil(2 * (SURE * spread / difference) ** 2)


def look_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield looks at held-out images where there are none, or where they are the test."""
    evaluate, held_out = experiment.evaluate, experiment.dataset.validation
    if evaluate.best_on_validation is None:
        return
    path = ("evaluate", "best_on_validation")
    if evaluate.on == "validation":
        message = "the network that is best on `validation` is tested on the same images"
        yield error(57, path, message, "use `on: test`, or leave `best_on_validation` out")
    elif not held_out:
        message = "looks at validation images, but nothing is held out"
        yield error(57, path, message, "set `dataset.validation`, for example to 0.1")
    elif data.validation == 0:
        message = f"looks at validation images, but {held_out:g} of each class is no whole image"
        yield error(57, path, message, "set a larger `dataset.validation`")


def mixing_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield batches that are to be mixed twice, and parts of batches that have no image."""
    protocol = judged_by(experiment)
    if protocol is None:
        return
    if protocol.mixup is not None and protocol.cutmix > 0:
        message = "a batch is mixed by `mixup` or by `cutmix`, not by both"
        yield error(58, ("evaluate", "protocol", "mixup"), message, "leave one of them out")
    if protocol.accumulate is not None and protocol.accumulate > protocol.batch:
        message = f"a batch of {protocol.batch} has no {protocol.accumulate} parts"
        path = ("evaluate", "protocol", "accumulate")
        yield error(58, path, message, "use fewer parts, or a larger batch")


def snapshot_findings(experiment: Experiment, data: DataFacts) -> Iterator[Finding]:
    """Yield a curve over loops that has no point but its last."""
    if experiment.evaluate.snapshots and not experiment.loops.snapshots:
        message = "sets on the way are to be judged, and none is kept"
        yield note(59, ("evaluate", "snapshots"), message, "name outer loops in `loops.snapshots`")


def order_findings(
    experiment: Experiment, name: str = "", variants: Collection[str] = ()
) -> Iterator[Finding]:
    """Yield expectations of variant `name` to be above one that is no other of the matrix.

    Replicates are named together, by the variant that they are of.
    """
    for index, expected in enumerate(experiment.expect):
        if expected.above is None or _is_other(expected.above, name, variants):
            continue
        message = f"there is no other variant `{expected.above}` to be above"
        close = get_close_matches(expected.above, variants, n=1)
        hint = "name a variant of the `matrix`" if variants else "the spec has no `matrix`"
        if close and close[0] != expected.above:
            hint = f"did you mean `{close[0]}`?"
        yield error(15, ("expect", index, "above"), message, hint)


def _is_other(above: str, name: str, variants: Collection[str]) -> bool:
    """Tell whether a variant but `name`, or one with replicates, is called so.

    Few expectations name any, and of a thousand variants each is asked: so none is looked at twice.
    """
    if above in (name, base_of(name)):
        return False
    return above in variants or any(
        one.startswith(above) and base_of(one) == above for one in variants
    )


JUDGING_RULES = (
    label_findings,
    hard_baseline_findings,
    space_findings,
    rate_findings,
    repeat_findings,
    look_findings,
    mixing_findings,
    snapshot_findings,
)
