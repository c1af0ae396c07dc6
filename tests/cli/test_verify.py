"""Published numbers from the command line: looked up, run for, judged and told."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from fake_cli import SPEC, Shell

from ddspec.cli.verify import exit_of
from ddspec.errors import Exit
from ddspec.plan import abilities
from ddspec.plan.abilities import ABLE
from ddspec.run.judgement import Verdict

# The fake evaluations find 0.8 and 0.9: 85 %, deviation 7.1 points.
EXPECTING = SPEC + "expect: [{accuracy: 0.86, source: Table 1, tolerance: 0.02}]\n"


def verdicts(answer: Any) -> list[str]:
    """Return the verdict on each expectation of all documents."""
    return [one["verdict"] for document in answer["documents"] for one in document["expectations"]]


def test_nothing_is_computed_without_being_asked_for(shell: Shell) -> None:
    shell.write("e.yaml", EXPECTING)

    ended = shell("verify", "e.yaml", "--gpu", "a6000")

    assert ended.code == Exit.CHANGED
    assert not shell.home.exists()
    assert "not run yet" in ended.out
    assert "RTX A6000" in ended.out
    assert "`ddspec verify e.yaml --run`" in ended.out


def test_a_run_is_judged_with_the_networks_behind_it(shell: Shell) -> None:
    shell.write("e.yaml", EXPECTING)

    ended = shell("verify", "e.yaml", "--run")

    row = next(line for line in ended.out.splitlines() if "convnet2-w8" in line)
    assert ended.code == Exit.DONE
    assert " ".join(row.split()) == (
        "- convnet2-w8 86.0 ± 2.0 85.0 ± 7.1 2 -1.0 ± 63.5 within tolerance"
    )
    assert "by protocol brief, on the test split" in ended.out
    assert "left to run" not in ended.out


def test_what_is_in_the_store_is_found_without_a_run(shell: Shell) -> None:
    shell.write("e.yaml", EXPECTING)
    shell("run", "e.yaml")

    ended = shell("verify", "e.yaml", "--json")

    (found,) = ended.json["documents"]
    assert (ended.code, ended.err) == (Exit.DONE, "")
    assert ended.json["format"] == "ddspec.verification/1"
    assert found["left"]["stages"] == 0
    assert found["expectations"][0]["measured"]["accuracies"] == [0.8, 0.9]
    assert found["expectations"][0]["difference"] == pytest.approx(-0.01)


def test_what_is_off_is_told_by_how_much(shell: Shell) -> None:
    shell.write("e.yaml", EXPECTING.replace("0.86", "0.6"))

    ended = shell("verify", "e.yaml", "--run")

    assert ended.code == Exit.FAILED
    assert "+25.0 ± 63.5" in ended.out
    assert " together   1 off\n" in ended.out


def test_baselines_are_expected_by_their_set(shell: Shell) -> None:
    # Random sets score 0.5 and 0.7.
    expected = "[{accuracy: 0.6, source: Table 1, set: random}]"
    shell.write("e.yaml", f"{SPEC}expect: {expected}\n")

    answer = shell("verify", "e.yaml", "--run", "--json").json

    (found,) = answer["documents"][0]["expectations"]
    assert (found["set"], found["measured"]["accuracy_mean"]) == ("random", pytest.approx(0.6))
    assert found["verdict"] == "within tolerance"


def test_a_snapshot_is_expected_by_its_outer_loops(shell: Shell) -> None:
    spec = SPEC.replace("loops: {", "loops: {snapshots: [1], ").replace(
        "  repeats: 2\n", "  repeats: 2\n  snapshots: true\n"
    )
    shell.write("e.yaml", spec + "expect: [{accuracy: 0.3, source: Fig. 1, set: to-1}]\n")
    script = {f"evaluate/to-1/convnet2-w8/{i}": {"metrics": {"accuracy": 0.3}} for i in (0, 1)}
    (shell.folder / "script.json").write_text(
        json.dumps({label: {"result": result} for label, result in script.items()})
    )

    answer = shell("verify", "e.yaml", "--run", "--json").json

    assert verdicts(answer) == ["reproduced"]


LOOKING = "{name: looking, steps: 10, reported: REPORTED}"


@pytest.mark.parametrize(
    ("reported", "note"),
    [
        pytest.param(
            "best_on_test",
            "the paper reports the best test value over iterations, ours is the last",
            id="iterations",
        ),
        pytest.param(
            "best_of_several",
            "the paper reports the best of several tests of each network, ours is the last",
            id="tests of a network",
        ),
        pytest.param("last", None, id="last"),
    ],
)
def test_what_was_published_otherwise_than_it_is_measured_is_said(
    shell: Shell, reported: str, note: str | None
) -> None:
    spec = EXPECTING.replace(
        "{name: brief, steps: 10}", LOOKING.replace("REPORTED", reported)
    ).replace("expect: [", "expect: [{accuracy: 0.6, source: Table 1, set: random}, ")
    shell.write("e.yaml", spec)

    text = shell("verify", "e.yaml").out
    (document,) = shell("verify", "e.yaml", "--json").json["documents"]
    of_random, of_distilled = document["expectations"]

    assert (of_distilled["note"], of_distilled["reported"]) == (note, reported)
    assert (of_random["note"], of_random["reported"]) == (None, None)
    assert text.count("the paper reports") == (note is not None)
    assert note is None or f"   {note}\n" in text


def test_a_protocol_of_which_nothing_is_known_is_taken_as_it_is(shell: Shell) -> None:
    shell.write("e.yaml", EXPECTING)

    (found,) = shell("verify", "e.yaml", "--json").json["documents"][0]["expectations"]

    assert (found["reported"], found["note"]) == (None, None)


def test_what_is_left_is_told_for_a_device(shell: Shell) -> None:
    shell.write("e.yaml", EXPECTING)

    ended = shell("verify", "e.yaml", "--gpu", "cpu")

    assert " on one core" in ended.out
    assert "one one" not in ended.out


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        pytest.param(
            "tolerance: 0.02",
            "protocol: idc",
            "published by protocol idc, judged by brief",
            id="protocol",
        ),
        pytest.param(
            "  repeats: 2\n",
            "  repeats: 2\n  networks: [{kind: convnet, depth: 1, width: 8}]\n",
            "the spec does not evaluate it",
            id="network",
        ),
        pytest.param(
            "  repeats: 2\n",
            "  repeats: 2\n  on: validation\n",
            "published for the test split, measured on the validation split",
            id="split",
        ),
    ],
)
def test_another_test_is_not_compared_and_not_run_for(
    shell: Shell, old: str, new: str, reason: str
) -> None:
    shell.write("e.yaml", EXPECTING.replace(old, new))

    ended = shell("verify", "e.yaml")

    assert ended.code == Exit.CHANGED
    assert "not comparable" in ended.out
    assert reason in ended.out
    assert "--run" not in ended.out


def test_variants_are_judged_line_by_line_and_by_their_order(shell: Shell) -> None:
    shell.write(
        "e.yaml",
        SPEC + "matrix:\n  variants:\n"
        "    few: {loops.outer_loops: 2, expect: [{accuracy: 0.4, source: T}]}\n"
        "    more: {loops.outer_loops: 3, expect: [{above: few, source: Fig. 1}]}\n"
        "    none: {loops.outer_loops: 4}\n",
    )
    accuracies = {"few": (0.39, 0.4, 0.41), "more": (0.6, 0.61, 0.62)}
    script = {
        f"evaluate/convnet2-w8/{repeat}@{name}": {"result": {"metrics": {"accuracy": value}}}
        for name, values in accuracies.items()
        for repeat, value in enumerate(values)
    }
    (shell.folder / "script.json").write_text(json.dumps(script))

    before = shell("verify", "e.yaml", "--variant", "more", "--json").json["documents"][0]
    alone = shell("verify", "e.yaml", "--run", "--variant", "more", "--json")
    both = shell("verify", "e.yaml", "--json")

    assert verdicts(alone.json) == ["reproduced"]
    ran = alone.err.count(": started")
    assert before["left"]["stages"] == ran > before["left_by_variant"]["more"]["stages"]
    assert verdicts(both.json) == ["within tolerance", "reproduced"]
    assert (alone.code, both.code) == (Exit.DONE, Exit.DONE)
    done = {stage["label"] for stage in shell("results", "e.yaml", "--json").json["stages"]}
    assert "distill@none" in done  # it is in the plan, and nothing was expected of it
    assert not any("none" in label for label in (shell.folder / "log").read_text().split())


def test_replicates_are_judged_together_over_their_sets(shell: Shell) -> None:
    shell.write(
        "e.yaml",
        SPEC.replace("loops: {outer_loops: 2, ", "loops: {")
        + "seed: 4\nreplicates: 2\nmatrix:\n  variants:\n"
        "    few: {loops.outer_loops: 2, expect: [{accuracy: 0.4, source: T, tolerance: 0.01}]}\n"
        "    more: {loops.outer_loops: 3, expect: [{above: few, source: Fig. 1}]}\n",
    )
    accuracies = {
        "few-seed-4": (0.38, 0.40),
        "few-seed-5": (0.40, 0.42),
        "more-seed-4": (0.6, 0.6),
        "more-seed-5": (0.6, 0.61),
    }
    script = {
        f"evaluate/convnet2-w8/{repeat}@{name}": {"result": {"metrics": {"accuracy": value}}}
        for name, values in accuracies.items()
        for repeat, value in enumerate(values)
    }
    (shell.folder / "script.json").write_text(json.dumps(script))

    ended = shell("verify", "e.yaml", "--run", "--json")
    text = shell("verify", "e.yaml").out

    few, more = ended.json["documents"][0]["expectations"]
    assert (few["variant"], few["variants"]) == ("few", ["few-seed-4", "few-seed-5"])
    assert (few["sets"], few["measured"]["repeats"], few["repeats_planned"]) == (2, 4, 4)
    # Means of 39 and 41 %: half of the interval is 12.706 times 1.414 / sqrt 2 points.
    assert few["error_95"] == pytest.approx(0.12706, rel=1e-3)
    assert few["verdict"] == "within tolerance"
    assert more["difference"] == pytest.approx(0.6025 - 0.4)
    # Means of 60 and 60.5 % against 39 and 41 %, of one degree of freedom.
    assert more["error_95"] == pytest.approx(12.706 * math.sqrt((0.005**2 + 0.02**2) / 4))
    assert more["verdict"] == "reproduced"
    assert len(more["evidence"]["sets"]) == 2
    assert more["evidence"]["command"] == (
        "ddspec run e.yaml --variant 'more-seed-*' --variant 'few-seed-*'"
    )
    assert "over 2 sets of different seeds" in text


def test_the_mean_that_is_shown_is_the_one_that_is_judged(shell: Shell) -> None:
    expecting = SPEC + "replicates: 2\nexpect: [{accuracy: 0.5, source: T, tolerance: 0.01}]\n"
    shell.write("e.yaml", expecting)
    accuracies = {"seed-0/0": 0.4, "seed-0/1": 0.4, "seed-1/0": 0.6}
    script: dict[str, Any] = {
        f"evaluate/convnet2-w8/{name[-1]}@{name[:-2]}": {"result": {"metrics": {"accuracy": value}}}
        for name, value in accuracies.items()
    }
    script["evaluate/convnet2-w8/1@seed-1"] = {"result": {"metrics": {}}}
    (shell.folder / "script.json").write_text(json.dumps(script))
    shell("run", "e.yaml")

    (found,) = shell("verify", "e.yaml", "--json").json["documents"][0]["expectations"]
    text, summary = shell("verify", "e.yaml").out, shell("verify", ".").out

    # sets of 40 and 60 %, though of the first two networks are known and of the second one
    assert (found["mean"], found["difference"]) == (pytest.approx(0.5), pytest.approx(0))
    assert found["std"] == pytest.approx(0.2 / math.sqrt(2))
    assert "50.0 ± 14.1" in text
    assert "50.0 ± 14.1" in summary
    assert "over 2 sets of different seeds, ± of measured over sets" in text


def test_a_replicate_alone_is_judged_over_its_networks(shell: Shell) -> None:
    expecting = SPEC + "replicates: 2\nexpect: [{accuracy: 0.86, source: Table 1}]\n"
    shell.write("e.yaml", expecting)
    script = {
        f"evaluate/convnet2-w8/{repeat}@seed-0": {"result": {"metrics": {"accuracy": value}}}
        for repeat, value in enumerate((0.8, 0.9))
    }
    (shell.folder / "script.json").write_text(json.dumps(script))
    shell("run", "e.yaml", "--variant", "seed-0")

    (found,) = shell("verify", "e.yaml", "--json").json["documents"][0]["expectations"]
    text = shell("verify", "e.yaml").out

    assert (found["variant"], found["sets"]) == ("", 1)
    assert (found["measured"]["repeats"], found["repeats_planned"]) == (2, 4)
    assert "2 of 4" in text
    assert "different seeds" not in text


def test_several_specs_are_verified_at_once(shell: Shell) -> None:
    shell.write("e.yaml", EXPECTING)
    shell.write("f.yaml", EXPECTING.replace("name: small", "name: other").replace("0.86", "0.1"))

    ended = shell("verify", "e.yaml", "f.yaml", "small.yaml", "--run", "--json")

    assert ended.code == Exit.FAILED
    assert verdicts(ended.json) == ["within tolerance", "off"]
    assert ended.json["documents"][2]["expectations"] == []


def test_a_stage_that_fails_is_told_and_left(shell: Shell) -> None:
    shell.write("e.yaml", EXPECTING)
    shell.behave(distill=64)

    ended = shell("verify", "e.yaml", "--run")

    assert ended.code == Exit.CHANGED
    assert "failed: distill" in ended.err
    assert "not run yet" in ended.out


def test_what_no_runner_has_is_refused_before_a_run_and_told_before_that(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abilities, "ABLE", {**ABLE, "pool": frozenset({"fresh"})})
    shell.write("e.yaml", EXPECTING)

    looked = shell("verify", "e.yaml")
    run = shell("verify", "e.yaml", "--run")

    assert "cannot run" in looked.out
    assert "--run" not in looked.out
    assert run.code == Exit.UNABLE


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        pytest.param([Verdict.REPRODUCED, Verdict.WITHIN], Exit.DONE, id="all met"),
        pytest.param([Verdict.REPRODUCED, Verdict.NOT_RUN], Exit.CHANGED, id="some not run"),
        pytest.param([Verdict.REPRODUCED, Verdict.UNSURE], Exit.CHANGED, id="an order in doubt"),
        pytest.param([Verdict.NOT_COMPARABLE], Exit.CHANGED, id="none compares"),
        pytest.param([Verdict.NOT_RUN, Verdict.OFF], Exit.FAILED, id="some off"),
    ],
)
def test_the_exit_code_says_the_worst(verdicts: list[Verdict], code: Exit) -> None:
    assert exit_of(verdicts) is code


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("small.yaml",), id="nothing is expected"),
        pytest.param(("small.yaml", "--store"), id="the store of a spec"),
        pytest.param(("--store", "--run"), id="a run of the store"),
    ],
)
def test_senseless_questions_are_mistakes_of_usage(
    shell: Shell, arguments: tuple[str, ...]
) -> None:
    assert shell("verify", *arguments).code == Exit.USAGE


def test_an_order_against_nobody_is_a_mistake_in_the_spec(shell: Shell) -> None:
    shell.write("e.yaml", SPEC + "expect: [{above: plain, source: Fig. 1}]\n")

    ended = shell("verify", "e.yaml")

    assert ended.code == Exit.INVALID
    assert "e.yaml:" in ended.err
    assert "there is no other variant `plain` to be above" in ended.err
    assert "the spec has no `matrix`" in ended.err
