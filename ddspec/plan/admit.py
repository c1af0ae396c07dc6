"""What labels of stages look like: other parts read kind, set, network and number out of them."""

from __future__ import annotations

import re
from collections.abc import Mapping

CHOSEN = "herding|k_center|forgetting"
"""Sets that a trained network chooses."""
JUDGED = f"random|random_hard|{CHOSEN}|init|full"
"""Sets that a distilled one is compared with."""
LABELS: Mapping[str, re.Pattern[str]] = {
    kind: re.compile(pattern, re.ASCII)
    for kind, pattern in {
        "prepare": r"prepare/(train|test|validation)",
        "pretrain": r"pool/(\d+|converged)|select/features",
        "checkpoint": r"pool/(\d+|converged)",
        "prune": r"pool/\d+",
        "distill": r"distill(/\d+)?(/to-\d+)?",
        "import": r"import",
        "merge": r"merge(/to-\d+)?",
        "round": r"round",
        "select": rf"select/(init|{CHOSEN}|random/\d+)",
        "relabel": rf"relabel(/(init|{CHOSEN})|/random/\d+|/to-\d+)?",
        "evaluate": rf"evaluate/(({JUDGED}|to-\d+)/)?[a-z0-9][a-z0-9_-]*/\d+",
    }.items()
}
"""By kind of work."""

INPUTS: Mapping[str, frozenset[str]] = {
    "pretrain": frozenset({"train"}),
    "prune": frozenset({"train", "network"}),
    "distill": frozenset({"train"}),
    "import": frozenset({"train"}),
    "merge": frozenset({"shard/0"}),
    "round": frozenset({"set"}),
    "select": frozenset({"train"}),
    "relabel": frozenset({"set", "teacher/0"}),
    "evaluate": frozenset({"set", "test"}),
}
"""Inputs without which a kind of work cannot do."""

PLACES = re.compile(r"path|train|test|file/\d{1,3}", re.ASCII)
"""Where the images of a dataset may be said to lie, and the files of an imported set."""


def check_stage(label: str, kind: str, inputs: Mapping[str, str]) -> None:
    """Raise ValueError where a label is not one of its kind's, or an input is missing."""
    if not LABELS[kind].fullmatch(label):
        raise ValueError(f"no stage of kind `{kind}` is called `{label}`")
    missing = INPUTS.get(kind, frozenset()) - inputs.keys()
    if missing:
        raise ValueError(f"`{label}` has no input `{min(missing)}`")


def check_location(location: object) -> None:
    """Raise ValueError where the places of a stage's files are no texts by name."""
    if not isinstance(location, Mapping) or not all(map(_is_place, location)):
        raise ValueError("a location has no other places than path, train, test and file/NUMBER")
    if not all(isinstance(place, str) for place in location.values()):
        raise ValueError("the places of a location are texts")


def _is_place(name: object) -> bool:
    return isinstance(name, str) and PLACES.fullmatch(name) is not None
