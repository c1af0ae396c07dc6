"""Weights from elsewhere: what is taken over, and every hostile file that is refused."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from safetensors.torch import load_file, save
from torch import Tensor

from ddspec.spec.network import NetworkSpec
from ddspec.wire.job import Job, JobExit, JobStage
from ddspec.wire.work import CheckpointWork
from ddspec_runners import untrusted
from ddspec_runners.entry import main
from ddspec_runners.faults import BadData, BadJob
from ddspec_runners.nets.base import Network
from ddspec_runners.nets.make import make_network
from ddspec_runners.pools import foreign
from ddspec_runners.rng import generator
from ddspec_runners.site import Site
from ddspec_runners.tasks import checkpoint

CONVNET = {"kind": "convnet", "depth": 1, "width": 4, "norm": "batch"}
NETWORK: TypeAdapter[Any] = TypeAdapter(NetworkSpec)


def network() -> Network:
    return make_network(NETWORK.validate_python(CONVNET), channels=2, size=4, classes=3)


def weights() -> dict[str, Tensor]:
    drawn = network().init(generator("elsewhere"))
    running = {name: value + 0.25 for name, value in network().buffers().items()}
    return {**drawn, **running}


def saved(value: object, **how: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **how)
    return buffer.getvalue()


def site(root: Path, name: str = "given.pth") -> Site:
    for folder in ("data", "output", "scratch"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    return Site(
        key="0" * 64,
        inputs={},
        output=root / "output",
        scratch=root / "scratch",
        data=root / "data",
        location={"path": name},
    )


def work(content: bytes, digits: int = 64, **changes: Any) -> CheckpointWork:
    facts = {
        "network": CONVNET,
        "channels": 2,
        "size": 4,
        "classes": 3,
        "content": hashlib.sha256(content).hexdigest()[:digits],
        "precision": "float32",
        **changes,
    }
    return CheckpointWork.model_validate(facts)


def taken(root: Path, content: bytes, **changes: Any) -> dict[str, Tensor]:
    desk = site(root)
    (root / "data/given.pth").write_bytes(content)
    checkpoint.run(work(content, **changes), desk)
    return load_file(desk.output / "network.safetensors")


def counted() -> dict[str, Tensor]:
    return {**weights(), "block0.norm.num_batches_tracked": torch.tensor(7)}


FORMS: Mapping[str, Callable[[], bytes]] = {
    "safetensors": lambda: save(weights()),
    "torch": lambda: saved(weights()),
    "torch before zip files": lambda: saved(weights(), _use_new_zipfile_serialization=False),
    "beside other things": lambda: saved({"epoch": 3, "state_dict": weights()}),
    "of a parallel module": lambda: saved({f"module.{n}": t for n, t in weights().items()}),
    "with counters": lambda: saved(counted()),
    "in another order": lambda: saved(dict(reversed(weights().items()))),
    "as parameters": lambda: saved({n: torch.nn.Parameter(t) for n, t in weights().items()}),
}


@pytest.mark.parametrize("form", FORMS)
def test_weights_are_taken_over_as_they_are(tmp_path: Path, form: str) -> None:
    found = taken(tmp_path, FORMS[form]())

    assert found.keys() == weights().keys()
    assert all(torch.equal(found[name], value) for name, value in weights().items())


def test_weights_come_in_the_precision_of_the_plan(tmp_path: Path) -> None:
    halves = {name: value.half() for name, value in weights().items()}

    found = taken(tmp_path, saved(halves), precision="float64")

    assert all(torch.equal(found[name], value.double()) for name, value in halves.items())


def test_a_published_name_gives_the_first_digits_alone(tmp_path: Path) -> None:
    assert taken(tmp_path, saved(weights()), digits=8)


def test_parameters_are_counted(tmp_path: Path) -> None:
    desk, content = site(tmp_path), save(weights())
    (tmp_path / "data/given.pth").write_bytes(content)

    # 4 kernels of 2 x 3 x 3 and their bias, 4 scales and shifts, a classifier of 3 x 16 + 3
    assert checkpoint.run(work(content), desk) == {"parameters": 72 + 4 + 8 + 48 + 3}


class Bomb:
    """What a pickle can do to whoever loads it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch exploded",))


def packed() -> bytes:
    """A file of torch whose parts are deflated: 4 MiB of zeros in a few KiB."""
    plain = saved({"a": torch.zeros(2**20)})
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(plain)) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return buffer.getvalue()


def with_bad(name: str, value: Tensor) -> bytes:
    return saved({**weights(), name: value})


HOSTILE: Mapping[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "cannot be read as weights"),
    "no weights": (lambda: b"hello " * 100, "cannot be read as weights"),
    "torn": (lambda: saved(weights())[:-200], "cannot be read as weights"),
    "torn safetensors": (lambda: save(weights())[:-8], "cannot be read as weights"),
    "a lying header": (lambda: (2**60).to_bytes(8, "little") + b"{}", "cannot be read as weights"),
    "a pickle with code": (
        lambda: saved({"a": Bomb()}, _use_new_zipfile_serialization=False),
        "cannot be read as weights",
    ),
    "torch that asks for memory": (
        lambda: b"\x80\x02cbuiltins\nbytearray\nJ" + (2**30).to_bytes(4, "little") + b"\x85R.",
        "asks for memory",
    ),
    "torch with code": (lambda: saved({"a": Bomb()}), "cannot be read as weights"),
    "deep nesting": (lambda: b"\x80\x02" + b"]" * 9999 + b"a" * 9998 + b".", "cannot be read"),
    "a packed bomb": (packed, "its parts are packed"),
    "a list": (lambda: saved([1, 2]), "holds a list, no tensors by name"),
    "a number": (lambda: saved({"a": 3}), "something that is no tensor, at `a`"),
    "numbers for names": (lambda: saved({3: torch.zeros(1)}), "no tensor, at `3`"),
    "no tensors": (lambda: saved({}), "8 tensors are missing"),
    "another network": (
        lambda: saved({"stem.weight": torch.zeros(1)}),
        "missing, `block0.conv.weight`, .* are not of this one, `stem.weight`",
    ),
    "another width": (
        lambda: with_bad("classifier.bias", torch.zeros(4)),
        r"`classifier.bias` is \(4,\), this network's is \(3,\)",
    ),
    "a view of one number": (
        lambda: with_bad("classifier.weight", torch.zeros(1).expand(2**40)),
        "`classifier.weight` is ",
    ),
    "NaN": (lambda: with_bad("classifier.bias", torch.tensor([0, torch.nan, 0])), "holds NaN"),
    "infinity": (lambda: with_bad("classifier.bias", torch.tensor([0, torch.inf, 0])), "infinite"),
    "too large for the plan": (
        lambda: with_bad("classifier.bias", torch.full((3,), 1e39, dtype=torch.float64)),
        "infinite in torch.float32",
    ),
    "numbers of four bits": (
        lambda: with_bad("classifier.bias", torch.empty(3, dtype=torch.float4_e2m1fn_x2)),
        "not plain numbers",
    ),
    "shapes alone": (
        lambda: with_bad("classifier.bias", torch.empty(3, device="meta")),
        "on meta, not plain numbers",
    ),
    "a name that moves the cursor": (
        lambda: with_bad("up\n\x1b[2A", torch.zeros(1)),
        r"not of this one, `up\\n\\x1b\[2A`",
    ),
    "whole numbers": (lambda: with_bad("classifier.bias", torch.zeros(3).int()), "torch.int32"),
    "complex numbers": (lambda: with_bad("classifier.bias", torch.zeros(3) * 1j), "complex64"),
    "sparse": (lambda: with_bad("classifier.bias", torch.zeros(3).to_sparse()), "cannot be"),
    "negative variance": (
        lambda: with_bad("block0.norm.running_var", -torch.ones(4)),
        "negative variances",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make, message = HOSTILE[name]

    with pytest.raises(BadData, match=message) as refused:
        taken(tmp_path, make())

    assert str(tmp_path / "data/given.pth") in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "exploded").exists()
    assert not list((tmp_path / "output").iterdir())


def test_another_file_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "_parsed", lambda _: pytest.fail("it was parsed"))
    desk = site(tmp_path)
    (tmp_path / "data/given.pth").write_bytes(b"another")

    with pytest.raises(BadData, match=r"has SHA-256 [0-9a-f]{64}, the plan says [0-9a-f]{8}$"):
        checkpoint.run(work(b"expected", digits=8), desk)


def test_a_missing_file_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"there are no weights at .*given\.pth"):
        checkpoint.run(work(b""), site(tmp_path))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    desk = site(tmp_path)
    (tmp_path / "data/given.pth").mkdir()

    with pytest.raises(BadData, match="not a regular file"):
        checkpoint.run(work(b""), desk)


def test_a_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untrusted, "LIMIT", 8)

    with pytest.raises(BadData, match="larger than"):
        taken(tmp_path, b"nine long")


@pytest.mark.parametrize("place", ["../outside.pth", "link.pth"])
def test_a_place_outside_of_the_data_is_refused(tmp_path: Path, place: str) -> None:
    desk = site(tmp_path, place)
    (tmp_path / "outside.pth").write_bytes(b"secret")
    (tmp_path / "data/link.pth").symlink_to(tmp_path / "outside.pth")

    with pytest.raises(BadData, match="leads out of the data directory"):
        checkpoint.run(work(b"secret"), desk)


def test_a_job_without_a_place_or_data_says_so(tmp_path: Path) -> None:
    nowhere, blind = site(tmp_path), site(tmp_path)
    nowhere.location, blind.data = {}, None

    with pytest.raises(BadJob, match="does not say where"):
        checkpoint.run(work(b""), nowhere)
    with pytest.raises(BadData, match="--data DIR"):
        checkpoint.run(work(b""), blind)


@pytest.mark.parametrize("model", ["resnet18", "densenet121"])
def test_torchvision_names_its_files_as_its_networks(tmp_path: Path, model: str) -> None:
    import torchvision.models

    plain = torchvision.models.get_model(model, weights=None, num_classes=10)
    old = {foreign_name(name): value for name, value in plain.state_dict().items()}
    spec = {"kind": "torchvision", "model": model}
    images = torch.randn(2, 3, 32, 32, generator=generator("images"))

    found = taken(tmp_path, saved(old), network=spec, channels=3, size=32, classes=10)

    net = make_network(NETWORK.validate_python(spec), channels=3, size=32, classes=10)
    buffers = {name: found.pop(name) for name in net.buffers()}
    expected = plain.eval()(images)
    torch.testing.assert_close(net.predict(found, buffers, images), expected, rtol=0, atol=1e-5)


def foreign_name(name: str) -> str:
    """Return the name that published files of DenseNet have for a layer of a dense layer."""
    for layer in ("norm", "conv"):
        for number in "12":
            if f".{layer}{number}." in name and "denselayer" in name:
                return name.replace(f".{layer}{number}.", f".{layer}.{number}.")
    return name


def test_a_whole_job_takes_weights_over_or_says_what_is_wrong(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], process_wide_switches: None
) -> None:
    content = saved(weights())
    (tmp_path / "data").mkdir()
    (tmp_path / "data/given.pth").write_bytes(content)
    stage = JobStage(
        key="1" * 64,
        label="pool/0",
        work=work(content),
        inputs={},
        location={"path": "given.pth"},
    )
    (tmp_path / "job").mkdir()
    (tmp_path / "job/job.json").write_text(Job(stages=(stage,)).model_dump_json())
    asked = ["--root", str(tmp_path), "--data", str(tmp_path / "data")]

    assert main(asked) == JobExit.DONE
    (tmp_path / "data/given.pth").write_bytes(b"changed")
    other = stage.model_copy(update={"key": "2" * 64})
    (tmp_path / "job/job.json").write_text(Job(stages=(other,)).model_dump_json())

    assert main(asked) == JobExit.BAD_DATA
    assert "has SHA-256" in capfd.readouterr().err
