from __future__ import annotations

import pytest

from ddspec.errors import DdspecError, Exit
from ddspec.plan.devices import DEVICES, device, device_called, fitting


def test_every_device_has_what_a_forecast_needs() -> None:
    for name, found in DEVICES.items():
        assert found.name == name
        assert 0 < found.fp64 <= found.fp32 <= (found.tf32 or found.fp32)
        assert found.gb_s > 0
        assert found.source
        assert (found.memory_bytes is None) == (name == "cpu")


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("NVIDIA GeForce RTX 2080", "rtx2080"),
        ("NVIDIA GeForce RTX 2080 Ti", "rtx2080ti"),
        ("NVIDIA RTX A6000", "a6000"),
        ("NVIDIA A100-SXM4-40GB", "a100-40"),
        ("NVIDIA A100-SXM4-80GB", "a100-80"),
        ("NVIDIA A100 80GB PCIe", "a100-80"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H200", "h200"),
        ("Tesla V100-SXM2-16GB", "v100"),
        ("Tesla V100-SXM2-32GB", "v100-32"),
        ("NVIDIA L4", "l4"),
        ("", "cpu"),
    ],
)
def test_a_drivers_name_finds_its_device(title: str, name: str) -> None:
    found = device_called(title)

    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("title", ["NVIDIA L40S", "AMD Instinct MI300X", "NVIDIA RTX A600"])
def test_other_devices_are_not_taken_for_one_of_the_table(title: str) -> None:
    assert device_called(title) is None


def test_names_are_taken_in_any_case() -> None:
    assert device(" A6000 ").name == "a6000"


def test_an_unknown_name_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(DdspecError) as caught:
        device("a600")

    assert caught.value.exit == Exit.USAGE
    assert "did you mean `a6000`?" in str(caught.value.diagnostics[0].hint)


def test_devices_that_fit_come_smallest_first() -> None:
    names = [found.name for found in fitting(30 * 2**30)]

    assert names[:2] == ["v100-32", "a100-40"]
    assert names[-1] == "h200"
    assert "cpu" not in names


def test_tf32_falls_back_to_float32_where_there_is_none() -> None:
    assert device("rtx2080").peak("tf32") == device("rtx2080").peak("float32")
    assert device("a100-40").peak("tf32") == 8 * device("a100-40").peak("float32")
