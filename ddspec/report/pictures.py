"""Pictures of synthetic sets, taken into the page as they lie in the store."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from ddspec.plan.ir import Plan, Stage
from ddspec.report.subject import Shelf
from ddspec.run.deliver import GRID
from ddspec.run.scores import SETS, judged
from ddspec.wire.work import DistillWork, ImportWork, MergeWork

PNG = b"\x89PNG\r\n\x1a\n"
LARGEST = 3 << 20
"""Bytes of one picture that is embedded."""
TOGETHER = 12 << 20
"""And of all pictures of a page: mail refuses more."""
MOST_SIDE = 20_000
"""Pixels to a side; browsers refuse more."""
SHOWN = 480
"""Pixels that a small picture is enlarged to, whole pixels each, at most."""
START = "select/init"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a set; without data it is named, and not shown."""

    caption: str
    alt: str
    data: str = ""
    """As base64."""
    width: int = 0
    height: int = 0
    left_out: str = ""
    """Why it is not shown."""

    @property
    def zoom(self) -> int:
        """Return how many pixels of the page a pixel of the picture takes."""
        return max(1, SHOWN // self.width) if self.width else 1


@dataclass(slots=True)
class Album:
    """Counts what pictures of one page take, which is bounded."""

    taken: int = field(default=0)

    def pictures(self, plan: Plan, shelf: Shelf) -> Iterator[Picture]:
        """Yield the pictures of one experiment: where it began, snapshots, and what it led to."""
        classes, budget = len(plan.data.classes), plan.experiment.budget.images_per_class
        for caption, stage in _sets(plan):
            content = shelf.read(stage.key, GRID, limit=LARGEST)
            size = _size(content)
            alt = f"{caption}: {classes} classes, {budget} image{'' if budget == 1 else 's'} each"
            if content is None or size is None:
                if shelf.has(stage.key):
                    yield Picture(caption, alt, left_out="its picture is too large, or none")
            elif self.taken + len(content) > TOGETHER:
                yield Picture(caption, alt, left_out="the page is large enough already")
            else:
                self.taken += len(content)
                yield Picture(caption, alt, base64.b64encode(content).decode(), *size)


def _sets(plan: Plan) -> Iterator[tuple[str, Stage]]:
    """Yield the sets of an experiment with what they are, in the order of their making."""
    by_label = {stage.label: stage for stage in plan}
    if START in by_label:
        yield "Where the images started", by_label[START]
    judged_sets = {one.set: by_label[one.stage.upstream["set"]] for one in judged(plan)}
    for kind, stage in judged_sets.items():
        if kind.startswith("to-"):
            loops = kind.removeprefix("to-")
            yield f"After {loops} outer loop{'' if loops == '1' else 's'}", stage
    last = judged_sets.get(SETS[0]) or _last(plan)
    if last is not None:
        yield "The distilled set", last


def _last(plan: Plan) -> Stage | None:
    """Return the stage that makes the set of a plan that judges none."""
    made = [stage for stage in plan if isinstance(stage.work, DistillWork | MergeWork | ImportWork)]
    return made[-1] if made else None


def _size(content: bytes | None) -> tuple[int, int] | None:
    """Return width and height of a PNG; None for anything else."""
    if content is None or len(content) < 33 or not content.startswith(PNG):
        return None
    if content[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", content[16:24])
    return (width, height) if 0 < width <= MOST_SIDE and 0 < height <= MOST_SIDE else None
