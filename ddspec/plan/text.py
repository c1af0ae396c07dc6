"""Plans as text (`ddspec.plan/1`): for a reviewer to read, for `ddspec run` to execute.

Nothing in it depends on the clock, the host, the store or the version of the tool, so the same spec
gives the same bytes on every machine.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import NoReturn

from pydantic import ValidationError

from ddspec.canon import Json, digest
from ddspec.errors import DdspecError, Diagnostic, Exit, Place
from ddspec.plan.blocks import emit, parse
from ddspec.plan.document import document_of, plan_of
from ddspec.plan.document_parts import REVISIONS
from ddspec.plan.ir import Plan
from ddspec.plan.keys import recomputed_keys
from ddspec.visible import visible

PLAN_FORMAT = "ddspec.plan/1"
MINOR = 1
"""Raised with every addition; readers of the same major leave out what they do not know."""
FORMAT = re.compile(r"ddspec\.plan/(\d{1,6})")
AGAIN = "make it again with `ddspec plan SPEC -o FILE`"


def dump_plan(plan: Plan, *, made_from: str | None = None) -> str:
    """Return the plan as text; `made_from` is the spec's path relative to the plan file.

    Raises `DdspecError` (unable) while the data are not locked: such a plan cannot be executed.
    """
    if not plan.locked:
        raise DdspecError(
            f"the images of `{plan.data.title}` are not identified yet, so no stage has a key",
            exit=Exit.UNABLE,
            hint="run `ddspec lock SPEC --data DIR` where the data are, and commit the lock",
        )
    body = document_of(plan, made_from)
    head: dict[str, Json] = {
        "format": PLAN_FORMAT,
        "minor": MINOR,
        "plan": plan.digest,
        "checksum": digest(body),
    }
    spec = "SPEC" if made_from is None else visible(shlex.quote(made_from))
    return (
        "# What `ddspec run` will do. Not for editing: change the spec, then write it again with\n"
        f"# ddspec plan {spec} -o FILE\n{emit(head | body)}"
    )


def load_plan(text: str, name: str) -> tuple[Plan, str | None]:
    """Return the plan that `dump_plan` wrote, and what it was made from.

    Raises `DdspecError`: changed for a newer format, merge-conflict markers, unknown revisions and
    hand edits, invalid for what is no plan at all. `name` stands for the file in messages.
    """
    document = parse(text, name)
    _check_format(document, name)
    body = {key: value for key, value in document.items() if key not in _HEAD}
    try:
        _check_revisions(body["revisions"], name)
        plan = plan_of(body)
        # the keys of a matrix are short in its text: they were computed to be read
        stage = None if plan.is_matrix else _first_edited(plan)
        told, found = [document.get("plan"), document.get("checksum")], [plan.digest, digest(body)]
    except (ValidationError, LookupError, TypeError, ValueError, AttributeError) as error:
        _refuse_later(document, name, error)
        _refuse(name, f"this plan was edited by hand, it does not fit together: {_brief(error)}")
    if stage is not None:
        _refuse(name, f"this plan was edited by hand: `{stage}` has another key than its work")
    if told != found:
        _refuse(name, "this plan was edited by hand: its checksum does not follow from its text")
    made_from = body.get("made_from")
    return plan, made_from if isinstance(made_from, str) else None


def _refuse_later(document: Mapping[str, Json], name: str, error: Exception) -> None:
    """Say so where a plan does not fit because a later version of the format wrote it."""
    minor = document.get("minor", 0)
    if isinstance(minor, int) and minor > MINOR:
        written = f"{PLAN_FORMAT}.{minor}; this version reads {PLAN_FORMAT}.{MINOR}"
        message = f"this plan asks for what is not known here, it is {written}: {_brief(error)}"
        _refuse(name, message)


_HEAD = ("format", "minor", "plan", "checksum")


def _check_format(document: Mapping[str, Json], name: str) -> None:
    match = FORMAT.fullmatch(str(document.get("format")))
    if match is None:
        raise DdspecError(
            [Diagnostic("this is no plan: it has no `format: ddspec.plan/1`", Place(name))],
            exit=Exit.INVALID,
        )
    if match[0] != PLAN_FORMAT:
        _refuse(name, f"`{match[0]}` was written by another version; this one reads {PLAN_FORMAT}")


def _check_revisions(revisions: Json, name: str) -> None:
    if not isinstance(revisions, Mapping):
        raise TypeError("`revisions` is no mapping")
    for kind, revision in revisions.items():
        if revision != REVISIONS.get(kind):
            here = f"has {REVISIONS[kind]}" if kind in REVISIONS else "does not know it"
            _refuse(name, f"`{kind}` is of revision {revision}, this version {here}")


def _first_edited(plan: Plan) -> str | None:
    """Return the first stage whose key does not follow from its work and inputs."""
    keys = recomputed_keys(plan.stages)
    return next(
        (label for (label, key), stage in zip(keys, plan, strict=True) if key != stage.key), None
    )


def _brief(error: Exception) -> str:
    """Return the first problem on one line."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    if isinstance(error, KeyError):
        return f"there is no {error.args[0]!r}"
    return str(error).splitlines()[0]


def _refuse(name: str, message: str) -> NoReturn:
    raise DdspecError([Diagnostic(message, Place(name), AGAIN)], exit=Exit.CHANGED)
