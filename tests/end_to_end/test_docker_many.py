"""Hundreds of containers in one run, and more than one store with the same name."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
from fake_harbour import STEPS, Harbour, expected

pytestmark = pytest.mark.docker


@pytest.mark.slow  # 200 containers, one after another
def test_two_hundred_stages_one_after_another(harbour: Harbour) -> None:
    harbour.tell(plan="line", behaviours={})

    ended = harbour.finish(500)

    assert ended.code == 0, harbour.stderr()[-3000:]
    assert set(harbour.starts().values()) == {1}
    assert len(harbour.starts()) == 200
    assert harbour.data() == expected(harbour.stages, {})
    assert harbour.containers() == []


@pytest.mark.slow  # 100 containers, ten at a time
def test_a_hundred_stages_ten_at_a_time(harbour: Harbour) -> None:
    harbour.tell(plan="waves", behaviours={}, jobs=10)

    ended = harbour.finish(500)

    assert ended.code == 0, harbour.stderr()[-3000:]
    assert set(harbour.starts().values()) == {1}
    assert len(harbour.starts()) == 100
    assert harbour.data() == expected(harbour.stages, {})
    assert harbour.containers() == []


def test_a_copy_of_a_store_leaves_the_containers_of_its_original_alone(harbour: Harbour) -> None:
    harbour.behave("pool/0", steps=STEPS, step_s=0.2)
    host = harbour.host()
    harbour.until(lambda: harbour.steps()["pool/0", 1] > 0)

    copy = dataclasses.replace(harbour, folder=harbour.folder / "copy", hosts=[])
    copy.folder.mkdir()
    copied_home = copy.folder / "home"
    shutil.copytree(harbour.told.home, copied_home, ignore=_moving)
    copy.tell(home=str(copied_home))
    for claim in copied_home.glob("claims/*"):
        claim.unlink()
    beside = copy.finish()
    ended = harbour.ended(host)

    assert harbour.store.id == copy.store.id
    assert (beside.code, ended.code) == (0, 0), copy.stderr()[-3000:] + harbour.stderr()[-3000:]
    steps = {stage.label: STEPS for stage in harbour.stages}
    assert harbour.data() == copy.data() == expected(harbour.stages, steps)
    assert set(harbour.starts().values()) == {1}
    assert harbour.containers() == copy.containers() == []


def _moving(folder: str, names: list[str]) -> list[str]:
    """Leave out what a copy made while a run works would find half-made."""
    return [name for name in names if Path(folder).name in ("attempts", "locks", "scratch")]
