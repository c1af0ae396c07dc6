"""What is drawn depends on what the terminal can do."""

from __future__ import annotations

import io

import pytest

from ddspec.console.terminal import can_move, wants_colour


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


CASES = {
    "terminal": (Terminal(), {"TERM": "xterm"}, (True, True)),
    "terminal of someone who wants no colour": (Terminal(), {"NO_COLOR": "1"}, (True, False)),
    "terminal that only prints lines": (Terminal(), {"TERM": "dumb"}, (False, False)),
    "pipe": (io.StringIO(), {"TERM": "xterm"}, (False, False)),
}


@pytest.mark.parametrize(("stream", "environ", "able"), CASES.values(), ids=CASES)
def test_only_a_capable_terminal_gets_bars_and_colour(
    stream: io.StringIO, environ: dict[str, str], able: tuple[bool, bool]
) -> None:
    assert (can_move(stream, environ), wants_colour(stream, environ)) == able
