"""Rules about imported sets, in words."""

from __future__ import annotations

from ddspec.plan.rule import Rule

_FILE = "  files: [{path: sets/res.pt, sha256: " + "ab" * 32 + "}]\n"
_JUDGED = "evaluate: {baselines: {init: 0}}\n"
_IMPORTED = _JUDGED + "imported:\n  layout: dc\n" + _FILE

IMPORT_RULES: tuple[Rule, ...] = (
    Rule(
        76,
        "A question about a distillation that never was",
        "error",
        says="`imported` beside `evaluate.snapshots`, `evaluate.baselines.init` or "
        "`resources.shards`.",
        why="An imported set comes as it is: where its distillation began, and what it looked like "
        "on the way, is in no file.",
        mend="Leave `snapshots` out, set the baseline `init` to 0 and `shards` to 1.",
        wrong="evaluate: {baselines: {init: 1}}\nimported:\n  layout: dc\n  space: pixel\n" + _FILE,
        right=_IMPORTED + "  space: pixel",
    ),
    Rule(
        77,
        "An imported set in ZCA space, kept in another",
        "error",
        says="`imported.space` is `zca` and `parameterization.space` is not, or the other way.",
        why="Whitening depends on the training images that it was fitted on. Pixels and normalised "
        "values differ by a mean and a deviation, and are turned into each other; a whitened set "
        "stays what it is, and is judged under a protocol that whitens.",
        mend="Set `parameterization.space` to what the files are in.",
        wrong=_IMPORTED + "  space: zca",
        right=_IMPORTED + "  space: pixel",
    ),
    Rule(
        78,
        "An imported set of other classes or channels",
        "error",
        says="`imported.classes` are not all classes of the dataset, each once, or `imported.mean` "
        "has another number of values than images have channels.",
        why="The order of the classes says which label in the files is which class. A wrong one "
        "trains and scores like chance.",
        mend="Name all classes of the dataset, in the order of the labels in the files.",
        wrong=_IMPORTED + '  space: pixel\n  classes: ["0", "1"]',
        right=_IMPORTED + "  space: pixel",
    ),
)
