"""What of the datasets a container may see."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddspec.errors import DdspecError, Exit
from ddspec.executors.container import reads_data
from ddspec.executors.mounted_data import data_root, refuse_escapes
from ddspec.wire.job import Job, JobStage
from ddspec.wire.work import (
    CheckpointWork,
    ImportWork,
    PrepareWork,
    PretrainWork,
    SourceModel,
)


def stage(name: str, **location: str) -> JobStage:
    source = SourceModel.model_construct(name=name)
    work = PrepareWork.model_construct(kind="prepare", source=source, split="train")
    return JobStage.model_construct(
        key="k", label="prepare/train", work=work, inputs={}, location=location
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "mine/train/cat").mkdir(parents=True)
    (folder / "mine/train/cat/1.png").write_bytes(b"")
    (folder / "elsewhere").mkdir()
    (folder / "MNIST/raw").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    return folder


def test_a_folder_that_is_a_link_is_seen_where_it_is(tmp_path: Path, data: Path) -> None:
    (tmp_path / "link").symlink_to(data)

    assert data_root(tmp_path / "link", home=tmp_path / "home", socket=None) == data.resolve()


@pytest.mark.parametrize(
    ("root", "named"),
    [
        pytest.param("/", "the store", id="everything"),
        pytest.param(".", "the store", id="the store"),
        pytest.param("run", "the socket of the container engine", id="the socket"),
    ],
)
def test_what_holds_more_than_data_is_not_handed_over(
    tmp_path: Path, root: str, named: str
) -> None:
    (tmp_path / "run").mkdir()

    with pytest.raises(DdspecError, match=named) as caught:
        data_root(tmp_path / root, home=tmp_path / "home", socket=tmp_path / "run/docker.sock")

    assert caught.value.exit is Exit.REFUSED


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DdspecError, match="no data directory") as caught:
        data_root(tmp_path / "gone", home=tmp_path / "home", socket=None)

    assert caught.value.exit is Exit.UNABLE


@pytest.mark.parametrize(
    ("link", "target", "refused"),
    [
        pytest.param("mine/train/dog", "cat", False, id="a neighbour"),
        pytest.param("mine/train/dog", "../../elsewhere", False, id="elsewhere in the data"),
        pytest.param("mine/train/cat/2.png", "1.png", False, id="a file"),
        pytest.param("mine/train/loop", "..", False, id="a loop"),
        pytest.param("mine/train/dog", "../../../outside", True, id="out of the data"),
        pytest.param("mine/train/cat/2.png", "/etc/passwd", True, id="a file outside"),
        pytest.param("mine/train/dog", "{data}/elsewhere", True, id="absolute and inside"),
    ],
)
def test_links_must_lead_to_the_same_place_in_a_container(
    data: Path, link: str, target: str, refused: bool
) -> None:
    (data / link).symlink_to(target.format(data=data))
    stages = [stage("folder", path="mine", train="train")]

    if not refused:
        refuse_escapes(data, stages)
        return
    with pytest.raises(DdspecError, match=link) as caught:
        refuse_escapes(data, stages)
    assert caught.value.exit is Exit.UNABLE


def test_a_link_behind_a_link_is_found(data: Path) -> None:
    (data / "mine/train/dog").symlink_to("../../elsewhere")
    (data / "elsewhere/1.png").symlink_to("/etc/passwd")

    with pytest.raises(DdspecError, match="which is absolute"):
        refuse_escapes(data, [stage("folder", path="mine", train="train")])


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("MNIST/raw/train-labels-idx1-ubyte", "/outside/labels"),
        ("cifar-10-batches-py", "../outside"),
    ],
)
def test_files_of_a_built_in_dataset_are_looked_at_too(data: Path, link: str, target: str) -> None:
    (data / link).symlink_to(target)

    with pytest.raises(DdspecError, match=link):
        refuse_escapes(data, [stage("mnist"), stage("cifar10")])


def test_links_of_other_datasets_do_not_matter(data: Path) -> None:
    (data / "cifar-10-batches-py").symlink_to("/outside")

    refuse_escapes(data, [stage("mnist"), stage("digits")])


@pytest.mark.parametrize("path", ["/etc", "..", "mine/../../outside", "../data-too"])
def test_a_plan_that_leads_out_is_refused_before_anything_there_is_looked_at(
    tmp_path: Path, data: Path, path: str
) -> None:
    (tmp_path / "outside/link").symlink_to("/etc/shadow")

    with pytest.raises(DdspecError, match="leads out of the data directory") as caught:
        refuse_escapes(data, [stage("folder", path=path, train="train")])

    assert caught.value.exit is Exit.REFUSED
    assert "shadow" not in str(caught.value)


def given_weights(path: str) -> JobStage:
    work = CheckpointWork.model_construct(kind="checkpoint")
    return JobStage.model_construct(
        key="k", label="pool/0", work=work, inputs={}, location={"path": path}
    )


def test_weights_are_looked_at_as_datasets_are(data: Path) -> None:
    (data / "hub").mkdir()
    (data / "hub/plain.pth").write_bytes(b"")
    (data / "hub/linked.pth").symlink_to("/outside/weights.pth")

    refuse_escapes(data, [given_weights("hub/plain.pth")])
    with pytest.raises(DdspecError, match=r"linked\.pth") as linked:
        refuse_escapes(data, [given_weights("hub/linked.pth")])
    with pytest.raises(DdspecError, match="leads out of the data directory") as outside:
        refuse_escapes(data, [given_weights("../outside/weights.pth")])

    assert (linked.value.exit, outside.value.exit) == (Exit.UNABLE, Exit.REFUSED)


@pytest.mark.parametrize(
    ("one", "reads"),
    [
        pytest.param(stage("mnist"), True, id="a dataset"),
        pytest.param(given_weights("a.pth"), True, id="weights"),
        pytest.param(
            JobStage.model_construct(work=PretrainWork.model_construct(kind="pretrain")),
            False,
            id="a training",
        ),
    ],
)
def test_the_data_are_mounted_for_whoever_reads_them(one: JobStage, reads: bool) -> None:
    assert reads_data(Job.model_construct(stages=(one,))) is reads


def imported(**location: str) -> JobStage:
    work = ImportWork.model_construct(kind="import")
    return JobStage.model_construct(
        key="k", label="import", work=work, inputs={}, location=location
    )


def test_files_of_an_imported_set_are_read_from_the_data() -> None:
    assert reads_data(Job.model_construct(stages=(imported(**{"file/0": "sets/data.pt"}),)))


def test_every_file_of_an_imported_set_lies_in_the_data(tmp_path: Path, data: Path) -> None:
    (tmp_path / "outside/labels.pt").write_bytes(b"")
    (data / "images.pt").write_bytes(b"")
    (data / "labels.pt").symlink_to(tmp_path / "outside/labels.pt")

    refuse_escapes(data, [imported(**{"file/0": "images.pt"})])
    with pytest.raises(DdspecError, match="containers cannot follow the symbolic link") as linked:
        refuse_escapes(data, [imported(**{"file/0": "images.pt", "file/1": "labels.pt"})])
    with pytest.raises(DdspecError, match="leads out of the data directory") as led:
        refuse_escapes(data, [imported(**{"file/0": "../outside/labels.pt"})])

    assert (linked.value.exit, led.value.exit) == (Exit.UNABLE, Exit.REFUSED)
