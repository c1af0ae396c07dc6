"""Check that no test of a pytest report was skipped, and that there were some.

Usage: python check_skips.py REPORT.xml [WORDS ...]

A skip whose reason has one of the given words is all right.
"""

import sys
import xml.etree.ElementTree as ET
from collections import Counter


def main() -> None:
    """Leave with an error where tests were skipped for another reason than those allowed."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    report, *allowed = sys.argv[1:]
    cases = list(ET.parse(report).iter("testcase"))
    reasons = {name_of(case): reason_of(case) for case in cases if case.find("skipped") is not None}
    wrong = {
        name: reason
        for name, reason in reasons.items()
        if not any(words in reason for words in allowed)
    }
    if wrong:
        lines = [f"{name}: {reason}" for name, reason in wrong.items()]
        sys.exit("\n".join(["tests that must run were skipped:", *lines]))
    if len(cases) == len(reasons):
        sys.exit(f"{report}: no test ran")
    sys.stdout.write(f"{len(cases) - len(reasons)} tests ran\n")
    for reason, count in Counter(reasons.values()).items():
        sys.stdout.write(f"{count} skipped: {reason}\n")


def name_of(case: ET.Element) -> str:
    """Return which test a case is."""
    return f"{case.get('classname')}::{case.get('name')}"


def reason_of(case: ET.Element) -> str:
    """Return why a test was skipped."""
    skip = case.find("skipped")
    return "" if skip is None else skip.get("message", "")


if __name__ == "__main__":
    main()
