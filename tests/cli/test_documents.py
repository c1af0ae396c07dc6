"""Documents of all kinds become evidence, whatever they are named by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_cli import SPEC, Shell

from ddspec.cli.documents import documents_in, gather
from ddspec.errors import DdspecError, Exit
from ddspec.run.evidence import Evidence

MATRIX = SPEC + "matrix: {seed: [0, 1]}\n"


def gathered(shell: Shell, *names: str, variants: list[str] | None = None) -> tuple[Evidence, ...]:
    return gather([Path(name) for name in names], shell.home, variants)


def damage(shell: Shell, label: str) -> str:
    """Change a stored output without a change of its size; return its key."""
    stages = shell("results", "small.yaml", "--json").json["stages"]
    key: str = next(stage["key"] for stage in stages if stage["label"] == label)
    path = shell.home / "objects" / key[:2] / key / "result.json"
    path.write_text(path.read_text().replace("0.8", "0.9"))
    return key


def test_a_finished_spec_has_all_its_scores_and_what_they_took(shell: Shell) -> None:
    shell("run", "small.yaml")

    (found,) = gathered(shell, "small.yaml")

    assert (found.row, found.seed, found.images_per_class) == ("small", 0, 1)
    assert {score.set: score.accuracies for score in found.scores}["distilled"] == (0.8, 0.9)
    # half a second each: two networks of the pool and the distillation; data are no part of it
    assert (found.cost.seconds, found.cost.device) == (1.5, "cpu")
    assert found.costs["random"].seconds == 0.5
    assert (found.missing, found.damaged) == ((), ())


def test_an_unfinished_spec_tells_what_is_missing(shell: Shell) -> None:
    shell.behave(evaluate__convnet2_w8__1=3)
    script = json.loads((shell.folder / "script.json").read_text())
    script["evaluate/convnet2-w8/1"] = {"exits": [3] * 9}
    (shell.folder / "script.json").write_text(json.dumps(script))
    shell("run", "small.yaml")

    (found,) = gathered(shell, "small.yaml")

    assert found.missing == ("evaluate/convnet2-w8/1",)
    assert found.scores[0].accuracies == (0.8,)


def test_a_damaged_output_is_named_and_no_score(shell: Shell) -> None:
    shell("run", "small.yaml")
    key = damage(shell, "evaluate/convnet2-w8/0")

    (found,) = gathered(shell, "small.yaml")

    (damaged,) = found.damaged
    assert (damaged.label, damaged.key) == ("evaluate/convnet2-w8/0", key)
    assert Path(damaged.path).is_dir()
    assert "result.json" in damaged.problem
    assert found.missing == ("evaluate/convnet2-w8/0",)
    assert found.scores[0].accuracies == (0.9,)


def test_a_file_of_results_stands_for_its_spec(shell: Shell) -> None:
    shell("run", "small.yaml")
    shell.write("r.json", shell("results", "small.yaml", "--json").out)

    (spec,) = gathered(shell, "small.yaml")
    (file,) = gathered(shell, "r.json")

    assert file.document == "r.json"
    assert file.scores == spec.scores
    for name in ("row", "seed", "method", "dataset", "protocol", "test_set", "cost", "costs"):
        assert getattr(file, name) == getattr(spec, name), name


def test_a_file_of_a_matrix_stands_for_its_variants(shell: Shell) -> None:
    shell.write("m.yaml", MATRIX)
    shell("run", "m.yaml")
    shell.write("r.json", shell("results", "m.yaml", "--json").out)

    specs, files = gathered(shell, "m.yaml"), gathered(shell, "r.json")

    assert [one.seed for one in files] == [0, 1]
    assert [one.scores for one in files] == [one.scores for one in specs]
    assert [one.method for one in files] == [one.method for one in specs]


def test_an_old_file_of_results_tells_scores_alone(shell: Shell) -> None:
    shell("run", "small.yaml")
    plain = shell("results", "small.yaml", "--json").json
    del plain["evidence"]
    shell.write("r.json", json.dumps(plain))

    (found,) = gathered(shell, "r.json")

    assert (found.method, found.seed, found.protocol, found.row) == (None, None, None, "small")
    assert found.scores[0].accuracies == (0.8, 0.9)


def test_a_folder_stands_for_its_documents(shell: Shell) -> None:
    folder = shell.folder / "many"
    (folder / ".hidden").mkdir(parents=True)
    for name in ("b.yaml", "a.yaml", ".hidden/c.yaml"):
        (folder / name).write_text(SPEC)
    (folder / "notes.yaml").write_text("hello: there\n")
    (folder / "b.plan.yaml").write_text("\nformat: ddspec.plan/1\n")
    (folder / "other.json").write_text("{}\n")
    (folder / "link.yaml").symlink_to(folder / "a.yaml")

    found = documents_in([folder, folder / "a.yaml"])

    assert [path.name for path in found] == ["a.yaml", "b.yaml"]


def test_a_folder_without_documents_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DdspecError) as caught:
        documents_in([tmp_path])

    assert caught.value.exit is Exit.USAGE


def test_variants_are_chosen_by_globs(shell: Shell) -> None:
    shell.write("m.yaml", MATRIX)

    found = gathered(shell, "small.yaml", "m.yaml", variants=["*-1"])

    assert [one.variant for one in found] == ["seed-1"]
    with pytest.raises(DdspecError, match="these documents is called `nothing`") as no:
        gathered(shell, "small.yaml", "m.yaml", variants=["nothing"])
    assert no.value.diagnostics[0].hint == "there are `seed-0`, `seed-1`"
    with pytest.raises(DdspecError, match="called `nothing`") as none:
        gathered(shell, "small.yaml", variants=["nothing"])
    assert none.value.diagnostics[0].hint == "none of them has a `matrix`"


def test_a_broken_spec_of_a_folder_is_an_error_and_what_others_extend_is_none(shell: Shell) -> None:
    folder = shell.folder / "many"
    folder.mkdir()
    (folder / "base.yaml").write_text(SPEC.replace("loops: {outer_loops: 2, inner_steps: 1}\n", ""))
    (folder / "own.yaml").write_text(
        "name: own\nextends: base.yaml\nloops: {outer_loops: 2, inner_steps: 1}\n"
    )

    found = gathered(shell, "many")

    assert [one.name for one in found] == ["own"]
    (folder / "broken.yaml").write_text(SPEC + "nonsense: 1\n")
    with pytest.raises(DdspecError) as caught:
        gathered(shell, "many")
    assert caught.value.exit is Exit.INVALID
    assert "broken.yaml" in str(caught.value)


def test_results_that_lie_beside_a_set_stand_for_its_spec(shell: Shell) -> None:
    shell("run", "small.yaml")

    (spec,) = gathered(shell, "small.yaml")
    (file,) = gathered(shell, str(shell.home / "results" / "small" / "results.json"))

    assert (file.scores, file.method, file.cost) == (spec.scores, spec.method, spec.cost)
