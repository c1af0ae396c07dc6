"""Exported files read back: by Pillow, by torchvision, by numpy and by `datasets`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import ImageFolder

from ddspec.spec.method import PixelsSpec
from ddspec.wire.work import ClassRange
from ddspec_analysis import export_parquet
from ddspec_analysis.export import answer
from ddspec_analysis.export_names import LONGEST, folders_of
from ddspec_runners.artifacts import labels_of, write_synthetic_set
from ddspec_runners.card import Card, DatasetOfCard, LabelKind, Provenance

HOSTILE = (
    *("../x", "a/b", "", "CON", "con", "nul.png", "-rf", "~", ".hidden", "y" * 300),
    *("été", "日本", "b\nb", "\x1b[31mred", "$(reboot)", "<b>", "'; --", "\u202eabc", "😀", "B"),
)
SIZE = 5


def write_rounded(
    folder: Path,
    *,
    classes: tuple[str, ...] = tuple("abc"),
    n: int = 2,
    channels: int = 1,
    labels: LabelKind = "hard",
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Write a rounded set of noise; return its bytes, (N, H, W, C)."""
    folder.mkdir()
    card = Card(
        parameterization=PixelsSpec(),
        mean=(0.25,) * channels,
        std=(0.5,) * channels,
        size=SIZE,
        channels=channels,
        classes=classes,
        covers=ClassRange(start=0, stop=len(classes), of=len(classes)),
        images_per_class=n,
        labels=labels,
        dataset=DatasetOfCard(name="letters", content="0" * 64, test_split="made up"),
        provenance=Provenance(key="1" * 64, kind="round", seed=(0, "distill")),
    )
    rng = torch.Generator().manual_seed(5)
    levels = torch.randint(0, 256, card.shape, generator=rng)
    images = (levels.double() / 255).float()
    soft = None
    if card.soft_shape is not None:
        soft = torch.randn(card.soft_shape, generator=rng)
        soft = soft.softmax(-1) if labels == "expert" else soft
    write_synthetic_set(folder, images, labels_of(card), card, soft_labels=soft)
    return levels.flatten(0, 1).movedim(1, -1).numpy().astype(np.uint8)


def exported(tmp_path: Path, form: str, **changes: Any) -> tuple[Any, Path, Any]:
    """Write a set, export it, and return its bytes, where it lies, and what was told."""
    pixels, target = write_rounded(tmp_path / "set", **changes), tmp_path / "out"
    target.mkdir()
    told = answer({"as": form, "set": str(tmp_path / "set"), "to": str(target), "exact": None})
    return pixels, target, told


@pytest.mark.parametrize(
    ("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")], ids=["grey", "colour", "alpha"]
)
def test_pictures_hold_the_rounded_set_bit_for_bit(
    tmp_path: Path, channels: int, mode: str
) -> None:
    pixels, target, _ = exported(tmp_path, "png", channels=channels)

    files = sorted((target / "train").rglob("*.png"))
    assert [str(path.relative_to(target / "train")) for path in files] == [
        f"{name}/{index:04}.png" for name in "abc" for index in (0, 1)
    ]
    for path, expected in zip(files, pixels, strict=True):
        with Image.open(path) as picture:
            assert picture.mode == mode
            assert np.array_equal(np.asarray(picture).reshape(expected.shape), expected)


@pytest.mark.parametrize(
    "classes",
    [
        pytest.param(HOSTILE, id="hostile"),
        pytest.param(tuple(str(number) for number in range(12)), id="numbers past nine"),
        pytest.param(("b", "a", "A"), id="not in order"),
        pytest.param(tuple(f"c{number:03}" for number in range(101)), id="a hundred and one"),
    ],
)
def test_torchvision_numbers_the_folders_as_the_classes_are(
    tmp_path: Path, classes: tuple[str, ...]
) -> None:
    pixels, target, _ = exported(tmp_path, "png", classes=classes, n=1)

    data = ImageFolder(str(target / "train"), loader=lambda path: np.asarray(Image.open(path)))
    assert [label for _, label in data] == list(range(len(classes)))
    assert all(np.array_equal(image, pixels[i, ..., 0]) for i, (image, _) in enumerate(data))
    told = json.loads((target / "classes.json").read_text(encoding="utf-8"))["classes"]
    assert [row["name"] for row in told] == list(classes)
    assert [row["folder"] for row in told] == data.classes


def test_nothing_is_written_outside_and_names_are_plain_ones(tmp_path: Path) -> None:
    exported(tmp_path, "png", classes=HOSTILE, n=1)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "set"]
    folders = [path.name for path in (tmp_path / "out/train").iterdir()]
    assert len(folders) == len({name.casefold() for name in folders}) == len(HOSTILE)
    assert all(name.isascii() and len(name) <= LONGEST + 4 for name in folders)
    assert all(set(name) <= {*"._-"} | set(filter(str.isalnum, name)) for name in folders)


@pytest.mark.parametrize(
    ("classes", "folders"),
    [
        (("cat", "dog"), ("cat", "dog")),
        (("dog", "cat"), ("0-dog", "1-cat")),
        (("A", "a"), ("0-A", "1-a")),
        (("a", "B"), ("0-a", "1-B")),
        (("B", "a"), ("0-B", "1-a")),
        (("x y", "z"), ("x_y", "z")),
        (("",), ("class",)),
        (("CON",), ("CON_",)),
        (("nul.txt",), ("nul.txt_",)),
        (("..",), ("class",)),
        (("-x",), ("class-x",)),
    ],
    ids=lambda one: "+".join(one),
)
def test_folders_keep_names_where_these_sort_as_labels_do(
    classes: tuple[str, ...], folders: tuple[str, ...]
) -> None:
    assert folders_of(classes) == folders


@pytest.mark.parametrize("labels", ["learned", "expert"])
def test_soft_labels_lie_beside_the_pictures_in_their_order(
    tmp_path: Path, labels: LabelKind
) -> None:
    _, target, told = exported(tmp_path, "png", labels=labels)

    with np.load(target / "soft_labels.npz", allow_pickle=False) as found:
        files, soft = found["files"].tolist(), found["soft_labels"]
    data = ImageFolder(str(target / "train"))
    assert [str(target / name) for name in files] == [path for path, _ in data.samples]
    assert soft == pytest.approx(probabilities(tmp_path / "set", labels), abs=1e-6)
    assert told["soft_labels"]


def probabilities(folder: Path, labels: LabelKind) -> Any:
    """Return soft labels by the definition, (N, K)."""
    from safetensors.numpy import load_file

    soft = load_file(folder / "synthetic.safetensors")["soft_labels"].astype(np.float64)
    flat = soft.reshape(-1, soft.shape[-1])
    return flat if labels == "expert" else np.exp(flat) / np.exp(flat).sum(1, keepdims=True)


def test_numpy_arrays_hold_everything_without_pickle(tmp_path: Path) -> None:
    pixels, target, _ = exported(tmp_path, "npz", channels=3, classes=HOSTILE, labels="learned")

    with np.load(target / "train.npz", allow_pickle=False) as found:
        assert np.array_equal(found["images"], pixels)
        assert found["labels"].tolist() == [i for i in range(len(HOSTILE)) for _ in range(2)]
        assert found["classes"].tolist() == list(HOSTILE)
        assert (found["mean"].tolist(), found["std"].tolist()) == ([0.25] * 3, [0.5] * 3)
        assert found["soft_labels"] == pytest.approx(
            probabilities(tmp_path / "set", "learned"), abs=1e-6
        )


def test_the_learned_numbers_come_along_where_they_are_asked_for(tmp_path: Path) -> None:
    write_rounded(tmp_path / "set")
    write_rounded(tmp_path / "learned", labels="expert")
    (tmp_path / "out").mkdir()
    places = {"set": "set", "to": "out", "exact": "learned"}

    answer({"as": "npz"} | {name: str(tmp_path / place) for name, place in places.items()})

    from safetensors.numpy import load_file

    learned = load_file(tmp_path / "learned/synthetic.safetensors")
    with np.load(tmp_path / "out/train.npz", allow_pickle=False) as found:
        assert np.array_equal(found["learned"], learned["images"])
        assert np.array_equal(found["learned_soft_labels"], learned["soft_labels"])
        assert str(found["learned_space"]) == "pixel"
        assert json.loads(str(found["learned_card"]))["format"] == "ddspec.card/1"


@pytest.mark.parametrize("form", ["png", "npz", "parquet"])
def test_the_same_set_gives_the_same_bytes(tmp_path: Path, form: str) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        exported(tmp_path / name, form, labels="learned")

    one, two = (sorted((tmp_path / name / "out").rglob("*.*")) for name in ("one", "two"))
    assert one
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


READ = """
import io, json, sys
import numpy as np
from datasets import ClassLabel, Image, load_dataset

data = load_dataset(sys.argv[1], split="train")
assert isinstance(data.features["image"], Image), data.features
assert isinstance(data.features["label"], ClassLabel), data.features
told = {
    "names": data.features["label"].names,
    "labels": data["label"][:],
    "modes": sorted({row["image"].mode for row in data}),
    "pixels": [np.asarray(row["image"]).tolist() for row in data],
    "soft": [row.get("soft_labels") for row in data],
}
print(json.dumps(told))
"""


def read_by_datasets(folder: Path, cache: Path) -> Any:
    offline = {"HF_HOME": str(cache), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", READ, str(folder)],
        capture_output=True,
        text=True,
        env=os.environ | offline,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_datasets_finds_pictures_names_and_soft_labels_in_several_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_parquet, "SHARD_BYTES", 400)
    pixels, target, told = exported(
        tmp_path, "parquet", classes=HOSTILE, channels=1, labels="learned"
    )

    found = read_by_datasets(target, tmp_path / "cache")

    assert len(list((target / "data").iterdir())) == 3
    assert found["names"] == list(HOSTILE)
    assert found["labels"] == [i for i in range(len(HOSTILE)) for _ in range(2)]
    assert found["modes"] == ["L"]
    assert np.array_equal(np.array(found["pixels"]), pixels[..., 0])
    assert np.array(found["soft"]) == pytest.approx(
        probabilities(tmp_path / "set", "learned"), abs=1e-6
    )
    assert told["num_examples"] == len(pixels)


def test_a_set_that_was_not_rounded_is_refused(tmp_path: Path) -> None:
    write_rounded(tmp_path / "set")
    card = json.loads((tmp_path / "set/card.json").read_text())
    whole = Card.model_validate(card)
    write_synthetic_set(tmp_path / "set", torch.rand(whole.shape), labels_of(whole), whole)
    (tmp_path / "out").mkdir()

    with pytest.raises(ValueError, match="not of 8 bits"):
        answer({"as": "png", "set": str(tmp_path / "set"), "to": str(tmp_path / "out")})


@pytest.mark.parametrize("damage", [b"", b"nonsense", None], ids=["empty", "foreign", "missing"])
def test_a_damaged_set_is_named(tmp_path: Path, damage: bytes | None) -> None:
    write_rounded(tmp_path / "set")
    path = tmp_path / "set/synthetic.safetensors"
    path.unlink() if damage is None else path.write_bytes(damage)

    with pytest.raises(ValueError, match=r"set/synthetic\.safetensors cannot be read"):
        answer({"as": "png", "set": str(tmp_path / "set"), "to": str(tmp_path)})


def test_a_disk_that_fails_is_told_and_not_raised(tmp_path: Path) -> None:
    write_rounded(tmp_path / "set")
    (tmp_path / "out").write_text("no folder")

    told = answer({"as": "png", "set": str(tmp_path / "set"), "to": str(tmp_path / "out")})

    assert isinstance(told, dict)
    assert told["failed"] == "Not a directory"


@pytest.mark.parametrize("question", [None, {}, {"as": "gif"}], ids=["nothing", "empty", "gif"])
def test_other_questions_are_refused(question: Any) -> None:
    with pytest.raises(ValueError, match="png, npz, parquet"):
        answer(question)
