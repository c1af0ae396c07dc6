"""Rules are explained where they are met."""

from __future__ import annotations

from fake_cli import SPEC, Shell

from ddspec.errors import Exit


def test_a_rule_is_told_in_full_with_its_example(shell: Shell) -> None:
    ended = shell("explain", "DDS003")

    assert ended.code == 0
    assert ended.out.startswith("DDS003 (error): The network halves the image")
    assert "\nwrong\n  dataset: {kind: digits}\n  network: {kind: convnet, depth: 5}\n" in ended.out


def test_without_a_number_all_rules_are_listed(shell: Shell) -> None:
    lines = shell("explain").out.splitlines()

    assert lines[0].startswith("DDS001  error")
    assert any(line.startswith("DDS014  note ") for line in lines)


def test_rules_as_json_say_so(shell: Shell) -> None:
    found = shell("explain", "14", "--json").json

    assert found["format"] == "ddspec.rules/1"
    assert [one["code"] for one in found["rules"]] == ["DDS014"]


def test_an_unknown_number_is_exit_2(shell: Shell) -> None:
    ended = shell("explain", "DDS104")

    assert ended.code == Exit.USAGE
    assert "there is no rule `DDS104`" in ended.err


def test_who_asks_for_a_setting_hears_where_they_are_explained(shell: Shell) -> None:
    ended = shell("explain", "evaluate.baselines.herding")

    assert ended.code == Exit.USAGE
    assert "settings are explained by `ddspec schema`" in ended.err


def test_violated_rules_say_once_where_they_are_explained(shell: Shell) -> None:
    text = SPEC.replace("depth: 2", "depth: 5").replace(
        "kind: frozen}", "kind: frozen}\ninit: {kind: mix}"
    )
    ended = shell("plan", shell.write("deep.yaml", text))

    assert ended.code == Exit.INVALID
    assert ended.err.endswith("`ddspec explain DDS003` says why, and so for DDS012\n")


def test_errors_of_form_need_no_rule(shell: Shell) -> None:
    ended = shell("plan", shell.write("bad.yaml", SPEC.replace("depth: 2", "depht: 2")))

    assert "ddspec explain" not in ended.err
