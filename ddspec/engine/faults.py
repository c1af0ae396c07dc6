"""What goes wrong between us and a container engine, told apart: it refused, or it is gone."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from ddspec.errors import DdspecError, Exit

SAYS_MORE = "`ddspec doctor` looks at it; its own log (`journalctl -u docker`) may say more"
MENDED_BY = "is the engine running? `ddspec doctor` looks at it"
NOT_FOUND, CONFLICT, SERVER_ERROR = 404, 409, 500
HALF_GONE = re.compile(
    r"error while dialing|: unavailable$|code = unavailable|transport is closing|ttrpc: closed"
    r"|client connection is closing",
    re.IGNORECASE,
)
"""What an engine says while containerd, to which it leaves the containers, is down or restarts:
that it cannot be reached, in the words of gRPC and ttrpc."""


class EngineGone(DdspecError):
    """The engine does not answer: whatever it was asked to do may have happened, or may not."""

    def __init__(self, message: str, *, hint: str = MENDED_BY) -> None:
        super().__init__(message, exit=Exit.UNABLE, hint=hint)


class EngineRefused(DdspecError):
    """The engine answered that it does not, or cannot, do what it was asked to."""

    def __init__(self, doing: str, status: int, said: str, *, hint: str = SAYS_MORE) -> None:
        self.status = status
        """Of HTTP: 404 where there is no such thing, 409 where its state forbids it."""
        self.said = said
        super().__init__(
            f"the container engine cannot {doing}: {said or f'HTTP {status}'}",
            exit=Exit.UNABLE,
            hint=hint,
        )


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn errors of docker's SDK inside the block into `EngineRefused` or `EngineGone`.

    `doing` completes "the container engine cannot ...". The block should hold requests to the
    engine and nothing else.
    """
    from docker.errors import APIError, DockerException  # slow to load, and loaded by now
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except APIError as error:
        status, said = error.status_code or 0, _said(error)
        if status >= SERVER_ERROR and HALF_GONE.search(said):
            raise EngineGone(
                f"the container engine has lost its other half ({said}), asked to {doing}"
            ) from error
        raise EngineRefused(doing, status, said) from error
    except (DockerException, RequestException, HTTPError, OSError) as error:
        _gone(doing, error)


def cause_of(error: BaseException) -> OSError | None:
    """Return the error of the operating system behind an error of a library, if there is one."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, OSError) and one.errno is not None:
            return one
        around = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        waiting += [found for found in around if isinstance(found, BaseException)]
    return None


def why_gone(error: BaseException) -> str:
    """Return in words why nobody answered."""
    cause = cause_of(error)
    if cause is not None and cause.errno == errno.ECONNREFUSED:
        return "nobody listens there"
    if cause is not None:
        return (cause.strerror or str(cause)).lower()
    if "timed out" in str(error).lower():
        return "it does not answer in time"
    return "the connection was lost" if "abort" in str(error).lower() else str(error)


def _gone(doing: str, error: BaseException) -> NoReturn:
    raise EngineGone(
        f"the container engine does not answer ({why_gone(error)}), asked to {doing}"
    ) from error


def _said(error: object) -> str:
    """Return what an engine said, on one line."""
    said = getattr(error, "explanation", None)
    if isinstance(said, bytes):
        said = said.decode(errors="replace")
    return " ".join(str(said or "").split())
