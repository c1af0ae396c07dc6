from __future__ import annotations

import pytest

from ddspec.console.doctor_view import findings_json, render_end, render_finding
from ddspec.doctor.finding import Finding, Verdict, ok, problem, unchecked, warning

LONG = problem("engine", "nobody listens at unix:///var/run/docker.sock " * 4, "start it, " * 20)


@pytest.mark.parametrize(
    "finding",
    [ok("a", "t"), warning("a", "t", "m"), problem("a", "t", "m"), unchecked("a", "t")],
    ids=lambda finding: finding.verdict.value,
)
def test_the_verdict_is_said_in_words(finding: Finding) -> None:
    line = render_finding(finding, 80)

    assert finding.verdict.value in line.split("\n")[0]


def test_a_finding_fits_a_terminal() -> None:
    lines = render_finding(LONG, 80).split("\n")

    assert max(map(len, lines)) <= 80


def test_a_path_is_never_broken() -> None:
    path = "/a/very-long/path-with-hyphens/" + "x" * 90

    assert path in render_finding(ok("store", f"{path} on ext4"), 80)


def test_the_way_out_stands_below_the_problem() -> None:
    text = render_finding(problem("image", "there is none", "`ddspec image build`"), 80)

    assert text.split("\n")[1].strip() == "-> `ddspec image build`"


@pytest.mark.parametrize(
    ("findings", "end"),
    [
        pytest.param([ok("a", "")], "ready for `--executor docker`", id="well"),
        pytest.param(
            [warning("a", "", "m")], "ready for `--executor docker`, with 1 warning", id="risk"
        ),
        pytest.param(
            [LONG, LONG, unchecked("a", "")],
            "not ready for `--executor docker`: 2 problems, 0 warnings",
            id="problems",
        ),
    ],
)
def test_the_last_line_tells_what_it_comes_to(findings: list[Finding], end: str) -> None:
    assert render_end(findings, ["docker"]) == end


@pytest.mark.parametrize(
    ("findings", "end"),
    [
        pytest.param(
            [problem("runners", "", "m"), ok("engine", "")],
            "ready for `--executor docker`; "
            "not ready for `--executor local`: 1 problem, 0 warnings",
            id="no runners here",
        ),
        pytest.param(
            [ok("runners", ""), problem("engine", "", "m"), warning("disk space", "", "m")],
            "ready for `--executor local`, with 1 warning; "
            "not ready for `--executor docker`: 1 problem, 1 warning",
            id="no engine",
        ),
        pytest.param(
            [problem("store", "", "m")],
            "not ready for `--executor local` and `--executor docker`: 1 problem, 0 warnings",
            id="what both need",
        ),
        pytest.param(
            [ok("store", "")], "ready for `--executor local` and `--executor docker`", id="well"
        ),
    ],
)
def test_each_executor_is_judged_by_what_it_needs(findings: list[Finding], end: str) -> None:
    assert render_end(findings, ["local", "docker"]) == end


def test_the_json_form_holds_every_finding() -> None:
    plain = findings_json([LONG, unchecked("data", "none given")], ["local"])

    assert plain == {
        "format": "ddspec.doctor/1",
        "executors": ["local"],
        "ready": False,
        "findings": [
            {"check": "engine", "verdict": "problem", "text": LONG.text, "mend": LONG.mend},
            {
                "check": "data",
                "verdict": Verdict.UNCHECKED.value,
                "text": "none given",
                "mend": "",
            },
        ],
    }
