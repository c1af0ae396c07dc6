"""A report is one file that needs nothing else, whatever somebody wrote into names and outputs."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import fake_store
import pytest
from fake_cli import SPEC, Shell
from read_page import Page, read

from ddspec.canon import Json
from ddspec.cli.inputs import compile_spec
from ddspec.errors import Exit
from ddspec.plan.ir import Plan, Stage

HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(2)> {{ 7*7 }} \u202etxt"
MATRIX = """\
matrix:
  include:
    - {name: few, update.learning_rate: 0.1}
    - {name: many, update.learning_rate: 0.2}
"""


def plan_of(spec: Path) -> Plan:
    return compile_spec(spec).plan


def report(shell: Shell, *arguments: str) -> Page:
    """Return the page of a report that could be made."""
    ended = shell("report", "small.yaml", "-o", "page.html", "--force", *arguments)
    assert (ended.code, ended.err) == (Exit.DONE, "")
    return read((shell.folder / "page.html").read_text())


def test_a_page_loads_nothing_and_runs_nothing(
    spec: Path, shell: Shell, drawings: list[Json]
) -> None:
    fake_store.fill(shell.home, plan_of(spec))

    page = report(shell)

    policy = page.named("meta")[1]["content"]
    assert policy.startswith("default-src 'none'")
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [name for _, found in page.tags for name in found if name.startswith("on")]
    outside = [link for link in page.links if not link.startswith(("#", "data:image/png;base64,"))]
    assert outside == []
    text = (shell.folder / "page.html").read_text()
    assert re.findall(r"url\((?!#)", text) == []
    assert "@import" not in text


def test_what_was_found_is_on_the_page(spec: Path, shell: Shell, drawings: list[Json]) -> None:
    fake_store.fill(shell.home, plan_of(spec))

    page = report(shell)

    assert "distilled set 80.5 % ± 0.7 over 2 networks, convnet2-w8, test split" in page.words
    assert "ahead of random +30.0 points" in page.words
    assert "stages 13 of 13 all is done" in page.words
    assert "trained on the one set, random images drawn anew for each; differences" in page.words
    assert "pool.models 2 small.yaml:6" in page.words
    assert "cat 80.5 ± 0.7 dog 19.5 %" in page.words
    kinds = [one["kind"] for one in drawings if isinstance(one, dict)]
    assert kinds == ["line", "line", "timeline"]


def test_headings_skip_no_level_and_pictures_have_words(
    spec: Path, shell: Shell, drawings: list[Json]
) -> None:
    fake_store.fill(shell.home, plan_of(spec))

    page = report(shell)

    assert page.headings[0] == 1
    steps = zip(page.headings, page.headings[1:], strict=False)
    assert all(after <= before + 1 for before, after in steps)
    pictures = page.named("img")
    assert [one["alt"] for one in pictures] == [
        "Where the images started: 10 classes, 1 image each",
        "The distilled set: 10 classes, 1 image each",
    ]
    shown = base64.b64decode(pictures[1]["src"].partition(",")[2])
    assert shown == fake_store.png(40, 20)
    assert (pictures[1]["width"], pictures[1]["height"]) == ("480", "240")


def test_the_same_store_gives_the_same_bytes(
    spec: Path, shell: Shell, drawings: list[Json]
) -> None:
    fake_store.fill(shell.home, plan_of(spec))

    report(shell)
    first = (shell.folder / "page.html").read_bytes()
    report(shell)

    assert (shell.folder / "page.html").read_bytes() == first


@pytest.mark.parametrize("name", ["title", "class"])
def test_hostile_text_is_text(name: str, spec: Path, shell: Shell, drawings: list[Json]) -> None:
    if name == "title":
        spec.write_text(SPEC.replace("title: A small experiment", f"title: {json.dumps(HOSTILE)}"))
    classes = (HOSTILE, "dog") if name == "class" else ("cat", "dog")
    fake_store.fill(shell.home, plan_of(spec), classes)

    page = report(shell)

    shown = HOSTILE.replace("\u202e", "\ufffd")
    assert shown in page.words
    assert "script" not in {tag for tag, _ in page.tags}
    assert all(one["src"].startswith("data:image/png") for one in page.named("img"))


def test_names_of_machines_stay_in_the_store(
    spec: Path, shell: Shell, drawings: list[Json]
) -> None:
    fake_store.fill(shell.home, plan_of(spec))

    page = report(shell)

    assert "secret-machine" not in (shell.folder / "page.html").read_text()
    assert "host 1, local, cpu" in page.words


def test_an_empty_store_gives_a_page_that_says_so(
    spec: Path, shell: Shell, drawings: list[Json]
) -> None:
    page = report(shell)

    assert "Not finished. 13 of 13 stages are not in the store" in page.words
    assert "No accuracy yet: none of 5 networks that judge is in the store." in page.words
    assert "No set is in the store yet." in page.words
    assert "The journal of the store tells of no attempt." in page.words
    assert drawings == []
    assert not shell.home.exists()


def test_what_is_damaged_is_named_and_counts_as_absent(
    spec: Path, shell: Shell, drawings: list[Json]
) -> None:
    plan = plan_of(spec)
    store = fake_store.fill(shell.home, plan)
    key = plan.stage("distill").key
    assert key is not None
    (store.layout.object(key) / "grid.png").write_bytes(b"no picture")

    page = report(shell)

    assert "Damaged output. distill: grid.png has 10 bytes instead of " in page.words
    assert [one["alt"].partition(":")[0] for one in page.named("img")] == [
        "Where the images started"
    ]
    assert store.layout.object(key).exists()  # looking sets nothing aside


def test_a_damaged_record_is_named(spec: Path, shell: Shell, drawings: list[Json]) -> None:
    plan = plan_of(spec)
    store = fake_store.fill(shell.home, plan)
    key = plan.stage("pool/0").key
    assert key is not None
    for file in store.layout.journal(key).iterdir():
        file.write_text('{"started": "yesterday"')

    page = report(shell)

    assert "Damaged records. Of pool/0 it cannot be told when and where it ran." in page.words


def test_failed_attempts_are_told_with_their_reason(
    spec: Path, shell: Shell, drawings: list[Json]
) -> None:
    plan = plan_of(spec)
    store = fake_store.fill(shell.home, plan)
    failed = fake_store.entry(
        plan.stage("distill"), 90, outcome="failed", exit=1, reason="Traceback\nno memory"
    )
    store.journal.record(failed)

    page = report(shell)

    assert "Failed attempts. 1 attempt at distill, at last: no memory." in page.words


def test_a_page_is_never_overwritten_unasked(
    spec: Path, shell: Shell, drawings: list[Json]
) -> None:
    (shell.folder / "small.report.html").write_text("mine")

    ended = shell("report", "small.yaml")

    assert ended.code == Exit.USAGE
    assert "`small.report.html` exists" in ended.err
    assert (shell.folder / "small.report.html").read_text() == "mine"


def test_a_link_is_not_written_through(spec: Path, shell: Shell, drawings: list[Json]) -> None:
    (shell.folder / "there").write_text("mine")
    (shell.folder / "page.html").symlink_to("there")

    ended = shell("report", "small.yaml", "-o", "page.html", "--force")

    assert ended.code == Exit.USAGE
    assert (shell.folder / "there").read_text() == "mine"


def test_a_matrix_has_an_overview_and_its_variants_folded(
    spec: Path, shell: Shell, drawings: list[Json]
) -> None:
    spec.write_text(SPEC.replace("update: {learning_rate: 0.1}\n", "") + MATRIX)
    fake_store.fill(shell.home, plan_of(spec))

    page = report(shell)

    folded = [one for one in page.named("details") if "variant" in one.get("class", "")]
    assert [one["id"] for one in folded] == ["a1", "a2"]
    assert "variants 2" in page.words
    assert "the one set of a variant, random images drawn anew for each." in page.words
    assert "update.learning_rate 0.2" in page.words
    assert {"#a1", "#a2"} <= set(page.links)


def test_one_variant_is_shown_as_an_experiment(
    spec: Path, shell: Shell, drawings: list[Json]
) -> None:
    spec.write_text(SPEC.replace("update: {learning_rate: 0.1}\n", "") + MATRIX)
    fake_store.fill(shell.home, plan_of(spec))

    ended = shell("report", "small.yaml", "--variant", "many")

    page = read((shell.folder / "small-many.report.html").read_text())
    assert ended.code == Exit.DONE
    assert "small · variant many · digits" in page.words
    assert [one for one in page.named("details") if "variant" in one.get("class", "")] == []


def test_two_stand_beside_each_other_with_what_differs(
    spec: Path, shell: Shell, drawings: list[Json]
) -> None:
    other = shell.folder / "other.yaml"
    other.write_text(SPEC.replace("small", "other").replace("rate: 0.1}\nl", "rate: 0.2}\nl"))
    fake_store.fill(shell.home, plan_of(spec))
    fake_store.fill(shell.home, plan_of(other), accuracy=lambda stage: 0.7 + 0.01 * num(stage))

    page = report(shell, "--against", "other.yaml")

    # Welch of 80, 81 and 70, 71: standard error sqrt(.5), 2 degrees of freedom, 4.303 of them
    told = "80.5 ± 0.7 (2) 70.5 ± 0.7 (2) \u221210.0 \u221213.0 to \u22127.0 A is ahead"
    assert told in page.words
    assert "random convnet2-w8 50.5 ± 0.7 (2) 50.5 ± 0.7 (2) +0.0 \u2013 the same" in page.words
    assert "1 setting differs setting A B update.learning_rate 0.1 0.2" in page.words
    assert page.headings[:3] == [1, 2, 2]
    assert len([one for one in page.named("div") if one.get("class") == "side"]) == 2 * 9


def num(stage: Stage) -> int:
    last = stage.label.rpartition("/")[2]
    return int(last) if last.isdecimal() else 0


def test_accuracies_by_two_protocols_are_not_compared(
    spec: Path, shell: Shell, drawings: list[Json]
) -> None:
    other = shell.folder / "other.yaml"
    other.write_text(SPEC.replace("steps: 10", "steps: 11"))
    fake_store.fill(shell.home, plan_of(spec))
    fake_store.fill(shell.home, plan_of(other))

    page = report(shell, "--against", "other.yaml")

    assert "80.5 ± 0.7 (2) \u2013 \u2013 not compared: another protocol" in page.words
    assert "which says" in page.words


def test_a_whole_matrix_cannot_stand_beside_another(
    spec: Path, shell: Shell, drawings: list[Json]
) -> None:
    spec.write_text(SPEC.replace("update: {learning_rate: 0.1}\n", "") + MATRIX)

    ended = shell("report", "small.yaml", "--variant", "few", "--against", "small.yaml")

    assert ended.code == Exit.USAGE
    assert "`--against-variant NAME` chooses: few, many" in ended.err


def test_variants_beyond_the_bound_are_counted(
    spec: Path, shell: Shell, drawings: list[Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ddspec.report.side.MOST_VARIANTS", 1)
    spec.write_text(SPEC.replace("update: {learning_rate: 0.1}\n", "") + MATRIX)
    fake_store.fill(shell.home, plan_of(spec))

    page = report(shell)

    assert "1 more variant is left out; ddspec report small.yaml --variant NAME" in page.words
    assert "few 80.5 ± 0.7 (2)" in page.words
    assert "many 80.5 ± 0.7 (2)" in page.words  # all stand in the overview
    assert "#a2" not in page.links


def test_published_numbers_of_variants_stand_together(
    spec: Path, shell: Shell, drawings: list[Json]
) -> None:
    expected = "expect: [{accuracy: 0.86, source: Table 7, tolerance: 0.02}]\n"
    spec.write_text(SPEC.replace("update: {learning_rate: 0.1}\n", "") + expected + MATRIX)
    fake_store.fill(shell.home, plan_of(spec))

    page = report(shell)

    # off by more than the tolerance
    assert "few distilled on convnet2-w8 86.0 ± 2.0 80.5 ± 0.7 2 \u22125.5 ± 6.4 off" in page.words
    assert "Published: Table 7." in page.words


def test_replicates_are_told_over_their_sets(
    spec: Path, shell: Shell, drawings: list[Json]
) -> None:
    spec.write_text(f"{SPEC}replicates: 3\nexpect: [{{accuracy: 0.8, source: Table 7}}]\n")
    ends = {"": 0.0, "seed-0": 0.80, "seed-1": 0.82, "seed-2": 0.87}
    fake_store.fill(
        shell.home, plan_of(spec), accuracy=lambda stage: ends[stage.label.partition("@")[2]]
    )

    page = report(shell)

    # sets of 80, 82 and 87 %: mean 83, deviation sqrt(13) = 3.6; two networks on each
    assert "small distilled convnet2-w8 83.0 ± 3.6 3 6" in page.words
    assert "Over seeds of the distillation (0, 1, 2)" in page.words
    assert "6 on 3 sets" in page.words
    assert "One synthetic set" not in page.words


def unfinished(stage: Stage) -> bool:
    return stage.work.kind != "evaluate" or stage.label.endswith("/0")


def test_an_unfinished_run_shows_what_is_there(
    spec: Path, shell: Shell, drawings: list[Json]
) -> None:
    fake_store.fill(shell.home, plan_of(spec), wanted=unfinished)

    page = report(shell)

    assert "Not finished. 2 of 13 stages are not in the store" in page.words
    assert "Few repeats." in page.words
    assert "distilled 80.0 1 of 2" in page.words
