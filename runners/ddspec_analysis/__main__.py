"""Answer one question: `python -m ddspec_analysis TOOL < question.json > answer.json`.

Exits 0 with an answer, and 64 with a message on stderr where the question cannot be answered.
"""

from __future__ import annotations

import json
import sys

from ddspec_analysis.tools import TOOLS, tool

BAD_QUESTION = 64


def main() -> int:
    """Read the question, answer it, and return the exit code."""
    arguments = sys.argv[1:]
    if len(arguments) != 1 or arguments[0] not in TOOLS:
        sys.stderr.write(f"usage: python -m ddspec_analysis {{{','.join(TOOLS)}}}\n")
        return BAD_QUESTION
    try:
        answer = tool(arguments[0])(json.load(sys.stdin))
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_QUESTION
    json.dump(answer, sys.stdout, allow_nan=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
