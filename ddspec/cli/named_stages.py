"""From how a person calls stages to the stages: labels, globs, keys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from ddspec.canon import Digest
    from ddspec.plan.ir import Plan
    from ddspec.store.store import Store

MOST = 200
"""Stages that are shown at once."""
_PREFIX = re.compile(r"[0-9a-f]{6,64}")


@dataclass(frozen=True, slots=True)
class Named:
    """A stage that a person means."""

    label: str
    key: Digest


def stages_of(what: str, pattern: str | None, store: Store) -> list[Named]:
    """Return the stages of a document that a pattern names, or the one of a key."""
    path = Path(what)
    if not path.exists() and _PREFIX.fullmatch(what):
        if pattern is not None:
            raise DdspecError(f"`{what}` is a key, and names its stage", exit=Exit.USAGE)
        return [_of_key(what, store)]
    from ddspec.cli.inputs import open_document

    plan = open_document(path).plan
    found = _at_work(plan, store) if pattern is None else _matching(plan, pattern)
    if len(found) > MOST:
        raise DdspecError(f"`{pattern}` names more than {MOST} stages", exit=Exit.USAGE)
    return found


def _of_key(prefix: str, store: Store) -> Named:
    from ddspec.run.tries import tries_of

    layout = store.layout
    names = {path.name for folder in (layout.journals, layout.claims) for path in folder.iterdir()}
    names.update(store.objects.keys())
    found = sorted(name for name in names if name.startswith(prefix))
    if len(found) != 1:
        many = f"{len(found)} keys begin" if found else "no key begins"
        raise DdspecError(f"{many} with `{prefix}` here", exit=Exit.USAGE)
    tries = tries_of(store, found[0])
    return Named(tries[-1].label if tries else found[0][:12], found[0])


def _matching(plan: Plan, pattern: str) -> list[Named]:
    """Return the stages of a label or a glob; `LABEL@VARIANT` also where variants share them."""
    from difflib import get_close_matches

    from ddspec.plan.ir import own_label

    known = {stage.label: stage.key for stage in plan}
    own, _, variant = pattern.partition("@")
    labels = [pattern] if pattern in known else [one for one in known if fnmatchcase(one, pattern)]
    if not labels and variant:
        labels = [
            one
            for name in (one.name for one in plan.variants if fnmatchcase(one.name, variant))
            for one in plan.variant(name).labels
            if fnmatchcase(own_label(one), own)
        ]
    if not labels and not variant:
        within = (f"{own}/*", own)
        labels = [one for one in known if any(fnmatchcase(own_label(one), p) for p in within)]
    if not labels:
        close = get_close_matches(pattern, known, n=1)
        hint = f"did you mean `{close[0]}`?" if close else "`ddspec plan --stages` lists them"
        raise DdspecError(f"no stage is called `{pattern}`", exit=Exit.USAGE, hint=hint)
    return [_named(label, known[label]) for label in dict.fromkeys(labels)]


def _named(label: str, key: Digest | None) -> Named:
    if key is None:
        raise DdspecError(f"`{label}` has no key yet: its data are not locked", exit=Exit.UNABLE)
    return Named(label, key)


def _at_work(plan: Plan, store: Store) -> list[Named]:
    """Return the stages of a plan that are claimed, else those whose last attempt failed."""
    from ddspec.run.tries import known_entries

    claimed = store.claims.keys()
    stages = {stage.key: Named(stage.label, stage.key) for stage in plan if stage.key is not None}
    working = [stage for key, stage in stages.items() if key in claimed]
    if working:
        return working
    absent = [stage for key, stage in stages.items() if not store.layout.object(key).exists()]
    failed = [
        one
        for one in absent
        if (entries := known_entries(store, one.key)) and entries[-1].outcome != "published"
    ]
    if not failed:
        raise DdspecError(
            f"no stage of `{plan.name}` is at work, and none has failed",
            exit=Exit.USAGE,
            hint="name a stage: `distill`, `pool/*`",
        )
    return failed
