"""A first spec is right as it is written, and never takes the place of a file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_cli import Shell
from PIL import Image

from ddspec.cli.schema import Kind, schema_of
from ddspec.errors import Exit
from ddspec.spec.facts import FACTS
from ddspec.spec.load import METHODS, load_spec
from ddspec.spec.presets import preset_names

Draw = Callable[..., None]


@pytest.fixture
def draw(shell: Shell) -> Draw:
    """Put `number` images of a size into each of the folders."""

    def drawn(*folders: str, number: int = 12, side: int = 20, mode: str = "RGB") -> None:
        for name in folders:
            folder = shell.folder / name
            folder.mkdir(parents=True)
            for index in range(number):
                Image.new(mode, (side, side + index)).save(folder / f"{index}.png")

    return drawn


def work(plan: Any) -> int:
    """Return the operations of all stages of a plan as JSON."""
    return sum(stage["flops"] for stage in plan["stages"])


def uncommented(text: str) -> str:
    """Return a starter with the settings that it offers in comments."""
    return re.sub(r"^# (?=(loops|inner|evaluate|matrix):|  \{)", "", text, flags=re.MULTILINE)


def test_a_folder_becomes_a_spec_that_plans_at_once(shell: Shell, draw: Draw) -> None:
    draw("photos/train/ant", "photos/train/bee", "photos/test/ant", "photos/test/bee", number=60)

    made = shell("init", "photos")
    planned = shell("plan", "specs/photos.yaml")

    assert (made.code, planned.code) == (0, 0)
    assert "photos: 2 classes, 120 images to train on (60 in each)" in made.out
    assert "takes 16 px, 10 a class, convnet2 (16 px to 4 px)" in made.out
    assert re.search(r"by formula \S+ \w on an a6000, \S+ \w on one CPU core\n", made.out)
    assert made.out.endswith(
        "next\n"
        "  ddspec lock specs/photos.yaml --data .\n"
        "  ddspec plan specs/photos.yaml\n"
        "  ddspec run specs/photos.yaml --data .\n"
    )
    assert "wrote specs/photos.yaml" in made.err


def test_what_a_folder_holds_decides_what_its_spec_says(shell: Shell, draw: Draw) -> None:
    draw("data/mine/a b", "data/mine/true", number=30, side=70, mode="L")

    shell("init", "data/mine", "--data", "data", "--ipc", "2", "-o", "x.yaml")

    dataset = load_spec(shell.folder / "x.yaml").experiment.dataset
    assert dataset.model_dump(exclude_none=True) == {
        "kind": "folder",
        "path": "mine",
        "train": ".",
        "holdout": 0.2,
        "size": 64,
        "channels": 1,
        "validation": 0.1,
    }


def test_classes_that_no_split_can_do_without_are_listed(shell: Shell, draw: Draw) -> None:
    draw("m/train/a b", "m/train/no", "m/train/x", "m/test/a b", "m/test/no", number=30)

    made = shell("init", "m")

    dataset = load_spec(shell.folder / "specs" / "m.yaml").experiment.dataset
    assert dataset.classes == ("a b", "no")  # type: ignore[union-attr]  # a folder
    assert "note: a class without images in `test`: `x`" in made.out


def test_small_classes_get_whole_images(shell: Shell, draw: Draw) -> None:
    draw("few/train/a", "few/train/b", "few/test/a", "few/test/b", number=3, side=32)

    shell("init", "few")

    experiment = load_spec(shell.folder / "specs" / "few.yaml").experiment
    assert experiment.budget.images_per_class == 1
    assert (experiment.parameterization.kind, experiment.init.kind) == ("pixels", "real")


def test_more_images_than_there_are_is_refused_and_nothing_written(
    shell: Shell, draw: Draw
) -> None:
    draw("few/train/a", "few/train/b", "few/test/a", "few/test/b", number=3)

    ended = shell("init", "few", "--ipc", "50")

    assert ended.code == Exit.INVALID
    assert ended.err.startswith("specs/few.yaml is not written, for it would not be valid\nerror: ")
    assert "DDS008" in ended.err
    assert not (shell.folder / "specs").exists()


@pytest.mark.parametrize("kind", FACTS)
def test_every_published_dataset_has_a_start(kind: str, shell: Shell) -> None:
    made = shell("init", kind, "--ipc", "1")
    planned = shell("plan", f"specs/{kind}-1.yaml")

    assert (made.code, planned.code) == (0, 0), made.err + planned.err


@pytest.mark.parametrize("source", ["digits", "cifar10"])
def test_what_is_offered_in_comments_is_right_too(source: str, shell: Shell) -> None:
    shell("init", source, "-o", "x.yaml")
    path = shell.folder / "x.yaml"

    path.write_text(uncommented(path.read_text()))

    assert "\nmatrix: " in path.read_text()
    ended = shell("plan", "x.yaml")
    assert ended.code == 0, ended.err


@pytest.mark.parametrize("preset", preset_names(METHODS))
def test_a_first_try_is_offered_for_every_preset(preset: str, shell: Shell) -> None:
    shell("init", "cifar10", "--preset", preset, "-o", "x.yaml")
    path = shell.folder / "x.yaml"
    whole = shell("plan", "x.yaml", "--json").json
    path.write_text(uncommented(path.read_text()).replace("\nmatrix:", "\n# matrix:"))

    tried = shell("plan", "x.yaml", "--json")

    assert tried.code == 0, tried.err
    assert work(tried.json) < work(whole) / (100 if preset in ("acc_dd", "idc") else 1)


def test_a_spec_names_the_schema_that_lies_beside_it(shell: Shell) -> None:
    shell("init", "digits")

    text = (shell.folder / "specs" / "digits-10.yaml").read_text()
    name = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (shell.folder / "specs" / name).is_file()


def test_a_starter_passes_its_schema(shell: Shell, draw: Draw) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="a development dependency")
    draw("p/train/a", "p/train/b", number=30)

    shell("init", "p")

    from ddspec.spec.nodes import compose
    from ddspec.spec.source import read_source

    document = compose(read_source(shell.folder / "specs" / "p.yaml")).root.value
    jsonschema.Draft202012Validator(schema_of(Kind.SPEC)).validate(document)


def test_tiny_imagenet_as_it_unpacks_is_recognised(shell: Shell, draw: Draw) -> None:
    draw("tiny/train/n01443537/images", "tiny/val/images", "tiny/test/images", number=2)
    (shell.folder / "tiny/wnids.txt").write_text("n01443537\n")

    ended = shell("init", "tiny")

    assert ended.code == Exit.UNABLE
    assert "`ddspec init tiny_imagenet` starts from that" in ended.err


def test_nothing_is_ever_replaced(shell: Shell) -> None:
    shell("init", "digits")
    (shell.folder / "specs" / "digits-10.yaml").write_text("mine")

    ended = shell("init", "digits")

    assert ended.code == Exit.USAGE
    assert "never replaced" in ended.err
    assert (shell.folder / "specs" / "digits-10.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["cifar"], Exit.USAGE, "did you mean `cifar10`?"),
        (["."], Exit.UNABLE, "no images in class folders"),
        (["digits", "--preset", "acc"], Exit.INVALID, "no preset is called `acc`"),
        (["digits", "-o", "no/x.yaml"], Exit.UNABLE, "`no` is not a folder"),
    ],
    ids=["a slip", "no images", "no such preset", "nowhere to write"],
)
def test_what_cannot_be_is_said(arguments: list[str], code: Exit, said: str, shell: Shell) -> None:
    ended = shell("init", *arguments)

    assert (ended.code, said in ended.err) == (code, True), ended.err


def test_names_that_could_do_harm_stay_text(shell: Shell, draw: Draw) -> None:
    draw("Ünï: #1\x1b[31m/train/- a: {b", "Ünï: #1\x1b[31m/train/null", number=30)
    folder = next(path for path in shell.folder.iterdir() if path.name.startswith("Ü"))
    (folder / "train" / "empty").mkdir()

    made = shell("init", folder.name)

    assert made.code == 0, made.err
    assert "\x1b" not in made.out + made.err
    [path] = (shell.folder / "specs").glob("*.yaml")
    dataset = load_spec(path).experiment.dataset
    assert dataset.path == folder.name  # type: ignore[union-attr]  # a folder
    assert dataset.classes == ("- a: {b", "null")  # type: ignore[union-attr]


def test_a_folder_elsewhere_is_named_from_its_parent(
    shell: Shell, draw: Draw, tmp_path: Path
) -> None:
    draw("far/off/pics/a", "far/off/pics/b", number=30)

    made = shell("init", str(tmp_path / "far" / "off" / "pics"))

    assert "ddspec lock specs/pics.yaml --data far/off" in made.out
