"""`ddspec explain`: what a numbered rule is about."""

from __future__ import annotations

from typing import Annotated

import typer

from ddspec.cli.options import AsJson
from ddspec.errors import Exit


def explain(
    code: Annotated[
        str | None,
        typer.Argument(metavar="[DDS014]", help="The number of a rule; without it, all of them."),
    ] = None,
    as_json: AsJson = False,
) -> Exit:
    """Say what a rule is about, why it is there, and the way out."""
    from ddspec.cli.output import show, show_json
    from ddspec.console.rules_view import render_rule, render_rules, rules_json
    from ddspec.plan.rules import RULES, rule

    chosen = RULES if code is None else (rule(code),)
    if as_json:
        show_json(rules_json(chosen))
    else:
        show(render_rules(chosen) if code is None else render_rule(chosen[0]))
    return Exit.DONE
