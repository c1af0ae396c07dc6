"""A page as a reader finds it: words, headings, and everything that could load something."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

HOLLOW = {"meta", "img", "br", "rect", "line", "circle", "use", "path", "link"}
HIDDEN = {"style", "svg", "title"}
LOADING = {"src", "href", "xlink:href", "srcset", "action", "data", "poster", "style", "background"}


@dataclass
class Page(HTMLParser):
    """What a page holds; AssertionError where a tag is not closed as it was opened."""

    text: list[str] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    headings: list[int] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())

    @property
    def links(self) -> list[str]:
        """Return the values of all attributes that could load something."""
        return [value for _, found in self.tags for name, value in found.items() if name in LOADING]

    def named(self, tag: str) -> list[dict[str, str]]:
        return [found for name, found in self.tags if name == tag]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            self.headings.append(int(tag[1]))
        if tag not in HOLLOW:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        opened = self._open.pop()
        assert opened == tag, f"<{opened}> is closed by </{tag}>"

    def handle_data(self, data: str) -> None:
        if HIDDEN.isdisjoint(self._open):
            self.text.append(data)

    def close(self) -> None:
        super().close()
        assert not self._open, f"never closed: {self._open}"


def read(html: str) -> Page:
    """Return a page, all of whose tags are closed."""
    page = Page()
    page.feed(html)
    page.close()
    return page
