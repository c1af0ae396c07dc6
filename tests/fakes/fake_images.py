"""An engine that builds and holds images as far as their building and checking can tell."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from docker.errors import APIError, ImageNotFound
from requests import Response

from ddspec.engine.connect import Engine


@dataclass
class FakeImages:
    """The parts of docker's APIClient that images need; records what it was asked."""

    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    said: Iterable[Mapping[str, Any]] = ()
    """What a build answers before it is done."""
    pulls: Iterable[Mapping[str, Any]] | None = ({"status": "Pulling"},)
    """None where there is no registry to be reached."""
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    """What a container does: word in its command to exit code and text."""
    asked: dict[str, Any] = field(default_factory=dict)
    context: dict[str, bytes] = field(default_factory=dict)
    containers: list[dict[str, Any]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def engine(self) -> Engine:
        return Engine(self, "unix:///fake.sock")

    def inspect_image(self, name: str) -> dict[str, Any]:
        for known, image in self.images.items():
            if name in (known, image["Id"]):
                return image
        missing = Response()
        missing.status_code = 404
        raise ImageNotFound("no such image", missing, explanation=f"No such image: {name}")

    def pull(self, name: str, *, stream: bool, decode: bool) -> Iterator[Mapping[str, Any]]:
        assert stream
        assert decode
        self.asked["pull"] = name
        if self.pulls is None:
            raise APIError("no registry", explanation="dial tcp: lookup registry: no such host")
        yield from self.pulls
        self.images[name] = image_of({})

    def build(self, *, fileobj: Iterable[bytes], **asked: Any) -> Iterator[Mapping[str, Any]]:
        self.asked |= asked
        with tarfile.open(fileobj=io.BytesIO(b"".join(fileobj)), mode="r:") as archive:
            self.context = {
                entry.name: (file.read() if (file := archive.extractfile(entry)) else b"")
                for entry in archive
            }
        yield from self.said
        values = dict(re.findall(r"^ARG (\w+)='(.*)'$", self.context["Dockerfile"].decode(), re.M))
        names = ("source", "revisions", "version", "python", "torch", "cuda")
        labels = {f"org.ddspec.{name}": values[name.upper()] for name in names}
        self.images[asked["tag"]] = image_of(labels)
        yield {"stream": f"Successfully tagged {asked['tag']}\n"}

    def create_container_from_config(self, body: dict[str, Any], name: str) -> dict[str, Any]:
        self.containers.append(body)
        return {"Id": f"{len(self.containers) - 1}"}

    def start(self, container: str) -> None:
        if self._answer(container)[0] == 127:
            raise APIError(
                "start", explanation='exec: "python3": executable file not found in $PATH'
            )

    def wait(self, container: str, timeout: float) -> dict[str, int]:
        assert timeout > 0
        return {"StatusCode": self._answer(container)[0]}

    def logs(self, container: str, *, stdout: bool, stderr: bool) -> bytes:
        assert stdout
        assert stderr
        return self._answer(container)[1].encode()

    def remove_container(self, container: str, *, force: bool, v: bool) -> None:
        assert force
        assert v
        self.removed.append(container)

    def _answer(self, container: str) -> tuple[int, str]:
        command = " ".join(self.containers[int(container)]["Entrypoint"])
        found = [answer for word, answer in self.answers.items() if word in command]
        return found[0] if found else (0, "3.12.12\n")


def image_of(labels: Mapping[str, str], **changes: Any) -> dict[str, Any]:
    """Return what an engine says of an image."""
    plain = {
        "Id": "sha256:" + "1" * 64,
        "RepoDigests": [],
        "Created": "2026-01-02T03:04:05Z",
        "Size": 6_000_000_000,
        "Config": {"Labels": dict(labels)},
    }
    return plain | changes


def labels_of(source: str, revisions: Mapping[str, int]) -> dict[str, str]:
    """Return the labels of a runner image."""
    return {
        "org.ddspec.source": source,
        "org.ddspec.revisions": json.dumps(dict(revisions)),
        "org.ddspec.version": "0.1.0",
        "org.ddspec.python": "3.12.12",
        "org.ddspec.torch": "2.15.0",
        "org.ddspec.cuda": "13.2",
    }
