"""The comment of a pull request: what a review says, as Markdown that fits into one comment.

First the summary of each spec, the furthest reaching first; then what is folded away, as long as
there is room. What has none is counted, so no plan is too large for a comment.
"""

from __future__ import annotations

from collections.abc import Sequence

from ddspec.console.budget import GITHUB, Budget, weight, within
from ddspec.console.folded import TEMPLATE
from ddspec.console.links import Links
from ddspec.console.markdown_page import Page
from ddspec.console.review import Report, Review
from ddspec.console.templating import piece
from ddspec.plan.category import CATEGORIES

FOOTER_ROOM = 600
HEADINGS_ROOM = 30_000
"""Bytes for the headings of all specs, which usually take few."""
NOTHING = "<!-- ddspec: -->\n### ddspec · **no spec changes**\n"


def review_markdown(review: Review, links: Links | None = None) -> str:
    """Return one comment for all specs, of less than 65,536 characters."""
    reports = sorted(review.reports, key=_urgency)
    pages = [Page(report, review, links or Links()) for report in reports]
    # every spec has its heading; those that matter most have their summary, then their details
    texts = within((page.heading() for page in pages), HEADINGS_ROOM)
    room = GITHUB - 1 - FOOTER_ROOM - len(pages) - sum(map(weight, texts))
    for index, page in enumerate(pages[: len(texts)]):
        summary = page.summary()
        more = weight(summary) - weight(texts[index])
        if more <= room:
            texts[index] = summary
            room -= more
    left = review.omitted + len(pages) - len(texts)
    texts = _with_folds(pages[: len(texts)], texts, room)
    omitted = [f"{left:,} more specs change"] if left else []
    return with_footer("\n".join(texts) or NOTHING, [*omitted, review.format, "updated in place"])


def _with_folds(pages: Sequence[Page], texts: Sequence[str], room: int) -> list[str]:
    """Return the summaries, each with what is folded away below it while there is room."""
    grown = []
    for page, text in zip(pages, texts, strict=True):
        budget = Budget(room)
        for fold in page.folds():
            budget.add_fold(fold)
        room = budget.room
        grown.append(text + budget.text)
    return grown


def with_footer(body: str, parts: Sequence[str]) -> str:
    """Return a comment with its last line, which says how long all of it is."""
    length = 0
    while True:  # the number of characters is one of them
        count = f"{length:,} of {GITHUB:,} characters"
        text = body + piece(TEMPLATE, "footer")([*parts, count])
        if len(text) == length:
            return text
        length = len(text)


def _urgency(report: Report) -> tuple[bool, int, str]:
    denied = any(row.outcome == "deny" for row in report.policy)
    broken = report.status == "invalid" or denied
    return not broken, -CATEGORIES.index(report.category), report.path
