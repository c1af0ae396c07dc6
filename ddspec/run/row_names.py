"""What tables call the methods of a plan: presets and variants, without what columns say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ddspec.canon import Json
from ddspec.plan.ir import Plan, Variant
from ddspec.spec.load import METHODS
from ddspec.spec.presets import read_preset

_WORD = re.compile(r"[^a-z0-9]+")


def row_name(plan: Plan, variant: Variant) -> str:
    """Return what a table calls a variant: `Acc-DD 5x`, `DM augmented`, else the spec's name.

    Images per class, dataset and seed stand elsewhere in a table; the words of a variant's name
    that only repeat them, or its preset, are left out.
    """
    preset, kind = _preset_of(plan, variant)
    title = "" if preset is None else _title(preset)
    rest = _without(variant.name.split("-"), _said(variant, preset, kind))
    if preset is not None and kind.startswith(f"{preset}-"):
        title, kind = f"{title}{kind.removeprefix(preset)}", ""  # IDC's `idc-i` is IDC-i
    words = [title, kind, "-".join(rest)]
    name = " ".join(filter(None, words)) or plan.name
    return name if variant.experiment.imported is None else f"{name} (imported)"


def _preset_of(plan: Plan, variant: Variant) -> tuple[str | None, str]:
    """Return the name of a variant's preset and, where it is told, which variant of that."""
    section = variant.settings.get("preset")
    kind = variant.settings.get("preset.variant")
    if isinstance(section, Mapping):
        kind = section.get("variant", kind)
    chosen = _named(variant) or _common(plan)
    return chosen if isinstance(chosen, str) else None, kind if isinstance(kind, str) else ""


def _common(plan: Plan) -> str | None:
    """Return the preset of the variants that name none: the one that no other names."""
    named = {_named(one) for one in plan.variants}
    left = [name for name in plan.presets if name not in named]
    return left[0] if len(left) == 1 else None


def _named(variant: Variant) -> Json:
    """Return the preset that the matrix sets for a variant."""
    chosen = variant.settings.get("preset", variant.settings.get("preset.name"))
    return chosen.get("name") if isinstance(chosen, Mapping) else chosen


def _title(preset: str) -> str:
    """Return a preset's short title, with what its name says besides: `Teddy post`."""
    try:
        short = read_preset(preset, METHODS).content.title.partition(",")[0]
    except KeyError:  # of a plan that another version made
        return preset
    more = [part for part in _parts(preset) if part not in _parts(short.lower())]
    return " ".join([short, *more])


def _said(variant: Variant, preset: str | None, kind: str) -> Sequence[Sequence[str]]:
    """Return the runs of words that a table says elsewhere, the longer ones first."""
    budget = str(variant.experiment.budget.images_per_class)
    dataset, seed = variant.experiment.dataset.kind, str(variant.experiment.seed)
    runs: list[Sequence[str]] = [[dataset], _parts(dataset), _parts(kind)]
    runs += [["dataset", *run] for run in runs[:2]]
    runs += [*_numbered(variant, "seed", ("seed",), seed)]
    runs += _numbered(variant, "budget.images_per_class", ("ipc",), budget)
    if preset is not None:
        own = _parts(preset)
        runs += [[preset], own, own[:1]]
    return sorted(filter(None, runs), key=len, reverse=True)


def _numbered(variant: Variant, path: str, word: Sequence[str], number: str) -> list[Sequence[str]]:
    """Return the words of a setting that a number tells, where the matrix sets it."""
    section = path.partition(".")[0]
    if path not in variant.settings and section not in variant.settings:
        return []
    return [[*word, number], [number]]


def _parts(name: str) -> list[str]:
    return [part for part in _WORD.split(name) if part]


def _without(words: list[str], said: Sequence[Sequence[str]]) -> list[str]:
    """Return words without the first place of each run; of several, the last one of numbers."""
    for run in said:
        for start in reversed(range(len(words) - len(run) + 1)):
            if words[start : start + len(run)] == list(run):
                words = words[:start] + words[start + len(run) :]
                break
    return words
