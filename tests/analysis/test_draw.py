"""Figures: what a question draws, and what cannot be drawn."""

from __future__ import annotations

import base64
import copy
import io
import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ddspec_analysis.draw import answer
from ddspec_analysis.draw_looks import COLOURS, look
from ddspec_analysis.draw_model import MAX_SERIES
from ddspec_analysis.draw_thin import BINS, thin
from ddspec_analysis.draw_words import wrapped

NAMES = ["airplane", "automobile", "bird"]

FIGURES: dict[str, dict[str, Any]] = {
    "line": {
        "kind": "line",
        "title": "Accuracy by budget",
        "x": {"label": "Images per class", "log": True},
        "y": {"label": "Accuracy", "percent": True},
        "series": [
            {"name": "IDC", "x": [1, 10, 50], "y": [0.5, 0.6, 0.7]},
            {
                "name": "Acc-DD",
                "x": [1, 10, 50],
                "y": [0.52, 0.63, 0.71],
                "low": [0.5, 0.62, 0.7],
                "high": [0.54, 0.64, 0.72],
            },
        ],
        "references": [{"name": "Full data", "y": 0.9}],
    },
    "scatter": {
        "kind": "scatter",
        "x": {"label": "GPU-hours"},
        "y": {"label": "Accuracy", "percent": True},
        "series": [{"name": "IDC", "x": [30, 6], "y": [0.67, 0.66], "labels": ["IDC", "IDC 5x"]}],
    },
    "bars": {
        "kind": "bars",
        "y": {"label": "Accuracy", "percent": True},
        "groups": ["DC", "DSA"],
        "series": [
            {"name": "without", "values": [0.4, 0.5], "low": [0.39, 0.48], "high": [0.41, 0.52]},
            {"name": "with", "values": [0.45, None]},
        ],
    },
    "heat": {
        "kind": "heat",
        "rows": NAMES,
        "columns": NAMES,
        "values": [[0.8, 0.1, 0.1], [0.25, 0.5, 0.25], [None, 0.0, 1.0]],
        "x": {"label": "Taken for"},
        "value": {"label": "Share", "percent": True},
        "limits": [0, 1],
    },
    "timeline": {
        "kind": "timeline",
        "x": {"label": "Minutes"},
        "spans": [
            {"row": "pool/0", "start": 0, "stop": 2, "group": "pool"},
            {"row": "distill", "start": 2, "stop": 9, "group": "distill"},
        ],
    },
}

WORDS = {
    "line": {"Accuracy by budget", "Images per class", "IDC", "Acc-DD", "Full data", "50 %"},
    "scatter": {"GPU-hours", "IDC", "IDC 5x"},
    "bars": {"DC", "DSA", "without", "with"},
    "heat": {*NAMES, "Taken for", "Share", "80", "100"},
    "timeline": {"Minutes", "pool/0", "distill", "pool"},
}


def drawn(*figures: dict[str, Any]) -> list[str]:
    answered = answer({"format": "svg", "figures": list(figures)})
    assert isinstance(answered, dict)
    found = answered["figures"]
    assert isinstance(found, list)
    return [str(one) for one in found]


def texts(svg: str) -> list[str]:
    tree = ElementTree.fromstring(svg)
    return ["".join(one.itertext()) for one in tree.iter() if one.tag.endswith("}text")]


def changed(kind: str, **fields: object) -> dict[str, Any]:
    return {**copy.deepcopy(FIGURES[kind]), **fields}


def lines(count: int) -> dict[str, Any]:
    one = {"x": [0, 1], "y": [0, 1]}
    return changed("line", series=[{"name": f"s{at}", **one} for at in range(count)])


@pytest.mark.parametrize("kind", FIGURES)
def test_a_figure_shows_its_words_as_text(kind: str) -> None:
    (svg,) = drawn(FIGURES[kind])

    assert WORDS[kind] <= set(texts(svg))


@pytest.mark.parametrize("kind", FIGURES)
def test_a_figure_stands_alone_in_a_page_of_any_colour(kind: str) -> None:
    (svg,) = drawn(FIGURES[kind])
    links = re.findall(r'(?:href|src)="([^"]*)"|url\(([^)]*)\)', svg)
    ids = re.findall(r'\bid="([^"]*)"', svg)

    assert svg.startswith("<svg ")
    assert {(one or other)[:1] for one, other in links} <= {"#", "d"}
    assert all((one or other).startswith(("#", "data:image/png")) for one, other in links)
    assert len(ids) == len(set(ids))
    assert "currentColor" in svg
    assert "<style" not in svg
    assert "<metadata" not in svg


def test_two_figures_of_one_page_share_no_id() -> None:
    first, second = drawn(FIGURES["line"], changed("line", title="Another"))
    one, other = (set(re.findall(r'\bid="([^"]*)"', svg)) for svg in (first, second))

    assert one
    assert not one & other


@pytest.mark.parametrize("form", ["svg", "png"])
def test_the_same_question_gives_the_same_bytes(form: str) -> None:
    question = {"format": form, "figures": list(FIGURES.values())}

    assert answer(copy.deepcopy(question)) == answer(copy.deepcopy(question))


def test_a_line_has_a_mark_for_each_point_and_a_bar_for_each_interval() -> None:
    (svg,) = drawn(FIGURES["line"])
    used = re.findall(r'<use [^>]*style="[^"]*stroke: (#\w+)', svg)
    points, sample, ends = 3, 1, 2

    assert used.count(COLOURS[0].lower()) == points + sample
    assert used.count(COLOURS[1].lower()) == points + sample + points * ends


def test_a_png_has_the_size_that_was_asked_for_on_white() -> None:
    figure = changed("heat", width=4.0, height=3.0)
    answered = answer({"format": "png", "dpi": 100, "figures": [figure]})
    assert isinstance(answered, dict)
    image = Image.open(io.BytesIO(base64.b64decode(answered["figures"][0])))  # type: ignore[index,call-overload]

    assert image.size == (400, 300)
    assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


HOSTILE = {
    "markup": "<script>alert(1)</script> & ]]> \"'",
    "mathematics": "$x_1$ \\frac{1}{2} $",
    "underscore": "_hidden",
    "ink": 'style="fill: #010203"',
    "id": 'id="figure_1" url(#a)',
    "empty": " ",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_names_are_drawn_as_they_are(text: str) -> None:
    figure = changed("line")
    figure["series"][0]["name"] = text
    (svg,) = drawn(figure)

    assert text.strip() in [one.strip() for one in texts(svg)] or not text.strip()


@pytest.mark.parametrize(
    "text", ["a\nb\tc", "\x00\x1b[31m", "\u202eright to left", "\ud800", "\uffff"]
)
def test_what_no_file_may_hold_is_left_out(text: str) -> None:
    (svg,) = drawn(changed("bars", title=text, groups=[text, text], y={"label": text}))

    assert not re.search(r"[\x00-\x08\x1b\u202e\ud800-\udfff\uffff]", svg)
    assert ElementTree.fromstring(svg) is not None


def test_long_names_are_drawn_whole_in_lines() -> None:
    name = " ".join(f"word{at}" for at in range(25))
    figure = changed("line")
    figure["series"][0]["name"] = name
    (svg,) = drawn(figure)
    told = " ".join(texts(svg))

    assert all(word in told for word in name.split())


def test_no_text_of_a_long_figure_ends_outside_of_it() -> None:
    long = "class name " * 20
    figure = changed("bars", groups=[long, long], title=long, y={"label": long})
    figure["series"][0]["name"] = long
    answered = answer({"format": "png", "dpi": 100, "figures": [figure]})
    assert isinstance(answered, dict)
    image = np.array(Image.open(io.BytesIO(base64.b64decode(answered["figures"][0]))).convert("L"))  # type: ignore[index,call-overload]

    assert min(image[0].min(), image[-1].min(), image[:, 0].min(), image[:, -1].min()) == 255


def test_what_is_longer_than_its_room_ends_in_an_ellipsis() -> None:
    assert wrapped("one two three four", columns=9, lines=1) == "one two…"
    assert wrapped("one two", columns=9, lines=1) == "one two"


def test_a_hundred_thousand_points_are_thinned_without_losing_a_spike() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=100_000)
    y[77_777], y[55_555] = 40.0, -40.0
    x = np.arange(100_000, dtype=np.float64)
    kept = thin(x, [y], log=False)

    assert {0, 55_555, 77_777, 99_999} <= set(kept.tolist())
    assert len(kept) <= 4 * BINS
    assert (np.diff(kept) > 0).all()


def test_of_each_bin_the_least_and_the_greatest_stay() -> None:
    rng = np.random.default_rng(1)
    x, y = np.arange(6000, dtype=np.float64), rng.normal(size=6000)
    kept = set(thin(x, [y], log=False).tolist())

    # the bins' edges are at multiples of 5999 / 600, so each holds ten points or nine
    for at in range(BINS):
        inside = [i for i in range(6000) if at * 5999 <= i * BINS < (at + 1) * 5999]
        assert {min(inside, key=lambda i: y[i]), max(inside, key=lambda i: y[i])} <= kept


@pytest.mark.parametrize(
    "x", [np.linspace(1, 0, 5000), np.ones(5000), np.geomspace(1e-6, 1e6, 5000)],
    ids=["backwards", "all-in-one-place", "over-decades"],
)  # fmt: skip
def test_thinning_takes_any_order_of_points(x: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    y = np.zeros(5000)
    y[1234] = 1.0
    kept = thin(x, [y], log=True)

    assert 1234 in kept
    assert kept[0] == 0
    assert kept[-1] == 4999
    assert len(kept) <= 4 * BINS


def test_few_points_all_stay() -> None:
    x = np.arange(2 * BINS, dtype=np.float64)

    assert len(thin(x, [x], log=False)) == 2 * BINS


def test_zero_has_a_place_on_a_logarithmic_axis() -> None:
    series = [{"name": "a", "x": [0, 2, 300], "y": [0.1, 0.3, 0.2]}]
    (svg,) = drawn(changed("line", series=series))

    assert "0" in texts(svg)


def test_a_logarithmic_axis_of_less_than_two_decades_has_more_than_one_number() -> None:
    series = [{"name": "a", "x": [2.1, 30], "y": [0.1, 0.3]}]
    (svg,) = drawn(changed("line", series=series, references=[]))

    assert {"5", "10", "20"} <= set(texts(svg))


def test_marks_of_an_axis_can_have_words() -> None:
    ticks = [{"at": 0, "label": "random"}, {"at": 1, "label": "mix"}]
    series = [{"name": "a", "x": [0, 1], "y": [0.1, 0.3]}]
    (svg,) = drawn(changed("line", x={"label": "Init", "ticks": ticks}, series=series))

    assert {"random", "mix"} <= set(texts(svg))


def test_no_two_series_look_alike_in_grey() -> None:
    looks = {(look(at).marker, look(at).dash) for at in range(MAX_SERIES)}

    assert len(looks) == MAX_SERIES


@pytest.mark.parametrize("page", ["#ffffff", "#111827"], ids=["light", "dark"])
def test_colours_stand_out_from_pages(page: str) -> None:
    def lightness(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    def contrast(one: str, other: str) -> float:
        dark, light = sorted((lightness(one), lightness(other)))
        return (light + 0.05) / (dark + 0.05)

    assert min(contrast(colour, page) for colour in COLOURS) >= 3


@pytest.mark.parametrize("size", [1, 10, 100])
def test_matrices_of_any_size_are_drawn_small(size: int) -> None:
    names = [f"class {at}" for at in range(size)]
    values = [[1.0 if i == j else 0.0 for j in names] for i in names]
    (svg,) = drawn(changed("heat", rows=names, columns=names, values=values))

    assert len(svg) < 100_000
    assert "class 0" in texts(svg)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown kind": ({"kind": "pie"}, "`figures.0`.*'line'"),
    "unequal lengths": (
        changed("line", series=[{"name": "a", "x": [1, 2], "y": [1]}]),
        r"`figures\.0\.line\.series\.0`.*1 `y` and 2 `x`",
    ),
    "no number": (
        changed("line", series=[{"name": "a", "x": [1], "y": [float("nan")]}]),
        r"series\.0\.y\.0`.*finite",
    ),
    "text for a number": (
        changed("line", series=[{"name": "a", "x": ["1"], "y": [1]}]),
        "valid number",
    ),
    "outside of its interval": (
        changed("line", series=[{"name": "a", "x": [1], "y": [1], "low": [2], "high": [3]}]),
        "1.0 is not between 2.0 and 3.0",
    ),
    "half an interval": (
        changed("line", series=[{"name": "a", "x": [1], "y": [1], "low": [0]}]),
        "both ends",
    ),
    "negative on a logarithmic axis": (
        changed("line", series=[{"name": "a", "x": [-1], "y": [1]}]),
        "logarithmic axis has no -1",
    ),
    "too many series": (lines(MAX_SERIES + 1), "at most 24"),
    "ragged matrix": (changed("heat", values=[[1, 2, 3], [1, 2], [1, 2, 3]]), "3 columns, and 2"),
    "backwards in time": (
        changed("timeline", spans=[{"row": "a", "start": 2, "stop": 1}]),
        "stops at 1, before it starts at 2",
    ),
    "unknown field": (changed("bars", colour="red"), "colour"),
    "groups without values": (changed("bars", groups=["a"]), "1 groups, and 2 values"),
}


@pytest.mark.parametrize(("figure", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_drawn_is_refused_in_words(figure: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        answer({"format": "svg", "figures": [figure]})


@pytest.mark.parametrize("question", [None, [], {}, {"format": "pdf", "figures": []}, "draw"])
def test_a_question_of_another_shape_is_refused(question: Any) -> None:
    with pytest.raises(ValueError, match="no such figure"):
        answer(question)
