"""Under statistics matching rows of a schedule are networks of images, in plans of every form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_families import family, planned
from pydantic import ValidationError

from ddspec.canon import digest
from ddspec.console.plan_sections import sections
from ddspec.console.stages_view import render_schedule
from ddspec.errors import DdspecError
from ddspec.plan.codec import read_plan, write_plan
from ddspec.plan.compile import compile_plan
from ddspec.plan.diff import diff
from ddspec.spec.method import StatisticsMatcherSpec

IMAGES, NETWORKS = 10, 3


def test_a_plan_draws_so_many_rows_as_images_have_networks() -> None:
    (work,) = planned("teddy_prior").distillation()
    rows = [work.schedule.row(i) for i in range(IMAGES * NETWORKS)]

    assert work.rows == range(IMAGES * NETWORKS)
    assert work.schedule_digest == digest([row.plain() for row in rows])
    assert len(render_schedule(planned("teddy_prior")).splitlines()) == 1 + IMAGES * NETWORKS


def test_snapshots_on_the_way_read_the_same_rows() -> None:
    loops = {"outer_loops": 20, "snapshots": [5, 10]}
    works = planned("teddy_prior", loops=loops).distillation()

    assert [work.stop for work in works] == [5, 10, 20]
    assert len({work.schedule_digest for work in works}) == 1


def test_one_network_an_image_is_drawn_as_ever() -> None:
    (work,) = planned("sre2l").distillation()

    assert work.schedule.apart is None
    assert work.rows == range(IMAGES)


def test_the_overview_tells_the_networks_of_the_first_images() -> None:
    plan = planned("teddy_prior")
    (work,) = plan.distillation()
    first = [f"m{work.schedule.row(i).member}" for i in range(2 * NETWORKS)]
    words = dict(sections(plan))

    assert words["schedule"][-2:] == [
        f"image 0: {', '.join(first[:NETWORKS])}",
        f"image 1: {', '.join(first[NETWORKS:])} …",
    ]


def test_more_images_begin_with_the_same_networks() -> None:
    more = planned("teddy_prior", budget={"images_per_class": 20})

    found = diff(planned("teddy_prior"), more).schedule

    assert (found.before, found.after, found.shared) == (30, 60, 30)


@pytest.mark.parametrize("name", ["sre2l", "teddy_prior", "teddy_post"])
def test_a_plan_file_is_read_as_it_was_written(name: str, tmp_path: Path) -> None:
    plan = planned(name)

    write_plan(plan, tmp_path / "x.plan.yaml")

    assert read_plan(tmp_path / "x.plan.yaml").stages == plan.stages


def test_a_matcher_that_matches_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="nothing is matched"):
        StatisticsMatcherSpec(kind="statistics", batch_norm=0.0, cross_entropy=0.0)


def test_more_networks_than_a_plan_can_list_are_refused() -> None:
    changes: dict[str, Any] = {"budget": {"images_per_class": 33_334}}

    with pytest.raises(DdspecError, match="100,002 networks are drawn, 3 for each image"):
        compile_plan(family("teddy_prior", **changes))
