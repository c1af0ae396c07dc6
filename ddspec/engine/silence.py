"""Why no container engine answers, in words, and the way out."""

from __future__ import annotations

import errno
import re

from ddspec.engine.faults import EngineGone, cause_of, why_gone

FETCHING = "Error while fetching server API version: "
"""What docker's SDK puts before whatever happened."""
TLS_HINT = (
    "DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, a folder with ca.pem, cert.pem and key.pem, say how "
    "to talk to it; a REQUESTS_CA_BUNDLE that is set wins over ca.pem"
)


def unreachable(endpoint: str, source: str, error: Exception) -> EngineGone:
    """Return the error that says why nobody answers at an endpoint, and the way out.

    `source` says who named the endpoint: a variable, or a context of docker's.
    """
    where = f"{endpoint} ({source})"
    cause = cause_of(error)
    number = None if cause is None else cause.errno
    unix = endpoint.startswith("unix")  # errors of TLS have small numbers of their own
    if unix and number in (errno.EACCES, errno.EPERM):
        return EngineGone(
            f"no permission to use the container engine at {where}",
            hint="join the group that owns the socket (often `docker`), or use a rootless engine",
        )
    if unix and number == errno.ENOENT:
        return EngineGone(
            f"no container engine listens at {where}: there is no such socket",
            hint="start the engine, or say with DOCKER_HOST where it is; "
            "`--executor local` needs none",
        )
    why = _why(error)
    return EngineGone(
        f"no container engine answers at {where}: {why}",
        hint=TLS_HINT
        if "TLS" in why
        else "is it running? is that its address? `--executor local` needs none",
    )


def _why(error: Exception) -> str:
    text = " ".join(str(error).split())
    lowered = text.lower()
    if "http request to an https server" in lowered:
        return "it wants TLS: set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH"
    if "tls" in lowered or "ssl" in lowered or "certificate" in lowered:
        found = re.search(r"\[(?:SSL|X509|PEM): \w+\] ([^(\[]+)", text)
        return f"TLS: {found[1].strip() if found else text.removeprefix(FETCHING)}"
    if "paramiko" in lowered:
        return "an engine behind ssh needs the package `paramiko`, and sees none of these folders"
    inner = error.__cause__ or error
    said = getattr(inner, "explanation", None)  # of docker's APIError
    if said:
        return f"it answers with an error: {said}"
    odd = isinstance(inner, ValueError | LookupError | TypeError) or "aborted" in lowered
    if odd and cause_of(error) is None:
        return "what answers there is no container engine"
    return why_gone(error)
