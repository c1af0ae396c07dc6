"""One spec of each family of methods, small enough to read, and what it compiles to."""

from __future__ import annotations

from collections import Counter

import pytest
from fake_families import FAMILIES, RESNET, SHORT, TAUGHT, family, planned

from ddspec.plan.admit import LABELS
from ddspec.plan.category import REACHES
from ddspec.plan.compile import compile_plan
from ddspec.plan.document_parts import WORKS
from ddspec.plan.ir import Plan
from ddspec.plan.keys import recomputed_keys
from ddspec.wire.work import (
    CheckpointWork,
    DistillWork,
    EvaluateWork,
    PretrainWork,
    PruneWork,
    RelabelWork,
)


def kinds(plan: Plan) -> Counter[str]:
    return Counter(stage.work.kind for stage in plan)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_compiles_and_its_keys_follow_from_its_works(name: str) -> None:
    plan = planned(name)

    assert dict(recomputed_keys(plan.stages)) == {stage.label: stage.key for stage in plan}


def test_every_kind_of_work_has_labels_and_a_reach() -> None:
    assert set(WORKS) == set(LABELS) == set(REACHES)


@pytest.mark.parametrize(
    ("name", "pool"),
    [
        pytest.param("dc", {}, id="fresh networks have no stage"),
        pytest.param("idm", {}, id="nor have those of a queue"),
        pytest.param("mtt", {"pretrain": 4}, id="an expert is one stage with all its epochs"),
        pytest.param("teddy_prior", {"pretrain": 1}, id="a run with several snapshots is one"),
        pytest.param("teddy_post", {"pretrain": 1, "prune": 4}, id="networks cut from one"),
    ],
)
def test_a_pool_has_as_many_stages_as_it_trains_networks(name: str, pool: dict[str, int]) -> None:
    found = kinds(planned(name))

    assert {
        kind: found[kind] for kind in ("pretrain", "checkpoint", "prune") if found[kind]
    } == pool


def distillation(plan: Plan) -> DistillWork:
    (work,) = [stage.work for stage in plan if isinstance(stage.work, DistillWork)]
    return work


def test_an_outer_loop_of_trajectories_has_an_expert_and_a_start() -> None:
    work = distillation(planned("mtt"))
    rows = list(work.schedule.rows(0, 200))

    assert work.record == tuple(range(11))
    assert {row.member for row in rows} == {0, 1, 2, 3}
    assert {row.start for row in rows} == {0, 1, 2, 3}


def test_snapshots_of_one_run_are_members_of_their_own() -> None:
    work = distillation(planned("teddy_prior"))

    assert work.record == (1, 6, 11, 16, 21, 26, 31, 36, 41)
    assert work.schedule.members == 9


def test_experts_and_images_are_whitened_alike() -> None:
    plan = planned("mtt")
    experts = [stage.work for stage in plan if isinstance(stage.work, PretrainWork)]

    assert {work.zca for work in experts} == {0.1} == {distillation(plan).parameterization.zca_eps}
    assert plan.stage("evaluate/convnet3/0").upstream["train"] == "prepare/train"


def test_recorded_labels_are_a_stage_between_a_set_and_its_students() -> None:
    plan = planned("sre2l")
    relabel = plan.stage("relabel")
    label = "evaluate/resnet18-cifar/0"

    assert relabel.upstream == {"set": "distill", "teacher/0": "pool/0"}
    assert plan.stage(label).upstream["labels"] == "relabel"
    assert plan.stage("evaluate/random/resnet18-cifar/3").upstream["labels"] == "relabel/random/3"
    assert kinds(plan)["relabel"] == 1 + 10 + 1


def test_real_images_are_labelled_by_the_teachers_as_they_are_seen() -> None:
    stage = planned("sre2l").stage("evaluate/full/resnet18-cifar/0")

    assert isinstance(stage.work, EvaluateWork)
    assert stage.work.teachers is not None
    assert stage.upstream["teacher/0"] == "pool/0"


def test_teachers_may_be_asked_while_a_student_is_trained() -> None:
    plan = planned("teddy_post")
    upstream = plan.stage("evaluate/resnet18-cifar/0").upstream

    assert kinds(plan)["relabel"] == 0
    assert [upstream[f"teacher/{i}"] for i in range(4)] == [f"pool/{i}" for i in range(4)]


def test_pruned_networks_are_cut_from_one_and_cycle_through_their_epochs() -> None:
    plan = planned("teddy_post")
    cut = [stage for stage in plan if isinstance(stage.work, PruneWork)]

    assert {stage.upstream["network"] for stage in cut} == {"pool/converged"}
    assert [stage.work.epochs for stage in cut if isinstance(stage.work, PruneWork)] == [0, 1, 2, 0]


def test_published_weights_are_named_by_content_and_found_by_place() -> None:
    pool = {"kind": "pruned", "converged": {"kind": "torchvision"}, "flops": 1.2e9}
    network = {"kind": "torchvision", "model": "resnet18", "stem": "imagenet"}
    plan = compile_plan(
        family(
            "teddy_post",
            pool=pool,
            network=network,
            dataset={"kind": "imagenet1k", "size": 224},
            evaluate={"networks": [RESNET]},
        )
    )
    stage = plan.stage("pool/converged")

    assert isinstance(stage.work, CheckpointWork)
    assert stage.work.content == "f37072fd"
    assert stage.location == {"path": "hub/checkpoints/resnet18-f37072fd.pth"}


def test_students_of_any_optimiser_share_the_labels_of_a_set() -> None:
    other = {"protocol": {**TAUGHT, "optimizer": {"kind": "sgd", "learning_rate": 0.2}}}
    before, after = planned("sre2l"), planned("sre2l", evaluate=other)

    assert before.stage("relabel").key == after.stage("relabel").key
    assert before.stages[-1].key != after.stages[-1].key


def test_what_publications_report_is_no_part_of_a_key() -> None:
    reported = {"protocol": {**SHORT, "zca": 0.1, "learned_rate": True, "reported": "best_on_test"}}

    before, after = planned("mtt"), planned("mtt", evaluate=reported)

    assert [stage.key for stage in before] == [stage.key for stage in after]


def test_the_number_of_loops_is_in_a_key_only_where_the_rate_depends_on_it() -> None:
    longer = {"loops": {"outer_loops": 40, "inner_steps": 1, "snapshots": [20]}}

    constant = [planned("ftd").stage("distill"), planned("ftd", **longer).stage("distill/to-20")]
    cosine = [planned("sre2l").stage("distill"), planned("sre2l", **longer).stage("distill/to-20")]

    assert constant[0].key == constant[1].key
    assert cosine[0].key != cosine[1].key


def test_a_relabelling_says_what_decides_the_views_and_nothing_of_the_student() -> None:
    work = planned("sre2l").stage("relabel").work

    assert isinstance(work, RelabelWork)
    assert (work.epochs, work.batch, work.mixup) == (3, 64, 0.8)
    assert "optimizer" not in work.model_dump()
