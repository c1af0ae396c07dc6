"""The page of the specs that ship is current, and what it shows was measured for these specs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddspec.cli.exhibits import Gallery, gallery_of
from ddspec.cli.spec_files import MEASURED, PICTURES

SPECS = Path(__file__).parents[2] / "specs"
MOST_BYTES = 60_000


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return gallery_of(SPECS)


def test_the_page_is_current(gallery: Gallery) -> None:
    made_by = "make it anew: ddspec gallery specs -o specs/README.md"

    assert (SPECS / "README.md").read_text() == gallery.page(), made_by


def test_no_results_and_no_pictures_are_of_a_spec_that_is_gone(gallery: Gallery) -> None:
    assert gallery.strays == ()


def test_what_was_measured_was_measured_for_these_very_plans(gallery: Gallery) -> None:
    plans = {one.path: (one.record.plan, one.plan) for one in gallery.exhibits if one.record}

    assert len(plans) >= 7
    assert {path for path, (then, now) in plans.items() if then != now} == set()


def test_every_measured_spec_has_a_small_picture(gallery: Gallery) -> None:
    pictures = {one.path: one.picture for one in gallery.exhibits if one.record}

    assert all(pictures.values())
    sizes = {path.name: path.stat().st_size for path in (SPECS / PICTURES).rglob("*.png")}
    assert {name for name, size in sizes.items() if size > MOST_BYTES} == set()


def test_records_hold_no_path_of_a_machine() -> None:
    texts = {path.name: path.read_text() for path in (SPECS / MEASURED).rglob("*.json")}

    assert texts
    assert {name for name, text in texts.items() if '"/' in text} == set()
