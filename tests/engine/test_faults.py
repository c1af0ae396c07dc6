"""A refusal is not a silence."""

from __future__ import annotations

import pytest
import requests
from docker.errors import APIError, DockerException, NotFound
from urllib3.exceptions import ProtocolError

from ddspec.engine.faults import EngineGone, EngineRefused, translated
from ddspec.errors import Exit


def refused(status: int, said: str) -> APIError:
    response = requests.Response()
    response.status_code = status
    return APIError("it failed", response=response, explanation=said)


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectionError(ProtocolError("aborted", FileNotFoundError(2, "No such file"))),
        requests.ReadTimeout("Read timed out."),
        requests.exceptions.ChunkedEncodingError("cut"),
        requests.exceptions.JSONDecodeError("no JSON", "", 0),
        ProtocolError("Connection broken"),
        DockerException("Error while fetching server API version"),
        ConnectionResetError(104, "Connection reset by peer"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_is_no_answer_is_a_silence(error: Exception) -> None:
    with (
        pytest.raises(EngineGone, match="asked to count sheep") as caught,
        translated("count sheep"),
    ):
        raise error

    assert caught.value.exit is Exit.UNABLE


@pytest.mark.parametrize("status", [400, 404, 409, 500])
def test_an_answer_keeps_its_status_and_its_words(status: int) -> None:
    with pytest.raises(EngineRefused) as caught, translated("count sheep"):
        raise refused(status, "too many\n  sheep")

    assert (caught.value.status, caught.value.said) == (status, "too many sheep")
    assert caught.value.exit is Exit.UNABLE


@pytest.mark.parametrize(
    "said",
    [
        'connection error: desc = "transport: Error while dialing dial unix containerd.sock: '
        'connect: connection refused": unavailable',
        "transport is closing: unavailable",
        "ttrpc: closed: unknown",
        "grpc: the client connection is closing: unknown",
    ],
)
def test_an_engine_without_its_containerd_is_a_silence(said: str) -> None:
    with pytest.raises(EngineGone, match="lost its other half"), translated("start the job"):
        raise refused(500, said)


def test_what_is_not_there_is_a_refusal() -> None:
    response = requests.Response()
    response.status_code = 404

    with pytest.raises(EngineRefused) as caught, translated("find it"):
        raise NotFound("gone", response=response, explanation="No such container")

    assert caught.value.status == 404


def test_mistakes_of_ours_pass() -> None:
    with pytest.raises(KeyError), translated("count sheep"):
        raise KeyError("sheep")
