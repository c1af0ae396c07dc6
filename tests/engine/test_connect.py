"""Which engine is meant, and what a person is told where none can be talked to."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ddspec.engine.connect import DEFAULT, address_of, connect
from ddspec.engine.faults import EngineGone
from ddspec.errors import DdspecError, Exit


def make_context(config: Path, name: str, host: str, *, tls: bool = False) -> None:
    folder = hashlib.sha256(name.encode()).hexdigest()
    meta = config / "contexts" / "meta" / folder
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Endpoints": {"docker": {"Host": host}}}))
    if tls:
        (config / "contexts" / "tls" / folder / "docker").mkdir(parents=True)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    make_context(folder, "lab", "tcp://lab:2376", tls=True)
    make_context(folder, "mine", "unix:///mine.sock")
    (folder / "config.json").write_text('{"currentContext": "mine", "proxies": {"default": {}}}')
    return folder


@pytest.mark.parametrize(
    ("environ", "endpoint"),
    [
        pytest.param({}, "unix:///mine.sock", id="the current context"),
        pytest.param({"DOCKER_CONTEXT": "lab"}, "tcp://lab:2376", id="a context by name"),
        pytest.param({"DOCKER_CONTEXT": "default"}, DEFAULT, id="the default context"),
        pytest.param({"DOCKER_HOST": "unix:///a.sock"}, "unix:///a.sock", id="an address"),
        pytest.param({"DOCKER_HOST": "/a.sock"}, "unix:///a.sock", id="a bare path"),
        pytest.param(
            {"DOCKER_HOST": "tcp://h:1", "DOCKER_CONTEXT": "lab"}, "tcp://h:1", id="an address wins"
        ),
        pytest.param({"DOCKER_CONFIG": "/nowhere"}, DEFAULT, id="nothing is configured"),
    ],
)
def test_the_engine_is_the_one_that_docker_would_take(
    config: Path, environ: dict[str, str], endpoint: str
) -> None:
    assert address_of({"DOCKER_CONFIG": str(config), **environ}).endpoint == endpoint


def test_certificates_are_those_of_the_context_or_of_the_environment(config: Path) -> None:
    base = {"DOCKER_CONFIG": str(config)}
    context = address_of({**base, "DOCKER_CONTEXT": "lab"})
    given = address_of({**base, "DOCKER_HOST": "tcp://h:1", "DOCKER_CERT_PATH": "/certs"})
    plain = address_of({**base, "DOCKER_HOST": "tcp://h:1", "DOCKER_TLS_VERIFY": ""})

    assert (context.certificates or Path()).name == "docker"
    assert context.verify
    assert (given.certificates, given.verify) == (Path("/certs"), False)
    assert (plain.certificates, plain.verify) == (None, False)


@pytest.mark.parametrize(
    "host", ["nonsense", "ftp://h", "tcp://", "unix://", "tcp://h:port", "tcp://["]
)
def test_an_address_that_is_none_is_named_with_its_variable(host: str) -> None:
    with pytest.raises(DdspecError, match="DOCKER_HOST names no container engine") as caught:
        connect({"DOCKER_HOST": host})

    assert caught.value.exit is Exit.UNABLE


def test_a_context_that_is_not_there_is_named(config: Path) -> None:
    with pytest.raises(DdspecError, match="context `gone` cannot be read"):
        connect({"DOCKER_CONFIG": str(config), "DOCKER_CONTEXT": "gone"})


def test_a_socket_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineGone, match="there is no such socket") as caught:
        connect({"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})

    assert caught.value.exit is Exit.UNABLE


def test_a_socket_without_a_listener_is_told_apart(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "deaf.sock"))

        with pytest.raises(EngineGone, match="nobody listens there"):
            connect({"DOCKER_HOST": f"unix://{tmp_path}/deaf.sock"})


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[str]:
    """A server that answers everything with the bytes in the file `answer`."""
    server = socket.create_server(("127.0.0.1", 0))
    with answering(server, tmp_path / "answer"):
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def answering(server: socket.socket, answer: Path) -> Iterator[None]:
    def serve() -> None:
        while True:
            try:
                peer, _ = server.accept()
            except OSError:
                return
            with peer:
                if peer.recv(65536):
                    peer.sendall(answer.read_bytes())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


def http(body: str, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(http("[1]"), "no container engine answers", id="another document"),
        pytest.param(http("not JSON"), "no container engine answers", id="no JSON"),
        pytest.param(http("{}"), "no container engine answers", id="an empty document"),
        pytest.param(http("oops", "500 Oops"), "no container engine answers", id="a failure"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", "no container engine answers", id="no HTTP"),
        pytest.param(b"", "no container engine answers", id="nothing"),
        pytest.param(http('{"ApiVersion": "1.24"}'), "too old: its API is 1.24", id="too old"),
    ],
)
def test_what_answers_and_is_no_engine_is_not_taken_for_one(
    tmp_path: Path, impostor: str, answer: bytes, said: str
) -> None:
    (tmp_path / "answer").write_bytes(answer)

    with pytest.raises(DdspecError, match=said) as caught:
        connect({"DOCKER_HOST": impostor})

    assert caught.value.exit is Exit.UNABLE


def test_a_socket_is_asked_without_the_proxies_and_passwords_of_the_environment(
    tmp_path: Path,
) -> None:
    (tmp_path / "answer").write_bytes(http('{"ApiVersion": "1.41"}'))
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "s"))
    server.listen()

    with answering(server, tmp_path / "answer"):
        engine = connect({"DOCKER_HOST": f"unix://{tmp_path}/s"})

    assert engine.api.trust_env is False


@pytest.mark.parametrize("wanted", ["1.30", "1.48"], ids=["too old for us", "too new for it"])
def test_an_interface_that_is_asked_for_and_cannot_be_is_refused(
    tmp_path: Path, impostor: str, wanted: str
) -> None:
    (tmp_path / "answer").write_bytes(http('{"ApiVersion": "1.47"}'))

    with pytest.raises(DdspecError, match=f"asks for {wanted}: .* at most 1.47") as caught:
        connect({"DOCKER_HOST": impostor, "DOCKER_API_VERSION": wanted})

    assert caught.value.exit is Exit.UNABLE


def test_a_version_that_is_none_is_named_with_its_variable(tmp_path: Path) -> None:
    with pytest.raises(DdspecError, match="DOCKER_API_VERSION is no version: `new`") as caught:
        connect({"DOCKER_HOST": f"unix://{tmp_path}/none.sock", "DOCKER_API_VERSION": "new"})

    assert caught.value.exit is Exit.UNABLE


def test_what_is_no_engine_is_told_apart_from_one_that_fails(tmp_path: Path, impostor: str) -> None:
    (tmp_path / "answer").write_bytes(http("<html>"))
    with pytest.raises(EngineGone, match="what answers there is no container engine"):
        connect({"DOCKER_HOST": impostor})
    (tmp_path / "answer").write_bytes(http('{"message": "no containerd"}', "500 Oops"))

    with pytest.raises(EngineGone, match="it answers with an error: no containerd"):
        connect({"DOCKER_HOST": impostor})


def test_what_does_not_speak_tls_is_told_with_the_settings_of_tls(
    tmp_path: Path, impostor: str
) -> None:
    (tmp_path / "answer").write_bytes(b"no handshake")

    with pytest.raises(EngineGone, match="TLS: wrong version number") as caught:
        connect({"DOCKER_HOST": impostor, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/none"})

    assert "DOCKER_CERT_PATH" in caught.value.diagnostics[0].hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use every socket")
def test_a_socket_of_somebody_else_is_told_apart(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.sock"))
        server.listen()
        (tmp_path / "s.sock").chmod(0)

        with pytest.raises(EngineGone, match="no permission"):
            connect({"DOCKER_HOST": f"unix://{tmp_path}/s.sock"})
