"""The figures that ship: what their specs share, and that drawings and numbers belong together."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ddspec.plan.compile import compile_spec
from ddspec.plan.ir import Plan
from ddspec.spec.load import load_spec

FOLDER = Path(__file__).parents[2] / "specs" / "figures"
DRAWN = {
    "budgets": "budgets",
    "figure1": "figure1",
    "figure3": "figure3_4",
    "figure4_time": "figure3_4",
    "figure4_flops": "figure3_4",
    "figure5a": "figure5a",
    "figure5b": "figure5b",
    "figure6": "figure6",
    "figure6_models": "figure6",
    "figure7": "figure7",
}
"""Drawings, and the specs that they are of."""
MOST_BYTES = 60_000


def plan(name: str) -> Plan:
    return compile_spec(load_spec(FOLDER / f"{name}.yaml"))


def test_every_drawing_is_of_a_spec_and_every_spec_is_drawn() -> None:
    drawings = {path.stem for path in FOLDER.glob("*.svg")}
    numbers = {path.stem for path in FOLDER.glob("*.json")}

    assert drawings == numbers == set(DRAWN)
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(DRAWN.values())


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawing_is_small_and_needs_nothing_else(name: str) -> None:
    content = (FOLDER / f"{name}.svg").read_bytes()
    links = [
        value
        for one in ElementTree.fromstring(content).iter()
        for key, value in one.attrib.items()
        if key.endswith("href")
    ]

    assert len(content) < MOST_BYTES
    assert all(link.startswith("#") for link in links)


@pytest.mark.parametrize(("name", "spec"), DRAWN.items())
def test_a_drawing_shows_the_numbers_beside_it_under_the_title_of_its_spec(
    name: str, spec: str
) -> None:
    told = json.loads((FOLDER / f"{name}.json").read_text())
    tree = ElementTree.parse(FOLDER / f"{name}.svg")
    words = " ".join("".join(one.itertext()) for one in tree.iter() if one.tag.endswith("}text"))

    assert told["format"] == "ddspec.plot/1"
    assert told["title"] == load_spec(FOLDER / f"{spec}.yaml").experiment.title
    assert all(word in words for word in told["title"].split())
    assert all(word in words for one in told["series"] for word in one["name"].split())
    assert all(p["repeats"] >= 3 for one in told["series"] for p in one["points"])
    assert told["left_out"] == []


def test_specs_of_figures_share_their_runs() -> None:
    names = set(DRAWN.values()) - {"budgets"}
    keys = {name: {stage.key for stage in plan(name)} for name in names}

    # the speeds of figure 1 are points on the way of the methods of figures 3 and 4
    learned = {s.key for s in plan("figure1") if s.label.startswith("distill")}
    assert learned <= keys["figure3_4"]
    # Acc-DD itself stands in four figures, and its networks in all but that over other methods
    acc_dd = {s.key for s in plan("figure3_4").of("acc-dd") if s.label.startswith("distill")}
    assert all(acc_dd <= keys[name] for name in ("figure5a", "figure6"))
    pool = {s.key for s in plan("figure3_4").of("acc-dd") if s.label.startswith("pool")}
    assert len(pool) == 5
    assert all(pool <= keys[name] for name in keys if name != "figure7")
