"""Small plans, and an executor that runs the fake runner."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ddspec.executors.local import LocalExecutor
from ddspec.plan.ir import Stage, stage_key
from ddspec.run.dispatch import site_of
from ddspec.spec.augmentation import NoAugmentationSpec, SgdSpec
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.network import ConvNetSpec
from ddspec.store.store import Store
from ddspec.wire.work import (
    EvaluateWork,
    MergeWork,
    PretrainWork,
    RandomSelection,
    SelectWork,
    Work,
)

RUNNER = Path(__file__).parent / "fake_runner.py"
NETWORK = ConvNetSpec(kind="convnet")


def select(seed: int) -> Work:
    return SelectWork(selection=RandomSelection(), images_per_class=1, seed=(seed,))


def pretrain(seed: int) -> Work:
    return PretrainWork(
        network=NETWORK,
        epochs=1,
        batch=1,
        optimizer=SgdSpec(),
        decay=None,
        augmentation=NoAugmentationSpec(kind="none"),
        cutmix=0.0,
        seed=(seed, "pool"),
        precision="float32",
    )


def evaluate(seed: int) -> Work:
    protocol = ProtocolSpec(name="quick", steps=1)
    return EvaluateWork(
        network=NETWORK, protocol=protocol, seed=(seed, "evaluate"), precision="float32"
    )


def stage(label: str, work: Work, inputs: Mapping[str, Stage] | None = None) -> Stage:
    above = inputs or {}
    keys = {name: made.key or "" for name, made in above.items()}
    return Stage(
        label=label,
        work=work,
        upstream={name: made.label for name, made in above.items()},
        inputs=keys,
        key=stage_key(work, keys),
    )


def key_of(made: Stage) -> str:
    """Return the key of a stage, which all stages here have."""
    assert made.key is not None
    return made.key


def chain() -> tuple[Stage, ...]:
    """Return three stages, each the input of the next."""
    first = stage("first", select(0))
    second = stage("second", pretrain(0), {"train": first})
    third = stage("third", evaluate(0), {"set": second})
    return first, second, third


def diamond() -> tuple[Stage, ...]:
    """Return the shape of a real plan: data, a pool of 5, a merge of it, 4 evaluations."""
    data = stage("prepare", select(0))
    pool = [stage(f"pool/{i}", pretrain(i), {"train": data}) for i in range(5)]
    merged = stage(
        "merge", MergeWork(shards=5), {f"shard/{i}": made for i, made in enumerate(pool)}
    )
    judged = [stage(f"evaluate/{i}", evaluate(i), {"set": merged}) for i in range(4)]
    return data, *pool, merged, *judged


def wide() -> tuple[Stage, ...]:
    """Return 200 stages over one, and one over each of them."""
    data = stage("prepare", select(0))
    pool = [stage(f"pool/{i}", pretrain(i), {"train": data}) for i in range(200)]
    judged = [stage(f"evaluate/{i}", evaluate(i), {"set": pool[i]}) for i in range(200)]
    return data, *pool, *judged


def line(length: int = 200) -> tuple[Stage, ...]:
    """Return stages that can only run one after another."""
    stages = [stage("line/0", pretrain(0))]
    for i in range(1, length):
        stages.append(stage(f"line/{i}", pretrain(i), {"train": stages[-1]}))
    return tuple(stages)


def waves(width: int = 10, length: int = 10) -> tuple[Stage, ...]:
    """Return lines that can run side by side."""
    stages: list[Stage] = []
    for j in range(width):
        last = stage(f"wave/{j}/0", pretrain(j * length))
        stages.append(last)
        for i in range(1, length):
            last = stage(f"wave/{j}/{i}", pretrain(j * length + i), {"train": last})
            stages.append(last)
    return tuple(stages)


def single() -> tuple[Stage, ...]:
    """Return one stage without an input."""
    return chain()[:1]


PLANS = {
    "single": single,
    "chain": chain,
    "diamond": diamond,
    "wide": wide,
    "line": line,
    "waves": waves,
}


def executor_of(store: Store, script: Path, log: Path) -> LocalExecutor:
    """Return a local executor whose jobs are fake; `-I -S` lets them start in 15 ms."""
    command = (sys.executable, "-I", "-S", str(RUNNER), str(script), str(log))
    return LocalExecutor(site_of(store), command=command, environ=dict(os.environ))
