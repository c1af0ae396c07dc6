"""Learning from soft labels, against sums over classes and a plain loop over modules of torch."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import taught_sets as taught
import torch
from torch import Tensor, nn

from ddspec.spec.evaluate import TeachingSpec
from ddspec.spec.method import MultiFormationSpec
from ddspec_runners.artifacts import read_synthetic_set
from ddspec_runners.evaluation.ensemble import train_together
from ddspec_runners.faults import BadJob
from ddspec_runners.labels.teachers import Panel
from ddspec_runners.labels.teaching import from_logits
from ddspec_runners.rng import generator
from ddspec_runners.site import StopRequested
from ddspec_runners.tasks import evaluate, relabel
from ddspec_runners.tasks.evaluate import Exam


def odds(logits: Sequence[float], temperature: float) -> list[float]:
    raised = [math.exp(value / temperature) for value in logits]
    return [value / sum(raised) for value in raised]


def divergence(said: Sequence[float], found: Sequence[float]) -> float:
    """Sum over classes of p log(p / q)."""
    return sum(p * math.log(p / q) for p, q in zip(said, found, strict=True) if p)


TEACHER = [[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]]
STUDENT = [[0.3, 0.1, -0.4], [-1.0, 0.5, 2.0]]


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 4.0, 20.0])
def test_the_loss_is_the_mean_divergence_at_the_temperature(
    temperature: float, squared: bool
) -> None:
    teaching = TeachingSpec(temperature=temperature, squared=squared)
    teacher, student = (torch.tensor(x, dtype=torch.float64) for x in (TEACHER, STUDENT))

    loss = from_logits(teacher, teaching).loss(student).item()

    pairs = zip(TEACHER, STUDENT, strict=True)
    each = [divergence(odds(p, temperature), odds(q, temperature)) for p, q in pairs]
    expected = sum(each) / 2 * (temperature**2 if squared else 1)
    assert loss == pytest.approx(expected, rel=1e-12)


def test_at_temperature_one_it_is_the_cross_entropy_less_the_entropy_of_the_labels() -> None:
    teacher, student = (torch.tensor(x, dtype=torch.float64) for x in (TEACHER, STUDENT))
    leaf = student.clone().requires_grad_()

    loss = from_logits(teacher, TeachingSpec(temperature=1.0)).loss(leaf)
    (slope,) = torch.autograd.grad(loss, leaf)

    expected = (leaf.detach().softmax(1) - teacher.softmax(1)) / 2
    assert torch.allclose(slope, expected, rtol=0, atol=1e-15)


def test_a_class_that_is_surely_wrong_costs_nothing_itself() -> None:
    sure = torch.tensor([[0.0, -math.inf, -math.inf]], dtype=torch.float64)
    student = torch.tensor([STUDENT[0]], dtype=torch.float64)

    loss = from_logits(sure, TeachingSpec(temperature=3.0, squared=False)).loss(student).item()

    assert loss == pytest.approx(-math.log(odds(STUDENT[0], 3.0)[0]), rel=1e-12)


def labelled(folder: Path, by: dict[str, Any], **changes: Any) -> dict[str, Path]:
    """Write a set and its relabelling; return the inputs of an evaluation."""
    inputs = taught.inputs_of(folder)
    at = taught.site(folder, "labels", inputs)
    relabel.run(taught.relabel_work(taught.protocol(**by), **changes), at)
    return {"set": inputs["set"], "test": inputs["test"], "labels": at.output}


def trained(folder: Path, name: str, inputs: dict[str, Path], **changes: Any) -> dict[str, Any]:
    by = taught.protocol(**changes.pop("protocol", {}))
    at = taught.site(folder, name, inputs)
    evaluate.run(taught.evaluate_work(by, **changes), at)
    found: dict[str, Any] = json.loads((at.output / "metrics.json").read_text())
    return found


def student(seed: tuple[int | str, ...], network: Any) -> nn.Sequential:
    """The same network made of modules, with the same start."""
    flat = nn.Linear(4 * 2 * 2, taught.CLASSES)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), flat
    ).double()
    with torch.no_grad():
        start = network.init(generator(*seed, "network"))
        for mine, theirs in zip(net.parameters(), start.values(), strict=True):
            mine.copy_(theirs)
    return net


@pytest.mark.parametrize(
    ("mix", "accumulate"),
    [
        pytest.param({}, None, id="plain"),
        pytest.param({"cutmix": 1.0}, None, id="cutmix"),
        pytest.param({"cutmix": 1.0}, 2, id="in-parts"),
        pytest.param({"mixup": 0.8}, None, id="mixup"),
    ],
)
def test_a_student_of_recorded_labels_is_that_of_a_plain_loop(
    tmp_path: Path, mix: dict[str, Any], accumulate: int | None
) -> None:
    adam = {"kind": "adamw", "learning_rate": 0.01}
    by = {**mix, "optimizer": adam, "accumulate": accumulate}
    inputs = labelled(tmp_path, by, precision="float64")
    at = taught.site(tmp_path, "student", inputs)
    exam = Exam.of(taught.evaluate_work(taught.protocol(**by), precision="float64"), at)
    recording = exam.training.recording
    assert recording is not None

    found = exam.training.run(at)

    net = student(taught.SEED, exam.training.network)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.01)
    images = (read_synthetic_set(inputs["set"]).images.double().flatten(0, 1) - 0.5) / 0.25
    for t in range(9):
        draw = recording.draw(t)
        x = images[draw.indices]
        if "cutmix" in mix:
            top, left, bottom, right = draw.mix.box
            x = x.clone()
            x[:, :, top:bottom, left:right] = x[draw.mix.partner][:, :, top:bottom, left:right]
        elif mix:
            x = draw.mix.kept * x + (1 - draw.mix.kept) * x[draw.mix.partner]
        assert draw.logits is not None
        said = draw.logits.double()
        optimizer.zero_grad()
        for part in torch.arange(len(x)).tensor_split(min(accumulate or 1, len(x))):
            p = (said[part] / 4).softmax(1)
            q = (net(x[part]) / 4).log_softmax(1)
            (p * (p.log() - q)).sum().div(len(x)).backward()
        optimizer.step()
    for mine, theirs in zip(found.params.values(), net.parameters(), strict=True):
        # nine steps of sums over at most four images, each rounded to 1e-16
        assert torch.allclose(mine, theirs, rtol=0, atol=1e-12)


class Rounded(Panel):
    """Teachers asked online whose words are rounded as a file would round them."""

    def logits(self, images: Tensor) -> Tensor:
        return Panel.logits(self, images).half().to(images.dtype)


@pytest.mark.parametrize("mix", [{}, {"cutmix": 1.0}, {"mixup": 0.8}], ids=["plain", "cut", "up"])
def test_recorded_labels_teach_what_teachers_at_hand_teach(
    tmp_path: Path, mix: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = labelled(tmp_path, mix, precision="float64")
    asked = {f"teacher/{i}": tmp_path / f"teacher-{i}" for i in range(2)}
    plain = {name: inputs[name] for name in ("set", "test")}
    taught_by = {"teachers": taught.teachers(), "precision": "float64"}

    stored = trained(tmp_path, "stored", inputs, protocol=mix, precision="float64")
    online = trained(tmp_path, "online", plain | asked, protocol=mix, **taught_by)
    monkeypatch.setattr("ddspec_runners.tasks.evaluate.Panel", Rounded)
    rounded = trained(tmp_path, "rounded", plain | asked, protocol=mix, **taught_by)

    assert stored == rounded
    assert stored != online
    # logits of order 3 are rounded by 3 * 2^-11 = 1.5e-3, probabilities at temperature 4 by a
    # quarter of that, and the loss, a sum of three of them times logarithms of order 1, by 1.5e-3
    for (_, mine), (_, theirs) in zip(
        stored["training_loss"], online["training_loss"], strict=True
    ):
        assert mine == pytest.approx(theirs, abs=1.5e-3)


@pytest.mark.parametrize("stop_after", [1, 4, 8])
@pytest.mark.parametrize("kind", ["recorded", "online", "learned"])
def test_a_student_that_is_killed_goes_on_to_the_same_bits(
    tmp_path: Path, kind: str, stop_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    mix = {"cutmix": 0.5}
    if kind == "recorded":
        inputs, changes = labelled(tmp_path, mix), {}
    else:
        own = "learned" if kind == "learned" else "hard"
        inputs, changes = taught.inputs_of(tmp_path, labels=own), {}
        if kind == "online":
            changes = {"teachers": taught.teachers()}
    whole = trained(tmp_path, "whole", inputs, protocol=mix, **changes)
    monkeypatch.setattr("ddspec_runners.evaluation.train.REPORT_S", 0.0)
    seen: list[int] = []
    at = taught.site(tmp_path, "killed", inputs)
    at.emit = lambda done, *_: seen.append(done)
    at.stopping = lambda: len(seen) >= stop_after

    with pytest.raises(StopRequested):
        evaluate.run(taught.evaluate_work(taught.protocol(**mix), **changes), at)
    again = trained(tmp_path, "killed", inputs, protocol=mix, **changes)

    assert again == whole


@pytest.mark.parametrize("kind", ["learned", "expert"])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_labels_of_the_set_itself_are_mixed_like_its_images(
    tmp_path: Path, kind: str, temperature: float
) -> None:
    inputs = taught.inputs_of(tmp_path, labels=kind)
    by = taught.protocol(cutmix=1.0, teaching={"temperature": temperature, "squared": False})
    exam = Exam.of(
        taught.evaluate_work(by, precision="float64"), taught.site(tmp_path, "exam", inputs)
    )
    stored = read_synthetic_set(inputs["set"]).soft_labels
    assert stored is not None

    draw = exam.training.draw(0)
    _, lesson = exam.training.lesson(draw)

    own = stored.double().flatten(0, 1)
    own = own.log() if kind == "expert" else own
    single = (own[draw.indices] / temperature).softmax(1)
    share = draw.mix.kept
    expected = share * single + (1 - share) * single[draw.mix.partner]
    assert torch.allclose(lesson.soft, expected, rtol=0, atol=1e-12)
    if kind == "expert" and temperature == 1:
        assert torch.allclose(single, stored.double().flatten(0, 1)[draw.indices], atol=1e-7)


def test_every_view_of_an_image_has_its_learned_label(tmp_path: Path) -> None:
    shape = MultiFormationSpec(kind="multi_formation", factor=2)
    inputs = taught.inputs_of(tmp_path, labels="learned", shape=shape)

    exam = Exam.of(taught.evaluate_work(taught.protocol()), taught.site(tmp_path, "x", inputs))

    examples = exam.training.examples
    stored = read_synthetic_set(inputs["set"]).soft_labels
    assert stored is not None
    assert examples.soft is not None
    assert len(examples) == len(examples.soft) == 4 * 9
    # of a class's three images, view `cell * 3 + i` is of image i
    expected = torch.stack(
        [stored[c, i].log_softmax(0) for c in range(3) for _ in range(4) for i in range(3)]
    )
    assert torch.allclose(examples.soft, expected, rtol=0, atol=1e-6)


def test_images_without_soft_labels_count_with_hard_ones(tmp_path: Path) -> None:
    inputs = taught.inputs_of(tmp_path)

    soft = trained(tmp_path, "soft", inputs)
    hard = trained(tmp_path, "hard", inputs, protocol={"teaching": None})

    assert soft == hard


@pytest.mark.parametrize(
    ("rate", "expected"), [pytest.param(0.3, (0.3, True), id="learned"), (None, (0.01, False))]
)
def test_a_learned_rate_takes_the_place_of_the_optimisers_where_there_is_one(
    tmp_path: Path, rate: float | None, expected: tuple[float, bool]
) -> None:
    inputs = taught.inputs_of(tmp_path, rate=rate)
    by: dict[str, Any] = {
        "teaching": None,
        "learned_rate": True,
        "decay": {"factor": 0.1, "at": [0.5]},
    }
    sgd = {"learning_rate": expected[0]}

    found = trained(tmp_path, "found", inputs, protocol=by)
    plain = trained(
        tmp_path, "plain", inputs, protocol=by | {"learned_rate": None, "optimizer": sgd}
    )

    assert (found.pop("learning_rate"), found.pop("learned_rate")) == expected
    assert found == plain


def test_a_rate_that_was_learned_is_not_used_unasked(tmp_path: Path) -> None:
    inputs = taught.inputs_of(tmp_path, rate=0.3)
    other = taught.inputs_of(tmp_path / "other")

    found = trained(tmp_path, "found", inputs, protocol={"teaching": None})
    plain = trained(tmp_path, "plain", other, protocol={"teaching": None})

    assert found == plain


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"batch": 3}, "another batch: 4, not 3", id="batch"),
        pytest.param({"epochs": 4}, "of 9 batches, the training takes 12", id="longer"),
        pytest.param({"cutmix": 1.0}, "another cutmix", id="cutmix"),
        pytest.param({"mixup": 1.0}, "another mixup", id="mixup"),
        pytest.param({"augmentation": {"kind": "dsa"}}, "another augmentation", id="augmentation"),
        pytest.param({"teaching": None}, "labels are soft, and protocol `short`", id="hard"),
    ],
)
def test_labels_of_other_views_are_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    inputs = labelled(tmp_path, {})

    with pytest.raises(BadJob, match=message):
        trained(tmp_path, "student", inputs, protocol=change)


def test_labels_of_another_set_are_refused(tmp_path: Path) -> None:
    inputs = labelled(tmp_path, {})
    taught.write_set(tmp_path / "larger", taught.write_split(tmp_path / "again"), per_class=5)

    with pytest.raises(BadJob, match="another images: 9, not 15"):
        trained(tmp_path, "student", inputs | {"set": tmp_path / "larger"})


def test_learned_labels_are_not_passed_over(tmp_path: Path) -> None:
    inputs = taught.inputs_of(tmp_path, labels="learned")

    with pytest.raises(BadJob, match="labels are soft, and protocol `short` learns hard ones"):
        trained(tmp_path, "student", inputs, protocol={"teaching": None})


@pytest.mark.parametrize(
    "change", [{}, {"teaching": None, "learned_rate": True}], ids=["taught", "at-a-learned-rate"]
)
def test_who_is_taught_trains_alone(change: dict[str, Any]) -> None:
    work = taught.evaluate_work(taught.protocol(**change))

    assert evaluate.mates(work, {"set": "1" * 64}) is None
    plain = taught.evaluate_work(taught.protocol(teaching=None))
    assert evaluate.mates(plain, {"set": "1" * 64}) is not None
    assert callable(train_together)


@pytest.mark.gpu
@pytest.mark.parametrize("kind", ["recorded", "online", "learned"])
def test_a_device_teaches_what_the_cpu_teaches(tmp_path: Path, kind: str) -> None:
    own = "learned" if kind == "learned" else "hard"
    if kind == "recorded":
        inputs, changes = labelled(tmp_path, {"cutmix": 0.5}, precision="float64"), {}
    else:
        inputs, changes = taught.inputs_of(tmp_path, labels=own), {}
    if kind == "online":
        changes = {"teachers": taught.teachers()}
    losses = []
    for device in ("cpu", "cuda"):
        at = taught.site(tmp_path, device, inputs)
        at.device = torch.device(device)
        by = taught.protocol(cutmix=0.5)
        evaluate.run(taught.evaluate_work(by, precision="float64", **changes), at)
        found = json.loads((at.output / "metrics.json").read_text())
        losses.append([loss for _, loss in found["training_loss"]])

    # nine steps in float64: sums in another order differ by some 1e-15
    assert losses[1] == pytest.approx(losses[0], rel=1e-10)
