"""A small valid spec, and what its tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

GOOD = """\
name: small
title: A small experiment
dataset: {kind: digits}
budget: {images_per_class: 1}
network:
  kind: convnet
  depth: 2
pool:
  kind: recorded
  epochs: 1
inner: {kind: frozen}
matcher:
  kind: gradient
  distance: l1
update: {learning_rate: 1e-3}
loops:
  outer_loops: 2
  inner_steps: 3
evaluate: {protocol: idc}
"""


@pytest.fixture
def good() -> str:
    return GOOD


PRESET = """\
format: ddspec.preset/1
name: toy
title: "A toy method (Doe et al., 2020)"
blocks:
  - source: "code, main.py"
    set:
      network: {kind: convnet, depth: 3}
      pool: {kind: recorded, models: 4, epochs: 2, optimizer: {momentum: 0.5}}
      inner: {kind: frozen}
      matcher: {kind: gradient, distance: l1, real_batch: 32}
      perturbation:
        kind: filter_gaussian
        coefficient: {law: uniform_signed, low: 0.01, high: 0.09}
      update: {learning_rate: 0.1}
      loops: {outer_loops: 40, inner_steps: 10}
      evaluate: {protocol: dc}
    disagreements:
      - {setting: perturbation.coefficient, paper: "1", code: "random", takes: code, why: "runs"}
      - {setting: pool.models, paper: "10", code: "4", takes: code, why: "speed"}
      - {setting: matcher.max_views, paper: "all", code: "128", takes: code, why: "memory"}
  - source: "paper, Table 2"
    when: {size: [null, 16]}
    set:
      network: {depth: 2}
      pool: {models: 3}
    disagreements:
      - {setting: pool.models, paper: "3", code: "4", takes: paper, why: "small images"}
  - source: "paper, Table 3"
    when: {images_per_class: [10, null]}
    set: {loops: {outer_loops: 80}}
  - source: "paper, section 5"
    when: {variant: [fast]}
    set: {loops: {outer_loops: 8}}
  - source: "paper, appendix"
    when: {dataset: [folder], classes: [20, null], channels: [3, 3]}
    set: {matcher: {real_batch: 16}}
published:
  - {dataset: digits, images_per_class: [1, 10]}
"""


@pytest.fixture
def presets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of presets with one in it."""
    folder = tmp_path_factory.mktemp("package") / "methods"
    folder.mkdir()
    (folder / "toy.yaml").write_text(PRESET)
    return folder
