"""No spec, however it is mutated, gives anything but a plan or located errors.

`DDSPEC_FUZZ=10000` tries that many, and `--hypothesis-seed N` others.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddspec.errors import DdspecError, Diagnostic, Exit
from ddspec.plan.compile import compile_spec
from ddspec.spec.load import load_text
from ddspec.spec.source import Source

TRIES = int(os.environ.get("DDSPEC_FUZZ", "150"))

BASE = """\
preset: {name: toy, variant: fast}
dataset: {kind: folder, path: "${DDSPEC_SCANS}/x", size: 16, classes: [a, b, c]}
pool: {epochs: 1, vary: {learning_rate: [0.1, 0.2], augmentation: [{kind: none}, {kind: dsa}]}}
disagreements:
  - {setting: pool.epochs, paper: "1", code: "2", takes: paper, why: it is}
"""
MIDDLE = """\
extends: base.yaml
network: &net {kind: convnet, depth: 2, width: 8}
evaluate:
  protocol: idc
  networks: [*net, {kind: convnet, depth: 1}]
  repeats: 2
  baselines: {random: 1, init: 1}
update: {learning_rate: 1e-3, momentum: 0.5}
"""
CHILD = """\
extends: [middle.yaml]
name: child
title: "a title"
budget: {images_per_class: 1}
perturbation:
  kind: filter_gaussian
  coefficient: {law: fixed, value: 1.0}
loops: {outer_loops: 3, inner_steps: 2, snapshots: [1, 2]}
expect: [{accuracy: 0.5, source: ours}]
"""
MATRIX = """\
matrix:
  pool.epochs: {from: 0, to: 2, step: 1}
  budget.images_per_class: [1, 2]
  variants: {slow: {loops.inner_steps: 4}, fast: {loops.inner_steps: 2}}
  exclude: [{pool.epochs: 0, budget.images_per_class: 2}]
  include: [{name: paper, perturbation.coefficient: {law: fixed, value: 2.0}}]
"""
FAMILY = """\
name: family
preset: null
dataset: {kind: folder, path: x, size: 32, classes: [a, b, c], validation: 0.1, corrupt: 2}
budget: {images_per_class: 5}
network: {kind: convnet, depth: 2, width: 8, pooling: max, activation: leaky_relu, norm: batch}
pool: {kind: recorded, models: 2, epochs: 3, record: every_epoch}
perturbation: {kind: none}
inner: {kind: on_synthetic, epochs: 2}
matcher: {kind: gradient, distance: channel_mean, batch_norm: frozen}
update: {learning_rate: 1e-3}
parameterization: {kind: multi_formation, factor: 3, space: zca, decode: bound, used: multi}
augmentation: {training: {kind: dc, crop: 4, scale: 0.2, rotate: 45}}
loops: {outer_loops: 3, inner_steps: 2, snapshots: [1, 2]}
evaluate:
  protocol:
    name: odd
    steps: 90
    mixup: 0.5
    zca: 0.1
    optimizer: {kind: adamw, learning_rate: 1e-3, weight_decay: 0.01, betas: [0.9, 0.99]}
    decay: {kind: cosine, warmup: {epochs: 3}}
    augmentation: {kind: pad_crop, padding: 4}
  networks:
    - {kind: torchvision, model: efficientnet_b0, dropout: 0.2, stochastic_depth: 0.1}
    - {kind: classic, model: densenet_cifar, norm: batch}
    - {kind: resnet_ap, depth: 10, width: 32, stem: small}
  best_on_validation: 3
  snapshots: true
  repeats: 2
  baselines: {random: 1, herding: 1, k_center: 1, forgetting: 1, features: {epochs: 2}}
expect:
  - {accuracy: 0.5, set: to-1, protocol: odd, source: ours}
"""
EXPERTS = """\
name: experts
dataset: {kind: folder, path: x, size: 16, classes: [a, b, c]}
budget: {images_per_class: 2}
network: {kind: convnet, depth: 2, width: 8}
pool: {kind: recorded, models: 2, epochs: 5, record: every_epoch, sharpness: {rho: 0.1, alpha: 0.3}}
perturbation: {kind: filter_gaussian, coefficient: {law: fixed, value: 0.1}}
inner:
  kind: unrolled
  steps: 4
  batch: 3
  learning_rate: 0.01
  learned: {learning_rate: 1e-5, law: log}
matcher: {kind: trajectory, expert_epochs: 2, max_start: 3, gradient: recomputed}
labels: {kind: learned, learning_rate: 0.1}
parameterization: {kind: pixels, space: zca}
update: {learning_rate: 100.0, clock: joint, averaging: 0.99, decay: {factor: 0.5, at: [0.5]}}
loops: {outer_loops: 4, inner_steps: 1, snapshots: [2]}
evaluate:
  protocol: {name: own, steps: 9, zca: 0.1, learned_rate: true, teaching: {temperature: 1.0}}
  repeats: 2
"""
QUEUED = """\
name: queued
dataset: {kind: folder, path: x, size: 16, classes: [a, b, c]}
budget: {images_per_class: 2}
network: {kind: convnet, depth: 2, width: 8, norm: batch}
pool: {kind: online, start: 1, every: 2, most: 3, trained: 1, steps: 2, batch: 8}
perturbation: {kind: none}
inner: {kind: frozen}
matcher:
  kind: distribution
  batch_norm: running
  cross_entropy: {weight: 0.5, by_accuracy: true}
  max_views: 9
update: {learning_rate: 0.2, clock: shared}
loops: {outer_loops: 4, inner_steps: 1}
evaluate: {protocol: {name: own, steps: 9}, repeats: 2}
resources: {shards: 3}
"""
TAUGHT = """\
name: taught
dataset: {kind: folder, path: x, size: 32, classes: [a, b, c]}
budget: {images_per_class: 2}
network: {kind: torchvision, model: resnet18, stem: cifar}
pool:
  kind: pruned
  models: 3
  converged: {kind: trained, epochs: 2}
  parameters: 1000000
  flops: 1e8
  epochs: [0, 1]
perturbation: {kind: none}
inner: {kind: frozen}
matcher: {kind: statistics, models_per_image: 2, classes_per_batch: 2, roll: {high: 2}, keep: best}
labels: {kind: soft, teachers: pool, average: probabilities, stored: per_view}
update: {kind: adam, learning_rate: 0.25, clamp: every_step, decay: {kind: cosine}}
parameterization: {kind: pixels, space: normalised}
loops: {outer_loops: 4, inner_steps: 1}
evaluate: {protocol: {name: own, steps: 9, teaching: {temperature: 20.0}}, repeats: 2}
"""
TEMPLATES: tuple[Mapping[str, str], ...] = (
    {"child.yaml": FAMILY},
    {"child.yaml": EXPERTS},
    {"child.yaml": QUEUED},
    {"child.yaml": TAUGHT},
    {"child.yaml": CHILD, "middle.yaml": MIDDLE, "base.yaml": BASE},
    {"child.yaml": CHILD + MATRIX, "middle.yaml": MIDDLE, "base.yaml": BASE},
    {
        "child.yaml": "name: c\npreset: toy\ndataset: {kind: digits}\n"
        "budget: {images_per_class: 1}\nloops: {outer_loops: 2}\n"
    },
)
PIECES = (
    *"{}[]:,-?&*!|>'\"%@`#\n\t~0",
    "  ",
    "- ",
    ": ",
    "null",
    "-1",
    "1e400",
    ".nan",
    "99999999999999999999",
    "1.0",
    "yes",
    "<<: ",
    "!!python/object ",
    "*net",
    "&a ",
    "---\n",
    "\u202e",
    "\x85",
    "${HOME}",
    "${DDSPEC_X}",
    "kind: ",
    "law: ",
    "name: ",
    "preset: toy\n",
    "preset: null\n",
    "extends: base.yaml\n",
    "extends: child.yaml\n",
    "extends: ../x.yaml\n",
    "matrix: {}\n",
    "matrix: {seed: [1, 2]}\n",
    "matrix: {preset.variant: [fast, no]}\n",
    "matrix: {seed: [1], exclude: [{seed: 1}]}\n",
    "disagreements: [{}]\n",
    "dataset",
    "budget",
    "pool.epochs",
    "resources: {shards: 2}\n",
    "{kind: distribution}",
    "{kind: statistics, classes_per_batch: 1}",
    "{kind: trajectory, expert_epochs: 1, max_start: 1}",
    "{kind: unrolled, steps: 1, learning_rate: 0.1}",
    "{kind: checkpoints, weights: [{kind: torchvision}]}",
    "{kind: online}",
    "{kind: expert}",
    "{kind: soft}",
    "{kind: adam, learning_rate: 0.1}",
    "averaging: 0.5, ",
    "keep: best, ",
    "matrix: {labels.kind: [hard, soft, expert]}\n",
    "{kind: resnet_ap}",
    "{kind: classic, model: lenet}",
    "zca_eps: 1e-300, ",
    "dropout: 1.0, ",
    "9223372036854775807",
    "1e308",
    "[1, 2]",
    "{a: 1}",
)


@dataclass(frozen=True)
class Shelf:
    """Files that lie beside each other, and nothing else."""

    files: Mapping[str, str]

    def open(self, path: str, child: Source) -> Source:
        if path not in self.files:
            raise DdspecError(f"`{path}` does not exist", exit=Exit.INVALID)
        return Source(path, self.files[path])


def mutated(text: str, dice: Any) -> str:
    """Return a text with a piece put in, put over another, taken out, or lines moved."""
    start = dice.randrange(len(text) + 1)
    end = min(len(text), start + dice.choice([0, 0, 1, 3, 8, 30]))
    lines = text.splitlines(keepends=True)
    match dice.randrange(8):
        case 0:
            words = text.split(" ")
            words[dice.randrange(len(words))] = dice.choice(PIECES)
            return " ".join(words)
        case 1:
            dice.shuffle(lines)
            return "".join(lines)
        case 2:
            lines.insert(dice.randrange(len(lines) + 1), dice.choice(lines or ["a: 1\n"]))
            return "".join(lines)
        case 3:
            lines.insert(dice.randrange(len(lines) + 1), dice.choice(PIECES))
            return "".join(lines)
        case 4:
            at = dice.randrange(len(lines) + 1)
            return "".join([*lines[:at], *lines[at + 1 :]])
        case 5 | 6:
            number = dice.choice([*re.finditer(r"\d+", text), re.match("", text)])
            return text[: number.start()] + dice.choice("012345") + text[number.end() :]
        case _:
            return text[:start] + dice.choice(PIECES) + text[end:]


@settings(
    max_examples=TRIES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    template=st.sampled_from(TEMPLATES),
    times=st.integers(1, 4),
    dice=st.randoms(note_method_calls=False),
)
def test_a_mutated_spec_is_a_plan_or_located_errors(
    presets: Path, template: Mapping[str, str], times: int, dice: Any
) -> None:
    files = dict(template)
    for _ in range(times):
        name = dice.choice(sorted(files))
        files[name] = mutated(files[name], dice)

    refused: tuple[Diagnostic, ...] = ()
    try:
        loaded = load_text(files["child.yaml"], "child.yaml", presets=presets, files=Shelf(files))
        compile_spec(loaded)
        list(loaded.settings())
        assert loaded.disagreements is not None
    except DdspecError as error:
        refused = error.diagnostics or (Diagnostic("nothing"),)

    assert all(one.place and one.place.line for one in refused), refused


def test_templates_are_plans(presets: Path) -> None:
    for files in TEMPLATES:
        loaded = load_text(files["child.yaml"], "child.yaml", presets=presets, files=Shelf(files))
        assert compile_spec(loaded).variants
