"""Finding the container engine that a person means, as docker's own command line would."""

from __future__ import annotations

import hashlib
import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ddspec.engine.silence import unreachable
from ddspec.errors import DdspecError, Exit

DEFAULT = "unix:///var/run/docker.sock"
SCHEMES = ("unix", "tcp", "http", "https", "ssh")
LEAST_API = (1, 40)
"""Version of the engine's interface that knows device requests (Docker 19.03)."""
TIMEOUT_S = 60.0
"""Starting a container on a busy machine takes seconds, with a GPU some more."""
HELLO_S = 10.0
"""How long an engine may take for its first answer."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A connection to a container engine that has answered once."""

    api: Any
    """docker's low-level `APIClient`."""
    endpoint: str
    """Where it listens, such as `unix:///var/run/docker.sock`."""

    @property
    def socket(self) -> Path | None:
        """Return the path of its socket, where it has one."""
        scheme, _, path = self.endpoint.partition("://")
        return Path(path) if scheme == "unix" else None


@dataclass(frozen=True, slots=True)
class Address:
    """Where an engine is, and how to prove who one is."""

    endpoint: str
    source: str
    """Who says so, for people."""
    certificates: Path | None = None
    """Folder with ca.pem, cert.pem and key.pem."""
    verify: bool = False


def connect(environ: Mapping[str, str], *, timeout_s: float = TIMEOUT_S) -> Engine:
    """Connect to the engine that the environment means.

    Respects DOCKER_HOST, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH, DOCKER_API_VERSION, DOCKER_CONTEXT,
    and the current context in DOCKER_CONFIG. Raises DdspecError (exit 6) that says why there is
    none: `EngineGone` where nobody answers, and others where the settings are at fault.
    """
    address = address_of(environ)
    wanted = environ.get("DOCKER_API_VERSION")
    _require_version(wanted)
    _knock(address)
    api_class, tls_class, exceptions = _sdk()
    try:
        tls = _tls(address, tls_class)
        api = api_class(
            base_url=address.endpoint,
            version=wanted or None,
            timeout=HELLO_S,
            tls=tls,
            **({"use_ssh_client": True} if address.endpoint.startswith("ssh://") else {}),
        )
        # nothing was asked yet where the version was given
        spoken = api.version(api_version=False)["ApiVersion"] if wanted else api.api_version
    except exceptions as error:
        raise unreachable(address.endpoint, address.source, error) from error
    _require_api(str(spoken), address)
    if wanted:
        _require_spoken(wanted, str(spoken), address)
    if address.endpoint.startswith("unix"):
        api.trust_env = False  # proxies and ~/.netrc are not for sockets, and slow every look down
    api.timeout = timeout_s
    return Engine(api, address.endpoint)


def address_of(environ: Mapping[str, str]) -> Address:
    """Return where the engine is; DdspecError (exit 6) where the settings make no sense."""
    host = environ.get("DOCKER_HOST")
    config = _config_folder(environ)
    if host:
        verify = bool(environ.get("DOCKER_TLS_VERIFY"))
        given = environ.get("DOCKER_CERT_PATH")
        certificates = Path(given) if given else config if verify else None
        return Address(_checked(host, "DOCKER_HOST"), "DOCKER_HOST", certificates, verify)
    context = environ.get("DOCKER_CONTEXT") or _current_context(config)
    if context and context != "default":
        return _context(config, context)
    return Address(DEFAULT, "the default")


def _config_folder(environ: Mapping[str, str]) -> Path:
    given = environ.get("DOCKER_CONFIG")
    return Path(given) if given else Path(environ.get("HOME") or "/nonexistent") / ".docker"


def _current_context(config: Path) -> str:
    """Return the context that `docker context use` chose; docker itself ignores a broken file."""
    try:
        plain = json.loads((config / "config.json").read_bytes())
    except (OSError, ValueError):
        return ""
    return str(plain.get("currentContext") or "") if isinstance(plain, dict) else ""


def _context(config: Path, name: str) -> Address:
    folder = hashlib.sha256(name.encode()).hexdigest()
    path = config / "contexts" / "meta" / folder / "meta.json"
    try:
        endpoint = json.loads(path.read_bytes())["Endpoints"]["docker"]
        host, unverified = str(endpoint["Host"]), bool(endpoint.get("SkipTLSVerify"))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise DdspecError(
            f"docker's context `{name}` cannot be read: {path}",
            exit=Exit.UNABLE,
            hint="`docker context ls` lists the contexts; DOCKER_HOST wins over them",
        ) from error
    source = f"docker's context `{name}`"
    tls = config / "contexts" / "tls" / folder / "docker"
    certificates = tls if tls.is_dir() else None
    return Address(_checked(host, source), source, certificates, not unverified)


def _checked(host: str, source: str) -> str:
    """Return an endpoint with a scheme; refuse what no engine can be at."""
    endpoint = host if "://" in host else f"unix://{host}" if host.startswith("/") else host
    try:
        parts = urlsplit(endpoint)
        named = bool(parts.path) if parts.scheme == "unix" else bool(parts.hostname)
        _ = parts.port if parts.scheme != "unix" else None  # raises ValueError for a word
    except ValueError:
        parts, named = urlsplit(""), False
    if parts.scheme not in SCHEMES or not named:
        raise DdspecError(
            f"{source} names no container engine: `{host}`",
            exit=Exit.UNABLE,
            hint=f"it should look like {DEFAULT} or tcp://HOST:2376",
        )
    return endpoint


def _knock(address: Address) -> None:
    """See that somebody listens at a socket, before anything slow is loaded to talk to it."""
    scheme, _, path = address.endpoint.partition("://")
    if scheme != "unix":
        return
    with socket.socket(socket.AF_UNIX) as ours:
        ours.settimeout(HELLO_S)
        try:
            ours.connect(path)
        except OSError as error:
            raise unreachable(address.endpoint, address.source, error) from error


def _sdk() -> tuple[Any, Any, tuple[type[Exception], ...]]:
    """Import docker's SDK here, where it is needed: that takes a quarter of a second."""
    try:
        from docker.api import APIClient
        from docker.errors import DockerException
        from docker.tls import TLSConfig
        from requests.exceptions import RequestException
    except ImportError as error:
        raise DdspecError(
            f"the Python package `docker` cannot be used: {error}",
            exit=Exit.UNABLE,
            hint="pip install 'docker>=7.1'",
        ) from error
    # ValueError and LookupError: what a server says that is no engine
    return (
        APIClient,
        TLSConfig,
        (DockerException, RequestException, OSError, ValueError, LookupError, TypeError),
    )


def _tls(address: Address, tls_class: Any) -> Any:
    """Return the settings of an encrypted connection, or False where there is none."""
    if address.certificates is None and not address.verify:
        return False
    if address.endpoint.startswith(("unix", "ssh")):
        return False
    folder = address.certificates
    if folder is None:
        return tls_class(verify=address.verify)
    pair = (str(folder / "cert.pem"), str(folder / "key.pem"))
    return tls_class(
        client_cert=pair if (folder / "cert.pem").exists() else None,
        ca_cert=str(folder / "ca.pem") if (folder / "ca.pem").exists() else None,
        verify=address.verify,
    )


def _require_version(wanted: str | None) -> None:
    if wanted and not re.fullmatch(r"\d+\.\d+", wanted):
        raise DdspecError(
            f"DOCKER_API_VERSION is no version: `{wanted}`",
            exit=Exit.UNABLE,
            hint="unset it, or write it like 1.41",
        )


def _require_spoken(wanted: str, spoken: str, address: Address) -> None:
    if not LEAST_API <= _numbers(wanted) <= _numbers(spoken):
        least = ".".join(map(str, LEAST_API))
        raise DdspecError(
            f"DOCKER_API_VERSION asks for {wanted}: this needs at least {least}, and the "
            f"container engine at {address.endpoint} speaks at most {spoken}",
            exit=Exit.UNABLE,
            hint="unset DOCKER_API_VERSION",
        )


def _require_api(version: str, address: Address) -> None:
    if _numbers(version) < LEAST_API:
        least = ".".join(map(str, LEAST_API))
        raise DdspecError(
            f"the container engine at {address.endpoint} is too old: its API is {version}",
            exit=Exit.UNABLE,
            hint=f"API {least} or newer is needed, which Docker has since 19.03",
        )


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version to compare; what is none is older than all."""
    try:
        return tuple(int(part) for part in version.split("."))
    except ValueError:
        return (0,)
