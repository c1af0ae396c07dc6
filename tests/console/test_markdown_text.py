"""Whatever text a title or a setting holds, it renders as text and as nothing else."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ddspec.console.markdown_text import code, escaped, marker, prose, quoted
from ddspec.visible import visible

RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

HOSTILE = [
    "@team please look",
    "fixes #12, owner/repo#3, GH-4",
    "| a | b |\n|---|---|",
    "`code` ``` more",
    "<script>alert(1)</script><!-- x -->",
    "[a](javascript:b) ![c](http://d) <http://e> [f]: g",
    "https://evil.example www.evil.example a@evil.example",
    "*b* _i_ ~~s~~ # h\n- l\n1. n\n> q\n---",
    "\u202eright to left\u2066 \u200b\ufeff",
    "&lt;b&gt; &#64;team &commat;team",
    "$x$ $$y$$ :smile: :+1:",
    "\\@team \\| \\`",
    "e1c07b94d2aa e1c07b94d2aae1c07b94d2aae1c07b94d2aae1c0",
    "</details></code></td></table>",
    "\x00\x1b[31m\r\n\t",
    "\ud800",
]
PIECES = st.sampled_from([*HOSTILE, *"@#|`<>[]()*_~\\&!:$/-.\n ", "a", "www.", "://", "GH-", "1"])
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=6).map("".join))

MENTION = re.compile(r"[@#]\w|://|\bwww\.|\bGH-\d|:[\w+-]+:|\b[0-9a-f]{7,40}\b", re.IGNORECASE)
"""What GitHub's filters make of text that was rendered."""


class Shape(HTMLParser):
    """The tags and comments of some HTML, and its text outside of code."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.text = ""
        self.words = ""
        self.depth = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.depth += tag == "code"
        self.tags.append(f"<{tag}>")

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag == "code"
        self.tags.append(f"</{tag}>")

    def handle_comment(self, data: str) -> None:
        self.tags.append("<!---->")

    def handle_data(self, data: str) -> None:
        self.text += data
        self.words += "" if self.depth else data


def shape(*cells: str) -> Shape:
    """Render cells of a table, a heading and a paragraph that hold some Markdown."""
    table = f"| a | b |\n|---|---|\n| x {cells[0]} y | {cells[1]} |\n| last | row |\n"
    return Shape(RENDERER.render(f"### h {cells[0]} · **v**\n\np {cells[1]}\n\n{table}"))


@settings(max_examples=300, deadline=None)
@given(TEXTS)
@example("|")
@example("`")
@example("a\n\n# b")
def test_hostile_text_leaves_the_structure_as_it_is(text: str) -> None:
    plain = shape("text", "text")

    assert shape(escaped(text), escaped(text)).tags == plain.tags


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_hostile_text_is_shown_as_it_is_and_names_nobody(text: str) -> None:
    shown = shape(escaped(text), "").words.split("x ", 1)[-1]

    assert MENTION.search(shown) is None
    rendered = Shape(RENDERER.render(f"p {escaped(text)}")).text.replace("\u200b", "")
    assert " ".join(rendered[2:].split()) == " ".join(visible(" ".join(text.split())).split())


@settings(max_examples=300, deadline=None)
@given(TEXTS.filter(lambda text: bool(text.split())))
def test_hostile_text_stays_inside_its_code(text: str) -> None:
    assert shape(code(text), code(text)).tags == shape("`c`", "`c`").tags


@settings(max_examples=300, deadline=None)
@given(TEXTS)
@example("a `b` c")
def test_messages_quote_names_and_are_text_besides(text: str) -> None:
    rendered = Shape(RENDERER.render(f"x {prose(text)} y"))

    assert set(rendered.tags) <= {"<p>", "</p>", "<code>", "</code>"}
    assert MENTION.search(rendered.words) is None


@pytest.mark.parametrize("text", HOSTILE)
def test_a_marker_is_one_comment_and_a_path_one_address(text: str) -> None:
    assert Shape(RENDERER.render(f"{marker(text)}\n")).tags == ["<!---->"]
    assert re.fullmatch(r"[A-Za-z0-9_./%-]*", quoted(text))


@pytest.mark.parametrize("text", ["-", "- x", "+ x", "1. x", "2) x", "---", "=", "==="])
def test_text_at_the_beginning_of_a_line_begins_nothing(text: str) -> None:
    rendered = Shape(RENDERER.render(f"p\n{escaped(text)}"))

    assert rendered.tags == Shape(RENDERER.render("p\nx")).tags
    assert text in rendered.text


@pytest.mark.parametrize("text", ["-5.2 points", "3.5 h", "+16.1", "2026-11-20", "a = b"])
def test_numbers_at_the_beginning_stay_readable(text: str) -> None:
    assert escaped(text) == text


def test_plain_text_stays_readable() -> None:
    assert escaped("Acc-DD 5x (CVPR 2023), Table 2") == "Acc-DD 5x (CVPR 2023), Table 2"
    assert code("specs/x.yaml:12") == "`specs/x.yaml:12`"
    assert marker("specs/imagenet100.yaml") == "<!-- ddspec:specs/imagenet100.yaml -->"
