"""What runners cannot do is known when a plan is made."""

from __future__ import annotations

import pytest

from ddspec.errors import DdspecError, Exit
from ddspec.plan import abilities
from ddspec.plan.abilities import missing_parts, require_parts
from ddspec.plan.compile import compile_plan, compile_spec
from ddspec.plan.ir import Plan
from ddspec.spec.load import load_text


def plan_of(preset: str, dataset: str = "cifar10", ipc: int = 10) -> Plan:
    text = (
        f"name: tried\npreset: {preset}\ndataset: {{kind: {dataset}}}\n"
        f"budget: {{images_per_class: {ipc}}}\n"
    )
    return compile_spec(load_text(text, "tried.yaml"))


@pytest.mark.parametrize("preset", ["dc", "dsa", "idc", "acc_dd"])
def test_what_runners_do_asks_for_nothing_more(preset: str) -> None:
    assert missing_parts(plan_of(preset)) == ()


LESS: dict[str, frozenset[str]] = {
    "matcher": frozenset({"gradient"}),
    "trajectory gradient": frozenset(),
    "features": frozenset(),
    "inner": frozenset({"frozen"}),
    "pool": frozenset({"recorded", "fresh", "snapshots"}),
    "protocol": frozenset({"zca"}),
}


@pytest.fixture
def less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runners be able to do less than those of this version."""
    monkeypatch.setattr(abilities, "ABLE", {**abilities.ABLE, **LESS})


@pytest.mark.usefixtures("less")
@pytest.mark.parametrize(
    ("preset", "parts"),
    [
        pytest.param(
            "mtt",
            {
                "inner `unrolled`",
                "matcher `trajectory`",
                "protocol `learned_rate`",
            },
            id="mtt",
        ),
        pytest.param("dm", {"matcher `distribution`"}, id="dm"),
        pytest.param("idm", {"matcher `distribution`", "pool `online`"}, id="idm"),
    ],
)
def test_a_missing_part_is_named(preset: str, parts: set[str]) -> None:
    assert {one.part for one in missing_parts(plan_of(preset))} == parts


@pytest.mark.usefixtures("less")
def test_a_missing_part_tells_which_stages_need_it_and_what_there_is() -> None:
    missing = {one.part: one for one in missing_parts(plan_of("mtt"))}

    assert missing["protocol `learned_rate`"].needed_by.startswith("evaluate/")
    assert missing["matcher `trajectory`"].labels == ("distill",)
    assert missing["matcher `trajectory`"].why == "there is `gradient`"


@pytest.mark.usefixtures("less")
def test_a_plan_that_runners_cannot_do_is_refused_with_all_that_is_missing() -> None:
    with pytest.raises(DdspecError) as caught:
        require_parts(plan_of("dm"))

    assert caught.value.exit is Exit.UNABLE
    assert str(caught.value) == (
        "no runner of this version has matcher `distribution`, which distill needs\n"
        "  hint: there is `gradient`"
    )


@pytest.mark.usefixtures("less")
def test_only_the_stages_that_are_asked_for_count() -> None:
    plan = plan_of("mtt")

    require_parts([stage for stage in plan if stage.label.startswith("select/random")])

    assert compile_plan(plan.experiment).stages == plan.stages
