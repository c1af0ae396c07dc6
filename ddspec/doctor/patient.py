"""What is examined: a store, data, and the engine, each looked at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddspec.engine.connect import Engine
    from ddspec.engine.facts import EngineFacts
    from ddspec.engine.gpus import Found, Gpu
    from ddspec.engine.images import RunnerImage
    from ddspec.store.store import Store

ENGINE_TIMEOUT_S = 10.0
"""An engine under load answers within seconds; one that does not will not start a container."""


@dataclass(frozen=True)
class Patient:
    """One machine as one person uses it; not slotted, for what it finds is kept in it."""

    home: Path
    """Folder of the store; absolute, need not exist."""
    environ: Mapping[str, str]
    data: Path | None = None
    image_name: str | None = None
    """Reference of the runner image; None for the one that belongs to this version."""
    gpus: str | None = None
    """As given to `--gpus`; None where none was asked for."""
    executors: frozenset[str] = field(default_factory=lambda: frozenset({"local", "docker"}))

    @cached_property
    def store(self) -> Store | None:
        """The store if there is one; looking never makes one. Raises DdspecError."""
        from ddspec.store.store import open_store

        return open_store(self.home) if (self.home / "store.json").exists() else None

    @cached_property
    def ground(self) -> Path:
        """The store's folder, or the nearest parent of it that exists."""
        return next(path for path in (self.home, *self.home.parents) if path.is_dir())

    @cached_property
    def engine(self) -> Engine:
        """The engine. Raises DdspecError (exit 6)."""
        from ddspec.engine.connect import connect

        return connect(self.environ, timeout_s=ENGINE_TIMEOUT_S)

    @cached_property
    def facts(self) -> EngineFacts:
        """What the engine says of itself. Raises DdspecError (exit 6)."""
        from ddspec.engine.facts import facts_of

        return facts_of(self.engine)

    @cached_property
    def image(self) -> RunnerImage:
        """The runner image. Raises DdspecError (exit 6)."""
        from ddspec.engine.images import IMAGE, runner_image

        return runner_image(self.engine, self.image_name or IMAGE)

    @cached_property
    def found(self) -> Found:
        """What the driver of this machine's GPUs tells."""
        from ddspec.engine.gpus import look

        return look()

    @cached_property
    def chosen(self) -> tuple[Gpu, ...]:
        """The GPUs that jobs may take. Raises DdspecError (exit 2 or 6)."""
        from ddspec.engine.gpus import select

        visible = self.environ.get("CUDA_VISIBLE_DEVICES")
        return select(self.gpus, self.found.gpus, visible=visible)
