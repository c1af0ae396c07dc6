"""`ddspec diff` of specs, plans and saved results, over runners that compute nothing."""

from __future__ import annotations

import json

import pytest
from fake_cli import SPEC, Shell

from ddspec.errors import Exit

MATRIX = SPEC + "matrix:\n  loops.outer_loops: {as: loops, values: [2, 3]}\n"
LONGER = SPEC.replace("outer_loops: 2", "outer_loops: 3")


def test_diff_shows_settings_stages_and_accuracies_side_by_side(shell: Shell) -> None:
    longer = shell.write("longer.yaml", LONGER)
    shell("run", "small.yaml")
    shell("run", longer)

    text = shell("diff", "small.yaml", longer).out
    found = shell("diff", "small.yaml", longer, "--json").json

    assert "loops.outer_loops" in text
    assert "distilled" in text
    row = found["results"][0]
    assert row["difference"] == pytest.approx(0)
    assert row["standard_error"] == pytest.approx(0.05 * 2**0.5)  # twice 0.05, independent


def test_saved_results_are_compared_with_each_other_and_with_a_spec(shell: Shell) -> None:
    longer = shell.write("longer.yaml", LONGER)
    shell.write("before.json", shell("run", "small.yaml", "--json").out)
    shell.write("after.json", shell("run", longer, "--json").out)
    delivered = shell.home / "results" / "small" / "results.json"

    saved = shell("diff", "before.json", "after.json", "--json").json
    mixed = shell("diff", "small.yaml", str(delivered), "--json").json
    text = shell("diff", "before.json", longer, "--exit-code")

    assert (saved["changed"], saved["settings"]) == (True, None)
    assert [row["after"]["set"] for row in saved["results"]] == ["distilled", "random", "init"]
    told = [{**row, "untold": []} for row in mixed["results"]]
    assert saved == {**mixed, "results": told}  # beside a set lies what it scored, and no more
    assert [row["same_runs"] for row in saved["results"]] == [False, True, True]
    assert text.code == Exit.CHANGED
    assert "results of different plans; settings are compared between specs" in text.out


def test_results_compare_with_their_own_spec_as_unchanged(shell: Shell) -> None:
    shell.write("saved.json", shell("run", "small.yaml", "--json").out)

    ended = shell("diff", "small.yaml", "saved.json", "--exit-code")

    assert ended.code == Exit.DONE
    assert "results of one plan" in ended.out
    assert "same runs" in ended.out


def test_results_are_no_document_to_run(shell: Shell) -> None:
    shell.write("saved.json", shell("run", "small.yaml", "--json").out)

    ended = shell("run", "saved.json")

    assert ended.code == Exit.INVALID
    assert ended.err.count("error:") == 1
    assert "holds results" in ended.err


def test_a_side_without_results_is_named(shell: Shell) -> None:
    shell("run", "small.yaml")
    shell.write("longer.yaml", LONGER)

    text = shell("diff", "small.yaml", "longer.yaml").out

    assert text.endswith(" only before has results of distilled on convnet2-w8\n")


def saved(shell: Shell, name: str, **changes: object) -> str:
    """Write what is known of a run, with facts of our own in its evidence or rows."""
    if not shell.home.exists():
        shell("run", "small.yaml")
    found = shell("results", "small.yaml", "--json").json
    facts = {"protocol": "1" * 64, "test_set": "1" * 64, "images_per_class": 1, **changes}
    found["evidence"] = {key: value for key, value in facts.items() if key != "labels"}
    for row in found["results"]:
        row["keys"] = []
        row["labels"] = changes.get("labels", row["labels"])
    return shell.write(name, json.dumps(found))


UNLIKE = {
    "protocol": ({"protocol": "0" * 64}, "protocol is"),
    "test set": ({"test_set": "0" * 64}, "test set is"),
    "labels": ({"labels": "soft"}, "label kind is hard before and soft after"),
    "budget": ({"images_per_class": 7}, "images per class is 1 before and 7 after"),
}


@pytest.mark.parametrize(("changes", "words"), UNLIKE.values(), ids=UNLIKE)
def test_results_that_are_not_alike_are_refused(
    changes: dict[str, object], words: str, shell: Shell
) -> None:
    before, after = saved(shell, "before.json"), saved(shell, "after.json", **changes)

    refused, forced = shell("diff", before, after), shell("diff", before, after, "--force")

    assert (refused.code, forced.code) == (Exit.REFUSED, Exit.DONE)
    assert refused.out == ""
    assert words in refused.err
    assert "--force" in refused.err
    assert "not alike" in forced.out


def test_results_that_share_no_network_are_refused(shell: Shell) -> None:
    before = saved(shell, "before.json")
    other = json.loads((shell.folder / "before.json").read_text().replace("convnet2-w8", "mlp"))
    after = shell.write("after.json", json.dumps(other))

    refused, forced = shell("diff", before, after), shell("diff", before, after, "--force")

    assert (refused.code, forced.code) == (Exit.REFUSED, Exit.DONE)
    assert "no set was measured on the same network in both" in refused.err
    assert "only after has results of distilled on mlp" in forced.out


def test_a_spec_is_shown_beside_results_that_are_not_alike(shell: Shell) -> None:
    other = saved(shell, "other.json", protocol="0" * 64)

    ended = shell("diff", "small.yaml", other)

    assert ended.code == Exit.DONE
    assert "not alike" in ended.out


def test_where_statistics_are_not_installed_errors_are_shown_and_one_note(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = saved(shell, "before.json"), saved(shell, "after.json")
    monkeypatch.setattr("ddspec.run.analysis.NEEDED", ("no_such_library",))

    ended = shell("diff", before, after)

    assert ended.code == Exit.DONE
    assert "standard error" in ended.out
    assert ended.err.count("note: no intervals") == 1


def test_variants_of_one_matrix_are_compared_with_each_other(shell: Shell) -> None:
    many = shell.write("many.yaml", MATRIX)
    shell("run", many)

    text = shell("diff", f"{many}@loops-2", f"{many}@loops-3").out
    found = shell("diff", f"{many}@loops-2", f"{many}@loops-3", "--json").json

    assert "loops.outer_loops" in text
    assert [row["after"]["set"] for row in found["results"]] == ["random", "init"]


def test_variants_of_saved_results_are_compared_with_each_other(shell: Shell) -> None:
    many = shell.write("many.yaml", MATRIX)
    kept = shell.write("many.json", shell("run", many, "--json").out)

    found = shell("diff", f"{kept}@loops-2", f"{kept}@loops-3", "--json").json
    both = shell("diff", many, kept)
    none = shell("diff", f"{kept}@loops-9", kept)

    assert [row["variant"] for row in found["results"]] == [None, None]
    assert "loops-2" in both.out
    assert none.code == Exit.USAGE
    assert "no variant called `loops-9`" in none.err


def test_an_unknown_variant_of_a_spec_is_refused(shell: Shell) -> None:
    ended = shell("diff", f"{shell.write('many.yaml', MATRIX)}@loops-9", "small.yaml")

    assert ended.code == Exit.USAGE
    assert "loops-9" in ended.err


DAMAGED_RESULTS = {
    "cut short": ('{"format": "ddspec.run/1", "name":', "EOF while parsing"),
    "of a later format": (
        '{"format": "ddspec.results/2", "name": "x", "plan": "0", "results": []}',
        "the format `ddspec.results/2` is not one of",
    ),
    "with an accuracy in percent": (
        '{"format": "ddspec.run/1", "name": "x", "plan": "0", "results": [{"set": "random",'
        ' "network": "n", "protocol": "p", "on": "test", "accuracies": [91], "repeats_planned": 1}'
        "]}",
        "`results.0.accuracies.0`: Input should be less than or equal to 1",
    ),
}


@pytest.mark.parametrize(("text", "words"), DAMAGED_RESULTS.values(), ids=DAMAGED_RESULTS)
def test_results_that_cannot_be_read_are_refused(text: str, words: str, shell: Shell) -> None:
    shell.write("saved.json", text)

    ended = shell("diff", "saved.json", "small.yaml")

    assert ended.code == Exit.INVALID
    assert words in ended.err


def test_diff_exits_with_4_only_when_asked(shell: Shell) -> None:
    longer = shell.write("longer.yaml", LONGER)

    assert shell("diff", "small.yaml", longer).code == 0
    assert shell("diff", "small.yaml", longer, "--exit-code").code == Exit.CHANGED
    assert shell("diff", "small.yaml", "small.yaml", "--exit-code").code == 0


def test_a_stale_plan_can_be_compared_with_its_spec(shell: Shell) -> None:
    shell("plan", "small.yaml", "-o", "small.plan.yaml")
    shell.write("small.yaml", LONGER)

    found = shell("diff", "small.plan.yaml", "small.yaml", "--json").json

    assert [setting["path"] for setting in found["settings"]] == ["loops.outer_loops"]
