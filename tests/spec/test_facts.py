"""The facts of the built-in datasets agree with themselves and, where at hand, with the data."""

from __future__ import annotations

import csv
import gzip
import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from ddspec.spec.dataset import BuiltinName, LockedKind
from ddspec.spec.facts import FACTS, DataFile, held_out
from ddspec.spec.facts_folders import FOLDERS

DATA = Path(os.environ.get("DDSPEC_DATA", "/nonexistent"))
"""Read when this file is, before a fixture hides the variable."""

CLASSES = {"cifar100": 100, "imagenet100": 100, "imagenet1k": 1000, "tiny_imagenet": 200}
"""Of datasets that do not have 10."""

FILES = [pytest.param(file, id=file.path) for facts in FACTS.values() for file in facts.files]


def test_every_built_in_dataset_has_facts() -> None:
    locked = {*get_args(LockedKind)} - {"folder"}

    assert set(FACTS) == {*get_args(BuiltinName), *locked}


@pytest.mark.parametrize("name", FACTS)
def test_counts_and_names_agree(name: str) -> None:
    facts = FACTS[name]
    classes = len(facts.class_names)

    for total, counts in (
        (facts.train, facts.train_per_class),
        (facts.test, facts.test_per_class),
    ):
        assert counts is None or (len(counts), sum(counts)) == (classes, total)
    assert len(set(facts.class_names)) == classes == CLASSES.get(name, 10)
    assert (facts.test == 0) == (facts.holdout > 0)


@pytest.mark.parametrize("name", FACTS)
def test_published_statistics_fit_the_channels(name: str) -> None:
    facts = FACTS[name]

    for values in filter(None, (facts.mean, facts.std)):
        assert len(values) == facts.channels
        assert all(0 < value < 1 for value in values)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("digits", "a19cb3d96bba7deace8ee5a513a6eb7bad0403d528f00bf4d351b6a7a55baa91"),
        ("mnist", "1546c02fcd28df45e44083c55a538633487c2be58738cdc1f8e8a4ceaace393a"),
        ("fashion_mnist", "5041b306a78ebe8f42457fe0292a89591fa6c764324d5062987a8200786b6442"),
        ("cifar10", "5975cb8f9f9660ee72bb99d6df116fa29bb4246a470952b231d304544b4e99af"),
        ("cifar100", "b5ecb7331e245e080e15ebdc201e1de1dfc70e8a6075576fd1169b327a0b9055"),
        ("svhn", "30d46d7f02f975f3154632ecc85e3a7887c1645f97cc6be2f052c0a6ac836cc4"),
        ("imagenet100", None),
    ],
)
def test_contents_stay_what_keys_were_made_of(name: str, content: str | None) -> None:
    assert FACTS[name].content == content


def test_the_list_of_imagenet_classes_is_that_of_idc() -> None:
    names = FACTS["imagenet100"].class_names

    assert names[:3] == ("n02869837", "n01749939", "n02488291")
    assert all(len(name) == 9 and name[0] == "n" and name[1:].isdecimal() for name in names)


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        # tench and parachute; Australian terrier and Old English sheepdog; bee and goldfinch
        pytest.param("imagenette", "n01440764", "n03888257", id="imagenette"),
        pytest.param("imagewoof", "n02096294", "n02105641", id="imagewoof"),
        pytest.param("imageyellow", "n02206856", "n01531178", id="imageyellow"),
        # goldfish and acorn
        pytest.param("tiny_imagenet", "n01443537", "n12267677", id="tiny-imagenet"),
        pytest.param("imagenet1k", "n01440764", "n15075141", id="imagenet-1k"),
    ],
)
def test_lists_begin_and_end_as_published(name: str, first: str, last: str) -> None:
    names = FACTS[name].class_names

    assert (names[0], names[-1]) == (first, last)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("imagenette", (0, 217, 482, 491, 497, 566, 569, 571, 574, 701)),
        ("imagewoof", (193, 182, 258, 162, 155, 167, 159, 273, 207, 229)),
        ("imagefruit", (953, 954, 949, 950, 951, 957, 952, 945, 943, 948)),
        ("imagemeow", (281, 282, 283, 284, 285, 291, 292, 290, 289, 287)),
        ("imagesquawk", (84, 130, 88, 144, 145, 22, 96, 9, 100, 89)),
        ("imageyellow", (309, 986, 954, 951, 987, 779, 599, 291, 72, 11)),
    ],
)
def test_ten_classes_are_those_of_mtt_in_the_order_of_its_code(
    name: str, numbers: tuple[int, ...]
) -> None:
    everything = FACTS["imagenet1k"].class_names

    # its code counts the classes of ImageNet-1K in the order of their sorted folders
    assert everything == tuple(sorted(everything))
    assert FACTS[name].class_names == tuple(everything[number] for number in numbers)


@pytest.mark.parametrize("name", ["tiny_imagenet", "imagenet1k"])
def test_all_classes_of_a_dataset_are_sorted_by_folder(name: str) -> None:
    names = FACTS[name].class_names

    assert names == tuple(sorted(names))


@pytest.mark.parametrize("name", [name for name in FOLDERS if name != "imagenet1k"])
def test_every_set_of_photographs_is_a_part_of_imagenet(name: str) -> None:
    assert set(FACTS[name].class_names) <= set(FACTS["imagenet1k"].class_names)


def test_imagenet_10_is_the_beginning_of_imagenet_100() -> None:
    assert FACTS["imagenet100"].class_names[:10] == FACTS["imagenet10"].class_names


def test_the_digits_are_those_of_the_wheel() -> None:
    found = importlib.util.find_spec("sklearn")
    if found is None or found.origin is None:
        pytest.skip("scikit-learn is not installed")
    path = Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"
    with gzip.open(path, "rt", encoding="ascii", newline="") as file:
        rows = [[int(float(cell)) for cell in row] for row in csv.reader(file)]

    # Python rounds half to even, as the contract says: 8 becomes 127.5, so 128.
    images = bytes(round(value * 255 / 16) for row in rows for value in row[:64])
    labels = bytes(row[64] for row in rows)

    assert hashlib.sha256(images + labels).hexdigest() == FACTS["digits"].content
    assert FACTS["digits"].train_per_class == tuple(labels.count(k) for k in range(10))


@pytest.mark.data
@pytest.mark.parametrize("file", FILES)
def test_checksums_are_those_of_the_real_files(file: DataFile) -> None:
    path = DATA / file.path
    if not path.is_file():
        pytest.skip("needs the real datasets under DDSPEC_DATA")

    data = path.read_bytes()

    assert hashlib.md5(data, usedforsecurity=False).hexdigest() == file.md5
    assert file.sha256 in {None, hashlib.sha256(data).hexdigest()}


@pytest.mark.parametrize(
    ("count", "fraction", "held"),
    [
        pytest.param(178, 0.3, 53, id="rounds-down"),
        pytest.param(182, 0.3, 55, id="rounds-up"),
        pytest.param(5, 0.5, 2, id="half-to-even"),
        pytest.param(1, 0.9, 0, id="one-stays"),
        pytest.param(0, 0.5, 0, id="nothing-to-hold"),
        pytest.param(10, 0.0, 0, id="nothing-asked"),
    ],
)
def test_so_many_images_of_a_class_are_held_out(count: int, fraction: float, held: int) -> None:
    assert held_out(count, fraction) == held


def test_facts_cost_no_heavy_import() -> None:
    code = "import sys, ddspec.spec.facts; print(*sys.modules)"

    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert not {"pydantic", "ruamel.yaml", "numpy"} & set(loaded.stdout.split())
