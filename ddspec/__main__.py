"""Run the command line as `python -m ddspec`."""

from __future__ import annotations

import sys

from ddspec.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
