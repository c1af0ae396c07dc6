"""The table of accuracies over outer loops, as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from ddspec.run.curves import Curve, Point


def curve_blocks(curves: Sequence[Curve]) -> list[list[str]]:
    """Return one block a network and protocol: accuracies in percent with their deviation."""
    return [_block(curve) for curve in curves]


def _block(curve: Curve) -> list[str]:
    network, protocol, on = curve.place
    return [
        f" {network} by protocol {protocol}, on the {on} split, over outer loops",
        f" {'loops':<12}{'accuracy':>9} {'std':>9} {'networks':>10}",
        *(_row(point) for point in curve.points),
    ]


def _row(point: Point) -> str:
    score = point.score
    spread = "-" if score.std is None else f"± {100 * score.std:.1f}"
    count = str(len(score.accuracies))
    if len(score.accuracies) < score.planned:
        count += f" of {score.planned}"
    return f" {point.loops:<12}{100 * score.mean:>7.1f} % {spread:>9} {count:>10}"
