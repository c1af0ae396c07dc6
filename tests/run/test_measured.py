"""Files of results that nobody's `--json` wrote: one line that says where, and soon."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ddspec.canon import Json
from ddspec.errors import DdspecError, Exit
from ddspec.run.measured import MAX_ROWS, PROBLEMS_SHOWN, read_evidence

ROW: dict[str, Json] = {
    "set": "distilled",
    "network": "convnet3",
    "protocol": "brief",
    "on": "test",
    "accuracies": [0.5],
    "repeats_planned": 1,
}


def written(folder: Path, rows: list[dict[str, Json]], **others: Json) -> Path:
    path = folder / "results.json"
    told = {"format": "ddspec.results/1", "name": "n", "plan": "0" * 64, "results": rows, **others}
    path.write_text(json.dumps(told))
    return path


@pytest.mark.parametrize(
    ("rows", "others", "said"),
    [
        pytest.param([ROW | {"repeats_planned": -5}], {}, "results.0.repeats_planned", id="less"),
        pytest.param([ROW | {"repeats_planned": 10**30}], {}, "repeats_planned", id="no count"),
        pytest.param([ROW | {"accuracies": [float("nan")]}], {}, "accuracies.0", id="no number"),
        pytest.param([ROW | {"network": "n" * 2001}], {}, "results.0.network", id="a long name"),
        pytest.param([ROW], {"name": "n" * 10_000_000}, "`name`", id="a longer one"),
        pytest.param([ROW, ROW], {}, "two rows", id="one row twice"),
        pytest.param(
            [ROW | {"network": f"n{one}"} for one in range(MAX_ROWS + 1)],
            {},
            f"at most {MAX_ROWS} items",
            id="rows beyond what a plan has",
        ),
        pytest.param([ROW], {"format": "ddspec.results/" + "9" * 3000}, "`format`", id="format"),
        pytest.param([ROW], {"deep": json.loads("[" * 900 + "]" * 900)}, "recursion", id="depth"),
    ],
)
def test_what_nobody_measured_is_refused_by_its_place(
    tmp_path: Path, rows: list[dict[str, Json]], others: dict[str, Json], said: str
) -> None:
    path = written(tmp_path, rows, **others)

    with pytest.raises(DdspecError, match=said) as refused:
        read_evidence(path)

    assert refused.value.exit is Exit.INVALID
    assert len(str(refused.value)) < 1_000


def test_of_many_problems_the_first_are_told(tmp_path: Path) -> None:
    path = written(tmp_path, [ROW | {"repeats_planned": -1} for _ in range(100)])

    with pytest.raises(DdspecError) as refused:
        read_evidence(path)

    assert len(refused.value.diagnostics) == PROBLEMS_SHOWN
