from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import taught_sets
import torch
from torch import Tensor
from torch.utils.data import DataLoader

import ddspec_runners
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.method import MultiFormationSpec, ParameterizationSpec, PixelsSpec
from ddspec.wire.work import ClassRange
from ddspec_runners.artifacts import labels_of, read_synthetic_set, write_synthetic_set
from ddspec_runners.card import Card, DatasetOfCard, Provenance
from ddspec_runners.faults import BadData
from ddspec_runners.load import load_synthetic
from ddspec_runners.tasks import relabel
from ddspec_runners.tasks.evaluate import Exam


def write(
    folder: Path, parameterization: ParameterizationSpec, protocol: ProtocolSpec | None = None
) -> Tensor:
    card = Card(
        parameterization=parameterization,
        mean=(0.25, 0.5, 0.75),
        std=(0.5, 0.25, 0.125),
        size=4,
        channels=3,
        classes=("a", "b"),
        covers=ClassRange(start=0, stop=2, of=2),
        images_per_class=2,
        protocol=protocol,
        dataset=DatasetOfCard(name="shapes", content="0" * 64, test_split="made up"),
        provenance=Provenance(key="1" * 64, kind="distill", seed=(0, "distill")),
    )
    images = torch.rand(card.shape, generator=torch.Generator().manual_seed(0))
    write_synthetic_set(folder, images, labels_of(card), card)
    return images


def by_hand(pixels: Tensor) -> Tensor:
    mean, std = torch.tensor([0.25, 0.5, 0.75]), torch.tensor([0.5, 0.25, 0.125])
    return (pixels - mean.view(3, 1, 1)) / std.view(3, 1, 1)


def test_images_come_normalised_with_their_labels(tmp_path: Path) -> None:
    images = write(tmp_path, PixelsSpec())

    found = load_synthetic(tmp_path)

    assert len(found) == 4
    image, label = found[3]
    assert label == 1
    assert image.equal(by_hand(images[1, 1]))
    assert found.images().equal(images.flatten(0, 1))
    assert found.learned.equal(images)


def test_normalised_images_are_left_alone_and_shown_as_pixels(tmp_path: Path) -> None:
    learned = write(tmp_path, PixelsSpec(space="normalised"))

    found = load_synthetic(tmp_path)

    assert found.x.equal(learned.flatten(0, 1))
    # standard deviations are powers of two; only the addition of the mean rounds
    torch.testing.assert_close(by_hand(found.images()), found.x, atol=1e-6, rtol=0)


def test_every_patch_becomes_an_image_of_full_size(tmp_path: Path) -> None:
    learned = write(tmp_path, MultiFormationSpec(kind="multi_formation", factor=2))

    found = load_synthetic(tmp_path)

    assert found.x.shape == (16, 3, 4, 4)
    assert found.y.tolist() == [0] * 8 + [1] * 8
    # bilinear enlargement leaves corners as they are: each patch's corner is found once
    corners = {round(float(v), 6) for v in found.images()[:, 0, 0, 0]}
    expected = {
        round(float(learned[k, i, 0, row, column]), 6)
        for k in range(2)
        for i in range(2)
        for row in (0, 2)
        for column in (0, 2)
    }
    assert corners == expected


def test_the_file_alone_is_enough(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    write(tmp_path / "set", PixelsSpec())
    alone = tmp_path / "anywhere.safetensors"
    alone.write_bytes((tmp_path / "set" / "synthetic.safetensors").read_bytes())

    found = ddspec_runners.load_synthetic(str(alone))

    assert found.card.classes == ("a", "b")


def test_the_recipe_is_the_protocol_of_the_card(tmp_path: Path) -> None:
    protocol = ProtocolSpec(name="quick", steps=10)
    (tmp_path / "known").mkdir()
    write(tmp_path, PixelsSpec())
    write(tmp_path / "known", PixelsSpec(), protocol)

    assert load_synthetic(tmp_path).recipe is None
    assert load_synthetic(tmp_path / "known").recipe == protocol


def test_what_publications_leave_open_is_read_from_the_card_beside_the_set(tmp_path: Path) -> None:
    write(tmp_path, PixelsSpec())
    plain = json.loads((tmp_path / "card.json").read_bytes())
    told = {"note": "taken from another method", "settings": {"init.kind": "its code"}}
    (tmp_path / "card.json").write_text(json.dumps(plain | {"unpublished": told}))

    found = load_synthetic(tmp_path).card.unpublished

    assert "unpublished" not in plain  # sets of other methods keep their bytes
    assert found is not None
    assert (found.note, dict(found.settings)) == (told["note"], told["settings"])


def test_a_loader_makes_batches(tmp_path: Path) -> None:
    write(tmp_path, PixelsSpec())

    ((images, labels),) = DataLoader(load_synthetic(tmp_path), batch_size=4)

    assert images.shape == (4, 3, 4, 4)
    assert labels.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("name", ["nowhere", "nowhere.safetensors"], ids=["folder", "file"])
def test_a_missing_set_says_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadData, match="there is no synthetic set"):
        load_synthetic(tmp_path / name)


def test_the_package_is_light_until_it_is_used() -> None:
    code = "import sys, ddspec_runners; assert 'torch' not in sys.modules"

    finished = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)

    assert finished.returncode == 0, finished.stderr.decode()


def test_other_names_are_not_made_up() -> None:
    with pytest.raises(AttributeError, match="load_anything"):
        _ = ddspec_runners.load_anything


def labelled(folder: Path, by: ProtocolSpec) -> Path:
    """Write a set with what two teachers say of its views; return the folder of that."""
    inputs = taught_sets.inputs_of(folder)
    at = taught_sets.site(folder, "set/labels", inputs)
    relabel.run(taught_sets.relabel_work(by), at)
    return at.output


@pytest.mark.parametrize("kind", ["learned", "expert"])
def test_labels_of_the_images_themselves_are_probabilities_that_cross_entropy_takes(
    tmp_path: Path, kind: str
) -> None:
    taught_sets.inputs_of(tmp_path, labels=kind, rate=0.05)

    found = load_synthetic(tmp_path / "set")

    assert found.learning_rate == 0.05
    assert found.soft is not None
    stored = read_synthetic_set(tmp_path / "set").soft_labels
    assert stored is not None
    expected = stored if kind == "expert" else stored.softmax(-1)
    # float32 rounds a logarithm and its inverse by some 1e-7 each
    assert torch.allclose(found.soft, expected.flatten(0, 1), rtol=0, atol=1e-6)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3))
    for images, labels in DataLoader(found, 4):
        assert labels.shape == (len(images), 3)
        torch.nn.functional.cross_entropy(network(images), labels).backward()


def test_a_plain_loop_over_recorded_views_is_the_evaluation_itself(tmp_path: Path) -> None:
    by = taught_sets.protocol(augmentation={"kind": "dsa"}, cutmix=0.7)
    labels = labelled(tmp_path, by)
    dataset = load_synthetic(tmp_path / "set")
    inputs = {"set": tmp_path / "set", "test": tmp_path / "test", "labels": labels}
    exam = Exam.of(taught_sets.evaluate_work(by), taught_sets.site(tmp_path, "exam", inputs))

    assert dataset.epochs == 3
    batches = [batch for e in range(3) for batch in dataset.epoch(e, temperature=4.0)]

    assert len(batches) == exam.training.steps
    for t, (views, said) in enumerate(batches):
        images, lesson = exam.training.lesson(exam.training.draw(t))
        assert views.equal(images)
        assert said.equal(lesson.soft)


def test_views_are_at_the_temperature_of_the_recipe_or_at_one(tmp_path: Path) -> None:
    by = taught_sets.protocol()
    labelled(tmp_path, by)
    (_, plain), *_ = load_synthetic(tmp_path / "set").epoch(0)
    card = read_synthetic_set(tmp_path / "set").card
    told = card.model_copy(update={"protocol": by, "labels": "soft"})
    (tmp_path / "set" / "card.json").write_text(told.model_dump_json())

    dataset = load_synthetic(tmp_path / "set")

    (_, warm), *_ = dataset.epoch(0)
    assert dataset.card.labels == "soft"
    assert torch.allclose((plain.log() / 4).softmax(1), warm, rtol=0, atol=1e-6)
    image, label = dataset[4]
    assert (image.shape, label) == ((1, 4, 4), 1)


@pytest.mark.parametrize("number", [-1, 3])
def test_an_epoch_that_was_not_recorded_is_named(tmp_path: Path, number: int) -> None:
    labelled(tmp_path, taught_sets.protocol())

    with pytest.raises(BadData, match=rf"no epoch {number}: 3 were recorded"):
        load_synthetic(tmp_path / "set").epoch(number)


def test_a_set_without_recorded_views_says_so(tmp_path: Path) -> None:
    taught_sets.inputs_of(tmp_path)

    dataset = load_synthetic(tmp_path / "set")

    assert dataset.epochs == 0
    with pytest.raises(BadData, match="no labels of views lie beside the set"):
        dataset.epoch(0)


def test_labels_of_another_set_are_no_labels_of_this_one(tmp_path: Path) -> None:
    labels = labelled(tmp_path / "one", taught_sets.protocol())
    taught_sets.inputs_of(tmp_path / "other", per_class=2)

    with pytest.raises(BadData, match="recorded of another set"):
        load_synthetic(tmp_path / "other" / "set", labels)
