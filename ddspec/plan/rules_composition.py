"""What is to be known of each rule about pieces that a matcher would pass over."""

from __future__ import annotations

from ddspec.plan.rule import Rule

_DM = "inner: {kind: frozen}\nmatcher: {kind: distribution}\n"
_STATISTICS = (
    "inner: {kind: frozen}\nmatcher: {kind: statistics, keep: best}\n"
    "network: {kind: convnet, depth: 2, width: 32, norm: batch}\n"
)

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
)
