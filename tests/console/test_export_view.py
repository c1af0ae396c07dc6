"""What an export says of itself: on a terminal, in its README and to `datasets`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_families import planned
from ruamel.yaml import YAML

from ddspec.console.export_readme import readme
from ddspec.console.export_view import render_export
from ddspec.plan.ir import Plan
from ddspec.run.exporting import Export, Kind
from ddspec.run.rounding import Paired

HOSTILE = (
    "a",
    "../x",
    "",
    "CON",
    "\x1b[31m",
    "---",
    "'",
    '"',
    "\u2028",
    "😀",
    "{b: c}",
    "# no",
    "|",
)
TITLE = '"# `x` | <script> \x1b[2J\n---\nlicense: mit'
FIGURES = {
    "clamped_share": 0.25,
    "clamp_mean": 0.01,
    "clamp_max": 0.5,
    "round_mean": 0.001,
    "round_max": 0.00196,
}
PAIRS = Paired("convnet3", "short", "test", 3, (0.5, 0.6, 0.7), (0.5, 0.61, 0.68))


def export_of(kind: Kind = "png", family: str = "dc", **changes: Any) -> Export:
    plan = planned(family)
    card = {
        "classes": list(HOSTILE),
        "images_per_class": 2,
        "size": 32,
        "channels": 3,
        "mean": [0.5] * 3,
        "std": [0.25] * 3,
        "learned_lr": None,
        "dataset": {"name": "noise", "content": "c" * 64, "test_split": "all"},
        "provenance": {"key": "b" * 64, "kind": "round", "seed": [0]},
    }
    made = Export(kind, titled(plan), "", card, "a" * 64, "hard", (PAIRS,), FIGURES)
    return replace(made, **changes)


def titled(plan: Plan, title: str = TITLE) -> Plan:
    experiment = plan.experiment.model_copy(update={"title": title})
    return replace(plan, variants=(replace(plan.variants[0], experiment=experiment),))


def test_the_table_tells_both_accuracies_and_what_was_cut_off() -> None:
    text = render_export("Noise", export_of(), "out", (7, 12_345))

    assert text == (
        "Noise\n\n"
        " by protocol short, on the test split; in percent\n"
        " network       as learned       in 8 bits       n      difference\n"
        " convnet3   60.00 ± 10.00    59.67 ± 9.07       3    -0.33 ± 0.88\n"
        " difference: of trainings from the same seeds, ± its standard error\n\n"
        " clamped    25.0 % of values were outside of what a picture holds, by 10.2 levels in the"
        " mean and\n"
        "            127.5 at most\n"
        " rounded    by 0.26 levels of 256 in the mean and 0.50 at most\n\n"
        " wrote      pictures in a folder for each class · 26 images, 7 files, 12.3 kB\n"
        " to         out\n"
        " read       out/README.md"
    )


@pytest.mark.parametrize("kind", ["png", "npz", "parquet"])
def test_no_line_is_longer_than_a_terminal(kind: Kind) -> None:
    found = export_of(kind, accuracy=(replace(PAIRS, network="n" * 40, planned=99),))

    text = render_export("a long title " * 30, found, "out", (1, 1))

    assert max(map(len, text.splitlines())) <= 100


def test_what_was_not_measured_is_said() -> None:
    found = export_of(accuracy=())

    assert "after rounding not measured" in render_export("x", found, "out", (1, 1))
    assert "That of the 8 bits in here was not measured." in readme(found, {})


def test_a_pair_that_lacks_is_counted() -> None:
    found = export_of(accuracy=(replace(PAIRS, planned=5),))

    assert "  3 of 5  " in render_export("x", found, "out", (1, 1))


@pytest.mark.parametrize("recorded", [None, "d" * 64], ids=["asked on the way", "recorded"])
def test_nobody_trains_on_hard_labels_unawares(recorded: str | None) -> None:
    found = export_of(labels="soft", recorded=recorded)

    where = "not in here" if recorded is None else "in `set/labels`"
    for text in (readme(found, {}), render_export("x", found, "out", (1, 1))):
        assert where in " ".join(text.split())
        assert "the accuracies are of networks that learned from what teachers" in " ".join(
            text.split()
        )
    assert ('load_synthetic("set")' in readme(found, {})) == (recorded is not None)


def test_whitened_images_are_not_to_be_normalised() -> None:
    text = readme(export_of(family="mtt"), {})

    assert "ZCA with eps" in text
    assert "Normalize(" not in text


def test_titles_are_text_in_markdown() -> None:
    text = readme(export_of(), {})

    heading = text.splitlines()[0]
    assert heading.startswith("# ")
    assert not set("<|`\x1b") & set(heading)
    assert "license: mit" not in text.splitlines()


def front(text: str) -> Any:
    found = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    assert found is not None
    return YAML(typ="safe", pure=True).load(found[1])


TOLD = {"soft_labels": True, "num_bytes": 9, "num_examples": 26, "download_size": 10}


def test_the_front_matter_of_a_dataset_card_holds_names_exactly() -> None:
    plain = front(readme(export_of("parquet"), TOLD))

    assert (plain["pretty_name"], plain["license"]) == (TITLE, "unknown")
    assert plain["size_categories"] == ["n<1K"]
    image, label, soft = plain["dataset_info"]["features"]
    names = label["dtype"]["class_label"]["names"]
    assert image == {"name": "image", "dtype": "image"}
    assert [names[str(number)] for number in range(len(HOSTILE))] == list(HOSTILE)
    assert soft == {"name": "soft_labels", "sequence": "float32", "length": len(HOSTILE)}
    assert plain["dataset_info"]["splits"] == [
        {"name": "train", "num_bytes": 9, "num_examples": 26}
    ]


READ = """
import json, sys
from datasets import DatasetInfo
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCardData
import re, yaml
text = open("README.md", encoding="utf-8").read()
plain = yaml.safe_load(re.match("---\\n(.*?)\\n---\\n", text, re.S)[1])
info = DatasetInfo._from_yaml_dict(plain["dataset_info"])
MetadataConfigs.from_dataset_card_data(DatasetCardData(**plain))
print(json.dumps([info.features["label"].names, info.features["soft_labels"].length]))
"""


def test_the_front_matter_is_read_by_datasets(tmp_path: Path) -> None:
    text = readme(export_of("parquet"), TOLD)
    (tmp_path / "README.md").write_text(text, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-c", READ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [list(HOSTILE), len(HOSTILE)]


@pytest.mark.parametrize("kind", ["png", "npz", "parquet"])
def test_the_card_is_complete_for_every_form(kind: Kind) -> None:
    plain = export_of(kind, variant="v", unpublished={"note": "n"}).plain()

    assert json.loads(json.dumps(plain)) == plain
    assert plain["provenance"] == {
        "set": "a" * 64,
        "rounded": "b" * 64,
        "seed": [0],
        "plan": plain["provenance"]["plan"],  # type: ignore[index, call-overload]
        "ddspec": "0.1.0",
    }
    assert (plain["as"], plain["variant"], plain["images"]) == (kind, "v", 26)
    assert "note" not in plain
