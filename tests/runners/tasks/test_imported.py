"""Sets from files of official code: what is stored, and what is refused with its reason."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from official_files import in_class_order, write_dc, write_idc, write_mtt
from taught_sets import CLASSES, PER_CLASS, SIZE, evaluate_work, site, write_split
from torch import Tensor

from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.method import PixelsSpec
from ddspec.wire.work import ImportWork
from ddspec_runners.artifacts import (
    SyntheticSet,
    labels_of,
    read_synthetic_set,
    write_synthetic_set,
)
from ddspec_runners.card import Provenance, make_card
from ddspec_runners.data.whitening import Whitening
from ddspec_runners.faults import BadData, BadJob
from ddspec_runners.site import Site
from ddspec_runners.tasks import evaluate, imported

N = CLASSES * PER_CLASS
LABELS = in_class_order(CLASSES, PER_CLASS)
MEAN, STD = 0.5, 0.25
"""Of the split that tests prepare."""


def pixels(seed: int = 0, count: int = N, channels: int = 1) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(count, channels, SIZE, SIZE, generator=rng)


def normalised(seed: int = 0) -> Tensor:
    return (pixels(seed) - MEAN) / STD


class Desk:
    """A prepared split, a data directory, and sites for as many imports as a test wants."""

    def __init__(self, root: Path) -> None:
        self.root, self.data = root, root / "data"
        self.data.mkdir()
        self.split = write_split(root / "train", "train")
        self.count = 0

    def work(self, paths: Sequence[Path], **changes: Any) -> ImportWork:
        digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
        holds = changes.pop("holds", [None] * len(paths))
        plain: dict[str, Any] = {
            "layout": "idc",
            "files": [
                {"content": one, "holds": what} for one, what in zip(digests, holds, strict=True)
            ],
            "space": "pixel",
            "images_per_class": PER_CLASS,
            "parameterization": {"kind": "pixels", "space": changes.get("space", "pixel")},
        }
        return ImportWork.model_validate(plain | changes)

    def run(self, paths: Sequence[Path], **changes: Any) -> SyntheticSet:
        return self.realise(self.work(paths, **changes), paths)

    def realise(self, work: ImportWork, paths: Sequence[Path]) -> SyntheticSet:
        self.count += 1
        output = self.root / f"output{self.count}"
        output.mkdir()
        place = Site(
            key="2" * 64,
            inputs={"train": self.root / "train"},
            output=output,
            scratch=output,
            data=self.data,
            location={f"file/{i}": str(p.relative_to(self.data)) for i, p in enumerate(paths)},
        )
        imported.run(work, place)
        return read_synthetic_set(output)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


MTT: dict[str, Any] = {"layout": "mtt", "holds": ["images", "labels"], "space": "normalised"}
DC: dict[str, Any] = {"layout": "dc", "space": "normalised"}


# --- what is stored -------------------------------------------------------------------------------


def test_pixels_of_idc_are_kept_to_the_bit(desk: Desk) -> None:
    images = pixels()

    made = desk.run([write_idc(desk.data, images, LABELS)])

    assert torch.equal(made.images.flatten(0, 1), images)
    assert made.labels.flatten().tolist() == LABELS.tolist()
    assert made.card.parameterization.space == "pixel"


@pytest.mark.parametrize("experiment", [0, 1])
def test_one_experiment_of_dc_is_taken(desk: Desk, experiment: int) -> None:
    sets = [(normalised(seed), LABELS) for seed in range(2)]
    path = write_dc(desk.data / "res_DM_digits_ConvNet_3ipc.pt", sets)

    made = desk.run([path], **DC, experiment=experiment)

    assert torch.equal(made.images.flatten(0, 1), sets[experiment][0])
    assert made.card.parameterization.space == "normalised"


def test_images_and_labels_of_mtt_are_two_files(desk: Desk) -> None:
    images = normalised()

    made = desk.run(write_mtt(desk.data, images, LABELS), **MTT, learned_lr=0.02)

    assert torch.equal(made.images.flatten(0, 1), images)
    assert made.card.learned_lr == 0.02


def test_without_a_file_of_labels_images_are_in_the_order_of_classes(desk: Desk) -> None:
    path, _ = write_mtt(desk.data, normalised(), LABELS)

    made = desk.run([path], layout="mtt", space="normalised")

    assert torch.equal(made.images.flatten(0, 1), normalised())


def test_the_card_tells_the_files_and_nothing_of_a_seed(desk: Desk) -> None:
    path = write_idc(desk.data, pixels(), LABELS)

    made = desk.run([path])

    told = made.card.provenance
    assert told.kind == "import"
    assert told.files == (hashlib.sha256(path.read_bytes()).hexdigest(),)
    assert told.seed == ()


def test_images_are_sorted_by_their_labels_and_keep_their_order_within(desk: Desk) -> None:
    labels = torch.tensor([2, 0, 1, 1, 0, 2, 2, 1, 0])
    images = pixels()

    made = desk.run([write_idc(desk.data, images, labels)])

    for label in range(CLASSES):
        assert torch.equal(made.images[label], images[labels == label])


def test_classes_in_another_order_are_put_into_that_of_the_dataset(desk: Desk) -> None:
    images = pixels()
    path = write_idc(desk.data, images, LABELS)

    made = desk.run([path], order=(2, 0, 1))

    assert torch.equal(made.images[2], images[:PER_CLASS])
    assert torch.equal(made.images[0], images[PER_CLASS : 2 * PER_CLASS])


def test_parts_by_class_are_joined_whatever_their_order(desk: Desk) -> None:
    images = pixels()
    parts = [
        write_idc(desk.data / f"phase{c}", images[c == LABELS], LABELS[c == LABELS])
        for c in range(CLASSES)
    ]

    forward, backward = desk.run(parts), desk.run(parts[::-1])

    assert torch.equal(forward.images, backward.images)
    assert torch.equal(forward.images.flatten(0, 1), images)


def test_parts_by_number_of_images_are_joined(desk: Desk) -> None:
    images = normalised()
    files = [
        write_mtt(desk.data / f"{part}", images[part::PER_CLASS], torch.arange(CLASSES))
        for part in range(PER_CLASS)
    ]

    made = desk.run(
        [path for pair in files for path in pair],
        layout="mtt",
        space="normalised",
        holds=["images", "labels"] * PER_CLASS,
    )

    assert torch.equal(made.images.flatten(0, 1), images)


def test_normalised_values_become_pixels_by_the_mean_and_deviation_that_are_said(
    desk: Desk,
) -> None:
    images = (pixels() - 0.3) / 0.7
    path = write_dc(desk.data / "res.pt", [(images, LABELS)])
    kept = {"kind": "pixels", "space": "pixel"}

    made = desk.run([path], **DC, mean=(0.3,), std=(0.7,), parameterization=kept)

    expected = (images.double() * 0.7 + 0.3).float()
    assert torch.equal(made.images.flatten(0, 1), expected)


def test_other_constants_are_turned_into_those_of_the_dataset(desk: Desk) -> None:
    images = (pixels() - 0.3) / 0.7
    path = write_dc(desk.data / "res.pt", [(images, LABELS)])

    made = desk.run([path], **DC, mean=(0.3,), std=(0.7,))

    expected = ((images.double() * 0.7 + 0.3 - MEAN) / STD).float()
    assert torch.allclose(made.images.flatten(0, 1), expected, rtol=0, atol=1e-6)


def test_the_constants_of_the_dataset_leave_every_bit(desk: Desk) -> None:
    path = write_dc(desk.data / "res.pt", [(normalised(), LABELS)])

    made = desk.run([path], **DC, mean=(MEAN,), std=(STD,))

    assert torch.equal(made.images.flatten(0, 1), normalised())


def test_a_whitened_set_comes_with_the_whitening_of_the_training_split(desk: Desk) -> None:
    whitening = Whitening.fit(desk.split, 0.1)
    images = whitening.apply(pixels())
    kept = {"kind": "pixels", "space": "zca", "zca_eps": 0.1}

    made = desk.run(
        write_mtt(desk.data, images, LABELS), **{**MTT, "space": "zca"}, parameterization=kept
    )

    assert torch.equal(made.images.flatten(0, 1), images)
    assert made.whitening is not None
    seen = made.whitening.inverse(made.images.double()).flatten(0, 1)
    assert torch.allclose(seen, pixels().double(), rtol=0, atol=1e-5)


def test_a_formation_is_kept_undecoded_with_its_factor(desk: Desk) -> None:
    kept = {"kind": "multi_formation", "factor": 2, "space": "pixel"}

    made = desk.run([write_idc(desk.data, pixels(), LABELS)], parameterization=kept)

    assert torch.equal(made.images.flatten(0, 1), pixels())
    assert made.card.parameterization.kind == "multi_formation"


@pytest.mark.parametrize("kind", ["expert", "learned"])
def test_soft_labels_are_kept_with_columns_in_the_order_of_the_dataset(
    desk: Desk, kind: str
) -> None:
    logits = torch.randn(N, CLASSES, generator=torch.Generator().manual_seed(1))
    soft = logits.softmax(1) if kind == "expert" else logits
    paths = write_mtt(desk.data, normalised(), soft)

    plain = desk.run(paths, **MTT, labels=kind)
    moved = desk.run(paths, **MTT, labels=kind, order=(1, 2, 0))

    assert plain.card.labels == kind
    assert plain.soft_labels is not None
    assert torch.equal(plain.soft_labels.flatten(0, 1), soft)
    assert moved.soft_labels is not None
    assert torch.equal(moved.soft_labels[1], soft[:PER_CLASS][:, [2, 0, 1]])


def test_doubles_stay_doubles_and_halves_become_floats(desk: Desk) -> None:
    double = desk.run([write_idc(desk.data / "d", pixels().double(), LABELS)])
    half = desk.run([write_idc(desk.data / "h", pixels().half(), LABELS)])

    assert double.images.dtype == torch.float64
    assert half.images.dtype == torch.float32
    assert torch.equal(half.images.flatten(0, 1), pixels().half().float())


@pytest.mark.parametrize("layout", ["idc", "dc", "mtt"])
def test_a_set_judged_after_a_detour_over_official_files_scores_the_same(
    desk: Desk, layout: str
) -> None:
    learned = pixels() if layout == "idc" else normalised()
    space: Any = "pixel" if layout == "idc" else "normalised"
    card = make_card(
        write_split(desk.root / "test").card,
        parameterization=PixelsSpec(space=space),
        images_per_class=PER_CLASS,
        provenance=Provenance(key="1" * 64, kind="distill", seed=(0,)),
    )
    (desk.root / "learned").mkdir()
    write_synthetic_set(desk.root / "learned", learned.reshape(card.shape), labels_of(card), card)
    match layout:
        case "idc":
            desk.run([write_idc(desk.data, learned, LABELS)])
        case "dc":
            desk.run([write_dc(desk.data / "res.pt", [(learned, LABELS)])], **DC)
        case _:
            desk.run(write_mtt(desk.data, learned, LABELS), **MTT)

    figures = [judged(desk.root, name) for name in ("learned", "output1")]

    assert figures[0] == figures[1]


def judged(root: Path, name: str) -> Any:
    protocol = ProtocolSpec.model_validate({"name": "short", "epochs": 3, "batch": 4})
    inputs = {"set": root / name, "test": root / "test"}
    return evaluate.run(evaluate_work(protocol), site(root, f"judged-{name}", inputs))


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        pytest.param(
            normalised(), LABELS, r"these are normalised or whitened, not pixels", id="normalised"
        ),
        pytest.param(pixels() * 255, LABELS, r"these are bytes or worse", id="bytes as floats"),
        pytest.param((pixels() * 255).byte(), LABELS, r"bytes are no learned values", id="bytes"),
        pytest.param(pixels().log().log(), LABELS, r"hold NaN or infinite", id="not a number"),
        pytest.param(
            pixels().permute(0, 2, 3, 1), LABELS, r"channels come last", id="channels last"
        ),
        pytest.param(
            pixels(channels=3), LABELS, r"images of \[3, 4, 4\], and .* \[1, 4, 4\]", id="colour"
        ),
        pytest.param(
            pixels(count=6), LABELS[:6], r"holds 6 images.* 3 classes x 3 = 9", id="too few"
        ),
        pytest.param(pixels(), LABELS[:6], r"9 images and labels of 6", id="labels too few"),
        pytest.param(
            pixels(), LABELS + 1, r"labels from 1 to 3: those of 3 classes are 0 to 2", id="from 1"
        ),
        pytest.param(
            pixels(),
            torch.tensor([0, 0, 0, 0, 1, 1, 2, 2, 2]),
            r"4 images with label 0, the plan says 3",
            id="uneven",
        ),
        pytest.param(pixels(), LABELS.float(), r"labels are whole numbers", id="labels of floats"),
        pytest.param(
            pixels(), torch.eye(3)[LABELS], r"soft labels, the plan says hard", id="soft labels"
        ),
    ],
)
def test_what_is_not_as_the_plan_says_is_refused_with_the_reason(
    desk: Desk, images: Tensor, labels: Tensor, said: str
) -> None:
    path = write_idc(desk.data, images, labels)

    with pytest.raises(BadData, match=said):
        desk.run([path])


def test_pixels_that_are_said_to_be_whitened_are_refused_with_the_way_out(desk: Desk) -> None:
    kept = {"kind": "pixels", "space": "zca", "zca_eps": 0.1}
    files = write_mtt(desk.data, pixels(), LABELS)

    with pytest.raises(BadData, match=r"these are pixels, not zca.*`images_zca_N.pt`"):
        desk.run(files, **{**MTT, "space": "zca"}, parameterization=kept)


def test_pixels_that_are_said_to_be_normalised_are_refused_with_the_way_out(desk: Desk) -> None:
    path = write_dc(desk.data / "res.pt", [(pixels(), LABELS)])

    with pytest.raises(BadData, match=r"these are pixels, not normalised; say `space: pixel`"):
        desk.run([path], **DC)


def test_pixels_that_nobody_clamped_after_the_last_steps_are_pixels(desk: Desk) -> None:
    images = pixels() * 1.1 - 0.05

    made = desk.run([write_idc(desk.data, images, LABELS)])

    assert torch.equal(made.images.flatten(0, 1), images)


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        pytest.param("dc", r"is no file of `dc`: .*found a list of 2.*`idc` writes", id="dc"),
        pytest.param("mtt", r"is no file of `mtt`: .*found a list of 2.*`idc` writes", id="mtt"),
    ],
)
def test_a_file_of_another_code_is_told_apart(desk: Desk, layout: str, said: str) -> None:
    path = write_idc(desk.data, pixels(), LABELS)

    with pytest.raises(BadData, match=said):
        desk.run([path], layout=layout)


def test_a_list_of_networks_is_told_as_what_it_is(desk: Desk) -> None:
    path = desk.data / "replay_buffer_0.pt"
    torch.save([[[torch.zeros(2, 2)]]], path)

    with pytest.raises(BadData, match=r"expected a list \[images, labels\].*found a list of 1"):
        desk.run([path])


def test_an_experiment_that_is_not_there_is_refused(desk: Desk) -> None:
    path = write_dc(desk.data / "res.pt", [(normalised(), LABELS)])

    with pytest.raises(BadData, match="holds 1 experiments, counted from 0: there is no number 5"):
        desk.run([path], **DC, experiment=5)


def test_labels_where_images_are_said_to_be_are_refused(desk: Desk) -> None:
    images, labels = write_mtt(desk.data, normalised(), LABELS)

    with pytest.raises(BadData, match=r"labels_best.pt holds .*these are labels, the plan says"):
        desk.run([labels, images], **MTT)


def test_logits_that_are_said_to_be_probabilities_are_refused(desk: Desk) -> None:
    paths = write_mtt(desk.data, normalised(), torch.randn(N, CLASSES))

    with pytest.raises(BadData, match=r"no probabilities: say `labels: \{kind: learned"):
        desk.run(paths, **MTT, labels="expert")


def test_parts_of_several_shapes_are_refused(desk: Desk) -> None:
    parts = [
        write_idc(desk.data / "a", pixels(count=3), LABELS[:3]),
        write_idc(desk.data / "b", torch.rand(6, 1, 8, 8), LABELS[3:]),
    ]

    with pytest.raises(BadData, match=r"images are of several shapes, \(1, 4, 4\) and \(1, 8, 8\)"):
        desk.run(parts)


def test_another_file_than_that_of_the_plan_is_refused_before_it_is_parsed(desk: Desk) -> None:
    path = write_idc(desk.data, pixels(), LABELS)
    work = desk.work([path])
    path.write_bytes(b"no pickle at all")

    with pytest.raises(BadData, match="has SHA-256"):
        desk.realise(work, [path])


def test_a_link_out_of_the_data_directory_is_refused(desk: Desk) -> None:
    outside = write_idc(desk.root / "elsewhere", pixels(), LABELS)
    inside = desk.data / "data.pt"
    inside.symlink_to(outside)

    with pytest.raises(BadData, match="leads out of the data directory"):
        desk.run([inside])


def test_a_job_that_names_no_files_is_refused(desk: Desk) -> None:
    path = write_idc(desk.data, pixels(), LABELS)

    with pytest.raises(BadJob, match="does not say where"):
        desk.realise(desk.work([path]), [])


@pytest.mark.gpu
def test_a_set_is_the_same_where_there_is_a_gpu(desk: Desk) -> None:
    paths = write_mtt(desk.data, normalised().cuda(), LABELS.cuda())
    there = torch.load(paths[0], weights_only=True)
    on_device = desk.data / "images_cuda.pt"
    torch.save(normalised().cuda(), on_device)

    made = desk.run([on_device, paths[1]], **MTT)

    assert there.device.type == "cpu"
    assert made.images.device.type == "cpu"
    assert torch.equal(made.images.flatten(0, 1), normalised())
