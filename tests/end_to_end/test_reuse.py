"""What is made once is never made again: pools of two specs, and the loops that a longer run has.

Real runners on real digits, by the command line; the journal tells who was started.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from ddspec.plan.compile import compile_spec
from ddspec.plan.ir import Plan
from ddspec.spec.load import load_text
from ddspec.store.store import open_store

SPEC = """
name: {name}
preset: acc_dd
dataset: {{kind: digits}}
budget: {{images_per_class: 1}}
network: {{kind: convnet, depth: 1, width: 8}}
pool: {{models: 2, epochs: 1}}
augmentation: {{training: {{kind: idc, operations: [color, crop]}}, cutmix: 0.5}}
update: {{clock: shared}}
loops: {loops}
evaluate: {{protocol: {{name: short, steps: 20}}, repeats: 1, baselines: {{random: 0, init: 0}}}}
"""
FOUR = "{outer_loops: 4, inner_steps: 2, snapshots: []}"
EIGHT = "{outer_loops: 8, inner_steps: 2, snapshots: [4]}"
ANOTHER = "{outer_loops: 1, inner_steps: 3, snapshots: []}"
PATIENCE_S = 240


@dataclass(frozen=True, slots=True)
class Home:
    """A store, and the specs that are run in it."""

    folder: Path

    def run(self, name: str, loops: str) -> Counter[str]:
        """Run a spec; return how many jobs each of its stages has ever had, by label."""
        self.folder.mkdir(exist_ok=True)
        text = SPEC.format(name=name, loops=loops)
        (self.folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        done = subprocess.run(
            [
                *(sys.executable, "-m", "ddspec", "run", f"{name}.yaml", "--json"),
                *("--home", str(self.folder / "home"), "--device", "cpu"),
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["stages"]
        return self.attempts(plan_of(loops))

    def attempts(self, plan: Plan) -> Counter[str]:
        journal = open_store(self.folder / "home").journal
        return Counter({stage.label: len(journal.entries(stage.key or "")) for stage in plan})

    def written(self, plan: Plan, label: str) -> bytes:
        layout = open_store(self.folder / "home").layout
        folder = layout.object(plan.stage(label).key or "")
        return b"".join(
            (folder / name).read_bytes() for name in ("synthetic.safetensors", "state.safetensors")
        )


def plan_of(loops: str) -> Plan:
    return compile_spec(load_text(SPEC.format(name="any", loops=loops), "any.yaml"))


@pytest.mark.slow  # two dozen process starts of torch
def test_a_pool_and_the_loops_of_a_shorter_run_are_made_once(tmp_path: Path) -> None:
    home, straight = Home(tmp_path / "home"), Home(tmp_path / "straight")
    four, eight = plan_of(FOUR), plan_of(EIGHT)

    first = home.run("four", FOUR)
    longer = home.run("eight", EIGHT)
    again = home.run("four", FOUR)
    other = home.run("other", ANOTHER)
    straight.run("eight", EIGHT)

    assert set(first.values()) == {1}
    assert longer == Counter({stage.label: 1 for stage in eight})
    assert four.stage("distill").key == eight.stage("distill/to-4").key
    assert again == first
    assert other == Counter({stage.label: 1 for stage in plan_of(ANOTHER)})
    assert {label for label in other if label.startswith("pool")} == {"pool/0", "pool/1"}
    for label in ("distill/to-4", "distill/to-8"):
        assert home.written(eight, label) == straight.written(eight, label)


def test_20x_is_the_beginning_of_10x_and_both_of_5x_in_the_published_preset() -> None:
    keys = {}
    for variant in ("5x", "10x", "20x"):
        text = f"name: cifar\npreset: {{name: acc_dd, variant: {variant}}}\n"
        text += "dataset: {kind: cifar10}\nbudget: {images_per_class: 10}\n"
        plan = compile_spec(load_text(text, "cifar.yaml"))
        keys[variant] = [stage.key for stage in plan if stage.work.kind == "distill"]

    assert [len(found) for found in keys.values()] == [3, 2, 1]
    assert keys["10x"] == keys["5x"][:2]
    assert keys["20x"] == keys["5x"][:1]
