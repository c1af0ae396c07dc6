"""Rules about how images are learned and judged, in words."""

from __future__ import annotations

from ddspec.plan.rule import Rule

METHOD_RULES: tuple[Rule, ...] = (
    Rule(
        1,
        "An unknown evaluation protocol",
        "error",
        says="`evaluate.protocol` is the name of no built-in protocol.",
        why="Accuracies compare only under one protocol, so there is no default to fall back to.",
        mend="Take a name that the message lists, or write the protocol out.",
        wrong="evaluate: {protocol: acc-dd}",
        right="evaluate: {protocol: dc}",
    ),
    Rule(
        2,
        "A protocol without a length, or with two",
        "error",
        says="A protocol has neither `epochs` nor `steps`, or both.",
        why="How long a network trains decides its accuracy as much as the set does.",
        mend="Keep one of them. Papers give `epochs`; `steps` keeps the work of sets of different "
        "sizes equal.",
        wrong="evaluate:\n  protocol: {name: short, epochs: 10, steps: 100}",
        right="evaluate:\n  protocol: {name: short, steps: 100}",
    ),
    Rule(
        10,
        "More shards than classes",
        "error",
        says="`resources.shards` is larger than the number of classes.",
        why="A shard is a share of the classes; an empty one would have nothing to do.",
        mend="Take as many shards as there are GPUs, and no more than classes.",
        wrong="resources: {shards: 20}",
        right="resources: {shards: 5}",
    ),
    Rule(
        14,
        "No random baseline, or a poor one",
        "note",
        says="`evaluate.baselines.random` is 0 or below 10.",
        why="Random real images of the same budget are what learning has to beat, and their "
        "accuracy spreads by several points over draws: from few, the difference is not known.",
        mend="Draw 10 of them; they cost one short training each.",
        wrong="evaluate:\n  baselines: {random: 0}",
        right="evaluate:\n  baselines: {random: 10}",
    ),
    Rule(
        56,
        "A network that chooses nothing",
        "note",
        says="`evaluate.baselines.features` is given, and none of `herding`, `k_center` and "
        "`forgetting` is asked for.",
        why="The section says how the network is trained by which those choose real images; "
        "without them it is never trained.",
        mend="Ask for one of them, or leave the section out.",
        wrong="evaluate:\n  baselines: {random: 10, features: {epochs: 20}}",
        right="evaluate:\n  baselines: {random: 10, herding: 5, features: {epochs: 20}}",
    ),
    Rule(
        15,
        "An expectation of a network, set or variant that is not there",
        "error",
        says="`expect` names a network that is not evaluated, or a set that is not, or a variant "
        "that is no other of the matrix.",
        why="The number could never be compared with.",
        mend="Name one of `evaluate.networks`, as tables call it (`convnet3`), and one of "
        "`evaluate.baselines`, and `above` one of the other variants; or leave it out.",
        wrong="expect:\n  - {accuracy: 0.67, source: a table, network: convnet3}",
        right="expect:\n  - {accuracy: 0.67, source: a table, network: convnet2-w32}",
    ),
    Rule(
        16,
        "A perturbation of nothing",
        "note",
        says="All coefficients of the perturbation are 0.",
        why="Directions are drawn and added with weight 0: it costs work and changes nothing.",
        mend="Use `perturbation: {kind: none}`, or a coefficient; Acc-DD's code draws from "
        "[0.01, 0.09].",
        wrong="perturbation: {kind: filter_gaussian, coefficient: {law: fixed, value: 0.0}}",
        right="perturbation: {kind: none}",
    ),
    Rule(
        21,
        "Too few repeats to tell the difference",
        "note",
        says="Of `evaluate.repeats` networks, two means that differ by a point cannot be told "
        "apart.",
        why="Accuracies spread over networks by the `std` of what is expected, as a rule by 0.8 "
        "points. The difference of two means of n networks has the standard error "
        "std x sqrt(2 / n), and 1.96 of them are to be less than a point: 5 networks as a rule.",
        mend="Train 5 or more; a repeat costs one training on a small set.",
        wrong="evaluate: {repeats: 3}",
        right="evaluate: {repeats: 5}",
    ),
    Rule(
        22,
        "More stages than a plan may have",
        "error",
        says="The spec asks for more than 10,000 stages.",
        why="Nobody reviews such a plan, and its file would have several megabytes.",
        mend="Fewer repeats, snapshots or shards.",
        wrong="evaluate: {repeats: 100000}",
        right="evaluate: {repeats: 100}",
    ),
)
