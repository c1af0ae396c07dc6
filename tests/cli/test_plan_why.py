"""Where values come from and why stages run, from the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from fake_cli import SPEC, Shell

from ddspec.errors import Exit

LONGER = SPEC.replace("outer_loops: 2", "outer_loops: 3")
ABOVE = SPEC.replace("epochs: 1", "epochs: 2")


def state(shell: Shell, label: str, spec: str = "small.yaml") -> str:
    stages = shell("plan", spec, "--json").json["stages"]
    return str(next(one["why"]["state"] for one in stages if one["label"] == label))


# --- values ---------------------------------------------------------------------------------------


def test_every_setting_is_listed_with_its_line(shell: Shell) -> None:
    lines = shell("plan", "small.yaml", "--values").out.splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines}

    assert rows["pool.epochs"] == ["1", "small.yaml:6"]
    assert rows["pool.batch"] == ["64", "default"]
    assert rows["evaluate.repeats"] == ["2", "small.yaml:13"]


def test_values_of_one_section_or_of_a_glob_are_listed_alone(shell: Shell) -> None:
    section = shell("plan", "small.yaml", "pool", "--values").out.splitlines()
    glob = shell("plan", "small.yaml", "--values", "*.learning_rate").out.splitlines()

    assert {line.split()[0].split(".")[0] for line in section} == {"pool"}
    assert {line.split()[0].split(".")[-1] for line in glob} == {"learning_rate"}


def test_values_as_json_are_whole(shell: Shell) -> None:
    found = shell("plan", "small.yaml", "--values", "--why", "distill", "--json").json

    assert found["format"] == "ddspec.plan-view/1"
    assert {"path": "pool.epochs", "value": 1, "where": "small.yaml:6"} in found["settings"]
    assert found["why"] == [{"label": "distill", "state": "run", "reason": "never run"}]


def test_a_preset_is_named_with_its_file_and_its_source(shell: Shell) -> None:
    budget = "budget: {images_per_class: 10}"
    shell.write("x.yaml", f"name: x\npreset: acc_dd\ndataset: {{kind: cifar10}}\n{budget}\n")
    out = shell("plan", "x.yaml", "--values").out
    (row,) = (line for line in out.splitlines() if line.startswith(" pool.models "))

    assert row.split()[1] == "5"
    assert row.split()[2].startswith("presets/methods/acc_dd.yaml:")
    assert "preset acc_dd: " in row
    assert " perturbation.coefficient: takes code  presets/methods/acc_dd.yaml:" in out


def test_a_plan_file_has_values_too(shell: Shell) -> None:
    shell("plan", "small.yaml", "-o", "small.plan.yaml")
    (row,) = shell("plan", "small.plan.yaml", "--values", "pool.epochs").out.splitlines()

    assert row.split() == ["pool.epochs", "1", "small.plan.yaml"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("--values", "pool.epoch"), "did you mean `pool.epochs`?"),
        (("--why", "pool/9"), "did you mean `pool/"),
        (("pool",), ""),
    ],
    ids=["a setting", "a stage", "a setting without --values"],
)
def test_what_is_not_there_is_a_mistake_of_usage(
    arguments: tuple[str, ...], hint: str, shell: Shell
) -> None:
    ended = shell("plan", "small.yaml", *arguments)

    assert ended.code == Exit.USAGE
    assert hint in ended.err


# --- why ------------------------------------------------------------------------------------------


def test_before_any_run_every_stage_says_that_it_was_never_run(shell: Shell) -> None:
    out = shell("plan", "small.yaml", "--why", "*").out

    assert out.endswith("will run: no run here has asked for it\n")
    assert out.startswith("prepare/train, prepare/test, pool/0..1, distill,")


def test_a_change_is_followed_to_the_line_on_both_sides(shell: Shell) -> None:
    shell("run", "small.yaml")
    shell.write("small.yaml", f"# a comment\n{ABOVE}")

    out = shell("plan", "small.yaml").out
    why = shell("plan", "small.yaml", "--why", "evaluate/convnet2-w8/0").out

    assert " pool/0..1 " in out
    assert (
        " changed    pool/0..1: pool.epochs 1 -> 2 · small.yaml:7, was :6 · 3 stages below" in out
    )
    assert " --why evaluate/convnet2-w8/1 " in " ".join(out.split())
    assert "will run: changed since the run of " in why
    assert " this changed because distill changed" in why
    assert " distill changed because pool/0..1 changed" in why
    assert "   pool.epochs 1 -> 2\n      small.yaml:7 (was small.yaml:6)" in why
    assert state(shell, "distill") == "changed"
    assert state(shell, "prepare/train") == "in store"


def test_a_setting_that_is_changed_back_is_in_store_again(shell: Shell) -> None:
    shell("run", "small.yaml")
    shell.write("small.yaml", LONGER)
    shell("run", "small.yaml")
    shell.write("small.yaml", SPEC)

    assert shell("plan", "small.yaml", "--exit-code").code == 0


def test_a_stage_that_failed_says_how_it_ended(shell: Shell) -> None:
    shell.behave(**{"evaluate__init__convnet2-w8__0": 65})
    shell("run", "small.yaml")

    out = shell("plan", "small.yaml", "--why", "evaluate/init").out

    assert "asked for it and did not finish it; the last attempt: failed" in out


def test_a_damaged_output_is_named(shell: Shell) -> None:
    shell("run", "small.yaml")
    label = "evaluate/init/convnet2-w8/0"
    stages = shell("plan", "small.yaml", "--json").json["stages"]
    key = next(one["key"] for one in stages if one["label"] == label)
    (shell.home / "objects" / key[:2] / key / "data").unlink()

    out = shell("plan", "small.yaml", "--why", label).out

    assert "is damaged, data is missing" in out
    assert f" damaged    {label}: data is missing" in shell("plan", "small.yaml").out
    assert state(shell, label) == "run"


def test_what_other_code_made_is_in_store_and_says_so(shell: Shell) -> None:
    shell("run", "small.yaml")
    shell.monkeypatch.setattr("ddspec.engine.source.runners_digest", lambda: "5e6f" * 16)

    out = shell("plan", "small.yaml").out
    why = shell("plan", "small.yaml", "--why", "distill").out

    assert " other code 13 stages: made by runners " in out
    assert ", here 5e6f5e6f" in why
    assert state(shell, "distill") == "in store"


def test_what_nothing_needs_any_more_is_not_said_to_run(shell: Shell) -> None:
    shell("run", "small.yaml")
    stages = shell("plan", "small.yaml", "--json").json["stages"]
    key = next(one["key"] for one in stages if one["label"] == "pool/0")
    folder = shell.home / "objects" / key[:2] / key
    folder.rename(shell.folder / "away")

    assert state(shell, "pool/0") == "not needed"
    assert shell("plan", "small.yaml", "--exit-code").code == 0
    assert "0 stages to run" in shell("run", "small.yaml", "--dry-run").out


def test_an_idle_run_leaves_no_second_record(shell: Shell) -> None:
    shell("run", "small.yaml")
    shell("run", "small.yaml")

    (record,) = (shell.home / "plans" / "small").iterdir()
    assert json.loads(record.read_bytes())["format"] == "ddspec.planned/1"
    assert record.stat().st_size < 16_384


def test_a_record_that_somebody_damaged_explains_nothing_and_harms_nothing(shell: Shell) -> None:
    shell("run", "small.yaml")
    (record,) = (shell.home / "plans" / "small").iterdir()
    record.write_bytes(b'{"format": "ddspec.planned/1", "settings": 7}')
    shell.write("small.yaml", LONGER)

    assert state(shell, "distill") == "run"
    assert shell("run", "small.yaml").code == 0


def test_hostile_records_do_not_steer_the_terminal(shell: Shell) -> None:
    shell("run", "small.yaml")
    (record,) = (shell.home / "plans" / "small").iterdir()
    plain = json.loads(record.read_bytes())
    plain["settings"] = [
        [path, value, "\x1b[2J\u202efake\n:1"] for path, value, _ in plain["settings"]
    ]
    record.write_text(json.dumps(plain))
    shell.write("small.yaml", LONGER)

    for out in (
        shell("plan", "small.yaml").out,
        shell("plan", "small.yaml", "--why", "*").out,
    ):
        assert all(line.isprintable() for line in out.split("\n"))
        assert not any(line.startswith("fake") for line in out.split("\n"))


def test_a_store_that_takes_no_record_does_not_stop_a_run(shell: Shell) -> None:
    shell("run", "small.yaml")
    plans = shell.home / "plans"
    plans.rename(shell.folder / "away")
    plans.write_text("not a folder")
    shell.write("small.yaml", LONGER)

    assert shell("run", "small.yaml").code == 0
    assert Path(plans).read_text() == "not a folder"


def test_a_forecast_is_shown_for_a_named_device(shell: Shell) -> None:
    out = shell("plan", "small.yaml", "--gpu", "a6000", "--gpus", "2").out

    assert "time each*" in out
    assert "GPU-h" in out
    assert " * a6000: formula, 0 measured runs here · on 2 of them " in out
    assert shell("plan", "small.yaml", "--gpu", "a600").code == Exit.USAGE


def test_a_stage_that_hardly_fits_a_device_is_noted(shell: Shell) -> None:
    shell.write(
        "tight.yaml",
        "name: tight\npreset: acc_dd\ndataset: {kind: imagenet100}\n"
        "budget: {images_per_class: 20}\nmatcher: {max_views: 130}\n",
    )

    told = shell("plan", "tight.yaml", "--gpu", "v100")

    assert told.code == 0
    assert re.search(r"note {7}`distill` needs \d\d GiB of memory, V100 16 GB has 16 GiB", told.out)


def test_a_run_that_was_refused_did_not_ask_for_anything(shell: Shell) -> None:
    text = SPEC.replace("kind: digits", "kind: mnist")
    shell.write("far.yaml", text)

    refused = shell("run", "far.yaml")

    assert "there is no data directory" in refused.err
    assert "no run here has asked for it" in shell("plan", "far.yaml", "--why", "distill").out


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("evaluate: {protocol: {name: quick, steps: 20}}", "evaluate.protocol      spec  quick "),
        (
            "perturbation: {coefficient: {law: fixed, value: 1}}",
            "perturbation…coeffici… spec  law fixed, value 1 ",
        ),
    ],
    ids=["a section with a name", "a section without"],
)
def test_a_section_of_ones_own_is_what_a_disagreement_says_is_taken(
    text: str, row: str, shell: Shell
) -> None:
    base = "name: x\npreset: acc_dd\ndataset: {kind: cifar10}\nbudget: {images_per_class: 10}\n"
    shell.write("x.yaml", base + text)

    out = shell("plan", "x.yaml").out

    assert f"\n   {row}" in out


def test_a_name_that_nothing_has_is_told_with_where_names_are_listed(shell: Shell) -> None:
    stage = shell("plan", "small.yaml", "--why", "zzz")
    setting = shell("plan", "small.yaml", "--values", "zzz")

    assert (stage.code, "`--stages` lists them" in stage.err) == (Exit.USAGE, True)
    assert (setting.code, "`--values` lists them" in setting.err) == (Exit.USAGE, True)
