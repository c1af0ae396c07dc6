"""`ddspec import`: what it finds in official files, the spec that it writes, what it refuses."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_cli import SPEC, Shell
from official_files import in_class_order, write_dc, write_idc, write_mtt

from ddspec.errors import DdspecError, Diagnostic, Exit
from ddspec.run import inspection
from ddspec.spec.load import load_spec
from ddspec_runners.faults import BadData
from ddspec_runners.inspection import Question, looked_at

LABELS = in_class_order(10, 1)
PIXELS = torch.rand(10, 1, 8, 8, generator=torch.Generator().manual_seed(0))
NORMALISED = (PIXELS - 0.3) / 0.4


def asked_here(question: Any) -> dict[str, Any]:
    """Answer in this process: starting one that loads torch takes seconds."""
    try:
        answer: dict[str, Any] = looked_at(Question.model_validate(question))
    except BadData as error:
        raise DdspecError([Diagnostic(str(error))], exit=Exit.INVALID) from None
    return json.loads(json.dumps(answer))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "_asked", asked_here)


@pytest.fixture
def data(shell: Shell) -> Path:
    folder = shell.folder / "data"
    folder.mkdir()
    return folder


def importing(shell: Shell, *more: str, layout: str = "idc") -> Any:
    made = ("--layout", layout, "--for", "small.yaml", "-o", "mine.yaml", "--data", "data")
    return shell("import", *more, *made)


def test_a_file_of_idc_becomes_a_spec_that_plans(shell: Shell, data: Path) -> None:
    path = write_idc(data / "idc", PIXELS, LABELS)

    made = importing(shell, "data/idc/data.pt", "--factor", "2")
    planned = shell("plan", "mine.yaml")

    assert (made.code, planned.code) == (0, 0), made.err + planned.err
    assert "10 of 1 x 8 x 8, float32" in made.out
    assert "100 % near [0, 1]: pixel" in made.out
    assert "hard, 10 classes from 0 to 9, in order" in made.out
    assert made.out.endswith("next\n  ddspec plan mine.yaml\n  ddspec run mine.yaml --data data\n")
    found = load_spec(shell.folder / "mine.yaml").experiment
    assert found.imported is not None
    assert found.imported.files[0].path == "idc/data.pt"
    assert found.imported.files[0].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.parameterization.kind == "multi_formation"
    assert found.evaluate.baselines.init == 0
    assert "not distilled, but taken from files" in planned.out


@pytest.mark.usefixtures("quick")
def test_normalised_values_are_kept_as_the_code_of_dc_keeps_them(shell: Shell, data: Path) -> None:
    write_dc(data / "res.pt", [(NORMALISED, LABELS), (2 * NORMALISED, LABELS)])

    made = importing(shell, "data/res.pt", "--experiment", "1", layout="dc")

    assert made.code == 0, made.err
    assert "experiment 1 of 2" in made.out
    found = load_spec(shell.folder / "mine.yaml").experiment
    assert found.imported is not None
    assert (found.imported.space, found.imported.experiment) == ("normalised", 1)
    assert found.parameterization.space == "normalised"


@pytest.mark.usefixtures("quick")
def test_constants_of_the_official_code_are_written_out_where_it_has_them(
    shell: Shell, data: Path
) -> None:
    shell.write("small.yaml", SPEC.replace("digits, validation: 0.2", "cifar100"))
    images = torch.randn(100, 3, 32, 32)
    write_mtt(data, images, in_class_order(100, 1))

    made = importing(
        shell, "data/images_best.pt", "data/labels_best.pt", "--space", "normalised", layout="mtt"
    )

    assert made.code == 0, made.err
    found = load_spec(shell.folder / "mine.yaml").experiment.imported
    assert found is not None
    assert [file.holds for file in found.files] == ["images", "labels"]
    assert found.mean == (0.4914, 0.4822, 0.4465)  # MTT's code takes those of CIFAR-10


@pytest.mark.usefixtures("quick")
def test_a_variant_of_a_matrix_is_written_out(shell: Shell, data: Path) -> None:
    matrix = SPEC + "matrix: {evaluate.repeats: [2, 3], network.width: [8, 16]}\n"
    shell.write("small.yaml", matrix)
    write_idc(data, PIXELS, LABELS)

    without = importing(shell, "data/data.pt", "--factor", "1")
    names = [name for name in without.err.split() if "3" in name and "16" in name]
    made = importing(shell, "data/data.pt", "--factor", "1", "--variant", names[-1].strip(","))

    assert without.code == Exit.USAGE
    assert "name one variant" in without.err
    assert made.code == 0, made.err
    found = load_spec(shell.folder / "mine.yaml").experiment
    assert (found.evaluate.repeats, found.network.width) == (3, 16)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("more", "layout", "code", "said"),
    [
        pytest.param((), "idc", 2, "`--factor 2`, as in its name", id="no factor"),
        pytest.param((), "dc", 3, "is no file of `dc`", id="another layout"),
        pytest.param(
            ("--factor", "1", "--space", "normalised"),
            "idc",
            3,
            "these are pixels, not normalised",
            id="another space",
        ),
        pytest.param(("--factor", "1", "--variant", "x"), "idc", 2, "no `matrix`", id="no matrix"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(
    shell: Shell, data: Path, more: tuple[str, ...], layout: str, code: int, said: str
) -> None:
    write_idc(data, PIXELS, LABELS)

    made = importing(shell, "data/data.pt", *more, layout=layout)

    assert made.code == code
    assert said in made.err
    assert not (shell.folder / "mine.yaml").exists()


CUT = SPEC + "parameterization: {kind: multi_formation, factor: 2}\n"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("spec", "factor", "kind"),
    [
        pytest.param(SPEC, "2", "multi_formation", id="IDM"),
        pytest.param(CUT, "1", "pixels", id="DM judged as IDC"),
        pytest.param(SPEC, None, "pixels", id="DM"),
    ],
)
def test_images_in_the_layout_of_dc_are_cut_where_that_is_said(
    shell: Shell, data: Path, spec: str, factor: str | None, kind: str
) -> None:
    shell.write("small.yaml", spec)
    write_dc(data / "res.pt", [(NORMALISED, LABELS)])

    made = importing(
        shell, "data/res.pt", *(() if factor is None else ("--factor", factor)), layout="dc"
    )

    assert made.code == 0, made.err
    shape = load_spec(shell.folder / "mine.yaml").experiment.parameterization
    assert (shape.kind, shape.space) == (kind, "normalised")


@pytest.mark.usefixtures("quick")
def test_whether_images_are_cut_is_asked_where_the_judging_spec_cuts_them(
    shell: Shell, data: Path
) -> None:
    shell.write("small.yaml", CUT)
    write_dc(data / "res.pt", [(NORMALISED, LABELS)])

    made = importing(shell, "data/res.pt", layout="dc")

    assert made.code == Exit.USAGE
    assert "`--factor 2` of IDM with its `--aug`" in made.err


@pytest.mark.usefixtures("quick")
def test_no_images_of_mtt_are_cut(shell: Shell, data: Path) -> None:
    write_mtt(data, NORMALISED, LABELS)

    made = importing(
        shell, "data/images_best.pt", "--factor", "2", "--space", "normalised", layout="mtt"
    )

    assert made.code == Exit.USAGE
    assert "leave `--factor` out" in made.err


@pytest.mark.usefixtures("quick")
def test_files_of_mtt_do_not_say_their_space(shell: Shell, data: Path) -> None:
    write_mtt(data, NORMALISED, LABELS)

    made = importing(shell, "data/images_best.pt", layout="mtt")

    assert made.code == Exit.USAGE
    assert "do not say whether values are normalised or whitened" in made.err
    assert "`--space zca` where it was distilled with --zca" in made.err


@pytest.mark.usefixtures("quick")
def test_a_whitened_set_is_not_judged_without_whitening(shell: Shell, data: Path) -> None:
    write_mtt(data, NORMALISED, LABELS)

    made = importing(shell, "data/images_best.pt", "--space", "zca", layout="mtt")

    assert made.code == Exit.INVALID
    assert "does not whiten images" in made.err
    assert "is not written, for it would not be valid" in made.err
    assert not (shell.folder / "mine.yaml").exists()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("space", ["pixel", "normalised", "zca"])
def test_a_set_of_any_space_is_judged_as_one_that_was_learned_whitened(
    shell: Shell, data: Path, space: str
) -> None:
    white = SPEC + "parameterization: {kind: pixels, space: zca, zca_eps: 0.2}\n"
    shell.write("small.yaml", white.replace("{name: brief, ", "{name: brief, zca: 0.2, "))
    write_mtt(data, PIXELS if space == "pixel" else NORMALISED, LABELS)

    made = importing(shell, "data/images_best.pt", "--space", space, layout="mtt")

    assert made.code == 0, made.err
    found = load_spec(shell.folder / "mine.yaml").experiment
    assert found.parameterization.space == space
    assert found.parameterization.zca_eps == (0.2 if space == "zca" else None)
    assert found.evaluate.protocol.zca == 0.2


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("labels", "found"),
    [
        pytest.param(LABELS - 1, "10 classes lie from -1 to 8", id="below"),
        pytest.param(LABELS + 2**62, "10 classes lie from 4611686018427387904", id="above"),
        pytest.param(LABELS // 2, "5 classes lie from 0 to 4", id="too few"),
    ],
)
def test_labels_of_other_classes_are_refused_before_a_spec_is_written(
    shell: Shell, data: Path, labels: torch.Tensor, found: str
) -> None:
    write_dc(data / "res.pt", [(NORMALISED, labels)])

    ended = importing(shell, "data/res.pt", layout="dc")

    assert ended.code == 3
    assert found in ended.err
    assert not (shell.folder / "mine.yaml").exists()


@pytest.mark.usefixtures("quick")
def test_a_set_of_another_dataset_is_refused(shell: Shell, data: Path) -> None:
    write_idc(data, torch.rand(10, 1, 28, 28), LABELS)
    other = importing(shell, "data/data.pt", "--factor", "1")
    write_idc(data, torch.rand(7, 1, 8, 8), LABELS[:7])
    uneven = importing(shell, "data/data.pt", "--factor", "1")

    assert (other.code, uneven.code) == (Exit.INVALID, Exit.INVALID)
    assert "images are 1 x 28 x 28" in other.err
    assert "7 images are no whole number for each of the 10 classes" in uneven.err


def test_a_spec_is_never_replaced(shell: Shell, data: Path) -> None:
    write_idc(data, PIXELS, LABELS)
    shell.write("mine.yaml", "mine")

    made = importing(shell, "data/data.pt", "--factor", "1")

    assert made.code == Exit.USAGE
    assert "never replaced" in made.err
    assert (shell.folder / "mine.yaml").read_text() == "mine"


@pytest.mark.parametrize("linked", [False, True], ids=["elsewhere", "by a link"])
def test_files_outside_of_the_data_directory_are_refused(
    shell: Shell, data: Path, linked: bool
) -> None:
    write_idc(shell.folder / "elsewhere", PIXELS, LABELS)
    (data / "data.pt").symlink_to(shell.folder / "elsewhere/data.pt")

    made = importing(shell, "data/data.pt" if linked else "elsewhere/data.pt", "--factor", "1")

    assert made.code == Exit.REFUSED
    assert "does not lie in the data directory" in made.err


@pytest.mark.usefixtures("quick")
def test_a_hostile_file_is_told_in_one_error(shell: Shell, data: Path) -> None:
    made_by_it = shell.folder / "made"
    body = b"cposix\nmkdir\n(S'" + str(made_by_it).encode() + b"'\ntR."
    (data / "data.pt").write_bytes(body)

    made = importing(shell, "data/data.pt", "--factor", "1")

    assert made.code == Exit.INVALID
    assert "cannot be read as a file of torch.save" in made.err
    assert "Traceback" not in made.err
    assert not made_by_it.exists()


@pytest.mark.usefixtures("quick")
def test_a_run_says_which_file_is_missing_before_it_starts(shell: Shell, data: Path) -> None:
    write_idc(data, PIXELS, LABELS)
    importing(shell, "data/data.pt", "--factor", "1")
    (data / "data.pt").unlink()

    without = shell("run", "mine.yaml")
    gone = shell("run", "mine.yaml", "--data", "data")

    assert (without.code, gone.code) == (Exit.UNABLE, Exit.UNABLE)
    assert "the files `data.pt` have to be read, and there is no data directory" in without.err
    assert "cannot be found" in gone.err


@pytest.mark.usefixtures("quick")
def test_a_name_that_means_harm_stays_in_its_comment(shell: Shell, data: Path) -> None:
    name = "a\nseed: 7\x1b[2J.pt"
    write_idc(data, PIXELS, LABELS).rename(data / name)

    made = importing(shell, f"data/{name}", "--factor", "1")

    assert made.code == 0, made.err
    assert "\x1b" not in made.out + made.err
    found = load_spec(shell.folder / "mine.yaml").experiment
    assert found.seed == 0
    assert found.imported is not None
    assert found.imported.files[0].path == name


@pytest.mark.usefixtures("quick")
def test_all_experiments_of_a_file_are_offered_as_variants(shell: Shell, data: Path) -> None:
    write_dc(data / "res.pt", [(NORMALISED, LABELS), (2 * NORMALISED, LABELS)])
    importing(shell, "data/res.pt", layout="dc")
    path = shell.folder / "mine.yaml"
    path.write_text(path.read_text().replace("# matrix:", "matrix:"))

    planned = shell("plan", "mine.yaml", "--json")

    assert planned.code == 0, planned.err
    labels = {stage["label"] for stage in planned.json["stages"]}
    assert {"import@experiment-0", "import@experiment-1"} <= labels


@pytest.mark.usefixtures("quick")
def test_sets_are_judged_by_specs_that_import_none(shell: Shell, data: Path) -> None:
    write_idc(data, PIXELS, LABELS)
    importing(shell, "data/data.pt", "--factor", "1")

    made = shell(
        *("import", "data/data.pt", "--layout", "idc", "--factor", "1", "--for", "mine.yaml"),
        *("-o", "other.yaml", "--data", "data"),
    )

    assert made.code == Exit.USAGE
    assert "`mine.yaml` imports a set itself" in made.err
