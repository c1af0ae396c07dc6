"""A machine to examine."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddspec.doctor.patient import Patient


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    return Patient(home=tmp_path / "store", environ={})
