"""The runner image: which one it is, and whether it computes what this installation means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ddspec.engine.connect import Engine
from ddspec.engine.faults import NOT_FOUND, EngineRefused, translated
from ddspec.engine.source import revisions, runners_digest
from ddspec.errors import DdspecError, Diagnostic, Exit
from ddspec.version import __version__

IMAGE = f"ddspec-runner:{__version__}"
"""What the image that belongs to this version is called on the machine that built it."""

SOURCE = "org.ddspec.source"
REVISIONS = "org.ddspec.revisions"
VERSION = "org.ddspec.version"
PYTHON = "org.ddspec.python"
TORCH = "org.ddspec.torch"
CUDA = "org.ddspec.cuda"


@dataclass(frozen=True, slots=True)
class RunnerImage:
    """One image on one engine, as its labels and the engine describe it."""

    reference: str
    """What a person calls it; may name another image tomorrow."""
    id: str
    """`sha256:...` of its configuration: exact, and known to this engine only."""
    digest: str | None
    """`NAME@sha256:...`, by which any engine can pull it; None where it was never pushed."""
    source: str
    """Digest of the runners' source inside (`ddspec.engine.source`)."""
    revisions: Mapping[str, int]
    """Kind of work to the revision that it implements."""
    version: str
    """Of ddspec."""
    python: str
    torch: str
    cuda: str
    """Of the CUDA runtime that torch brings; empty where it brings none."""
    created: str
    """As the engine writes it, ISO 8601."""
    size: int
    """Bytes, unpacked."""

    @property
    def pinned(self) -> str:
        """Return the name that means this image and no other, and how far that name carries."""
        return self.digest or f"{self.id} (this host only)"


def runner_image(engine: Engine, reference: str) -> RunnerImage:
    """Return the image of that name on the engine.

    Raises DdspecError: exit 2 for what is no name, exit 6 where there is none, or it is not ours.
    """
    try:
        with translated(f"look at the image `{reference}`"):
            found = engine.api.inspect_image(reference)
    except EngineRefused as error:
        if "invalid reference format" in error.said:
            raise DdspecError(
                f"`{reference}` is no name of an image",
                exit=Exit.USAGE,
                hint=f"such as `{IMAGE}`, in lower case; without one it is that",
            ) from error
        if error.status != NOT_FOUND:
            raise
        raise _missing(reference) from error
    return read_image(reference, found)


def matching_image(engine: Engine, reference: str | None) -> RunnerImage:
    """Return the image of that name, or that of this version; refuse one with other runners.

    Raises DdspecError: exit 6 where there is no such image, exit 4 where its runners differ.
    """
    image = runner_image(engine, reference or IMAGE)
    require_match(image)
    return image


def read_image(reference: str, found: Mapping[str, Any]) -> RunnerImage:
    """Read what an engine says of an image; DdspecError (exit 6) where it is none of ours."""
    labels: Mapping[str, str] = (found.get("Config") or {}).get("Labels") or {}
    source, numbers = labels.get(SOURCE, ""), _numbers(labels.get(REVISIONS, ""))
    if not source or numbers is None:
        raise DdspecError(
            f"`{reference}` is no runner image: it does not say which source is inside",
            exit=Exit.UNABLE,
            hint="`ddspec image build` makes one",
        )
    return RunnerImage(
        reference=reference,
        id=str(found["Id"]),
        digest=_digest(reference, found.get("RepoDigests") or ()),
        source=source,
        revisions=numbers,
        version=labels.get(VERSION, ""),
        python=labels.get(PYTHON, ""),
        torch=labels.get(TORCH, ""),
        cuda=labels.get(CUDA, ""),
        created=str(found.get("Created") or ""),
        size=int(found.get("Size") or 0),
    )


def require_match(image: RunnerImage) -> None:
    """Refuse an image whose runners are not those of this installation.

    Raises DdspecError (exit 4) that says which revisions, or that the source alone, differ.
    """
    problems = mismatches(image)
    if problems:
        hint = "`ddspec image build` makes one of this source"
        raise DdspecError((Diagnostic(text, hint=hint) for text in problems), exit=Exit.CHANGED)


def mismatches(image: RunnerImage) -> list[str]:
    """Return what an image has that this installation has not, or otherwise; empty if nothing."""
    here = revisions()
    problems = [
        f"`{image.reference}` implements {_which(kind, image.revisions)}, "
        f"this installation {_which(kind, here)}"
        for kind in sorted({*here, *image.revisions})
        if here.get(kind) != image.revisions.get(kind)
    ]
    if not problems and image.source != runners_digest():
        problems = [
            f"`{image.reference}` has other runners inside (source {image.source[:12]}, "
            f"ddspec {image.version or 'unknown'}) than this installation "
            f"(source {runners_digest()[:12]}, ddspec {__version__})"
        ]
    return problems


def _which(kind: str, known: Mapping[str, int]) -> str:
    return f"revision {known[kind]} of `{kind}`" if kind in known else f"no `{kind}`"


def _numbers(text: str) -> Mapping[str, int] | None:
    """Return the revisions that a label holds; None where it holds none."""
    try:
        plain = json.loads(text)
        return {str(kind): int(number) for kind, number in plain.items()}
    except (ValueError, TypeError, AttributeError):
        return None


def _digest(reference: str, digests: Any) -> str | None:
    """Return the repository digest that belongs to the name asked for, else the first one."""
    name = reference.partition("@")[0]
    repository = name if ":" not in name.rpartition("/")[2] else name.rpartition(":")[0]
    known = sorted(map(str, digests))
    of_name = [digest for digest in known if digest.partition("@")[0] == repository]
    return next(iter([*of_name, *known]), None)


def _missing(reference: str) -> DdspecError:
    hint = (
        "`ddspec image build` makes it; see docker/README.md for machines without a network"
        if reference == IMAGE
        else f"`docker pull {reference}` fetches it, "
        f"`ddspec image build --tag {reference}` makes it"
    )
    return DdspecError(f"the engine has no image `{reference}`", exit=Exit.UNABLE, hint=hint)
