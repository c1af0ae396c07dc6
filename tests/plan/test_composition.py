"""Every combination of pieces compiles, or is refused by number and with a reason."""

from __future__ import annotations

from collections import Counter

import pytest
from composed import MATCHERS, UPDATES, Pieces, everything, experiment, refused

from ddspec.plan.check import check
from ddspec.plan.data import data_facts
from ddspec.plan.findings import Report


def report(pieces: Pieces) -> Report:
    asked = experiment(pieces)
    return check(asked, data_facts(asked.dataset), lambda *_: None)


@pytest.mark.parametrize("matcher", MATCHERS)
def test_what_makes_no_sense_is_refused_by_its_rule_and_all_else_compiles(matcher: str) -> None:
    for pieces in everything():
        if pieces.matcher == matcher:
            found = report(pieces).errors

            assert {error.code for error in found} == refused(pieces), pieces
            assert all(error.message and error.hint for error in found), pieces


def test_the_pieces_go_together_in_many_ways() -> None:
    many = Counter(pieces.matcher for pieces in everything() if not refused(pieces))

    assert set(many) == set(MATCHERS)
    assert sum(many.values()) > 1500
    assert min(many.values()) >= len(UPDATES)
