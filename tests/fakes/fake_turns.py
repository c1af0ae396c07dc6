"""Threads that run one step at a time, in an order that a test chooses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class Turns:
    """Lets one of several threads go on at a time; `choose` says which of those that wait."""

    choose: Callable[[int], int]
    """From how many wait to which one goes on."""
    waiting: list[str] = field(default_factory=list)
    running: str = ""
    living: int = 0
    faults: list[BaseException] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def step(self) -> None:
        """Wait until it is the calling thread's turn."""
        name = threading.current_thread().name
        with self.changed:
            self.waiting.append(name)
            self.waiting.sort()
            self.running = ""
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.running == name)

    def run(self, *programs: Callable[[], None]) -> None:
        """Run the programs to their ends; raises what one of them raised."""
        self.living = len(programs)
        threads = list(self._threads(programs))
        for thread in threads:
            thread.start()
        while True:
            with self.changed:
                self.changed.wait_for(
                    lambda: not self.running and len(self.waiting) == self.living, timeout=20
                )
                if not self.living:
                    break
                self.running = self.waiting.pop(self.choose(len(self.waiting)))
                self.changed.notify_all()
        for thread in threads:
            thread.join()
        if self.faults:
            raise self.faults[0]

    def _threads(self, programs: tuple[Callable[[], None], ...]) -> Iterator[threading.Thread]:
        for number, program in enumerate(programs):
            yield threading.Thread(target=self._run, args=(program,), name=f"t{number}")

    def _run(self, program: Callable[[], None]) -> None:
        try:
            self.step()
            program()
        except BaseException as error:
            self.faults.append(error)
        finally:
            with self.changed:
                self.living -= 1
                self.running = ""
                self.changed.notify_all()
