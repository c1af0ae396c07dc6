"""A small valid spec, and what its tests share."""

from __future__ import annotations

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
