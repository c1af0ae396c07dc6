"""A matrix as one plan: what variants share, what it is called, and the plan of each alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddspec.errors import DdspecError, Exit
from ddspec.plan.check_judging import order_findings
from ddspec.plan.compile import compile_again, compile_noted, compile_plan, compile_spec
from ddspec.plan.forms import Forms
from ddspec.plan.ir import Plan, spec_digest, spec_digests, stage_key
from ddspec.plan.keys import recomputed_keys
from ddspec.plan.memo import Memo
from ddspec.plan.restrict import restricted
from ddspec.plan.text import dump_plan, load_plan
from ddspec.spec.experiment import Experiment
from ddspec.spec.load import load_text
from ddspec.wire.work import DistillWork, MergeWork

BASE = """\
name: small
dataset: {kind: digits, validation: 0.2}
budget: {images_per_class: 1}
network: {kind: convnet, depth: 2, width: 32}
pool: {kind: recorded, models: 2, epochs: 2}
perturbation:
  kind: filter_gaussian
  directions: 2
  coefficient: {law: uniform_signed, low: 0.01, high: 0.09}
inner: {kind: on_real, steps: 2}
matcher: {kind: gradient, distance: l1}
update: {learning_rate: 2.0e-4}
loops: {outer_loops: 4, inner_steps: 2}
evaluate:
  protocol: {name: short, steps: 100}
  repeats: 2
  baselines: {random: 1, init: 1, full: 1}
"""

Matrices: TypeAlias = Callable[[str], Plan]


def compiled(matrix: str, base: str = BASE) -> Plan:
    """Compile the small spec with a matrix in flow style."""
    return compile_spec(load_text(f"{base}matrix: {matrix}\n", "small.yaml"))


def keys(plan: Plan) -> dict[str, str | None]:
    return {stage.label: stage.key for stage in plan}


def judged(plan: Plan) -> dict[str, str | None]:
    """Return the keys of all but distillation, which variants may cut in their own ways."""
    return {
        label: key
        for label, key in keys(plan).items()
        if not label.startswith(("distill", "merge"))
    }


def alone(**changes: Any) -> Plan:
    """Compile the small spec with sections of its own in place of some."""
    plain = load_text(BASE, "small.yaml").experiment.model_dump(exclude_none=True)
    return compile_plan(Experiment.model_validate({**plain, **changes}))


def test_each_variant_is_the_plan_of_a_spec_of_its_own() -> None:
    plan = compiled("{budget.images_per_class: [1, 2], loops.outer_loops: [3, 4]}")

    found = {one.name: keys(plan.of(one.name)) for one in plan.variants}

    loops = {"inner_steps": 2}
    assert found == {
        f"ipc-{budget}-outer_loops-{count}": keys(
            alone(budget={"images_per_class": budget}, loops={**loops, "outer_loops": count})
        )
        for budget in (1, 2)
        for count in (3, 4)
    }


def test_what_all_share_is_plain_and_the_rest_named_by_its_first_user() -> None:
    plan = compiled("{budget.images_per_class: [1, 2], loops.outer_loops: [3, 4]}")

    labels = [stage.label for stage in plan if not stage.label.startswith("evaluate/convnet")]

    assert labels == [
        "prepare/train",
        "prepare/test",
        "pool/0",
        "pool/1",
        "distill@ipc-1-outer_loops-3",
        "distill@ipc-1-outer_loops-4",
        "distill@ipc-2-outer_loops-3",
        "distill@ipc-2-outer_loops-4",
        "select/random/0@ipc-1-outer_loops-3",
        "select/random/0@ipc-2-outer_loops-3",
        "select/init@ipc-1-outer_loops-3",
        "select/init@ipc-2-outer_loops-3",
        "evaluate/random/convnet2-w32/0@ipc-1-outer_loops-3",
        "evaluate/random/convnet2-w32/0@ipc-2-outer_loops-3",
        "evaluate/init/convnet2-w32/0@ipc-1-outer_loops-3",
        "evaluate/init/convnet2-w32/0@ipc-2-outer_loops-3",
        "evaluate/full/convnet2-w32/0",
    ]


def test_no_key_is_there_twice_and_upstream_comes_first() -> None:
    plan = compiled("{pool.epochs: [1, 2], evaluate.repeats: [1, 3]}")
    seen: set[str] = set()

    for stage in plan:
        assert seen.issuperset(stage.upstream.values())
        seen.add(stage.label)
    assert len({stage.key for stage in plan}) == len(plan.stages)
    assert dict(recomputed_keys(plan.stages)) == keys(plan)


def test_users_of_a_stage_are_the_variants_that_need_it() -> None:
    plan = compiled("{evaluate.repeats: [1, 2, 3]}")

    users = {label: plan.users(label) for label in ("distill", _repeat(plan, 1), _repeat(plan, 2))}

    assert list(users.values()) == [
        ("repeats-1", "repeats-2", "repeats-3"),
        ("repeats-2", "repeats-3"),
        ("repeats-3",),
    ]


def _repeat(plan: Plan, number: int) -> str:
    wanted = f"evaluate/convnet2-w32/{number}"
    return next(stage.label for stage in plan if stage.label.partition("@")[0] == wanted)


def test_shards_of_a_set_that_another_variant_makes_whole_are_left_out() -> None:
    plan = compiled(
        "{variants: {a: {evaluate.repeats: 1}, b: {resources.shards: 2, evaluate.repeats: 3}}}"
    )

    assert not any(isinstance(stage.work, MergeWork) for stage in plan)
    assert [s.label for s in plan if isinstance(s.work, DistillWork)] == ["distill"]
    assert "distill" in keys(plan.of("b"))


def test_a_whole_set_that_another_variant_makes_of_shards_needs_those() -> None:
    plan = compiled(
        "{variants: {a: {resources.shards: 2, evaluate.repeats: 1}, b: {evaluate.repeats: 3}}}"
    )

    made = [label for label in keys(plan.of("b")) if label.startswith(("distill", "merge"))]

    assert made == ["distill/0", "distill/1", "merge"]


def test_the_plan_of_a_matrix_has_another_name_than_that_of_its_variants() -> None:
    plan = compiled("{loops.outer_loops: [3, 4]}")

    assert len({plan.digest, plan.of("outer_loops-3").digest, alone().digest}) == 3
    assert plan.of("outer_loops-4") == alone()


@pytest.mark.parametrize(
    ("matrix", "problem"),
    [
        pytest.param(
            "{budgets.images_per_class: [1]}",
            "small.yaml:18:10: unknown key `budgets`",
            id="an unknown section",
        ),
        pytest.param(
            "{pool.epoch: [1]}", "small.yaml:18:10: unknown key `epoch` in `pool`", id="a typo"
        ),
        pytest.param(
            "{pool.epochs: [1, -2]}",
            "small.yaml:18:27: `epochs` must be an integer of at least 0, not `-2`",
            id="a value that does not fit, in a later variant",
        ),
        pytest.param(
            "{pool: [{kind: recorded, models: 2, epochs: 1}, {kind: other}]}",
            "small.yaml:18:64: `kind` must be one of",
            id="a section that does not fit",
        ),
        pytest.param(
            "{budget.images_per_class: [1, 5000]}",
            "small.yaml:18:39: 5000 real images a class are needed",
            id="a rule between sections",
        ),
        pytest.param(
            "{resources.threads: [1, 2]}",
            "small.yaml:18:1: variants `threads-1` and `threads-2` compute the same",
            id="variants that are one",
        ),
        pytest.param(
            "{variants: {one: {}, two: {loops.outer_loops: 9, "
            "expect: [{above: onee, source: x}]}}}",
            "small.yaml:18:75: there is no other variant `onee` to be above [DDS015]",
            id="an order against a variant that is not there",
        ),
        pytest.param(
            "{variants: {one: {}, two: {loops.outer_loops: 9, expect: [{above: two, source: x}]}}}",
            "there is no other variant `two` to be above",
            id="an order against itself",
        ),
        pytest.param(
            "{title: ['${HOME}']}",
            "variables may be used only in `dataset.path`",
            id="a variable",
        ),
    ],
)
def test_what_does_not_fit_points_into_the_matrix(matrix: str, problem: str) -> None:
    with pytest.raises(DdspecError) as caught:
        compiled(matrix)

    assert caught.value.exit is Exit.INVALID
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("name", "variants", "above", "held"),
    [
        pytest.param("b", ("a", "b"), "a", True, id="another variant"),
        pytest.param("b", ("a", "b"), "b", False, id="itself"),
        pytest.param("b", ("aa", "b"), "a", False, id="one that begins alike"),
        pytest.param("b-seed-0", ("a-seed-0", "b-seed-0"), "a", True, id="replicates of another"),
        pytest.param("b-seed-0", ("a-seed-0", "b-seed-0"), "b", False, id="replicates of itself"),
        pytest.param("b-seed-0", ("a-seed-0", "b-seed-0"), "a-seed-0", True, id="one replicate"),
        pytest.param("", (), "a", False, id="no matrix"),
    ],
)
def test_an_order_is_against_another_variant_or_its_replicates(
    small: Callable[..., Experiment], name: str, variants: tuple[str, ...], above: str, held: bool
) -> None:
    experiment = small(expect=[{"above": above, "source": "x"}])

    found = list(order_findings(experiment, name, variants))

    assert (found == []) is held


def test_problems_of_all_variants_come_at_once() -> None:
    with pytest.raises(DdspecError) as caught:
        compiled("{pool.epochs: [-1, 1, -2], budget.images_per_class: [0, 1]}")

    assert sorted(str(one.place) for one in caught.value.diagnostics) == [
        "small.yaml:18:24",
        "small.yaml:18:31",
        "small.yaml:18:62",
    ]


def test_an_axis_may_give_what_the_rest_of_the_spec_lacks() -> None:
    base = BASE.replace("budget: {images_per_class: 1}\n", "")

    assert len(compiled("{budget.images_per_class: [1, 2]}", base).variants) == 2


def test_folders_without_a_lock_are_shared_as_well_but_have_no_key() -> None:
    base = BASE.replace(
        "{kind: digits, validation: 0.2}", "{kind: folder, path: x, size: 32, classes: [a, b]}"
    )
    plan = compiled("{budget.images_per_class: [1, 2]}", base)

    assert not plan.locked
    assert {stage.key for stage in plan} == {None}
    assert sum(stage.label.startswith("pool") for stage in plan) == 2


def test_different_folders_in_one_matrix_are_refused() -> None:
    base = BASE.replace(
        "{kind: digits, validation: 0.2}", "{kind: folder, path: x, size: 32, classes: [a, b]}"
    )

    with pytest.raises(DdspecError, match="a spec has one data lock"):
        compiled("{dataset.path: [x, y]}", base)


def test_a_note_is_told_once_for_all_variants() -> None:
    loaded = load_text(f"{BASE}matrix: {{loops.outer_loops: [3, 4, 5]}}\n", "small.yaml")

    _, notes = compile_noted(loaded)

    assert len(notes) == len(set(notes))
    assert sum("repeats cannot tell" in note.message for note in notes) == 1


def test_globs_choose_variants_with_what_they_need() -> None:
    plan = compiled("{budget.images_per_class: [1, 2], loops.outer_loops: [3, 4]}")

    some = restricted(plan, ["ipc-2-*"])

    assert [one.name for one in some.variants] == ["ipc-2-outer_loops-3", "ipc-2-outer_loops-4"]
    assert not any("ipc-1" in stage.label for stage in some)
    assert keys(some.of("ipc-2-outer_loops-3")) == keys(plan.of("ipc-2-outer_loops-3"))


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        pytest.param("outer_loops-5", "did you mean `outer_loops-4`?", id="a typo"),
        pytest.param("*x*", "there are `outer_loops-3`, `outer_loops-4`", id="no match"),
    ],
)
def test_a_glob_that_matches_nothing_is_refused(pattern: str, hint: str) -> None:
    plan = compiled("{loops.outer_loops: [3, 4]}")

    with pytest.raises(DdspecError) as caught:
        restricted(plan, [pattern])

    assert hint in str(caught.value)


def test_only_specs_with_a_matrix_have_variants_to_choose() -> None:
    with pytest.raises(DdspecError, match="has no `matrix`"):
        restricted(alone(), ["a"])


MATRICES = (
    "{budget.images_per_class: [1, 2], loops.outer_loops: [3, 4]}",
    "{perturbation: [{kind: none}, {kind: filter_gaussian, directions: 1,"
    " coefficient: {law: fixed, value: 0.5}}]}",
    "{evaluate.repeats: [3, 1, 2], network.width: [32, 16]}",
    "{variants: {a: {loops.snapshots: [1, 2], resources.shards: 2}, b: {loops.outer_loops: 2},"
    " c: {resources.shards: 3, loops.outer_loops: 3}}}",
    "{variants: {a: {resources.shards: 2, evaluate.repeats: 1}, b: {evaluate.repeats: 3}}}",
    "{dataset.kind: [digits, fashion_mnist], include: [{name: other, title: Other, seed: 3}]}",
    "{evaluate.protocol: [idc, {name: x, steps: 7}], update.scaling: [none, idc]}",
    "{evaluate.networks: [[{kind: convnet, depth: 2}, {kind: convnet, depth: 1}],"
    " [{kind: convnet, depth: 1}, {kind: convnet, depth: 2}, {kind: convnet, depth: 3}]]}",
    "{include: [{name: only, inner: {kind: frozen}}]}",
)


@pytest.mark.parametrize("matrix", MATRICES)
def test_a_plan_comes_back_from_its_file_as_it_was(matrix: str) -> None:
    plan = compiled(matrix)

    assert load_plan(dump_plan(plan, made_from="small.yaml"), "x")[0] == plan


@pytest.mark.parametrize("matrix", MATRICES)
def test_a_plan_compiles_again_from_what_is_in_it(matrix: str) -> None:
    plan = compiled(matrix)

    assert compile_again(plan) == plan


AXES = {
    "budget.images_per_class": st.integers(1, 5),
    "loops.outer_loops": st.integers(1, 9),
    "pool.models": st.integers(1, 4),
    "evaluate.repeats": st.integers(1, 4),
    "network.width": st.sampled_from([8, 16, 32]),
    "resources.shards": st.integers(1, 3),
    "inner.steps": st.integers(1, 3),
    "perturbation.coefficient.high": st.sampled_from([0.01, 0.5, 1.0]),
    "seed": st.integers(0, 3),
}


@st.composite
def matrices(draw: st.DrawFn) -> str:
    """Draw a matrix of up to three axes, as it is written."""
    names = draw(st.lists(st.sampled_from(sorted(AXES)), min_size=1, max_size=3, unique=True))
    axes = {name: draw(st.lists(AXES[name], min_size=1, max_size=3, unique=True)) for name in names}
    return "{" + ", ".join(f"{name}: {values}" for name, values in axes.items()) + "}"


@settings(max_examples=60, deadline=None)
@given(matrices())
def test_plan_to_file_to_plan_is_the_identity_of_any_matrix(matrix: str) -> None:
    try:
        plan = compiled(matrix)
    except DdspecError as error:
        assert "compute the same" in str(error)  # noqa: PT017  # a matrix over shards alone
        return

    again = load_plan(dump_plan(plan), "x")[0]

    assert again == plan
    assert again.digest == plan.digest
    for one in plan.variants:
        assert judged(again.of(one.name)) == judged(compile_plan(one.experiment))


def test_a_key_in_a_file_that_does_not_follow_is_refused() -> None:
    text = dump_plan(compiled("{loops.outer_loops: [3, 4]}"))
    line = next(line for line in text.splitlines() if '"label": "distill@outer_loops-4"' in line)
    key = line.rpartition('"key": "')[2][:16]

    with pytest.raises(DdspecError, match="has another key than its work"):
        load_plan(text.replace(key, "0" * 16), "x")


def forms_of(plans: Iterable[Plan]) -> None:
    """Compare pieced keys and digests with those of the whole."""
    forms = Forms()
    for plan in plans:
        for stage in plan:
            assert forms.key(stage.work, stage.inputs) == stage_key(stage.work, stage.inputs)
        assert list(spec_digests(plan.variants)) == [
            (one.name, spec_digest(one.experiment)) for one in plan.variants
        ]


def test_pieced_keys_are_those_of_the_whole(specified: Callable[[str], Plan]) -> None:
    specs = ("digits", "cifar10", "fashion_mnist", "imagenet100")

    forms_of([*map(specified, specs), *map(compiled, MATRICES)])


def test_what_reads_the_same_sections_is_made_once() -> None:
    calls = []

    def make(experiment: Experiment, number: int) -> int:
        calls.append(number)
        return experiment.budget.images_per_class + number

    memo, one = Memo(), alone().experiment
    other = one.model_copy(update={"loops": one.loops.model_copy(update={"outer_loops": 9})})
    third = one.model_copy(update={"budget": one.budget.model_copy(update={"images_per_class": 2})})

    found = [memo.once(make, each, number) for number in (0, 1) for each in (one, other, third)]

    assert found == [1, 1, 2, 2, 2, 3]
    assert calls == [0, 0, 1, 1]


def test_equal_sections_become_one() -> None:
    memo, one = Memo(), alone().experiment
    copies = [
        memo.known(one.model_copy(update={"loops": one.loops.model_copy()}), one) for _ in range(2)
    ]

    assert copies[0].loops is copies[1].loops
    assert replace(alone().variants[0], experiment=copies[0]).experiment == one
