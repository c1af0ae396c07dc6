"""A relabelling on disk: the views that students see of a set, and what teachers say of each.

`labels.json` says what was recorded; `part-0.safetensors` … hold consecutive batches each. A part
has, for its images in the order of the batches: `logits` float16 (rows, K), `indices` int32 (rows,)
of the decoded images of the set, `augment/NAME` float32 (rows, …), the draws of the augmentation.
Its metadata say whose and which part it is: `ddspec` is the key of the relabelling and a number.
Where batches are mixed it also has `partner` int32 (rows,), positions within the batch; and of each
batch `kept` float64, the share of an image that stays its own, and for CutMix `box` int32 of top,
left, bottom, right. Nothing of it has to be drawn again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from ddspec.canon import Digest
from ddspec.spec.augmentation import AugmentationSpec
from ddspec.spec.base import Count
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.wire.schedule import Seed
from ddspec_runners.artifacts import read_tensors, write_tensors
from ddspec_runners.augment.cutmix import CutMixDraw
from ddspec_runners.augment.make import make_policy
from ddspec_runners.augment.mixup import MixupDraw
from ddspec_runners.evaluation.batches import BatchDraw
from ddspec_runners.faults import BadData, BadJob
from ddspec_runners.rng import generator

FACTS = "labels.json"
PART_BYTES = 32 * 2**20
"""Logits of a part; as much is lost at most when a job is killed between two checkpoints."""
AUGMENT = "augment/"
LARGEST = torch.finfo(torch.float16).max


class Facts(BaseModel):
    """`labels.json`: of which set, seen how; and where each batch lies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["ddspec.labels/1"] = "ddspec.labels/1"
    key: Digest
    """The stage that recorded it."""
    set: Digest
    """The stage that made the set, as its card says."""
    images: Count
    """Decoded images of the set."""
    classes: Count
    size: Count
    """Side of an image in pixels."""
    batch: Count
    """Images of a whole batch; the last of an epoch has what is left."""
    steps: Count
    """Batches that were recorded."""
    steps_per_part: Count
    augmentation: AugmentationSpec
    cutmix: float
    mixup: float | None
    teachers: Count
    """Networks whose opinions were averaged."""
    average: Literal["logits", "probabilities"]
    batch_norm: Literal["running", "batch"]
    zca: Annotated[float, Field(gt=0)] | None = None
    """Images were whitened with this eps."""
    seed: Seed
    """From which the views were drawn."""

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        return -(-self.images // self.batch)

    @property
    def parts(self) -> int:
        """Files of the recording."""
        return -(-self.steps // self.steps_per_part)

    def row(self, t: int) -> int:
        """Return how many images were seen before batch t."""
        epoch, position = divmod(t, self.batches)
        return epoch * self.images + min(position * self.batch, self.images)

    def steps_of(self, part: int) -> range:
        """Return the batches that a part holds."""
        first = part * self.steps_per_part
        return range(first, min(first + self.steps_per_part, self.steps))

    @property
    def mixed(self) -> bool:
        """Whether batches are mixed."""
        return self.mixup is not None or self.cutmix > 0


def part_file(part: int) -> str:
    """Return the name of a part."""
    return f"part-{part}.safetensors"


def write_part(
    folder: Path, facts: Facts, part: int, draws: Sequence[BatchDraw], logits: Tensor
) -> None:
    """Write a part: the draws of its batches, and all of their logits (rows, K) in float16."""
    write_tensors(folder / part_file(part), _packed(facts, draws, logits), _mark(facts, part))


def _mark(facts: Facts, part: int) -> dict[str, str]:
    return {"ddspec": f"{facts.key}/{part}"}


def _packed(facts: Facts, draws: Sequence[BatchDraw], logits: Tensor) -> dict[str, Tensor]:
    tensors = {
        "logits": logits,
        "indices": torch.cat([draw.indices for draw in draws]).int(),
        **{
            AUGMENT + name: torch.cat([draw.augmentation[name] for draw in draws])
            for name in draws[0].augmentation
        },
    }
    if facts.mixed:
        mixes = [draw.mix for draw in draws]
        tensors["partner"] = torch.cat([mix.partner for mix in mixes]).int()
        tensors["kept"] = torch.tensor([mix.kept for mix in mixes], dtype=torch.float64)
        boxes = [_box(mix) for mix in mixes if isinstance(mix, CutMixDraw)]
        if boxes:
            tensors["box"] = torch.tensor(boxes, dtype=torch.int32)
    return tensors


def _box(mix: CutMixDraw) -> tuple[int, int, int, int]:
    return mix.box if mix.active else (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Recording:
    """A relabelling, read part by part and batch by batch."""

    folder: Path
    facts: Facts
    _held: dict[int, Mapping[str, Tensor]] = field(default_factory=dict, repr=False, compare=False)
    """The part that was asked for last."""

    @classmethod
    def open(cls, folder: Path) -> Recording:
        """Return the relabelling in a folder; raises BadData where there is none or no whole one.

        Parts are looked into when they are asked for.
        """
        path = folder / FACTS
        try:
            facts = Facts.model_validate_json(path.read_bytes())
        except OSError as error:
            raise BadData(f"there is no relabelling at {folder}: {FACTS} is missing") from error
        except ValidationError as error:
            raise BadData(f"{path} is no relabelling that this version reads: {error}") from error
        for part in range(facts.parts):
            if not (folder / part_file(part)).is_file():
                raise BadData(f"the relabelling at {folder} lacks {part_file(part)}")
        return cls(folder, facts)

    def require(
        self, *, made: Digest | None, images: int, classes: int, protocol: ProtocolSpec, steps: int
    ) -> None:
        """Raise BadJob unless these are the views of a set that a training by `protocol` sees."""
        facts = self.facts
        asked = {
            "set": (facts.set, made),
            "images": (facts.images, images),
            "classes": (facts.classes, classes),
            "batch": (facts.batch, min(protocol.batch, images)),
            "augmentation": (facts.augmentation, protocol.augmentation),
            "cutmix": (facts.cutmix, protocol.cutmix),
            "mixup": (facts.mixup, protocol.mixup),
            "zca": (facts.zca, protocol.zca),
        }
        for name, (recorded, wanted) in asked.items():
            if recorded != wanted:
                raise BadJob(
                    f"the labels at {self.folder} were recorded for another {name}: "
                    f"{recorded}, not {wanted}"
                )
        if facts.steps < steps:
            raise BadJob(
                f"the labels at {self.folder} are of {facts.steps} batches, "
                f"the training takes {steps}"
            )

    def draw(self, t: int) -> BatchDraw:
        """Return batch t as it was seen, and what teachers said of it; BadData if it is damaged."""
        facts, part = self.facts, self._part(t // self.facts.steps_per_part)
        first = facts.steps_of(t // facts.steps_per_part).start
        base = facts.row(first)
        rows = slice(facts.row(t) - base, facts.row(t + 1) - base)
        augmentation = {
            name.removeprefix(AUGMENT): value[rows]
            for name, value in part.items()
            if name.startswith(AUGMENT)
        }
        indices = part["indices"][rows].long()
        mix = _mix(facts, part, rows, t - first)
        return BatchDraw(indices, augmentation, mix, self.logits(t))

    def logits(self, t: int) -> Tensor:
        """Return what teachers said of batch t, float16 (b, K)."""
        facts, number = self.facts, t // self.facts.steps_per_part
        base = facts.row(facts.steps_of(number).start)
        return self._part(number)["logits"][facts.row(t) - base : facts.row(t + 1) - base]

    def _part(self, part: int) -> Mapping[str, Tensor]:
        if part not in self._held:
            path = self.folder / part_file(part)
            tensors, mark = read_tensors(path)
            problem = _problem(self.facts, part, tensors)
            if not problem and mark != _mark(self.facts, part):
                problem = "it is of another relabelling, or another part of this one"
            if problem:
                raise BadData(f"{path} is not what was recorded: {problem}")
            self._held.clear()
            self._held[part] = tensors
        return self._held[part]


def _mix(
    facts: Facts, part: Mapping[str, Tensor], rows: slice, step: int
) -> CutMixDraw | MixupDraw:
    if not facts.mixed:
        partner = torch.arange(rows.stop - rows.start)
        return CutMixDraw(False, 1.0, (0, 0, 0, 0), partner, facts.size)
    partner, kept = part["partner"][rows].long(), float(part["kept"][step])
    if facts.mixup is not None:
        return MixupDraw(kept, partner)
    top, left, bottom, right = part["box"][step].tolist()
    active = bottom > top and right > left
    return CutMixDraw(active, kept, (top, left, bottom, right), partner, facts.size)


def _problem(facts: Facts, part: int, tensors: Mapping[str, Tensor]) -> str:
    """Return what is wrong with the tensors of a part; empty where nothing is."""
    steps = facts.steps_of(part)
    expected = _form(facts, len(steps), facts.row(steps.stop) - facts.row(steps.start))
    if set(tensors) != set(expected):
        return f"it holds {', '.join(sorted(tensors))} instead of {', '.join(sorted(expected))}"
    for name, (shape, dtype) in expected.items():
        if tuple(tensors[name].shape) != shape or tensors[name].dtype != dtype:
            return f"`{name}` is {tensors[name].dtype} {tuple(tensors[name].shape)}, not {shape}"
        if not bool(tensors[name].isfinite().all()):
            return f"`{name}` holds NaN or infinite values"
    return _out_of_range(facts, steps, tensors)


def _form(facts: Facts, count: int, rows: int) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """Return shape and type of each tensor of a part, of so many batches and images."""
    form = {"logits": ((rows, facts.classes), torch.float16), "indices": ((rows,), torch.int32)}
    # any normalisation: draws do not depend on it
    policy = make_policy(facts.augmentation, mean=(0.0,) * 3, std=(1.0,) * 3)
    draws = policy.draw(1, facts.size, generator("shapes"), shared=True)
    for name, draw in draws.items():
        form[AUGMENT + name] = ((rows, *draw.shape[1:]), torch.float32)
    if facts.mixed:
        form |= {"partner": ((rows,), torch.int32), "kept": ((count,), torch.float64)}
        if facts.mixup is None:
            form["box"] = ((count, 4), torch.int32)
    return form


def _out_of_range(facts: Facts, steps: range, tensors: Mapping[str, Tensor]) -> str:
    limits = {"indices": facts.images, "partner": facts.batch, "box": facts.size + 1}
    for name, limit in limits.items():
        held = tensors.get(name)
        if held is not None and not bool(((held >= 0) & (held < limit)).all()):
            return f"`{name}` holds numbers outside of 0..{limit - 1}"
    if not facts.mixed:
        return ""
    kept, base = tensors["kept"], facts.row(steps.start)
    if not bool(((kept >= 0) & (kept <= 1)).all()):
        return "`kept` holds shares outside of 0..1"
    for t in steps:
        rows = slice(facts.row(t) - base, facts.row(t + 1) - base)
        if int(tensors["partner"][rows].max()) >= rows.stop - rows.start:
            return f"`partner` of batch {t} points outside of the batch"
    return ""
