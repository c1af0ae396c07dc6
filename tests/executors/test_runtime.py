"""Without the packages of the runners nothing is started, and a person is told what to install."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddspec.errors import DdspecError, Exit
from ddspec.executors import local
from ddspec.executors.base import JobOrder
from ddspec.executors.local import LocalExecutor
from ddspec.run.dispatch import site_of
from ddspec.store.store import open_store
from ddspec.wire.job import Job


def test_missing_packages_are_named_before_a_job_is_laid_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "RUNTIME", ("json", "a_package_that_nobody_has"))
    store = open_store(tmp_path / "home")
    executor = LocalExecutor(site_of(store))

    with pytest.raises(DdspecError, match="a_package_that_nobody_has not installed") as refused:
        executor.submit(executor.prepare(JobOrder("attempt", Job(stages=()))))

    assert refused.value.exit is Exit.UNABLE
    assert list(store.layout.attempts.iterdir()) == []
