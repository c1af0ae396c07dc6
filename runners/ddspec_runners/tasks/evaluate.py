"""Train fresh networks on a set and measure them on real images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from ddspec.canon import Digest, digest
from ddspec.spec.augmentation import DcAugmentationSpec
from ddspec.spec.network import TorchvisionSpec, network_name
from ddspec.wire.work import EvaluateWork
from ddspec_runners.artifacts import write_json
from ddspec_runners.augment.make import make_policy
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.data.whitening import Whitening
from ddspec_runners.evaluation.ensemble import train_together
from ddspec_runners.evaluation.examples import examples_for
from ddspec_runners.evaluation.measure import Measurement, measure
from ddspec_runners.evaluation.train import Trained, Training, Watch
from ddspec_runners.evaluation.trainee import Best
from ddspec_runners.faults import BadData, BadJob
from ddspec_runners.labels.recording import Recording
from ddspec_runners.labels.teachers import Panel
from ddspec_runners.nets.make import make_network
from ddspec_runners.pools.training import nearby
from ddspec_runners.runtime import dtype_of
from ddspec_runners.site import Site

METRICS = "metrics.json"


@dataclass(frozen=True, slots=True)
class Exam:
    """One training, and the images that are looked at after it."""

    work: EvaluateWork
    training: Training
    test: PreparedSplit

    @classmethod
    def of(cls, work: EvaluateWork, site: Site) -> Exam:
        """Open the inputs of a work; raises BadData or BadJob where they are not as they must."""
        whitening = _whitening(work, site)
        test = _opened(site, "test", whitening)
        dtype, card = dtype_of(work.precision), test.card
        network = make_network(
            work.network, channels=card.channels, size=card.size, classes=len(test.classes)
        )
        examples = examples_for(
            site.inputs["set"],
            test,
            on_real=work.on_real,
            dtype=dtype,
            device=site.device,
            whitening=whitening,
        )
        times = work.best_on_validation
        watch = None
        if times:
            watch = Watch(nearby(_opened(site, "validation", whitening), site.device), times)
        policy = make_policy(work.protocol.augmentation, mean=test.mean, std=test.std)
        training = Training(network, examples, work.protocol, policy, work.seed, dtype, watch)
        return cls(work, _taught(training, work, test, site), test)

    def written(self, trained: Trained, site: Site) -> Mapping[str, JsonValue]:
        """Measure a network, write `metrics.json`, and return the headline figures."""
        network = self.training.network
        measured = measure(network, trained.params, trained.buffers, self.test)
        headline: dict[str, JsonValue] = {
            "accuracy": measured.accuracy,
            "loss": _finite(measured.loss),
            "steps": trained.steps,
            "set_images": len(self.training.examples),
            **self._learned_rate(),
        }
        if trained.best is not None:
            headline["best_on_validation"] = self._best(trained.best)
        details = _details(self.work, self.test, trained, measured)
        write_json(site.output / METRICS, headline | details)
        return headline

    def _learned_rate(self) -> dict[str, JsonValue]:
        """Return the rate, where the protocol takes that of the set, and whether it had one."""
        if not self.work.protocol.learned_rate:
            return {}
        learned = self.training.examples.rate is not None
        return {"learning_rate": self.training.base_rate, "learned_rate": learned}

    def _best(self, best: Best) -> dict[str, JsonValue]:
        """Return how good that network is on test images which was best on held-out ones."""
        measured = measure(self.training.network, best.params, best.buffers, self.test)
        return {
            "accuracy": measured.accuracy,
            "validation_accuracy": best.accuracy,
            "step": best.step,
        }


def run(work: EvaluateWork, site: Site) -> Mapping[str, JsonValue]:
    """Train, measure after the last step, write `metrics.json`, and return the headline figures.

    `accuracy` is a fraction of all test images; `loss` is None where it is not finite. The test
    split is looked at after training alone. Where the work asks for the network that was `best on
    validation`, its test accuracy stands beside that of the last. Where the protocol takes a
    learned rate, `learning_rate` is the one that was used, and `learned_rate` tells whether the set
    had one; baselines have none and are trained at the optimiser's.
    """
    exam = Exam.of(work, site)
    return exam.written(exam.training.run(site), site)


def mates(work: EvaluateWork, inputs: Mapping[str, Digest]) -> str | None:
    """Return what evaluations that may be trained together have in common; None where none may.

    They differ in their seeds and in the sets that they are trained on, and in nothing else.
    Networks of torchvision are large, and may draw what they leave out: each trains alone. So does
    one whose images are filled with the mean of their batch: those of others would move it. And so
    do those that learn from soft labels, or at rates that were learned with their sets.
    """
    protocol = work.protocol
    alone = isinstance(work.network, TorchvisionSpec)
    alone = alone or isinstance(protocol.augmentation, DcAugmentationSpec)
    alone = alone or protocol.teaching is not None or bool(protocol.learned_rate)
    if alone or protocol.accumulate is not None or work.teachers is not None:
        return None
    others = {name: key for name, key in inputs.items() if name != "set"}
    return digest({"work": work.model_copy(update={"seed": ()}).identity(), "inputs": others})


def run_together(
    works: Sequence[EvaluateWork], sites: Sequence[Site]
) -> list[Mapping[str, JsonValue]]:
    """Do the same for `mates` as one ensemble; nothing is written before all are trained.

    Raises BadJob where their sets differ in size.
    """
    exams = [Exam.of(works[0], sites[0])]
    for work, site in zip(works[1:], sites[1:], strict=True):
        exams.append(_beside(exams[0], sites[0], work, site))
    if len({len(exam.training.examples) for exam in exams}) > 1:
        raise BadJob("sets of several sizes cannot be trained on together")
    trained = train_together([exam.training for exam in exams], sites)
    parts = zip(exams, trained, sites, strict=True)
    return [exam.written(network, site) for exam, network, site in parts]


def _beside(first: Exam, at: Site, work: EvaluateWork, site: Site) -> Exam:
    """Return the exam of another member, whose images are held once where they are the same."""
    if site.inputs["set"] == at.inputs["set"]:
        return replace(first, work=work, training=replace(first.training, seed=work.seed))
    return Exam.of(work, site)


def _taught(training: Training, work: EvaluateWork, test: PreparedSplit, site: Site) -> Training:
    """Return the training with whoever gives soft labels; raises BadJob where nobody learns them.

    Images that have none count with their hard ones, as those of baselines beside learned labels.
    """
    recorded, examples = "labels" in site.inputs, training.examples
    if work.protocol.teaching is None:
        if recorded or work.teachers is not None or examples.soft is not None:
            raise BadJob(f"labels are soft, and protocol `{work.protocol.name}` learns hard ones")
        return training
    if recorded:
        recording = Recording.open(site.inputs["labels"])
        recording.require(
            made=examples.made,
            images=len(examples),
            classes=len(test.classes),
            protocol=work.protocol,
            steps=training.steps,
        )
        return replace(training, recording=recording)
    if work.teachers is None:
        return training
    card = test.card
    network = make_network(
        work.teachers.network, channels=card.channels, size=card.size, classes=len(card.classes)
    )
    panel = Panel.open(
        work.teachers, site.inputs, network, dtype=training.dtype, device=site.device
    )
    return replace(training, teachers=panel)


def _whitening(work: EvaluateWork, site: Site) -> Whitening | None:
    eps = work.protocol.zca
    return None if eps is None else Whitening.fit(PreparedSplit.open(site.inputs["train"]), eps)


def _opened(site: Site, name: str, whitening: Whitening | None) -> PreparedSplit:
    split = PreparedSplit.open(site.inputs[name])
    if not len(split):
        raise BadData(f"the {name} split is empty")
    return split if whitening is None else split.whitened(whitening)


def _details(
    work: EvaluateWork, test: PreparedSplit, trained: Trained, measured: Measurement
) -> dict[str, JsonValue]:
    confusion: JsonValue = measured.confusion.tolist()
    return {
        "format": "ddspec.evaluation/1",
        "protocol": work.protocol.name,
        "network": network_name(work.network),
        "test_images": measured.images,
        "per_class": dict(zip(test.classes, measured.per_class, strict=True)),
        "confusion": confusion,
        "training_loss": [
            [i * trained.stride, _finite(value)] for i, value in enumerate(trained.curve.tolist())
        ],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
