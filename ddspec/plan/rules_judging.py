"""Rules about labels, spaces and rates that a set and its protocol agree on, in words."""

from __future__ import annotations

from ddspec.plan.rule import Rule

_TAUGHT = "evaluate:\n  protocol: {name: taught, steps: 100, teaching: {temperature: 20.0}}\n"
_ZCA = "parameterization: {kind: pixels, space: zca}\n"
_STUDENT = (
    "pool: {kind: recorded, models: 3, epochs: 10, record: every_epoch}\n"
    "matcher: {kind: trajectory, expert_epochs: 2, max_start: 3}\n"
    "update: {learning_rate: 100.0, clock: joint}\n"
    "loops: {outer_loops: 40, inner_steps: 1}\n"
    "inner:\n  kind: unrolled\n  steps: 5\n  learning_rate: 0.01\n"
)

JUDGING_RULES: tuple[Rule, ...] = (
    Rule(
        26,
        "Soft labels without a teacher",
        "error",
        says="Labels are soft while no network of the pool was trained on the data, or a protocol "
        "learns from soft labels that nobody gives.",
        why="Soft labels are what trained networks say of an image; random networks say nothing.",
        mend="Record networks after some epochs. To learn from hard labels, leave `labels` out and "
        "take a protocol without `teaching`.",
        wrong="labels: {kind: soft}\npool: {kind: fresh}\n" + _TAUGHT,
        right="labels: {kind: soft}\npool: {kind: recorded, models: 1, epochs: 5}\n" + _TAUGHT,
    ),
    Rule(
        27,
        "Soft labels that nobody learns from",
        "error",
        says="Labels are soft, of teachers, learned or an expert's, and the protocol has no "
        "`teaching`.",
        why="The networks that judge would be trained on hard labels, and the soft ones made for "
        "nothing.",
        mend="Take a protocol with `teaching`, or leave `labels` out.",
        wrong="labels: {kind: soft}",
        right="labels: {kind: soft}\n" + _TAUGHT,
    ),
    Rule(
        30,
        "A set that is judged in another space than its own",
        "error or note",
        says="The set is learned whitened and the protocol does not whiten, or with another eps. A "
        "note where only the protocol whitens.",
        why="Whitened pixels and plain ones are different inputs: a network that is trained on the "
        "first and tested on the second is near chance.",
        mend="Give the protocol the `zca` of the set.",
        wrong=_ZCA + "evaluate:\n  protocol: {name: plain, steps: 100}",
        right=_ZCA + "evaluate:\n  protocol: {name: whitened, steps: 100, zca: 0.1}",
    ),
    Rule(
        31,
        "Repeats too few to tell the expected difference",
        "note",
        says="An expectation has a `tolerance` that is below 1.96 standard errors of the "
        "difference of two means of `evaluate.repeats` networks.",
        why="Accuracies spread over networks by `std`, 0.8 points where none is published. Of n "
        "networks, two means of equal methods differ by 1.96 x std x sqrt(2 / n) in one of 20 "
        "cases: within it, a hit and a miss look the same.",
        mend="Train as many networks as the message says, or widen the tolerance.",
        wrong="expect:\n  - {accuracy: 0.9, source: a table, tolerance: 0.005, std: 0.006}",
        right="expect:\n  - {accuracy: 0.9, source: a table, tolerance: 0.02, std: 0.006}",
    ),
    Rule(
        32,
        "A learning rate of images far from any published one",
        "note",
        says="`update.learning_rate`, scaling included, lies outside of what publications use for "
        "this matcher in this space.",
        why="A rate belongs to its space: DSA's 0.1 is for normalised images and acts about 25 "
        "times as much on [0, 1]; trajectory losses are tiny and take 100 to 100,000.",
        mend="Look the rate up for the space, or learn in the space that it is for.",
        wrong="update: {learning_rate: 100.0}",
        right="update: {learning_rate: 0.005}",
    ),
    Rule(
        36,
        "A learned rate that nobody takes, or that is not there",
        "error or note",
        says="The protocol takes the student's learned rate and none is learned; a note where one "
        "is learned and not taken.",
        why="A student is matched at its own rate, and the set is worth most at that rate.",
        mend="Add `inner.learned`, or leave `learned_rate` out of the protocol.",
        wrong=_STUDENT + "evaluate:\n  protocol: {name: x, steps: 100, learned_rate: true}",
        right=_STUDENT
        + "  learned: {learning_rate: 1e-5}\n"
        + "evaluate:\n  protocol: {name: x, steps: 100, learned_rate: true}",
    ),
    Rule(
        57,
        "Looks at held-out images that are not there, or are the test",
        "error",
        says="`evaluate.best_on_validation`, and `dataset.validation` holds no whole image of a "
        "class out, or `evaluate.on` is `validation`.",
        why="A network is chosen on images that it is neither trained nor tested on: the best of "
        "several looks at the test split is better there by luck.",
        mend="Hold out a part of the training split, for example 0.1 of each class, and test on "
        "`test`.",
        wrong="evaluate: {best_on_validation: 4}",
        right="dataset: {kind: digits, validation: 0.1}\nevaluate: {best_on_validation: 4}",
    ),
    Rule(
        58,
        "Batches that are mixed twice, or have fewer images than parts",
        "error",
        says="A protocol has `mixup` and `cutmix`, or `accumulate` is above `batch`.",
        why="A mixed image has two labels in known shares; mixed again, it would have four. A part "
        "without images has no gradient.",
        mend="Leave one of `mixup` and `cutmix` out; accumulate fewer parts.",
        wrong="evaluate:\n  protocol: {name: x, steps: 100, mixup: 0.8, cutmix: 0.5}",
        right="evaluate:\n  protocol: {name: x, steps: 100, mixup: 0.8}",
    ),
    Rule(
        59,
        "A curve over loops with one point",
        "note",
        says="`evaluate.snapshots` is true and `loops.snapshots` names none.",
        why="Sets on the way are judged where they are kept.",
        mend="Name some outer loops in `loops.snapshots`, or leave `evaluate.snapshots` out.",
        wrong="evaluate: {snapshots: true}",
        right="evaluate: {snapshots: true}\nloops: {snapshots: [10, 20]}",
    ),
    Rule(
        71,
        "Random images with hard labels, twice",
        "note",
        says="`evaluate.baselines.random_hard`, and no teacher labels images: `labels` are none of "
        "`kind: soft`.",
        why="Random images have their classes' labels unless teachers label them; then both "
        "baselines are trained on the same images in the same way.",
        mend="Leave `random_hard` out, or let teachers label: `labels: {kind: soft}`.",
        wrong="evaluate:\n  baselines: {random: 10, random_hard: 10}",
        right="evaluate:\n  baselines: {random: 10}",
    ),
)
