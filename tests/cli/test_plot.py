"""Figures from the command line: what they show, and what they never do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fake_cli import SPEC, Shell

from ddspec.errors import Exit

MATRIX = SPEC + "matrix: {pool.models: [1, 2, 5]}\n"


SCRIPT = {
    f"evaluate/convnet2-w8/{repeat}@models-{models}": 0.5 + models / 100 + repeat / 50
    for models in (1, 2, 5)
    for repeat in (0, 1)
} | {
    "evaluate/random/convnet2-w8/0": 0.4,
    "evaluate/random/convnet2-w8/1": 0.4,
    "evaluate/init/convnet2-w8/0": 0.3,
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the store of the first test, which the others begin with."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def finished(shell: Shell, kept: Path) -> Shell:
    """A matrix over the number of networks whose runs are finished."""
    shell.write("m.yaml", MATRIX)
    script = {name: {"result": {"metrics": {"accuracy": at}}} for name, at in SCRIPT.items()}
    (shell.folder / "script.json").write_text(json.dumps(script))
    if not (kept / "store").exists():
        assert shell("run", "m.yaml").code == Exit.DONE
        shutil.copytree(shell.home, kept / "store")
    shutil.copytree(kept / "store", shell.home, dirs_exist_ok=True)
    return shell


def test_a_setting_of_a_matrix_is_an_ablation_curve(finished: Shell) -> None:
    ended = finished("plot", "m.yaml", "--x", "pool.models", "--json")
    (series,) = ended.json["series"]

    assert ended.code == Exit.DONE
    assert [(p["x"], round(p["accuracy_mean"], 6)) for p in series["points"]] == [
        (1, 0.52),
        (2, 0.53),
        (5, 0.56),
    ]
    assert ended.json["format"] == "ddspec.plot/1"
    assert ended.json["note"].endswith("± std over 2 repeats")


def test_a_figure_stands_in_its_file_with_its_words(finished: Shell) -> None:
    ended = finished("plot", "m.yaml", "--x", "pool.models", "-o", "f.svg", "--title", "Mine <&>")
    svg = (finished.folder / "f.svg").read_text()
    told = {"".join(text.itertext()) for text in ElementTree.fromstring(svg).iter()}

    assert (ended.code, ended.out) == (Exit.DONE, "")
    assert "wrote f.svg" in ended.err
    assert {"Mine <&>", "pool.models", "Accuracy"} <= told
    assert not re.search(r"https?://(?!www\.w3\.org)", svg)


def test_a_png_is_drawn_too(finished: Shell) -> None:
    finished("plot", "m.yaml", "--x", "pool.models", "-o", "f.png")

    assert (finished.folder / "f.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_a_file_that_is_there_stays(finished: Shell) -> None:
    (finished.folder / "f.svg").write_text("mine")

    ended = finished("plot", "m.yaml", "--x", "pool.models", "-o", "f.svg")

    assert ended.code == Exit.USAGE
    assert (finished.folder / "f.svg").read_text() == "mine"
    assert "--force" in ended.err


def test_it_is_replaced_when_that_is_said(finished: Shell) -> None:
    (finished.folder / "f.svg").write_text("mine")

    ended = finished("plot", "m.yaml", "--x", "pool.models", "-o", "f.svg", "--force")

    assert ended.code == Exit.DONE
    assert (finished.folder / "f.svg").read_text().startswith("<svg ")


def test_a_baseline_that_is_the_same_all_along_is_a_reference(finished: Shell) -> None:
    sets = ("--set", "distilled", "--set", "random")
    ended = finished("plot", "m.yaml", "--x", "pool.models", *sets, "--json")

    bare = finished("plot", "m.yaml", "--x", "pool.models", *sets, "--no-references", "--json")

    assert bare.json == {**ended.json, "references": []}
    assert [one["name"] for one in ended.json["references"]] == ["Random images"]
    assert ended.json["references"][0]["points"][0]["accuracy_mean"] == pytest.approx(0.4)


def test_results_in_a_file_count_once_beside_their_spec(finished: Shell) -> None:
    (finished.folder / "m.json").write_text(finished("results", "m.yaml", "--json").out)

    alone = finished("plot", "m.yaml", "--x", "flops", "--json").json
    both = finished("plot", "m.yaml", "m.json", "--x", "flops", "--json").json
    of_file = finished("plot", "m.json", "--x", "flops", "--json").json

    assert both == alone
    assert [one["points"] for one in of_file["series"]] == [
        one["points"] for one in alone["series"]
    ]


def test_files_of_results_say_along_what_they_can_be_drawn(finished: Shell) -> None:
    (finished.folder / "m.json").write_text(finished("results", "m.yaml", "--json").out)

    ended = finished("plot", "m.json", "--x", "pool.models", "-o", "f.svg")

    assert ended.code == Exit.INVALID
    assert "left out: small/models-1: its file of results does not tell the settings" in ended.err
    assert "files of results tell no more than `images_per_class`, `gpu_hours`" in ended.err


def test_replicates_are_one_point_each(finished: Shell) -> None:
    finished.write("r.yaml", SPEC + "replicates: 2\n")
    sets = ("", "random/", "init/")
    labels = [f"evaluate/{name}convnet2-w8/{at}@seed-1" for name in sets for at in (0, 1)]
    script = {label: {"result": {"metrics": {"accuracy": 0.7}}} for label in labels}
    (finished.folder / "script.json").write_text(json.dumps(script))
    finished("run", "r.yaml")

    (series,) = finished("plot", "r.yaml", "--x", "images_per_class", "--json").json["series"]
    (point,) = series["points"]

    # seed 0 is the matrix's variant of two networks, whose repeats found 0.52 and 0.54
    assert (point["replicates"], point["repeats"]) == (2, 2)
    assert point["accuracy_mean"] == pytest.approx((0.53 + 0.7) / 2)
    assert point["accuracy_std"] == pytest.approx((0.7 - 0.53) / 2**0.5)


def test_what_is_not_finished_is_left_out_and_said(finished: Shell) -> None:
    finished.write("m.yaml", MATRIX.replace("[1, 2, 5]", "[1, 2, 5, 7]"))

    ended = finished("plot", "m.yaml", "--x", "pool.models", "--json")

    assert len(ended.json["series"][0]["points"]) == 3
    assert [one["of"] for one in ended.json["left_out"]] == ["small/models-7"]
    assert re.search(r"left out: small/models-7: unfinished, \d+ stages are not in the", ended.err)


REFUSED = {
    "unknown setting": (("--x", "pool.model", "--json"), Exit.USAGE, "`pool.models`"),
    "no file": (("--x", "pool.models"), Exit.USAGE, "`-o FIGURE.svg`"),
    "another format": (("--x", "pool.models", "-o", "f.pdf"), Exit.USAGE, "neither `.svg` nor"),
    "no folder": (("--x", "pool.models", "-o", "a/f.svg"), Exit.USAGE, "there is no folder `a`"),
    "no such set": (("--x", "pool.models", "--set", "herding", "--json"), Exit.USAGE, "herding"),
    "no such network": (("--x", "flops", "--network", "vgg", "--json"), Exit.USAGE, "convnet2-w8"),
    "no such variant": (("--x", "flops", "--variant", "x*", "--json"), Exit.USAGE, "`x*`"),
}


@pytest.mark.parametrize(("options", "code", "told"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_one_error(
    finished: Shell, options: tuple[str, ...], code: Exit, told: str
) -> None:
    before = sorted(path.name for path in finished.folder.iterdir())

    ended = finished("plot", "m.yaml", *options)

    assert (ended.code, ended.out) == (code, "")
    assert told in ended.err
    assert ended.err.count("error: ") == 1
    assert sorted(path.name for path in finished.folder.iterdir()) == before


def test_results_of_two_protocols_are_refused_and_one_is_chosen(finished: Shell) -> None:
    finished.write("other.yaml", SPEC.replace("steps: 10", "steps: 20"))
    finished.behave()
    finished("run", "other.yaml")
    finished("results", "other.yaml", "--json")

    mixed = finished("plot", "m.yaml", "other.yaml", "--x", "flops", "--json")
    ended = finished("plot", "m.yaml", "--x", "flops", "--json")

    assert mixed.code == Exit.REFUSED
    assert "protocols: brief (" in mixed.err
    assert ended.code == Exit.DONE


def test_nothing_in_the_store_is_one_error(shell: Shell) -> None:
    ended = shell("plot", "small.yaml", "--x", "flops", "--json")

    assert ended.code == Exit.INVALID
    assert "`ddspec run` makes them" in ended.err
    assert not shell.home.exists()


def test_the_verb_itself_loads_no_numerical_library() -> None:
    code = "import ddspec.cli.plot, ddspec.run.plot_figure, sys; print(sorted(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"numpy", "matplotlib", "scipy", "torch"} & set(
        json.loads(found.stdout.replace("'", '"'))
    )
