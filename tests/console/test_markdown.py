"""The comment of a pull request: its shape, its limit, and that nothing in it is trusted."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ddspec.console.links import Links
from ddspec.console.markdown import review_markdown
from ddspec.console.overview import Overview
from ddspec.console.plan_markdown import plan_markdown
from ddspec.console.review import (
    LINE,
    MAX_BYTES,
    MAX_REPORTS,
    MAX_ROWS,
    At,
    Cost,
    Costs,
    DisagreementRow,
    PlanFile,
    PolicyRow,
    Report,
    Review,
    Revision,
    SettingRow,
    StageRow,
    Told,
    ValueRow,
    VariantRows,
    line,
    read_review,
)
from ddspec.console.review_report import Beside, Version, invalid, report_of
from ddspec.errors import DdspecError, Diagnostic, Place
from ddspec.plan.compile import compile_noted
from ddspec.plan.said import settings_of
from ddspec.spec.load import Loaded, load_text

GOLDEN = Path(__file__).parent / "golden" / "review.md"
LIMIT = 65_536
LINKS = Links("https://github.com/o/r")
BASE = Revision(name="main", commit="8d1f2ab" * 5 + "8d1f2")
HEAD = Revision(name="this PR", commit="91c04ee" * 5 + "91c04")
RENDERER = MarkdownIt("commonmark", {"html": True}).enable("table")

SPEC = """\
name: x
title: Halved
dataset: {kind: digits, validation: 0.2}
budget: {images_per_class: 1}
network: {kind: convnet, depth: 2, width: 8}
loops: {outer_loops: 100, inner_steps: 1}
evaluate: {protocol: {name: brief, steps: 10}, repeats: 3, baselines: {random: 3}}
pool: {kind: recorded, models: 5, epochs: 1}
inner: {kind: frozen}
matcher: {kind: gradient, distance: l1}
update: {learning_rate: 0.1}
resources: {shards: 5}
disagreements:
  - {setting: update.learning_rate, paper: "0.1", code: "1e-3", takes: paper, why: "its scale"}
"""
HALVED = SPEC.replace("outer_loops: 100", "outer_loops: 50").replace("repeats: 3", "repeats: 5")


def version(text: str, name: str) -> Version:
    loaded: Loaded = load_text(text, name)
    plan, notes = compile_noted(loaded)
    return Version(
        plan,
        loaded.place,
        notes,
        loaded.disagreements,
        tuple(settings_of(loaded)),
        rooted=lambda file: file.removeprefix("main:"),
    )


def mock_up() -> Review:
    """The change of the mock-up: half the loops, more repeats; with made-up costs."""
    beside = Beside(
        plan_file=PlanFile(path="specs/x.plan.yaml", state="current"),
        policy=[PolicyRow(rule=f"rule-{i}", outcome="pass", message="kept") for i in range(6)],
    )
    path = "specs/x.yaml"
    report = report_of(path, version(SPEC, f"main:{path}"), version(HALVED, path), beside)
    gib, gb, hour = 2**30, 10**9, 3600
    costs = Costs(
        device="a6000",
        before=Cost(gpu_seconds=(79 * hour, 197 * hour), memory_bytes=31 * gib, disk_bytes=20 * gb),
        after=Cost(gpu_seconds=(60 * hour, 151 * hour), memory_bytes=31 * gib, disk_bytes=20 * gb),
        new=Cost(gpu_seconds=(49 * hour, 125 * hour), memory_bytes=31 * gib, disk_bytes=9 * gb),
    )
    return Review(base=BASE, head=HEAD, reports=(report.model_copy(update={"costs": costs}),))


def test_the_comment_of_a_change_is_as_it_was_reviewed() -> None:
    text = review_markdown(mock_up(), LINKS)
    if os.environ.get("DDSPEC_WRITE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text)

    assert text == GOLDEN.read_text()


SHAPE = (
    r"<!-- ddspec:specs/x\.yaml -->",
    r"### ddspec · `specs/x\.yaml` · \*\*distillation changes, numbers stay comparable\*\*",
    r"Plan `\w{8}` → `\w{8}` · committed plan is current ✔ · policy 6 of 6 ✔ · 1 note",
    r"",
    r"\| \| `main` 8d1f2ab8 \| `this PR` 91c04ee9 \| change \|",
    r"\|---\|--:\|--:\|--:\|",
    r"\| GPU-hours from scratch \(a6000\) \| 79.197 \| 60.151 \| .24 % \|",
    r"\| GPU-hours if `main` has run \| . \| 49.125 \|  \|",
    r"\| peak GPU memory / disk \| 31.0 GiB / 20.0 GB \| 31.0 GiB / 20.0 GB \| = \|",
    r"",
    r"\| setting \| before \| after \| effect \| where \|",
    r"\|---\|---\|---\|---\|---\|",
    r"\| `loops\.outer_loops` \| 100 \| 50 \| distillation \| \[`x\.yaml:6`\]\(https://\S+#L6\) \|",
    r"\| `evaluate\.repeats` \| 3 \| 5 \| evaluation only, adds runs \| \[`x\.yaml:7`\]\(\S+\) \|",
    r"",
    r"\*\*\d+ stages:\*\* \d+ same · 5 edited · \d+ downstream · \d+ added\. "
    r"The 5 networks and the baselines are reused\.",
    r"Schedule: first 50 of 100 rows, unchanged\. "
    r"Protocol, test set, label kind, networks, budget: unchanged\.",
)


def test_the_comment_has_the_shape_of_the_mock_up() -> None:
    lines = review_markdown(mock_up(), LINKS).split("\n")

    for wanted, found in zip(SHAPE, lines, strict=False):
        assert re.fullmatch(wanted, found), (wanted, found)
    folds = [found for found in lines if found.startswith("<details>")]
    assert [re.sub(r"\d+", "n", fold) for fold in folds] == [
        "<details><summary>Edited, downstream, added (n)</summary>",
        "<details><summary>Notes (n)</summary>",
        "<details><summary>Policy (n)</summary>",
        "<details><summary>Paper and code disagree (n)</summary>",
        "<details><summary>All settings with their sources (n)</summary>",
    ]
    assert lines[-2].startswith("<sub>ddspec.review/1 · updated in place · ")


def test_a_review_survives_being_written() -> None:
    review = mock_up()

    assert Review.model_validate_json(review.model_dump_json()) == review


HOSTILE = st.text(max_size=400)


def everything(texts: Sequence[str], rows: int) -> Report:
    """Return a report whose every text is one of some texts."""
    at = [line(texts[i % len(texts)]) for i in range(max(rows, 8))]
    place = At(file=at[0], line=7)
    return Report(
        path=at[0],
        status="changed",
        was=at[1],
        title=at[2],
        category="pool",
        moves="pool",
        comparable={"protocol": True, "networks": False},
        plan_before="ab" * 32,
        plan_file=PlanFile(path=at[3], state="stale", reasons=tuple(at[:rows])),
        policy=tuple(
            PolicyRow(rule=one, outcome="deny", message=at[-1 - i])
            for i, one in enumerate(at[:rows])
        ),
        notes=tuple(Told(message=one, hint=one, code=one, at=place) for one in at[:rows]),
        drift=tuple(Told(message=one) for one in at[:rows]),
        problems=tuple(Told(message=one, at=place) for one in at[:rows]),
        costs=Costs(device=at[4], before=Cost(flops=10**20), after=Cost(flops=10**21)),
        settings=tuple(
            SettingRow(
                path=one,
                before=one,
                after=one,
                category="pool",
                effect=one,
                before_at=place,
                after_at=At(file=one, line=i),
                variants=i,
            )
            for i, one in enumerate(at[:rows])
        ),
        settings_changed=10 * rows,
        counts={"same": 1, "edited": 2},
        stages=tuple(
            StageRow(status="edited", label=one, stages=3, cause=one) for one in at[:rows]
        ),
        groups=10 * rows,
        reused=at[5],
        variants=VariantRows(added=tuple(at[:rows]), counts={"added": 10 * rows}),
        disagreements=tuple(
            DisagreementRow(setting=one, paper=one, code=one, takes="ours", why=one, at=place)
            for one in at[:rows]
        ),
        values=tuple(ValueRow(path=one, value=one, origin=one) for one in at[:rows]),
        values_resolved=10 * rows,
    )


def blocks(text: str) -> list[str]:
    """Return the tags of a comment's blocks, without the rows of its tables."""
    tokens = RENDERER.parse(text)
    kept = [one for one in tokens if one.type not in ("inline", "html_block")]
    return [one.tag for one in kept if one.tag not in ("tr", "td", "li", "p")]


@settings(max_examples=20, deadline=None)
@given(st.lists(HOSTILE, min_size=1, max_size=8), st.integers(0, 8), st.integers(1, 3))
def test_hostile_reviews_have_the_structure_of_plain_ones(
    texts: list[str], rows: int, reports: int
) -> None:
    def commented(of: Sequence[str]) -> str:
        made = (everything(of, rows),) * reports
        return review_markdown(Review(base=BASE, head=HEAD, reports=made), LINKS)

    hostile, plain = commented(texts), commented(["x"])

    assert blocks(hostile) == blocks(plain)
    assert hostile.count("<details>") == hostile.count("</details>") == plain.count("<details>")
    assert "\ufffe" not in hostile


@pytest.mark.parametrize(
    ("char", "reports"), [("x", 1), ("@", 1), ("x", 7), ("\U0001f600", 2), ("@", MAX_REPORTS)]
)
def test_no_review_is_too_large_for_a_comment(char: str, reports: int) -> None:
    report = everything([char * LINE], MAX_ROWS)
    made = (report,) * reports
    text = review_markdown(Review(base=BASE, head=HEAD, reports=made, omitted=10**9), LINKS)

    assert len(text.encode("utf-16-le")) // 2 <= len(text.encode()) < LIMIT
    assert text.count("### ddspec · ") == reports or char == "@"
    assert text.count("<details>") == text.count("</details>")
    assert f"{len(text):,} of 65,536 characters</sub>" in text
    assert "more specs change" in text


MATRIX = """\
name: x
preset: acc_dd
dataset: {kind: cifar10}
budget: {images_per_class: 10}
loops: {outer_loops: 2, snapshots: []}
evaluate: {repeats: 1, baselines: {random: 0, init: 0}}
matrix:
  update.learning_rate: {from: 0.001, to: 1.0, step: 0.001}
"""


def test_a_matrix_of_1000_variants_fits_into_a_comment() -> None:
    before = version(MATRIX, "main:specs/x.yaml")
    after = version(MATRIX.replace("outer_loops: 2", "outer_loops: 3"), "specs/x.yaml")
    report = report_of("specs/x.yaml", before, after)
    review = Review.model_validate_json(
        Review(base=BASE, head=HEAD, reports=(report,)).model_dump_json()
    )
    text = review_markdown(review, LINKS)

    assert len(text.encode()) < LIMIT
    assert "**distillation changes, numbers stay comparable**" in text
    assert "| `loops.outer_loops` | 2 | 3 | distillation, 1000 variants |" in text
    assert "**1,000 variants:** 1,000 changed." in text
    assert "**2,007 stages:** 7 same" in text
    assert "800 more |" in text  # of the variants' names, of which a review holds 200
    for made in (before, after):
        assert len(plan_markdown(Overview(made.plan, settings=made.settings), "x.yaml")) < LIMIT


def test_variants_that_come_or_go_are_the_verdict() -> None:
    fewer = MATRIX.replace("to: 1.0", "to: 0.003")
    more = MATRIX.replace("to: 1.0", "to: 0.005")
    report = report_of("x.yaml", version(fewer, "main:x.yaml"), version(more, "x.yaml"))
    text = review_markdown(Review(base=BASE, head=HEAD, reports=(report,)), LINKS)

    assert "**variants are added, numbers stay comparable**" in text
    assert "**5 variants:** 2 added · 3 same." in text


def test_a_new_a_deleted_and_an_invalid_spec_have_their_own_verdicts() -> None:
    one = version(SPEC, "specs/x.yaml")
    broken = invalid(
        "specs/z.yaml", [Diagnostic("no `key`", Place("specs/z.yaml", 3, 1), "add it")]
    )
    reports = (report_of("specs/x.yaml", None, one), report_of("specs/y.yaml", one, None), broken)
    text = review_markdown(Review(base=BASE, head=HEAD, reports=reports), LINKS)
    heads = re.findall(r"### ddspec · `(.*)` · \*\*(.*)\*\*", text)

    assert heads == [
        ("specs/z.yaml", "cannot be compiled"),
        ("specs/x.yaml", "new spec"),
        ("specs/y.yaml", "deleted"),
    ]
    assert "/specs/z.yaml#L3): no `key` · add it" in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("main", "`main` 8d1f2ab8"),
        ("origin/main", "`main` 8d1f2ab8"),
        (BASE.commit or "", "`8d1f2ab8`"),
        ("a|b`", "<code>a&#124;b&#96;</code> 8d1f2ab8"),
    ],
)
def test_revisions_are_called_as_people_call_them(name: str, shown: str) -> None:
    base = Revision(name=name, commit=BASE.commit)
    text = review_markdown(mock_up().model_copy(update={"base": base}))

    assert f"| | {shown} | `this PR` 91c04ee9 | change |" in text


def test_without_changes_the_comment_says_so() -> None:
    text = review_markdown(Review(base=BASE, head=HEAD))

    assert text.startswith("<!-- ddspec: -->\n### ddspec · **no spec changes**\n")


@pytest.mark.parametrize(
    "address",
    ["http://github.com/o/r", "https://github.com/o/r)[x](y", "javascript:alert(1)", "https://h/o"],
)
def test_only_the_address_of_a_repository_is_linked_to(address: str) -> None:
    with pytest.raises(DdspecError, match="a repository's address"):
        Links(address)


def tampered(**changes: Any) -> str:
    told = json.loads(mock_up().model_dump_json())
    told["reports"][0] |= changes
    return json.dumps(told)


REFUSED = {
    "no JSON": "{",
    "another format": '{"format": "ddspec.review/2", "base": {"name": "a"}, "head": {"name": "b"}}',
    "an unknown field": tampered(evil=1),
    "a line end in a title": tampered(title="a\nb"),
    "a character that hides": tampered(title="a\u202eb"),
    "a long title": tampered(title="a" * (LINE + 1)),
    "an unknown category": tampered(category="harmless"),
    "a number as text": tampered(groups="1"),
    "a number that is none": tampered(costs={"before": {"flops": float("nan")}}),
    "a time below none": tampered(costs={"before": {"gpu_seconds": [-1.0, 1.0]}}),
    "too many rows": tampered(values=[{"path": "", "value": "", "origin": ""}] * (MAX_ROWS + 1)),
    "a plan that is no digest": tampered(plan_before="main"),
    "too many bytes": " " * (MAX_BYTES + 1),
}


def test_times_that_nobody_lives_to_see_are_shown(tmp_path: Path) -> None:
    cost = {"gpu_seconds": [1e308, 1e308], "flops": 2**83 - 1}
    file = tmp_path / "review.json"
    file.write_text(tampered(costs={"before": cost, "after": cost}))

    assert len(review_markdown(read_review(file))) < LIMIT


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_a_review_that_is_none_is_refused_and_not_shown(text: str, tmp_path: Path) -> None:
    file = tmp_path / "review.json"
    file.write_text(text)

    with pytest.raises(DdspecError) as caught:
        read_review(file)

    assert "\u202e" not in str(caught.value)
    assert len(str(caught.value).split("\n")) == 1
