"""Every numbered rule, for `ddspec explain`; the code that finds violations knows numbers only."""

from __future__ import annotations

import re
from difflib import get_close_matches

from ddspec.errors import DdspecError, Exit
from ddspec.plan.rule import Rule
from ddspec.plan.rules_composition import COMPOSITION_RULES
from ddspec.plan.rules_data import DATA_RULES
from ddspec.plan.rules_families import FAMILY_RULES
from ddspec.plan.rules_imported import IMPORT_RULES
from ddspec.plan.rules_judging import JUDGING_RULES
from ddspec.plan.rules_method import METHOD_RULES
from ddspec.plan.rules_networks import NETWORK_RULES

RULES: tuple[Rule, ...] = tuple(
    sorted(
        (
            *NETWORK_RULES,
            *DATA_RULES,
            *METHOD_RULES,
            *FAMILY_RULES,
            *COMPOSITION_RULES,
            *JUDGING_RULES,
            *IMPORT_RULES,
        ),
        key=lambda rule: rule.number,
    )
)
"""By number; numbers are never used again."""

_CODE = re.compile(r"(?:dds)?0*(\d{1,3})", re.IGNORECASE)


def rule(code: str) -> Rule:
    """Return the rule of a number as it is written: `DDS014`, `dds14` or `14`.

    Raises `DdspecError` (usage) where there is none.
    """
    known = {one.number: one for one in RULES}
    match = _CODE.fullmatch(code.strip())
    if match and int(match[1]) in known:
        return known[int(match[1])]
    close = get_close_matches(code.upper(), [one.code for one in RULES], n=1)
    known_by = "`ddspec explain` lists them all; settings are explained by `ddspec schema`"
    hint = f"did you mean `{close[0]}`?" if close else known_by
    raise DdspecError(f"there is no rule `{code}`", exit=Exit.USAGE, hint=hint)
