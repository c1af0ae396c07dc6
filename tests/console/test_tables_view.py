"""Tables read the same in every format, and no name in them can do harm."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from made_up import evidence, hostile, paper, score

from ddspec.console.tables_csv import csv_tables
from ddspec.console.tables_latex import latex_tables, tex
from ddspec.console.tables_markdown import markdown_tables
from ddspec.console.tables_view import render_tables
from ddspec.console.unfinished_view import damaged_lines, unfinished_lines
from ddspec.run.evidence import Evidence
from ddspec.run.inference import Inference
from ddspec.run.relating import related
from ddspec.run.stored import Damage
from ddspec.run.tables import Block
from ddspec.run.tabulating import blocks_of

GOLDEN = Path(__file__).parent / "golden"
FORMATS: dict[str, Callable[[Sequence[Block]], str]] = {
    "txt": render_tables,
    "md": markdown_tables,
    "tex": latex_tables,
    "csv": csv_tables,
}


def tables(found: Sequence[Evidence], baseline: str = "") -> tuple[Block, ...]:
    return related(blocks_of(found), baseline)


@pytest.mark.parametrize("form", FORMATS)
def test_tables_are_as_they_were_read_through(form: str) -> None:
    found = FORMATS[form](tables(paper(), "DC"))

    assert found.rstrip("\n") + "\n" == (GOLDEN / f"tables.{form}").read_text()


def test_text_stays_within_100_columns_however_many_budgets_there_are() -> None:
    budgets = (1, 2, 5, 10, 20, 50, 100, 200)
    found = [
        evidence("A method of a long name, with many words, and then more of them",
                 budget, score("distilled", (0.5, 0.6)), seed=seed)
        for budget in budgets
        for seed in range(3)
    ]  # fmt: skip

    lines = render_tables(tables(found)).split("\n")

    assert max(map(len, lines)) <= 100
    assert sum("images per class" in line for line in lines) > 1
    for budget in budgets:
        assert any(f" {budget}" in line for line in lines if "images per class" in line)


HOSTILE = {
    "escape": "\x1b[31mred\x1b[0m",
    "lines": "one\ntwo\r\nthree",
    "markup": "<script>alert(1)</script> | **x** `y` @someone #1 [a](http://b)",
    "formula": "=cmd|' /C calc'!A0",
    "plus": "+1+1",
    "at": "@SUM(1)",
    "latex": "\\input{/etc/passwd} $x$ & % # _ { } ~ ^ [x] *",
    "letters": "naïve 蒸留 \u202e evil",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("form", ["txt", "md", "tex"])
def test_no_name_steers_a_terminal_or_breaks_a_line(form: str, text: str) -> None:
    plain = FORMATS[form](tables(hostile("plain")))

    found = FORMATS[form](tables(hostile(text)))

    assert all(line.isprintable() for line in found.split("\n"))
    assert max(map(len, found.split("\n"))) <= 100 or form != "txt"
    if form != "txt":  # where long names may take lines of their own
        assert len(found.split("\n")) == len(plain.split("\n"))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_name_is_markup_in_markdown(text: str) -> None:
    lines = markdown_tables(tables(hostile(text))).split("\n")

    rows = [line for line in lines if line.startswith("|")]
    assert {row.count("|") for row in rows} == {3}
    assert not any(bad in "\n".join(lines) for bad in ("<script", "](", "@someone", "`y`"))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_field_of_csv_is_a_formula(text: str) -> None:
    header, *rows = csv.reader(io.StringIO(csv_tables(tables(hostile(text)))))

    (row,) = rows
    assert len(row) == len(header)
    for name, value in zip(header, row, strict=True):
        if name not in ("ahead", "low", "high"):  # numbers that may be below 0
            assert not value.startswith(("=", "+", "-", "@", "\t", "\r", "%", "|")), name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a_b & 5 %", r"a\_b \& 5 \%", id="special"),
        pytest.param("\\input{x}", r"\textbackslash{}input\{x\}", id="commands"),
        pytest.param("$x^2~y$", r"\$x\textasciicircum{}2$\sim$y\$", id="mathematics"),
        pytest.param("[1] a--b *", "{[}1{]} a-{}-b {*}", id="what a line end would take"),
        pytest.param("naïve", "naïve", id="letters"),
        pytest.param("蒸", "{[}U+84B8{]}", id="letters without a font"),
        pytest.param("\x1b", "{[}U+FFFD{]}", id="control"),
    ],
)
def test_latex_prints_text_as_itself(text: str, expected: str) -> None:
    assert tex(text) == expected


def test_captions_in_latex_tell_of_their_own_table_alone() -> None:
    alone = replace(evidence("DM", 1, score("distilled", (0.5, 0.6))), protocol="another")
    drawn = evidence("DC", 1, score("distilled", (0.4, 0.5)), score("random", (0.1, 0.2)))

    captions = [
        line for line in latex_tables(tables([alone, drawn])).split("\n") if "caption" in line
    ]

    assert ["Random images are drawn anew" in line for line in captions] == [False, True]


def test_csv_holds_every_accuracy_in_full() -> None:
    third = 1 / 3

    header, row = csv.reader(
        io.StringIO(csv_tables(tables([evidence("DM", 1, score("distilled", (third, 0.5)))])))
    )

    values = dict(zip(header, row, strict=True))
    assert [float(one) for one in values["accuracies"].split()] == [third, 0.5]
    assert float(values["accuracy_mean"]) == (third + 0.5) / 2


def test_tables_without_the_row_to_compare_with_are_named() -> None:
    alone = evidence("DM", 1, score("distilled", (0.5, 0.6)), dataset="Elsewhere")

    both = render_tables(tables([*paper(), alone], "DC"))
    compared = render_tables(tables(paper(), "DC"))

    assert "no DC to compare with: Elsewhere" in both
    assert "to compare with" not in compared


def test_differences_have_their_intervals_and_chance_is_marked() -> None:
    chance = Inference(
        0.01, -0.02, 0.04, 0.3, 0.6, "sets", "welch", None, 0.01, None, "cannot tell"
    )
    sure = replace(chance, low=0.03, high=0.07, p=0.001, p_adjusted=0.002, verdict="ahead")
    (block,) = tables([evidence("DM", 1, score("distilled", (0.5,))),
                       evidence("DC", 1, score("distilled", (0.6,))),
                       evidence("DSA", 1, score("distilled", (0.55,)))], "DM")  # fmt: skip
    answers = {"DC": sure, "DSA": chance}
    rows = [
        replace(row, cells={1: replace(row.cells[1], told=answers.get(row.name))})
        for row in block.rows
    ]
    found = [replace(block, rows=tuple(rows), corrected_over=2)]

    text, latex = render_tables(found), latex_tables(found)

    lines = [" ".join(line.split()) for line in text.split("\n")]
    assert "DC +10.0 [+3.0, +7.0]" in lines
    assert "DSA +5.0 [-2.0, +4.0]~" in lines
    assert "~ may be chance: not told from 0 after Holm's correction over 2 tests" in text
    assert r"DC & $+10.0$ [$+3.0$, $+7.0$] \\" in latex
    assert r"DSA & $+5.0$ [$-2.0$, $+4.0$]$^\sim$ \\" in latex
    assert "0.03,0.07,0.002,ahead" in csv_tables(found)


def test_partial_results_say_how_much_of_them_there_is() -> None:
    found = [evidence("DM", 1, score("distilled", (0.5, 0.6, 0.7), planned=5))]

    assert "60.0 ± 10.0 (3 of 5)" in render_tables(tables(found))


def test_what_is_missing_is_told_with_the_way_out() -> None:
    done = evidence("DM", 1, score("distilled", (0.5,)))
    missing = ("evaluate/convnet3/3", "evaluate/convnet3/4")
    begun = evidence("DC", 1, score("distilled", (0.5,), planned=3), missing=missing)
    never = evidence("MTT", 1, missing=("distill",))

    assert unfinished_lines([done, begun, never]) == [
        " missing in dc.yaml: evaluate/convnet3/3..4",
        " nothing is in the store yet of mtt.yaml",
    ]


def test_variants_that_lack_the_same_share_their_words() -> None:
    begun = evidence("DC", 1, score("distilled", (0.5,), planned=3), missing=("a/0", "a/1", "b"))
    variants = [replace(begun, variant=f"v{at}") for at in range(8)]
    other = replace(begun, variant="w", missing=("b",))

    assert unfinished_lines([*variants, other]) == [
        " missing in dc.yaml: a/0..1, b of v0, v1, v2, v3, v4, v5 and 2 more; b of w"
    ]


def test_what_is_damaged_is_told_once_with_its_place() -> None:
    damage = Damage("evaluate/convnet3/0", "0" * 64, "/store/objects/00/0", "data is missing")

    lines = damaged_lines([damage, damage])

    assert lines[0] == " damaged: evaluate/convnet3/0, key 0000000000000000: data is missing"
    assert lines[1].strip() == "/store/objects/00/0"
    assert "ddspec verify --store" in lines[2]
    assert len(lines) == 3
