"""The body that an engine is sent, without an engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_jobs import order

from ddspec.engine.facts import EngineFacts, read_facts
from ddspec.errors import DdspecError, Exit
from ddspec.executors.base import Site, Terms
from ddspec.executors.container import (
    DockerRequest,
    Ground,
    maps_users,
    on_gpu,
    request_of,
    sizes_of,
    user_of,
)

GIB = 1 << 30
MIB = 1 << 20
INFO: dict[str, Any] = {"ID": "X", "MemTotal": 20 * GIB, "SwapLimit": True, "PidsLimit": True}
FACTS = read_facts(INFO, {})
IMAGE = "sha256:0123456789abcdef"
GPU = "GPU-1-2"
DEVICE = {"Driver": "", "DeviceIDs": [GPU], "Capabilities": [["gpu"]]}
KEY = order("one").document.stages[0].key
INPUT = order("one").inputs[0]


def request(facts: EngineFacts = FACTS, *, data: Path | None = None, **site: Any) -> DockerRequest:
    places: dict[str, Any] = {
        "attempts": Path("/s/attempts"),
        "scratch": Path("/s/scratch"),
        "object": lambda key: Path("/s/objects") / key,
        "cache": Path("/s/cache"),
    }
    ground = Ground(facts, IMAGE, "name@sha256:ff", (1000, 100), "boot", "/s", data)
    terms = Terms(memory=4 * GIB)
    return request_of(order("one"), Site("store", **{**places, **site}), terms, ground, None)


def host_of(body: Any) -> dict[str, Any]:
    found: dict[str, Any] = body["HostConfig"]
    return found


def env_of(body: Any) -> dict[str, str]:
    return dict(line.split("=", 1) for line in body["Env"])


def test_a_container_is_walled_in() -> None:
    host = host_of(request().body)

    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges", "label=disable"]
    assert host["NetworkMode"] == "none"
    assert host["IpcMode"] == "private"
    assert host["Init"] is True
    assert host["RestartPolicy"] == {"Name": "no"}
    assert host["AutoRemove"] is False
    assert host["Tmpfs"] == {"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={GIB // 2}"}
    assert host["Ulimits"] == [{"Name": "core", "Soft": 0, "Hard": 0}]
    assert host["Memory"] == host["MemorySwap"] == 4 * GIB
    assert host["ShmSize"] == GIB // 2
    assert host["PidsLimit"] > 0
    assert host["LogConfig"]["Type"] == "json-file"
    assert "max-size" in host["LogConfig"]["Config"]
    assert not {"Privileged", "Devices", "DeviceRequests", "Binds", "CapAdd"} & host.keys()


def test_a_container_sees_its_job_and_no_more() -> None:
    mounts = host_of(request().body)["Mounts"]

    assert {mount["Type"] for mount in mounts} == {"bind"}
    assert {mount["Target"]: (mount["Source"], mount["ReadOnly"]) for mount in mounts} == {
        "/job": ("/s/attempts/one/job", True),
        f"/inputs/{INPUT}": (f"/s/objects/{INPUT}", True),
        "/output": ("/s/attempts/one/output", False),
        f"/scratch/{KEY}": (f"/s/scratch/{KEY}", False),
        "/cache": ("/s/cache/0123456789ab-cpu", False),
    }


def test_datasets_are_there_to_be_read_where_a_stage_reads_them() -> None:
    mounts = host_of(request(data=Path("/d")).body)["Mounts"]

    assert [mount for mount in mounts if mount["Target"] == "/data"] == [
        {
            "Type": "bind",
            "Source": "/d",
            "Target": "/data",
            "ReadOnly": True,
            "BindOptions": {"Propagation": "rprivate"},
        }
    ]


def test_the_environment_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "leaked")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")

    environment = env_of(request().body)

    assert environment == {
        "HOME": "/tmp",
        "USER": "ddspec",
        "LOGNAME": "ddspec",
        "LANG": "C.UTF-8",
        "TMPDIR": "/tmp",
        "XDG_CACHE_HOME": "/cache/xdg",
        "TORCHINDUCTOR_CACHE_DIR": "/cache/inductor",
        "TRITON_CACHE_DIR": "/cache/triton",
        "CUDA_CACHE_PATH": "/cache/cuda",
        "MPLCONFIGDIR": "/tmp/matplotlib",
        "OMP_NUM_THREADS": "3",
        "MKL_NUM_THREADS": "3",
        "OPENBLAS_NUM_THREADS": "3",
        "PYTHONHASHSEED": "0",
        "NVIDIA_VISIBLE_DEVICES": "void",
    }


def test_without_a_cache_compilers_keep_to_tmp() -> None:
    body = request(cache=None).body

    assert env_of(body)["TRITON_CACHE_DIR"] == "/tmp/cache/triton"
    assert "/cache" not in {mount["Target"] for mount in host_of(body)["Mounts"]}


def test_an_image_goes_by_its_id_and_a_runner_hears_its_pinned_name() -> None:
    made = request()

    assert made.body["Image"] == IMAGE
    assert json.loads(made.document)["image"] == "name@sha256:ff"
    assert made.body["User"] == "1000:100"


def test_labels_say_whose_it_is() -> None:
    assert request().body["Labels"] == {
        "org.ddspec.store": "store",
        "org.ddspec.home": "/s",
        "org.ddspec.attempt": "one",
        "org.ddspec.stages": KEY[:16],
        "org.ddspec.labels": "second",
        "org.ddspec.boot": "boot",
        "org.ddspec.image": "name@sha256:ff",
    }


@pytest.mark.parametrize(
    ("missing", "field"), [("SwapLimit", "MemorySwap"), ("PidsLimit", "PidsLimit")]
)
def test_limits_that_an_engine_cannot_set_are_not_asked_for(missing: str, field: str) -> None:
    facts = read_facts({**INFO, missing: False}, {})

    assert field not in host_of(request(facts).body)


def test_a_gpu_is_handed_on_by_its_name_with_the_caches_of_its_kind() -> None:
    plain = request()

    made = on_gpu(plain, GPU, DEVICE, "sm_90")

    assert host_of(made.body)["DeviceRequests"] == [DEVICE]
    assert made.body["Labels"]["org.ddspec.gpus"] == GPU
    assert made.cache == Path("/s/cache/0123456789ab-sm_90")
    assert str(made.cache) in {mount["Source"] for mount in host_of(made.body)["Mounts"]}
    assert "NVIDIA_VISIBLE_DEVICES" not in env_of(made.body)
    assert env_of(made.body)["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility"
    assert plain == request()


def test_a_gpu_by_its_cdi_name_is_not_also_given_by_the_runtime() -> None:
    made = on_gpu(request(), GPU, {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0"]}, "sm_90")

    assert env_of(made.body)["NVIDIA_VISIBLE_DEVICES"] == "void"


@pytest.mark.parametrize(
    ("terms", "sizes"),
    [
        pytest.param(Terms(), (18 * GIB, GIB, GIB), id="all but a tenth"),
        pytest.param(Terms(jobs=3), (6 * GIB, 768 * MIB, 768 * MIB), id="a third of it"),
        pytest.param(Terms(memory=GIB), (GIB, 128 * MIB, 128 * MIB), id="as told"),
        pytest.param(Terms(memory=GIB, shm=MIB), (GIB, MIB, 128 * MIB), id="both as told"),
    ],
)
def test_memory_is_divided_among_jobs(terms: Terms, sizes: tuple[int, int, int]) -> None:
    found = sizes_of(terms, 20 * GIB)

    assert (found.memory, found.shm, found.tmp) == sizes


@pytest.mark.parametrize("terms", [Terms(memory=GIB, shm=GIB), Terms(memory=8 * GIB, shm=7 * GIB)])
def test_what_does_not_fit_into_the_memory_is_refused(terms: Terms) -> None:
    with pytest.raises(DdspecError, match="do not fit") as caught:
        sizes_of(terms, 20 * GIB)

    assert caught.value.exit is Exit.USAGE


@pytest.mark.parametrize(
    ("terms", "size"),
    [
        pytest.param(Terms(memory=256), "256 bytes", id="a unit was forgotten"),
        pytest.param(Terms(memory=8 * MIB, shm=GIB), "8 MiB", id="too little by itself"),
        pytest.param(Terms(jobs=1000), "18.43 MiB", id="too many jobs"),
    ],
)
def test_a_job_with_too_little_memory_is_refused(terms: Terms, size: str) -> None:
    with pytest.raises(DdspecError, match=f"^{size} of memory is too little") as caught:
        sizes_of(terms, 20 * GIB)

    assert caught.value.exit is Exit.USAGE
    assert ("--jobs" in str(caught.value)) is (terms.memory is None)


@pytest.mark.parametrize(
    ("options", "caller", "user"),
    [
        pytest.param([], (1000, 100), (1000, 100), id="the caller"),
        pytest.param([], (0, 0), (65532, 65532), id="never root"),
        pytest.param(["name=rootless"], (1000, 100), (0, 0), id="rootless"),
    ],
)
def test_the_user_is_one_who_owns_the_files_outside(
    options: list[str], caller: tuple[int, int], user: tuple[int, int]
) -> None:
    assert user_of(read_facts({"SecurityOptions": options}, {}), caller) == user


@pytest.mark.parametrize(
    ("options", "version", "maps"),
    [
        pytest.param([], {}, False, id="docker"),
        pytest.param(["name=userns"], {}, True, id="remapped"),
        pytest.param(["name=rootless"], {}, True, id="rootless"),
        pytest.param([], {"Components": [{"Name": "Podman Engine"}]}, True, id="podman"),
    ],
)
def test_engines_that_map_users_have_to_prove_themselves(
    options: list[str], version: dict[str, Any], maps: bool
) -> None:
    assert maps_users(read_facts({"SecurityOptions": options}, version)) is maps
