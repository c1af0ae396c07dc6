"""What was found in a folder of images, in words."""

from __future__ import annotations

from collections.abc import Mapping

from ddspec.spec.experiment import Experiment
from ddspec.spec.network import ConvNetSpec, network_name
from ddspec.spec.survey import Survey
from ddspec.visible import visible

GREY = {1: "grey", 3: "colour"}


def found_lines(found: Survey) -> tuple[str, ...]:
    """Return the classes, counts, sizes and channels of a folder, a line each."""
    total = sum(found.images.values())
    lines = [
        f"{len(found.images):,} classes, {_images(total)} to train on ({_balance(found)})",
        _tested(found),
        f"short sides {_sides(found)}; {GREY[found.channels]}{_looked(found, total)}",
    ]
    return tuple(lines)


def render_found(found: Survey) -> str:
    """Return what was found and what is odd, one thing a line."""
    head = [f"{visible(str(found.root))}: {found_lines(found)[0]}", *found_lines(found)[1:]]
    return "\n".join(["\n  ".join(head), *(f"  note: {one}" for one in found.odd)])


def chosen_lines(experiment: Experiment, size: int) -> str:
    """Return what a first spec takes for these images, on one line."""
    network, budget = experiment.network, experiment.budget.images_per_class
    left = ""
    if isinstance(network, ConvNetSpec):
        left = f" ({size} px to {size >> network.depth} px)"
    loops = experiment.loops.outer_loops
    return (
        f"takes {size} px, {budget} a class, {network_name(network)}{left}, {loops:,} outer loops"
    )


def _images(number: int) -> str:
    return f"{number:,} image{'' if number == 1 else 's'}"


def _balance(found: Survey) -> str:
    (few, least), (many, most) = found.smallest, found.largest
    if least == most:
        return f"{least:,} in each"
    return f"{least:,} in `{visible(few)}` to {most:,} in `{visible(many)}`"


def _tested(found: Survey) -> str:
    if found.test is None:
        return "no folder of test images"
    return f"{_images(_sum(found.test_images))} to test on, in `{visible(found.test)}`"


def _sum(counts: Mapping[str, int]) -> int:
    return sum(counts.values())


def _sides(found: Survey) -> str:
    low, high = found.sides[0], found.sides[-1]
    if low == high:
        return f"{low} px"
    return f"{low} to {high} px, half of them at least {found.median_side} px"


def _looked(found: Survey, total: int) -> str:
    return "" if len(found.read) == total else f" (of {len(found.read):,} that were looked at)"
