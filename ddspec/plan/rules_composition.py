"""What is to be known of each rule about pieces that a matcher would pass over."""

from __future__ import annotations

from ddspec.plan.rule import Rule

_DM = "inner: {kind: frozen}\nmatcher: {kind: distribution}\n"
_STATISTICS = (
    "inner: {kind: frozen}\nmatcher: {kind: statistics, keep: best}\n"
    "network: {kind: convnet, depth: 2, width: 32, norm: batch}\n"
)
_MTT = (
    "pool: {kind: recorded, models: 3, epochs: 10, record: every_epoch}\n"
    "inner: {kind: unrolled, steps: 5, learning_rate: 0.01}\n"
    "matcher: {kind: trajectory, expert_epochs: 2, max_start: 3}\n"
    "update: {learning_rate: 100.0, clock: joint}\n"
    "loops: {outer_loops: 40, inner_steps: 1}\n"
)
_TAUGHT = "evaluate:\n  protocol: {name: x, steps: 100, teaching: {temperature: 1.0}}\n"

COMPOSITION_RULES: tuple[Rule, ...] = (
    Rule(
        61,
        "Labels that nothing would learn",
        "error",
        says="`labels` is `learned`, and the matcher is not `trajectory`.",
        why="Labels are learned by the student of trajectory matching, whose end depends on them. "
        "The other matchers compare images class by class, so that labels would stay as they are.",
        mend="Use `matcher: {kind: trajectory}`, or leave `labels` out.",
        wrong=_DM + "labels: {kind: learned, learning_rate: 1.0}",
        right=_DM + "labels: {kind: hard}",
    ),
    Rule(
        62,
        "The average of images, and the best of them",
        "error",
        says="`update.averaging` stands beside `matcher.keep: best`.",
        why="The set is the moving average of the images, or the images of the smallest loss; it "
        "cannot be both.",
        mend="Leave `averaging` out, or `keep`.",
        wrong=_STATISTICS + "update: {learning_rate: 0.1, clock: joint, averaging: 0.999}",
        right=_STATISTICS + "update: {learning_rate: 0.1, clock: joint}",
    ),
    Rule(
        63,
        "An expert's label of an image that is several",
        "error",
        says="`labels` is `expert`, and images are learned as `multi_formation` with a factor "
        "above 1.",
        why="A set keeps one label an image. What an expert says of four small views put together "
        "is true of none of them.",
        mend="Use `parameterization: {kind: pixels}`, or labels that are learned.",
        wrong=_MTT + _TAUGHT + "labels: {kind: expert}\n"
        "parameterization: {kind: multi_formation, factor: 2}",
        right=_MTT + _TAUGHT + "labels: {kind: expert}\nparameterization: {kind: pixels}",
    ),
    Rule(
        64,
        "Augmentation that no image of trajectory matching goes through",
        "error",
        says="`augmentation.matching` is set under `trajectory` matching.",
        why="Parameters are compared there, not images. What the student sees "
        "is augmented by `augmentation.training`, image by image and step by step.",
        mend="Set `augmentation.training`.",
        wrong=_MTT + "augmentation: {matching: {kind: dsa}}",
        right=_MTT + "augmentation: {training: {kind: dsa, operations: [crop, rotate]}}",
    ),
)
