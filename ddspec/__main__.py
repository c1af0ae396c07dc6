"""Start the command line: `ddspec`, or `python -m ddspec`."""

from __future__ import annotations

import atexit
import gc
import sys

# A command is short and makes few cycles; looking for them, at every 700 objects and when it ends,
# costs a tenth of it. A plan of one spec stays below this number.
GC_THRESHOLD = 100_000


def main() -> int:
    """Run the command line and return, or exit with, its code."""
    gc.set_threshold(GC_THRESHOLD)
    atexit.register(gc.freeze)  # all that is left goes with the process
    try:
        from ddspec.cli.app import main as command_line

        return command_line()
    except KeyboardInterrupt:  # while modules are loaded, before there is anything to tell
        return 130


if __name__ == "__main__":
    sys.exit(main())
