"""Record the views that students will see of a set, and what teachers say of each.

Yin et al., "Squeeze, Recover and Relabel", NeurIPS 2023, section 3.3, after Shen and Xing, "A Fast
Knowledge Distillation Framework for Visual Recognition", ECCV 2022.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from pydantic import JsonValue
from torch import Tensor

from ddspec.canon import Digest
from ddspec.wire.judging import RelabelWork
from ddspec_runners.artifacts import SyntheticSet, read_synthetic_set, write_json
from ddspec_runners.augment.make import make_policy
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.data.whitening import Whitening
from ddspec_runners.evaluation.batches import BatchDraw, mixed
from ddspec_runners.evaluation.examples import Resident, synthetic_examples
from ddspec_runners.faults import BadJob, Diverged
from ddspec_runners.labels.recording import FACTS, PART_BYTES, Facts, part_file, write_part
from ddspec_runners.labels.teachers import Panel
from ddspec_runners.labels.views import Views
from ddspec_runners.nets.make import make_network
from ddspec_runners.runtime import dtype_of
from ddspec_runners.site import Site

LOGITS = "logits"
CHECKPOINT_S = 30.0
"""Seconds between checkpoints: a killed relabelling loses no more."""


@dataclass(slots=True)
class Recorder:
    """A relabelling in the making: parts that are whole lie beside the checkpoint."""

    views: Views
    facts: Facts
    folder: Path
    said: list[Tensor] = field(default_factory=list)
    """Logits of the batches of the present part, float16."""

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint holds: the logits of the present part."""
        none = torch.zeros(0, self.facts.classes, dtype=torch.float16)
        return {LOGITS: torch.cat([none, *self.said])}

    def note(self, t: int, logits: Tensor) -> None:
        """Take what was said of batch t, and write its part where it is the last batch of one.

        Raises Diverged where it cannot be held in float16.
        """
        self.said.append(logits.half().cpu())
        part = t // self.facts.steps_per_part
        steps = self.facts.steps_of(part)
        if t + 1 == steps.stop:
            self._write(part, steps)
            self.said = []

    def restore(self, done: int, said: Tensor) -> bool:
        """Go on after `done` batches; False where what was written of them is not there."""
        facts, part = self.facts, done // self.facts.steps_per_part
        rows = facts.row(done) - facts.row(facts.steps_of(part).start)
        whole = all((self.folder / part_file(index)).is_file() for index in range(part))
        if said.shape != (rows, facts.classes) or not whole:
            return False
        self.said = [said]
        return True

    def _write(self, part: int, steps: range) -> None:
        logits = torch.cat(self.said)
        if not bool(logits.isfinite().all()):
            raise Diverged(
                f"what teachers say of batches {steps.start}..{steps.stop - 1} is not finite in "
                "float16: train them otherwise, or ask them online (`labels.stored: online`)"
            )
        draws = [self.views.draw(t) for t in steps]
        write_part(self.folder, self.facts, part, draws, logits)


def run(work: RelabelWork, site: Site) -> Mapping[str, JsonValue]:
    """Ask all teachers about every view and write `labels.json` and the parts of the recording.

    Order and draws follow from the seed as those of an evaluation do. A part is written when its
    last batch is done, so the whole is never in memory; it is the same bytes wherever the job was
    killed before.

    Returns:
        `views` (images, counted once for each time they are seen), `batches`, `teachers`.

    Raises:
        BadJob: the work contradicts itself or its inputs.
        Diverged: a teacher says what is not finite.
    """
    stored = read_synthetic_set(site.inputs["set"])
    examples = _examples(work, site, stored)
    panel = _panel(work, site, stored)
    policy = make_policy(work.augmentation, mean=stored.card.mean, std=stored.card.std)
    views = Views(work, policy, len(examples), examples.size)
    facts = _facts(work, site.key, views, len(panel), stored)
    recorder = Recorder(views, facts, site.scratch)
    for t in range(_resumed(recorder, site), facts.steps):
        draw = views.draw(t)
        recorder.note(t, panel.logits(_seen(views, examples, draw)))
        site.advance(t + 1, facts.steps, "batches", state=recorder.state, every_s=CHECKPOINT_S)
    _publish(facts, site)
    return {"views": facts.row(facts.steps), "batches": facts.steps, "teachers": facts.teachers}


def _examples(work: RelabelWork, site: Site, stored: SyntheticSet) -> Resident:
    if stored.card.covers.start or stored.card.covers.stop != stored.card.covers.of:
        raise BadJob("a shard of a set cannot be labelled before it is merged")
    if stored.card.whitened and work.zca is None:
        raise BadJob("the set is whitened, and its students see images that are not")
    whitening = None
    if work.zca is not None:
        whitening = Whitening.fit(PreparedSplit.open(site.inputs["train"]), work.zca)
    dtype = dtype_of(work.precision)
    return synthetic_examples(stored, dtype=dtype, device=site.device, whitening=whitening)


def _panel(work: RelabelWork, site: Site, stored: SyntheticSet) -> Panel:
    card = stored.card
    network = make_network(
        work.teachers.network, channels=card.channels, size=card.size, classes=len(card.classes)
    )
    dtype = dtype_of(work.precision)
    return Panel.open(work.teachers, site.inputs, network, dtype=dtype, device=site.device)


def _facts(
    work: RelabelWork, key: Digest, views: Views, teachers: int, stored: SyntheticSet
) -> Facts:
    classes = len(stored.card.classes)
    size = views.queue.size
    return Facts(
        key=key,
        set=stored.card.provenance.key,
        images=views.images,
        classes=classes,
        size=views.size,
        batch=size,
        steps=views.steps,
        steps_per_part=max(1, PART_BYTES // (2 * classes * size)),
        augmentation=work.augmentation,
        cutmix=work.cutmix,
        mixup=work.mixup,
        teachers=teachers,
        average=work.teachers.average,
        batch_norm=work.teachers.batch_norm,
        zca=work.zca,
        seed=work.seed,
    )


def _resumed(recorder: Recorder, site: Site) -> int:
    """Return how many batches are done, by the checkpoint and the parts beside it."""
    saved = site.resume([LOGITS])
    if saved is None or not recorder.restore(saved[0], saved[1][LOGITS]):
        return 0
    return saved[0]


def _seen(views: Views, examples: Resident, draw: BatchDraw) -> Tensor:
    """Return the images of a batch as students see them."""
    images, labels = examples.batch(draw.indices)
    return mixed(views.policy.apply(images, draw.augmentation), labels, draw.mix)[0]


def _publish(facts: Facts, site: Site) -> None:
    for part in range(facts.parts):
        _placed(site.scratch / part_file(part), site.output / part_file(part))
    write_json(site.output / FACTS, facts.model_dump(mode="json"))


def _placed(source: Path, target: Path) -> None:
    """Give a file a second name; if the job is killed before its result, the first is needed."""
    target.unlink(missing_ok=True)  # an attempt before may have come so far
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
