"""An imported set in words."""

from __future__ import annotations

from collections.abc import Sequence

from ddspec.console.quantities import brief
from ddspec.console.setting_words import cut
from ddspec.spec.imported import ImportedSpec, Layout
from ddspec.visible import visible

LAYOUTS: dict[Layout, str] = {
    "dc": "DC, DSA and DM",
    "mtt": "MTT",
    "idc": "IDC",
}
SHOWN = 48
"""Characters of a path."""


def imported_words(asked: ImportedSpec, idle: Sequence[str]) -> list[str]:
    """Return where a set is from, what its numbers are, and which sections reach nothing."""
    first = asked.files[0]
    more = f" and {len(asked.files) - 1} more" if len(asked.files) > 1 else ""
    chosen = [] if asked.experiment is None else [f"experiment {asked.experiment}"]
    by = (
        "" if asked.mean is None else f" by mean {_row(asked.mean)} and std {_row(asked.std or ())}"
    )
    rate = [] if asked.learning_rate is None else [f"learned lr {brief(asked.learning_rate)}"]
    return [
        f"not distilled, but taken from files as the code of {LAYOUTS[asked.layout]} writes them",
        f"{cut(visible(first.path), SHOWN)} {first.sha256[:8]}{more}",
        *chosen,
        f"values in {asked.space} space{by}",
        *(["classes in an order of their own"] if asked.classes else []),
        *rate,
        f"these reach nothing: {', '.join(idle)}",
    ]


def _row(values: Sequence[float]) -> str:
    return " ".join(brief(value) for value in values)
