from __future__ import annotations

from typing import Any

import pytest

from ddspec.presets.protocols import FOLDER, PROTOCOLS, idc_epochs, protocol_file
from ddspec.presets.references import reference_of, references
from ddspec.spec.evaluate import ProtocolSpec

ALL_SIX = ("color", "crop", "cutout", "flip", "scale", "rotate")
SGD = {"learning_rate": 0.01, "momentum": 0.9, "weight_decay": 5e-4}
RANDOM_RESIZED_CROP = {"kind": "imagenet", "min_area": 0.08, "jitter": 0.0, "lighting": 0.0}

# Written from the papers and the official codes, not from the files that are tested.
RECIPES: dict[str, dict[str, Any]] = {
    "dc": {
        "epochs": 300,
        "batch": 256,
        "optimizer": SGD,
        "decay": {"factor": 0.1, "at": (0.5,)},
        "augmentation": {"kind": "none"},
    },
    "dc-mnist": {
        "epochs": 1000,
        "batch": 256,
        "optimizer": SGD,
        "decay": {"factor": 0.1, "at": (0.5,)},
        "augmentation": {
            "kind": "dc",
            "operations": ("crop", "scale", "rotate"),
            "crop": 4,
            "scale": 0.2,
            "rotate": 45,
        },
    },
    "dsa": {
        "epochs": 1000,
        "batch": 256,
        "optimizer": SGD,
        "decay": {"factor": 0.1, "at": (0.5,)},
        "augmentation": {"kind": "dsa", "operations": ALL_SIX},
    },
    "dsa-no-flip": {
        "epochs": 1000,
        "batch": 256,
        "optimizer": SGD,
        "decay": {"factor": 0.1, "at": (0.5,)},
        "augmentation": {
            "kind": "dsa",
            "operations": ("color", "crop", "cutout", "scale", "rotate"),
        },
    },
    "idc": {
        "epochs": 1000,
        "batch": 64,
        "optimizer": SGD,
        "decay": {"factor": 0.2, "at": (2 / 3, 5 / 6)},
        "augmentation": {
            "kind": "idc",
            "operations": ("color", "crop", "flip", "scale", "rotate"),
        },
        "cutmix": 0.5,
    },
    "idc-no-flip": {
        "epochs": 1000,
        "batch": 64,
        "optimizer": SGD,
        "decay": {"factor": 0.2, "at": (2 / 3, 5 / 6)},
        "augmentation": {"kind": "idc", "operations": ("color", "crop", "scale", "rotate")},
        "cutmix": 0.5,
    },
    "idc-no-mix": {
        "epochs": 1000,
        "batch": 64,
        "optimizer": SGD,
        "decay": {"factor": 0.2, "at": (2 / 3, 5 / 6)},
        "augmentation": {
            "kind": "idc",
            "operations": ("color", "crop", "cutout", "scale", "rotate"),
        },
    },
    "idc-mnist": {
        "epochs": 1000,
        "batch": 64,
        "optimizer": SGD,
        "decay": {"factor": 0.2, "at": (2 / 3, 5 / 6)},
        "augmentation": {"kind": "idc", "operations": ("color", "crop", "scale", "rotate")},
    },
    "idc-imagenet": {
        "epochs": "idc_by_size",
        "batch": 64,
        "optimizer": SGD,
        "decay": {"factor": 0.2, "at": (2 / 3, 5 / 6)},
        "augmentation": {"kind": "imagenet", "min_area": 0.5, "jitter": 0.4, "lighting": 0.1},
        "cutmix": 1.0,
    },
    "idc-imagenet100": {
        "epochs": "idc_by_size",
        "batch": 128,
        "optimizer": {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 1e-4},
        "decay": {"factor": 0.2, "at": (2 / 3, 5 / 6)},
        "augmentation": {"kind": "imagenet", "min_area": 0.5, "jitter": 0.4, "lighting": 0.1},
        "cutmix": 1.0,
    },
    "mtt": {
        "epochs": 1000,
        "batch": 256,
        "optimizer": SGD,
        "decay": {"factor": 0.1, "at": (0.5,)},
        "augmentation": {"kind": "dsa", "operations": ALL_SIX},
        "learned_rate": True,
        "reported": "best_on_test",
    },
    "mtt-zca": {
        "epochs": 1000,
        "batch": 256,
        "optimizer": SGD,
        "decay": {"factor": 0.1, "at": (0.5,)},
        "augmentation": {"kind": "dsa", "operations": ALL_SIX},
        "learned_rate": True,
        "reported": "best_on_test",
        "zca": 0.1,
    },
    "tesla": {
        "epochs": 1000,
        "batch": 256,
        "optimizer": SGD,
        "decay": {"factor": 0.1, "at": (0.5,)},
        "augmentation": {"kind": "dsa", "operations": ALL_SIX},
        "learned_rate": True,
        "reported": "best_on_test",
    },
    "tesla-zca": {
        "epochs": 1000,
        "batch": 256,
        "optimizer": SGD,
        "decay": {"factor": 0.1, "at": (0.5,)},
        "augmentation": {"kind": "dsa", "operations": ALL_SIX},
        "learned_rate": True,
        "reported": "best_on_test",
        "zca": 0.1,
    },
    "ftd": {
        "epochs": 1000,
        "batch": 256,
        "optimizer": SGD,
        "decay": {"factor": 0.1, "at": (0.5,)},
        "augmentation": {"kind": "dsa", "operations": ALL_SIX},
        "learned_rate": True,
        "reported": "best_on_test",
    },
    "ftd-zca": {
        "epochs": 1000,
        "batch": 256,
        "optimizer": SGD,
        "decay": {"factor": 0.1, "at": (0.5,)},
        "augmentation": {"kind": "dsa", "operations": ALL_SIX},
        "learned_rate": True,
        "reported": "best_on_test",
        "zca": 0.1,
    },
    "mtt-no-flip": {
        "epochs": 1000,
        "batch": 256,
        "optimizer": SGD,
        "decay": {"factor": 0.1, "at": (0.5,)},
        "augmentation": {
            "kind": "dsa",
            "operations": ("color", "crop", "cutout", "scale", "rotate"),
        },
        "learned_rate": True,
        "reported": "best_on_test",
    },
    "tesla-soft": {
        "epochs": 1000,
        "batch": 256,
        "optimizer": SGD,
        "decay": {"factor": 0.1, "at": (0.5,)},
        "augmentation": {"kind": "dsa", "operations": ALL_SIX},
        "learned_rate": True,
        "reported": "best_on_test",
        "teaching": {"temperature": 1.0, "squared": False},
    },
    "idm": {
        "epochs": 1000,
        "batch": 256,
        "optimizer": SGD,
        "decay": {"factor": 0.1, "at": (0.5,)},
        "augmentation": {"kind": "dsa", "operations": ALL_SIX},
        "reported": "best_on_test",
    },
    "idm-imagenet": {
        "epochs": 1000,
        "batch": 128,
        "optimizer": SGD,
        "decay": {"factor": 0.1, "at": (0.5,)},
        "augmentation": {"kind": "dsa", "operations": ALL_SIX},
        "reported": "best_on_test",
    },
    "sre2l-imagenet": {
        "epochs": 300,
        "batch": 1024,
        "accumulate": 2,
        "optimizer": {
            "kind": "adamw",
            "learning_rate": 1e-3,
            "weight_decay": 0.01,
            "decayed": "matrices",
        },
        "decay": {"kind": "cosine", "every": "epoch"},
        "augmentation": RANDOM_RESIZED_CROP,
        "cutmix": 1.0,
        "teaching": {"temperature": 20.0, "squared": False},
        "reported": "best_of_several",
    },
    "sre2l-tiny": {
        "epochs": 100,
        "batch": 256,
        "optimizer": {"learning_rate": 0.2, "momentum": 0.9, "weight_decay": 1e-4},
        "decay": {"kind": "cosine", "every": "epoch", "warmup": {"epochs": 5, "start": 0.002}},
        "augmentation": RANDOM_RESIZED_CROP,
        "teaching": {"temperature": 20.0, "squared": True},
        "reported": "best_of_several",
    },
    "sre2l-cifar100": {
        "epochs": 400,
        "batch": 128,
        "optimizer": {"kind": "adamw", "learning_rate": 1e-3, "weight_decay": 0.01},
        "decay": {"kind": "cosine", "every": "epoch"},
        "augmentation": {"kind": "pad_crop", "padding": 4, "flip": True, "fill": "black"},
        "mixup": 0.8,
        "teaching": {"temperature": 30.0, "squared": False},
        "reported": "best_of_several",
    },
}
# Teddy publishes no recipe, nor which of several tests it reports; it compares with SRe2L.
RECIPES["teddy"] = {**RECIPES["sre2l-imagenet"], "reported": None}
RECIPES["teddy-tiny"] = {**RECIPES["sre2l-tiny"], "reported": None}


def test_every_protocol_has_its_file_and_every_file_its_protocol() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.yaml" for name in PROTOCOLS}
    assert set(RECIPES) == set(PROTOCOLS)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_is_what_was_published(name: str) -> None:
    recipe = ProtocolSpec.model_validate({"name": name, **RECIPES[name]})

    assert PROTOCOLS[name]() == recipe


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_is_known_by_its_own_name_and_has_one_length(name: str) -> None:
    protocol = PROTOCOLS[name]()

    assert protocol.name == name == protocol_file(name).name
    assert (protocol.epochs is None) != (protocol.steps is None)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_value_of_a_protocol_has_a_source_that_can_be_looked_up(name: str) -> None:
    file = protocol_file(name)
    set_somewhere = {key for block in file.blocks for key in block.set}
    lost = [b.source for b in file.blocks if not (reference_of(b.source) or "ours:" in b.source)]

    assert {"batch", "optimizer", "decay", "augmentation", "cutmix"} <= set_somewhere
    assert not lost


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_speaks_only_of_settings_that_it_has(name: str) -> None:
    settings = {said.setting for said in protocol_file(name).disagreements}

    assert settings <= set(ProtocolSpec.model_fields)


@pytest.mark.parametrize(
    "name", [name for name, recipe in RECIPES.items() if recipe["decay"] == RECIPES["dsa"]["decay"]]
)
def test_the_late_decay_that_loses_the_momentum_is_told_of_each_descendant(name: str) -> None:
    told = {said.setting: said for said in protocol_file(name).disagreements}

    assert "its momentum is lost" in told["decay"].code
    assert told["decay"].takes == "paper"


def test_a_path_is_no_name_of_a_protocol() -> None:
    with pytest.raises(KeyError):
        protocol_file("../references")


def test_a_source_names_a_reference_or_says_that_it_is_ours() -> None:
    found = reference_of("idc-code, argument.py: two thirds")

    assert found is not None
    assert found.url == "https://github.com/snu-mllab/Efficient-Dataset-Condensation"
    assert reference_of("ours: nothing is published") is None
    assert all(one.url.startswith("https://") for one in references().values())


@pytest.mark.parametrize(
    ("views", "classes", "epochs"),
    [
        (1, 10, 3000),
        (2, 10, 2000),
        (10, 10, 2000),
        (11, 10, 1500),
        (50, 10, 1500),
        (90, 10, 1000),
        (200, 10, 1000),
        (500, 10, 500),
        (501, 10, 300),
        (1, 100, 2000),
        (10, 100, 1300),
        (50, 100, 1000),
        (90, 100, 600),
        (500, 100, 300),
        (501, 100, 200),
    ],
)
def test_idc_trains_longer_on_smaller_sets(views: int, classes: int, epochs: int) -> None:
    assert idc_epochs(views_per_class=views, classes=classes) == epochs
