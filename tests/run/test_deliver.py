"""Delivering a set: complete, with its recipe, independent of the store, never half new."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ddspec.errors import DdspecError, Exit
from ddspec.run.deliver import Taught, deliver
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.store.store import Store, open_store

PROTOCOL = ProtocolSpec(name="short", steps=10)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "home")


def publish(
    store: Store, tmp_path: Path, key: str, images: bytes, whitening: bytes | None = None
) -> str:
    source = tmp_path / f"made-{key}"
    source.mkdir()
    (source / "synthetic.safetensors").write_bytes(images)
    (source / "grid.png").write_bytes(b"picture")
    if whitening is not None:
        (source / "whitening.safetensors").write_bytes(whitening)
    (source / "card.json").write_text(json.dumps({"protocol": None, "provenance": key}))
    digest = (key * 64)[:64]
    store.objects.publish(source, digest)
    return digest


def test_the_card_of_a_delivered_set_names_the_protocol(store: Store, tmp_path: Path) -> None:
    folder = deliver(store, "digits", publish(store, tmp_path, "a", b"1"), PROTOCOL, {"x": 1})

    assert json.loads((folder / "card.json").read_bytes())["protocol"]["name"] == "short"
    assert json.loads((folder / "results.json").read_bytes()) == {"x": 1}
    assert (folder / "synthetic.safetensors").read_bytes() == b"1"


def test_the_card_says_what_publications_leave_open_where_they_do(
    store: Store, tmp_path: Path
) -> None:
    key = publish(store, tmp_path, "a", b"1")
    told = {"note": "its values are another method's", "settings": {"update.learning_rate": "x"}}

    marked = deliver(store, "marked", key, PROTOCOL, {}, unpublished=told)
    plain = deliver(store, "plain", key, PROTOCOL, {})

    assert json.loads((marked / "card.json").read_bytes())["unpublished"] == told
    assert "unpublished" not in json.loads((plain / "card.json").read_bytes())


def test_editing_a_delivered_file_leaves_the_store_whole(store: Store, tmp_path: Path) -> None:
    key = publish(store, tmp_path, "a", b"1")
    folder = deliver(store, "digits", key, PROTOCOL, {})

    (folder / "synthetic.safetensors").write_bytes(b"changed by hand")

    assert [problem for _, problem in store.objects.verify_all()] == [None]


def test_another_set_takes_the_place_of_the_first(store: Store, tmp_path: Path) -> None:
    deliver(store, "digits", publish(store, tmp_path, "a", b"1"), PROTOCOL, {})

    folder = deliver(store, "digits", publish(store, tmp_path, "b", b"2"), PROTOCOL, {})

    assert (folder / "synthetic.safetensors").read_bytes() == b"2"
    assert json.loads((folder / "card.json").read_bytes())["provenance"] == "b"
    assert sorted(path.name for path in folder.iterdir()) == [
        "card.json",
        "grid.png",
        "results.json",
        "synthetic.safetensors",
    ]


def test_a_whitening_is_delivered_with_its_set_and_leaves_with_it(
    store: Store, tmp_path: Path
) -> None:
    plain = publish(store, tmp_path, "b", b"2")
    whitened = publish(store, tmp_path, "a", b"1", whitening=b"matrix")

    folder = deliver(store, "digits", whitened, PROTOCOL, {})

    assert (folder / "whitening.safetensors").read_bytes() == b"matrix"
    deliver(store, "digits", plain, PROTOCOL, {})
    assert not (folder / "whitening.safetensors").exists()


def test_a_delivered_set_is_not_written_again(store: Store, tmp_path: Path) -> None:
    key = publish(store, tmp_path, "a", b"1")
    folder = deliver(store, "digits", key, PROTOCOL, {})
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}

    deliver(store, "digits", key, PROTOCOL, {})

    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_of_sets_that_are_delivered_at_once_one_is_there_whole(
    store: Store, tmp_path: Path
) -> None:
    keys = [publish(store, tmp_path, name, name.encode() * 100_000) for name in "abcd"]

    with ThreadPoolExecutor(4) as pool:
        *_, folder = pool.map(lambda key: deliver(store, "digits", key, PROTOCOL, {}), keys * 4)

    name = json.loads((folder / "card.json").read_bytes())["provenance"]
    assert (folder / "synthetic.safetensors").read_bytes() == name.encode() * 100_000
    assert len(list(folder.iterdir())) == 4


def test_a_file_in_place_of_the_folder_is_an_error_that_says_so(
    store: Store, tmp_path: Path
) -> None:
    store.layout.results.mkdir()
    (store.layout.results / "digits").write_text("mine")

    with pytest.raises(DdspecError, match="digits: it is no folder") as caught:
        deliver(store, "digits", publish(store, tmp_path, "a", b"1"), PROTOCOL, {})

    assert caught.value.exit is Exit.UNABLE


@pytest.mark.parametrize("card", [b"[]", b"no JSON", b"[" * 100_000, None])
def test_an_output_that_is_no_set_is_not_delivered(
    store: Store, tmp_path: Path, card: bytes | None
) -> None:
    source = tmp_path / "made"
    source.mkdir()
    for name in ("synthetic.safetensors", "grid.png"):
        (source / name).touch()
    if card is not None:
        (source / "card.json").write_bytes(card)
    store.objects.publish(source, "a" * 64)

    with pytest.raises(DdspecError, match="is no distilled set") as caught:
        deliver(store, "digits", "a" * 64, PROTOCOL, {})

    assert caught.value.exit is Exit.FAILED


def record(store: Store, tmp_path: Path, key: str, *parts: bytes) -> str:
    source = tmp_path / f"labels-{key}"
    source.mkdir()
    for number, part in enumerate(parts):
        (source / f"part-{number}.safetensors").write_bytes(part)
    (source / "labels.json").write_text(json.dumps({"key": key}))
    digest = (key * 64)[:64]
    store.objects.publish(source, digest)
    return digest


def there(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "labels").iterdir()}


def test_what_teachers_said_lies_beside_the_set_and_its_card_says_so(
    store: Store, tmp_path: Path
) -> None:
    key = publish(store, tmp_path, "a", b"1")
    said = record(store, tmp_path, "b", b"x", b"y")

    folder = deliver(store, "digits", key, PROTOCOL, {}, Taught(said))

    assert json.loads((folder / "card.json").read_bytes())["labels"] == "soft"
    assert there(folder) == {
        "part-0.safetensors": b"x",
        "part-1.safetensors": b"y",
        "labels.json": b'{"key": "b"}',
    }


def test_labels_of_other_teachers_take_their_place(store: Store, tmp_path: Path) -> None:
    key = publish(store, tmp_path, "a", b"1")
    many, few = record(store, tmp_path, "b", b"x", b"y"), record(store, tmp_path, "c", b"z")
    deliver(store, "digits", key, PROTOCOL, {}, Taught(many))

    folder = deliver(store, "digits", key, PROTOCOL, {}, Taught(few))

    assert there(folder) == {"part-0.safetensors": b"z", "labels.json": b'{"key": "c"}'}


@pytest.mark.parametrize("taught", [None, Taught(), Taught("f" * 64)], ids=["hard", "online", "?"])
def test_labels_leave_with_the_set_that_they_were_of(
    store: Store, tmp_path: Path, taught: Taught | None
) -> None:
    key, other = publish(store, tmp_path, "a", b"1"), publish(store, tmp_path, "d", b"2")
    deliver(store, "digits", key, PROTOCOL, {}, Taught(record(store, tmp_path, "b", b"x")))

    folder = deliver(store, "digits", other, PROTOCOL, {}, taught)

    assert not (folder / "labels").exists()
    card = json.loads((folder / "card.json").read_bytes())
    assert card.get("labels") == (None if taught is None else "soft")


def test_labels_that_are_too_many_stay_in_the_store(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ddspec.run.deliver.MOST_LABELS", 1)
    key, said = publish(store, tmp_path, "a", b"1"), record(store, tmp_path, "b", b"x", b"y")

    folder = deliver(store, "digits", key, PROTOCOL, {}, Taught(said))

    assert not (folder / "labels").exists()
    assert json.loads((folder / "card.json").read_bytes())["labels"] == "soft"
