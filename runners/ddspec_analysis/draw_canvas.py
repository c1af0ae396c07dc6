"""A figure before anything is drawn on it, and as SVG or PNG after."""

from __future__ import annotations

import hashlib
import re
import warnings
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO, StringIO

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ddspec_analysis.draw_looks import INK, SETTINGS
from ddspec_analysis.draw_model import Framed
from ddspec_analysis.draw_words import columns_of, longest, wrapped

IMAGE_DPI = 192
"""Of the pixels of a matrix within SVG."""
LINE_INCHES = 0.19
"""Height of a line of a title or legend."""
TITLE_LINES, NOTE_LINES, LEGEND_LINES = 3, 2, 4
NOTE_POINTS = 7.5
EDGE_INCHES = 0.06
HANDLE_CHARS = 7
"""Width of a legend's sample, in characters."""

_TAG = re.compile(r"<[^<>]+>")
_PROLOG = re.compile(r"\A.*?(?=<svg\b)", re.DOTALL)
_PAGE_STYLE = re.compile(r"\s*<defs>\s*<style type=\"text/css\">[^<]*</style>\s*</defs>")
_UNUSED_ID = re.compile(
    r' id="(?:figure|axes|patch|line2d|text|xtick|ytick|matplotlib[.]axis|legend|PolyCollection'
    r'|LineCollection|PathCollection|FillBetweenPolyCollection|image)[^"]*"'
)
_UNTURNED = re.compile(r' transform="rotate[(]-?0 [^"]*"')
_LINK = re.compile(r'(id="|href="#|url\(#)')
_ROOT_STYLE = 'style="max-width: 100%; height: auto; stroke-linejoin: round; stroke-linecap: butt"'

FONT, FONTS = "'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif"
"""What text is measured with, and what a page without it takes; that is no wider."""

Handle = tuple[Artist, str]
"""A sample of a legend and its name."""


@contextmanager
def looks(salt: str) -> Iterator[None]:
    """Draw with our settings alone; a salt names the parts of one figure apart from another's."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        # a font that lacks a character draws a box, which is what it should do
        warnings.filterwarnings("ignore", message=r"Glyph \d+.*missing from")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)  # type: ignore[arg-type]  # keys as plain text
        matplotlib.rcParams["svg.hashsalt"] = salt
        yield


def canvas(asked: Framed, height: float, names: Sequence[str]) -> tuple[Figure, Axes]:
    """Return a figure with room for its title and for a legend of so many names beside `height`."""
    width = asked.width
    heading = wrapped(asked.title, columns_of(width) * 10 // 11, TITLE_LINES)
    note = wrapped(asked.note, columns_of(width) * 10 // 8, NOTE_LINES)
    extra = LINE_INCHES * sum(text.count("\n") + 1.5 for text in (heading, note) if text)
    figure = Figure(figsize=(width, height + extra + _legend_inches(width, names)))
    figure.set_layout_engine("constrained", w_pad=EDGE_INCHES, h_pad=EDGE_INCHES)
    axes = figure.add_subplot()
    if heading:
        figure.suptitle(heading, fontsize=matplotlib.rcParams["axes.titlesize"])
    if note:
        axes.set_title(note, fontsize=NOTE_POINTS, alpha=0.8)
    return figure, axes


def legend(figure: Figure, width: float, handles: Sequence[Handle]) -> None:
    """Name the series below the figure."""
    if not handles:
        return
    names = _legend_names(width, [name for _, name in handles])
    # a name that begins with an underscore would be left out, so names are given afterwards
    drawn = figure.legend(
        [handle for handle, _ in handles],
        [str(number) for number in range(len(handles))],
        loc="outside lower center",
        ncols=_legend_columns(width, names),
    )
    for text, name in zip(drawn.get_texts(), names, strict=True):
        text.set_text(name)


def svg(figure: Figure, salt: str) -> str:
    """Return a figure as SVG that stands in a page: its ink is the colour of the text around it."""
    file = StringIO()
    empty = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(file, format="svg", metadata=empty, dpi=IMAGE_DPI)
    text = _PAGE_STYLE.sub("", _PROLOG.sub("", file.getvalue()))
    named = _TAG.sub(lambda tag: _tag(tag.group(), salt), text)
    return named.replace("<svg ", f'<svg role="img" {_ROOT_STYLE} ', 1)


def png(figure: Figure, dpi: int) -> str:
    """Return a figure as PNG on white, in base64."""
    file = BytesIO()
    figure.savefig(file, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
    return b64encode(file.getvalue()).decode("ascii")


def salt_of(text: str) -> str:
    """Return a short name of some text."""
    return "f" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _tag(tag: str, salt: str) -> str:
    """Return a tag with our ink as `currentColor`, and ids that no other figure of a page has."""
    if tag.startswith("<image"):
        return tag  # holds its pixels as text
    plain = tag.replace(INK, "currentColor").replace(FONT, FONTS)
    tag = _UNTURNED.sub("", _UNUSED_ID.sub("", plain))
    return _LINK.sub(lambda link: f"{link.group()}{salt}-", tag)


def _legend_names(width: float, names: Sequence[str]) -> list[str]:
    return [wrapped(name, columns_of(width) - HANDLE_CHARS, LEGEND_LINES) for name in names]


def _legend_columns(width: float, names: Sequence[str]) -> int:
    return max(1, min(len(names), columns_of(width) // (longest(names) + HANDLE_CHARS)))


def _legend_inches(width: float, names: Sequence[str]) -> float:
    """Return the height of a legend; what stands in one row is as high as its highest."""
    told = _legend_names(width, names)
    if not told:
        return 0.0
    rows = -(-len(told) // _legend_columns(width, told))
    highest = sorted((name.count("\n") + 1 for name in told), reverse=True)[:rows]
    return LINE_INCHES * (sum(highest) + 0.5)
