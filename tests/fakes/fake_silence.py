"""A place that stops answering, or has no room: a local executor behind a line that can be cut."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue

from ddspec.executors.base import (
    Capabilities,
    Executor,
    Handle,
    JobOrder,
    JobState,
    LogChunk,
    NoRoom,
    Phase,
    Stream,
    Unreachable,
)

CUT = "the line is cut"


@dataclass(slots=True)
class CutLine:
    """Passes everything on, but for the calls that its cuts name.

    A cut maps a method to one verdict per call: `before` and `after` raise Unreachable without and
    with the effect, `full` raises NoRoom, `` lets the call through; calls beyond the list pass.
    """

    behind: Executor[Any]
    cuts: Mapping[str, Sequence[str]]
    name: str = "local"
    calls: list[str] = field(default_factory=list)

    def capabilities(self) -> Capabilities:
        return self.behind.capabilities()

    def prepare(self, order: JobOrder) -> Any:
        return self.behind.prepare(order)

    def submit(self, request: Any, after: Sequence[Handle] = ()) -> Handle:
        return self._pass("submit", lambda: self.behind.submit(request, after))

    def poll(self, handles: Sequence[Handle]) -> Mapping[Handle, JobState]:
        try:
            return self._pass("poll", lambda: self.behind.poll(handles)) if handles else {}
        except Unreachable as silent:
            return dict.fromkeys(handles, JobState(Phase.UNREACHABLE, reason=str(silent)))

    def logs(self, handle: Handle, offset: int = 0, stream: Stream = "stderr") -> LogChunk:
        return self._pass("logs", lambda: self.behind.logs(handle, offset, stream))

    def cancel(self, handle: Handle, *, force: bool = False) -> None:
        self._pass("cancel", lambda: self.behind.cancel(handle, force=force))

    def settle(self, attempt: str) -> Handle | None:
        return self._pass("settle", lambda: self.behind.settle(attempt))

    def find(self, store_id: str) -> Mapping[str, Handle]:
        return self.behind.find(store_id)

    def retire(self, handle: Handle) -> Mapping[str, JsonValue]:
        return self._pass("retire", lambda: {**self.behind.retire(handle), "line": "cut"})

    def sweep(self, claimed: Callable[[], Collection[str]]) -> Sequence[str]:
        return self._pass("sweep", lambda: self.behind.sweep(claimed))

    def _pass(self, method: str, call: Callable[[], Any]) -> Any:
        turn = self.calls.count(method)
        self.calls.append(method)
        verdicts = self.cuts.get(method, ())
        verdict = verdicts[turn] if turn < len(verdicts) else ""
        if verdict == "full":
            raise NoRoom("others hold it")
        if verdict == "before":
            raise Unreachable(CUT)
        result = call()
        if verdict == "after":
            raise Unreachable(CUT)
        return result
