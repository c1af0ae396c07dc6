"""Jobs as containers of any engine that speaks Docker's language.

The engine is the arbiter: an attempt is a container of its name, which two submitters cannot both
create. What a container leaves is written into the folder of its attempt before it is removed, so
that an end is known without an engine.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from ddspec.disk import create_whole, full_disk_named
from ddspec.engine.connect import Engine, connect
from ddspec.engine.facts import EngineFacts, facts_of
from ddspec.engine.faults import EngineGone
from ddspec.engine.images import RunnerImage, matching_image
from ddspec.errors import DdspecError, Exit
from ddspec.executors.base import (
    Capabilities,
    Handle,
    JobOrder,
    JobState,
    LogChunk,
    Phase,
    Site,
    Stream,
    Terms,
    Unreachable,
)
from ddspec.executors.container import (
    DockerRequest,
    Ground,
    maps_users,
    name_of,
    reads_data,
    request_of,
    user_of,
)
from ddspec.executors.ends import read_end, state_of_end
from ddspec.executors.mounted_data import data_root, refuse_escapes
from ddspec.executors.retiring import retire
from ddspec.executors.starting import begun, start
from ddspec.executors.streams import pieces, read_file, window
from ddspec.executors.supervise import HANDLE, SEALED
from ddspec.executors.watching import (
    LIVING,
    absent_state,
    ended_state,
    gone_is_fine,
    listed,
    live_state,
    look,
    remove,
    status,
    stop,
)
from ddspec.host import boot_id

TRIES = 20
"""How often a submission meets another one of its attempt before it gives up."""
PAUSE_S = 0.1


@dataclass(slots=True)
class DockerExecutor:
    """Runs each job in a container of its own; nothing is asked of an engine before it must be."""

    site: Site
    terms: Terms = field(default_factory=Terms)
    command: tuple[str, ...] | None = None
    """Replaces the entry point of the image."""
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    find_image: Callable[[Engine, str | None], RunnerImage] = matching_image
    name: str = "docker"
    _engine: Engine | None = None
    _facts: EngineFacts | None = None
    _image: RunnerImage | None = None
    _users_tried: bool = False

    def capabilities(self) -> Capabilities:
        """Return what this place can do."""
        return Capabilities(after=False, survives_host=True)

    def prepare(self, order: JobOrder) -> DockerRequest:
        """Return the request of an order; asks the engine once what it is, and touches nothing."""
        with self._reaching() as (engine, facts):
            if self._image is None:
                self._image = self.find_image(engine, self.terms.image)
        ground = Ground(
            facts=facts,
            image=self._image.id,
            pinned=self._image.pinned,
            user=user_of(facts, (os.geteuid(), os.getegid())),
            boot=boot_id(),
            home=self._home(),
            data=self._data(order, engine),
        )
        return request_of(order, self.site, self.terms, ground, self.command)

    def submit(self, request: DockerRequest, after: Sequence[Handle] = ()) -> Handle:
        """Create, probe and start a container, unless the attempt has one; return its handle."""
        if after:
            raise ValueError("containers of this engine cannot wait for each other")
        if request.data is not None:
            refuse_escapes(request.data, request.job.stages)
        with self._reaching() as (engine, facts):
            try_users = maps_users(facts) and not self._users_tried
            for _ in range(TRIES):
                if begun(engine, request):
                    return _handle(facts.id, request.attempt)
                if start(engine, facts, request, self.terms.gpus, try_users=try_users):
                    self._users_tried = True
                    return _handle(facts.id, request.attempt)
                time.sleep(PAUSE_S)
        raise DdspecError(
            f"several runs start {request.name} at the same time",
            exit=Exit.UNABLE,
            hint="run again",
        )

    def poll(self, handles: Sequence[Handle]) -> Mapping[Handle, JobState]:
        """Return the state of each job now; one request, and one more for each that has ended."""
        attempts = {handle: _parse(handle) for handle in handles}
        states = {
            handle: state_of_end(end)
            for handle, (_, attempt) in attempts.items()
            if (end := read_end(self._root(attempt))) is not None
        }
        asked = {handle: found for handle, found in attempts.items() if handle not in states}
        if not asked:
            return states
        try:
            with self._reaching() as (engine, facts):
                return {**states, **self._ask(engine, facts, asked)}
        except DdspecError as error:
            reason = error.diagnostics[0].message
            return {**states, **dict.fromkeys(asked, JobState(Phase.UNREACHABLE, reason=reason))}

    def logs(self, handle: Handle, offset: int = 0, stream: Stream = "stderr") -> LogChunk:
        """Return at most 1 MiB of what the job printed."""
        engine_id, attempt = _parse(handle)
        with suppress(FileNotFoundError):
            return read_file(self._root(attempt) / stream, offset)
        with self._reaching() as (engine, facts):
            _require_same(engine_id, facts)
            with gone_is_fine():
                return window(pieces(engine.api, name_of(attempt), stream), offset)
        return LogChunk("", max(0, offset))

    def cancel(self, handle: Handle, *, force: bool = False) -> None:
        """Send SIGTERM, or SIGKILL, to the container; what does not end of that is removed."""
        engine_id, attempt = _parse(handle)
        if read_end(self._root(attempt)) is not None:
            return
        with self._reaching() as (engine, facts):
            _require_same(engine_id, facts)
            found = look(engine, attempt)
            if found is None or status(found) not in LIVING:
                return
            stop(engine, found, attempt, force=force)

    def settle(self, attempt: str) -> Handle | None:
        """Return the handle of an attempt, or seal it so that it can never start."""
        root = self._root(attempt)
        with self._reaching() as (engine, facts):
            handle = _handle(facts.id, attempt)
            found = look(engine, attempt)
            if read_end(root) or (found is not None and status(found) != "created"):
                return handle
            with full_disk_named(self.site.attempts):
                root.mkdir(exist_ok=True)
                create_whole(root / HANDLE, SEALED)
            # a submitter that had passed the seal may have started it since
            for _ in range(TRIES):
                found = look(engine, attempt)
                if found is None:
                    return None
                if status(found) != "created":
                    return handle
                remove(engine, found["Id"], force=False)
        raise Unreachable(f"the container engine does not remove {name_of(attempt)}")

    def find(self, store_id: str) -> Mapping[str, Handle]:
        """Return the living jobs of the store, if it is this executor's."""
        if store_id != self.site.store_id:
            return {}
        with self._reaching() as (engine, facts):
            return {
                attempt: _handle(facts.id, attempt)
                for attempt, found in listed(engine, store_id, self._home()).items()
                if found["State"] in LIVING
            }

    def retire(self, handle: Handle) -> Mapping[str, JsonValue]:
        """Save what the job printed and how it ended, remove its container, take folders back.

        Raises DdspecError (exit 5) where the job is not over.
        """
        engine_id, attempt = _parse(handle)
        root = self._root(attempt)
        try:
            with self._reaching() as (engine, facts):
                _require_same(engine_id, facts)
                return retire(engine, facts, root, self.site.scratch)
        except Unreachable:
            end = read_end(root)
            if end is None:
                raise
            return end.place  # all but an empty shell is done, which a sweep removes

    def sweep(self, claimed: Callable[[], Collection[str]]) -> Sequence[str]:
        """Remove containers of this store that nobody claims; return their attempts."""
        with self._reaching() as (engine, _):
            ours = listed(engine, self.site.store_id, self._home())
            left = sorted(ours.keys() - set(claimed()))
            for attempt in left:
                remove(engine, ours[attempt]["Id"], force=True)
        return left

    @contextmanager
    def _reaching(self) -> Iterator[tuple[Engine, EngineFacts]]:
        """Connect where that is not done; raises Unreachable where the engine does not answer."""
        try:
            if self._engine is None:
                self._engine = connect(self.environ)
            if self._facts is None:
                self._facts = facts_of(self._engine)
            yield self._engine, self._facts
        except EngineGone as error:
            first = error.diagnostics[0]
            raise Unreachable(first.message, hint=first.hint) from error

    def _ask(
        self, engine: Engine, facts: EngineFacts, asked: Mapping[Handle, tuple[str, str]]
    ) -> Mapping[Handle, JobState]:
        found = listed(engine, self.site.store_id, self._home())
        missing = {attempt for _, attempt in asked.values()} - found.keys()
        if missing:  # is this still the engine that had them?
            facts = self._facts = facts_of(engine)
        states = {}
        for handle, (engine_id, attempt) in asked.items():
            root, container = self._root(attempt), found.get(attempt)
            if engine_id != facts.id:
                states[handle] = JobState(Phase.UNREACHABLE, reason=_elsewhere(engine_id))
            elif container is None:
                states[handle] = absent_state(root)
            else:
                states[handle] = live_state(container, root) or ended_state(
                    engine, container["Id"], root
                )
        return states

    def _root(self, attempt: str) -> Path:
        return self.site.attempts / attempt

    def _home(self) -> str:
        """Return what tells this store from a copy of it, which has the same id."""
        return os.path.realpath(self.site.attempts.parent)

    def _data(self, order: JobOrder, engine: Engine) -> Path | None:
        if self.site.data is None or not reads_data(order.document):
            return None
        return data_root(self.site.data, home=Path(self._home()), socket=engine.socket)


def _require_same(engine_id: str, facts: EngineFacts) -> None:
    if facts.id != engine_id:
        raise Unreachable(_elsewhere(engine_id))


def _elsewhere(engine_id: str) -> str:
    return f"a job on the container engine {engine_id[:19]}"


def _handle(engine_id: str, attempt: str) -> Handle:
    return json.dumps(["docker", engine_id, attempt])


def _parse(handle: Handle) -> tuple[str, str]:
    """Return engine and attempt."""
    try:
        kind, engine_id, attempt = json.loads(handle)
    except (ValueError, TypeError):
        kind, engine_id, attempt = "", "", ""
    if kind != "docker":
        raise DdspecError(f"`{handle}` names no container", exit=Exit.UNABLE)
    return str(engine_id), str(attempt)
