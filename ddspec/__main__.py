"""Start the command line: `ddspec`, or `python -m ddspec`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line and return, or exit with, its code."""
    try:
        from ddspec.cli.app import main as command_line

        return command_line()
    except KeyboardInterrupt:  # while modules are loaded, before there is anything to tell
        return 130


if __name__ == "__main__":
    sys.exit(main())
