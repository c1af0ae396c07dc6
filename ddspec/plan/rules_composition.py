"""What is to be known of each rule about pieces that a matcher would pass over."""

from __future__ import annotations

from ddspec.plan.rule import Rule

_DM = "inner: {kind: frozen}\nmatcher: {kind: distribution}\n"
_STATISTICS = (
    "inner: {kind: frozen}\nmatcher: {kind: statistics}\n"
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
        "An average of images that are kept otherwise",
        "error",
        says="`update.averaging` stands under `statistics` matching.",
        why="Each batch of it is learned by itself, and `matcher.keep` says whether its last "
        "images are kept or those of the smallest loss.",
        mend="Leave `averaging` out.",
        wrong=_STATISTICS + "update: {learning_rate: 0.1, clock: joint, averaging: 0.999}",
        right=_STATISTICS + "update: {learning_rate: 0.1, clock: joint}",
    ),
)
