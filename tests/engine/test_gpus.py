"""Which GPUs there are, which are meant, and how one is handed to a container."""

from __future__ import annotations

import pynvml
import pytest
from fake_nvml import GIB, Card, FakeNvml

from ddspec.engine.facts import EngineFacts, read_facts
from ddspec.engine.gpus import Gpu, device_request, driver_runs, look, select
from ddspec.errors import DdspecError, Exit

A, B, C = "GPU-aaaa1111", "GPU-aaaa2222", "GPU-cccc3333"
I0, I1 = "MIG-11110000", "MIG-22220000"


def gpu(index: str, uuid: str, parent: str | None = None) -> Gpu:
    return Gpu(index, uuid, "NVIDIA H100", 80 * GIB, "sm_90", "580.65.06", parent)


WHOLE = (gpu("0", A), gpu("1", B), gpu("2", C))
SPLIT = (gpu("0", A), gpu("1:0", I0, B), gpu("1:1", I1, B))


def facts(*cdi: str) -> EngineFacts:
    devices = [{"Source": "cdi", "ID": name} for name in cdi]
    return read_facts({"DiscoveredDevices": devices}, {})


@pytest.mark.parametrize(
    ("nvml", "driver", "uuids", "problem"),
    [
        pytest.param(
            FakeNvml(init_error=pynvml.NVML_ERROR_LIBRARY_NOT_FOUND), None, (), None, id="none"
        ),
        pytest.param(
            FakeNvml(init_error=pynvml.NVML_ERROR_DRIVER_NOT_LOADED), None, (), None, id="unloaded"
        ),
        pytest.param(
            FakeNvml(init_error=pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH),
            *(None, (), "version mismatch"),
            id="updated without a restart",
        ),
        pytest.param(
            FakeNvml(count_error=pynvml.NVML_ERROR_UNKNOWN), None, (), "Unknown", id="confused"
        ),
        pytest.param(FakeNvml(()), "580.65.06", (), None, id="a driver without GPUs"),
        pytest.param(FakeNvml((Card(A), Card(B))), "580.65.06", (A, B), None, id="two"),
        pytest.param(
            FakeNvml((Card(A), Card(B, error=pynvml.NVML_ERROR_GPU_IS_LOST), Card(C))),
            *("580.65.06", (A, C), "GPU 1 cannot be used: GPU is lost"),
            id="one fell off the bus",
        ),
        pytest.param(
            FakeNvml((Card(A, split=None),)), "580.65.06", (A,), None, id="cannot be split"
        ),
        pytest.param(
            FakeNvml((Card(A, split=True, instances={0: Card(I0), 3: Card(I1)}), Card(B))),
            *("580.65.06", (I0, I1, B), None),
            id="split, with places empty",
        ),
        pytest.param(
            FakeNvml((Card(A, split=True),)), "580.65.06", (), None, id="split into nothing"
        ),
        pytest.param(
            FakeNvml((Card(A, split=False, instances={0: Card(I0)}),)),
            *("580.65.06", (A,), None),
            id="joined again",
        ),
    ],
)
def test_what_can_be_used_is_listed_and_what_cannot_is_named(
    nvml: FakeNvml, driver: str | None, uuids: tuple[str, ...], problem: str | None
) -> None:
    found = look(nvml)

    assert found.driver == driver
    assert tuple(gpu.uuid for gpu in found.gpus) == uuids
    assert (problem or "") in "".join(found.problems)
    assert len(found.problems) == (problem is not None)
    assert nvml.open == 0


def test_an_instance_is_described_by_itself_and_by_what_it_is_part_of() -> None:
    cards = (Card(A), Card(B, split=True, instances={2: Card(I0, memory=18 * GIB)}))

    whole, instance = look(FakeNvml(cards, driver="570.86.10")).gpus

    assert whole == Gpu("0", A, "NVIDIA H100", 80 * GIB, "sm_90", "570.86.10")
    assert instance == Gpu("1:2", I0, "NVIDIA H100 MIG", 18 * GIB, "sm_90", "570.86.10", parent=B)


def test_the_library_itself_is_asked_where_none_is_given() -> None:
    found = look()

    assert (found.driver is None) == (not found.gpus and not found.problems)


@pytest.mark.parametrize(
    ("wanted", "gpus", "visible", "uuids"),
    [
        pytest.param("0,1", WHOLE, None, (A, B), id="indices"),
        pytest.param(" 2 , 0 ", WHOLE, None, (C, A), id="in the order of the person"),
        pytest.param(B, WHOLE, None, (B,), id="a UUID"),
        pytest.param("GPU-c,GPU-aaaa1", WHOLE, None, (C, A), id="beginnings"),
        pytest.param("all", WHOLE, None, (A, B, C), id="all"),
        pytest.param(None, WHOLE, None, (A, B, C), id="nothing said"),
        pytest.param(None, (), None, (), id="nothing said, nothing there"),
        pytest.param("all", WHOLE, "2,0", (C, A), id="all that the caller sees"),
        pytest.param(None, WHOLE, "GPU-c", (C,), id="what the caller sees"),
        pytest.param(None, WHOLE, "", (), id="the caller sees none"),
        pytest.param(None, WHOLE, "-1", (), id="the caller sees none, as some write it"),
        pytest.param(None, WHOLE, "1,-1,2", (B,), id="the list ends at what names nothing"),
        pytest.param(None, WHOLE, "1,GPU-a,2", (B,), id="the list ends at what is ambiguous"),
        pytest.param(None, WHOLE, "1,1", (B,), id="seen twice"),
        pytest.param("2", WHOLE, "0", (C,), id="a name goes beyond what the caller sees"),
        pytest.param("1", SPLIT, None, (I0, I1), id="a split GPU by index"),
        pytest.param(B, SPLIT, None, (I0, I1), id="a split GPU by UUID"),
        pytest.param("1:1", SPLIT, None, (I1,), id="an instance by index"),
        pytest.param("MIG-2", SPLIT, None, (I1,), id="an instance by UUID"),
        pytest.param("all", SPLIT, "MIG-1", (I0,), id="the caller sees an instance"),
        pytest.param(
            "GPU-a", (gpu("0", "GPU-a"), gpu("1", "GPU-ab")), None, ("GPU-a",), id="exact"
        ),
    ],
)
def test_gpus_are_chosen_by_index_or_by_uuid(
    wanted: str | None, gpus: tuple[Gpu, ...], visible: str | None, uuids: tuple[str, ...]
) -> None:
    assert tuple(gpu.uuid for gpu in select(wanted, gpus, visible=visible)) == uuids


@pytest.mark.parametrize(
    ("wanted", "gpus", "exit", "message", "hint"),
    [
        pytest.param("first", WHOLE, Exit.USAGE, "`first` names no GPU", "`0,1`", id="a word"),
        pytest.param("", WHOLE, Exit.USAGE, "`` names no GPU", "`0,1`", id="nothing"),
        pytest.param("0,,1", WHOLE, Exit.USAGE, "`` names no GPU", "`0,1`", id="a gap"),
        pytest.param("0-2", WHOLE, Exit.USAGE, "`0-2` names no GPU", "`0,1`", id="a range"),
        pytest.param("all,0", WHOLE, Exit.USAGE, "`all` names no GPU", "`0,1`", id="all and more"),
        pytest.param("../x", WHOLE, Exit.USAGE, "names no GPU", "", id="a path"),
        pytest.param("GPU-aaaa", WHOLE, Exit.USAGE, "several UUIDs", A, id="ambiguous"),
        pytest.param("0,0", WHOLE, Exit.USAGE, "the GPU 0 twice", "one job", id="twice"),
        pytest.param(f"1,{B}", WHOLE, Exit.USAGE, "the GPU 1 twice", "one job", id="twice by name"),
        pytest.param("1,1:0", SPLIT, Exit.USAGE, "the GPU 1:0 twice", "one job", id="and its part"),
        pytest.param("7", WHOLE, Exit.UNABLE, "no GPU `7`", f"0 (NVIDIA H100, {A})", id="absent"),
        pytest.param("GPU-f", WHOLE, Exit.UNABLE, "no GPU `GPU-f`", B, id="absent UUID"),
        pytest.param("0", (), Exit.UNABLE, "no GPU `0`", "lists none", id="no GPUs"),
        pytest.param("all", (), Exit.UNABLE, "no GPU can be used", "lists none", id="all of none"),
    ],
)
def test_what_names_no_gpu_is_refused_with_what_there_is(
    wanted: str, gpus: tuple[Gpu, ...], exit: Exit, message: str, hint: str
) -> None:
    with pytest.raises(DdspecError) as refused:
        select(wanted, gpus)

    assert refused.value.exit is exit
    assert message in refused.value.diagnostics[0].message
    assert hint in refused.value.diagnostics[0].hint


def test_a_limit_that_leaves_nothing_is_told_to_who_wants_all() -> None:
    with pytest.raises(DdspecError, match="no GPU can be used") as refused:
        select("all", WHOLE, visible="")

    assert refused.value.exit is Exit.UNABLE


@pytest.mark.parametrize(
    ("uuid", "cdi", "name"),
    [
        pytest.param(B, (f"nvidia.com/gpu={B}", "nvidia.com/gpu=1"), B, id="by UUID"),
        pytest.param(
            B, ("nvidia.com/gpu=0", "nvidia.com/gpu=1", "nvidia.com/gpu=all"), "1", id="x"
        ),
        pytest.param(I1, ("nvidia.com/gpu=1:0", "nvidia.com/gpu=1:1"), "1:1", id="an instance"),
    ],
)
def test_a_gpu_that_the_engine_lists_goes_by_its_name_there(
    uuid: str, cdi: tuple[str, ...], name: str
) -> None:
    request = device_request(uuid, facts(*cdi), (*WHOLE, *SPLIT))

    assert request == {"Driver": "cdi", "DeviceIDs": [f"nvidia.com/gpu={name}"]}


@pytest.mark.parametrize(
    "cdi",
    [
        pytest.param((), id="lists nothing"),
        pytest.param(("nvidia.com/gpu=all", "nvidia.com/gpu=0"), id="lists others"),
        pytest.param((f"vendor.com/gpu={B}", "nvidia.com/gpu=None"), id="of others"),
    ],
)
def test_a_gpu_that_the_engine_does_not_list_is_asked_of_its_runtime(cdi: tuple[str, ...]) -> None:
    for gpus in ((), WHOLE):
        request = device_request(B, facts(*cdi), gpus)

        assert request == {"Driver": "", "DeviceIDs": [B], "Capabilities": [["gpu"]]}


@pytest.mark.parametrize(
    ("driver", "cuda", "runs"),
    [
        ("525.60.13", "12.8", True),
        ("525.60.12", "12.0", False),
        ("580.65.06", "13.0", True),
        ("580.65.05", "13.0", False),
        ("579.99", "13.1", False),
        ("590.10", "13.0", True),
        ("580.65.06", "12.6", True),
        ("580", "12.6", True),
        ("535.104.05", "11.8", True),
        ("580.65.06", "14.0", True),
        ("575.57.08", "14.0", False),
    ],
)
def test_a_driver_runs_the_cuda_of_its_time_and_earlier(driver: str, cuda: str, runs: bool) -> None:
    assert driver_runs(driver, cuda) is runs
