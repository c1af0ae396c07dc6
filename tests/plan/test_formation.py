"""What a plan counts and hashes of sets that decode to more images than they hold."""

from __future__ import annotations

from typing import Any

import pytest

from ddspec.console.plan_sections import sections
from ddspec.plan.data import data_facts
from ddspec.plan.estimate import stage_cost
from ddspec.plan.works import distill_work, evaluate_work, init_work, views_per_class
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.experiment import Experiment
from ddspec.spec.learned import MultiFormationSpec, views_of

FACTORS = {"kind": "multi_formation", "factor": 3}


def formed(**changes: Any) -> MultiFormationSpec:
    return MultiFormationSpec.model_validate({**FACTORS, **changes})


@pytest.mark.parametrize(
    ("decode", "images", "views"),
    [
        pytest.param(None, 20, 180, id="one factor is the default"),
        pytest.param("single", 20, 180, id="one factor"),
        pytest.param("multi", 20, 20 * (1 + 4 + 9), id="all factors"),
        # 12 images of 9, 3 of 4 and 5 of 1: the official code's loop, run by hand
        pytest.param("bound", 20, 125, id="bounded"),
        pytest.param("bound", 10, 90, id="within the bound"),
        pytest.param("bound", 128, 128, id="at the bound"),
        pytest.param("bound", 200, 200, id="more images than the bound"),
    ],
)
def test_a_formation_says_how_many_images_it_makes(
    decode: str | None, images: int, views: int
) -> None:
    assert views_of(formed(decode=decode), images) == views


@pytest.mark.parametrize("factor", range(1, 9))
def test_a_bounded_formation_cuts_every_image_once_and_keeps_its_bound(factor: int) -> None:
    spec = formed(factor=factor, decode="bound")

    for images in range(1, 140):
        cuts = spec.formation(images)
        covered = [i for _, start, stop in cuts for i in range(start, stop)]
        assert covered == list(range(images))
        assert [cut for cut, _, _ in cuts] == sorted({cut for cut, _, _ in cuts}, reverse=True)
        assert views_of(spec, images) <= max(128, images)


def test_a_finished_set_is_counted_as_it_is_used(small: Any) -> None:
    experiment: Experiment = small(
        budget__images_per_class=20,
        parameterization={**FACTORS, "factor": 2, "decode": "multi", "used": "single"},
    )
    data = data_facts(experiment.dataset, None)

    assert views_per_class(experiment, data, "distilled") == 80
    assert views_per_class(experiment, data, "init") == 80
    assert views_per_class(experiment, data, "random") == 20
    protocol = ProtocolSpec(name="by_size", epochs="idc_by_size")
    work = evaluate_work(
        experiment, data, protocol, experiment.network, set_name="distilled", repeat=0
    )
    assert work.protocol.epochs == 1000


@pytest.mark.parametrize(
    "written",
    [{"decode": "single"}, {"used": "single"}, {"decode": "single", "used": "single"}],
    ids=str,
)
def test_writing_a_default_of_the_formation_changes_no_work(
    small: Any, written: dict[str, str]
) -> None:
    plain = small(parameterization={**FACTORS, "factor": 2})
    same = small(parameterization={**FACTORS, "factor": 2, **written})
    data = data_facts(plain.dataset, None)

    assert distill_work(same, data, 0, 1) == distill_work(plain, data, 0, 1)
    assert init_work(same) == init_work(plain)


def test_another_formation_is_another_work(small: Any) -> None:
    plain = small(parameterization={**FACTORS, "factor": 2})
    data = data_facts(plain.dataset, None)

    for written in ({"decode": "multi"}, {"decode": "bound"}, {"used": "multi"}):
        other = small(parameterization={**FACTORS, "factor": 2, **written})
        assert distill_work(other, data, 0, 1) != distill_work(plain, data, 0, 1)


def test_a_plan_tells_both_counts_where_they_differ(planned: Any) -> None:
    plan = planned(
        budget__images_per_class=10,
        parameterization={**FACTORS, "factor": 2, "decode": "multi", "used": "single"},
    )

    budget = dict(sections(plan))["budget"]

    assert "factor 2 single: 400 training views" in budget
    assert "multi while learning: 500" in budget


def test_a_whitening_is_counted_where_it_is_written_and_held(planned: Any) -> None:
    whitened = {
        "parameterization": {"kind": "pixels", "space": "zca"},
        "evaluate__protocol": {"name": "short", "steps": 100, "zca": 0.1},
        "evaluate__baselines": {"random": 1, "init": 1},
    }
    changed = {**whitened, "parameterization": {"kind": "pixels", "space": "normalised"}}
    changed["evaluate__protocol"] = {"name": "short", "steps": 100}
    white, plain = planned(**whitened), planned(**changed)

    # digits have 8 x 8 numbers: two 64 x 64 matrices and a mean in float32, three headers of 78
    whitening = 4 * (2 * 64**2 + 64) + 3 * 78
    for label in ("distill", "select/init"):
        more, less = (stage_cost(plan, plan.stage(label).work) for plan in (white, plain))
        assert (more.output_bytes or 0) - (less.output_bytes or 0) == whitening
    for label in ("pool/0", "distill", "evaluate/convnet2-w32/0"):
        more, less = (stage_cost(plan, plan.stage(label).work) for plan in (white, plain))
        assert more.memory_bytes - less.memory_bytes == whitening
