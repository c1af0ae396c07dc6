"""What the store says of a plan, and what it is told of a run for the next one to compare with."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddspec.canon import Digest
    from ddspec.plan.ir import Plan
    from ddspec.plan.past import Past, Said
    from ddspec.plan.why import Standing
    from ddspec.store.store import Store

SHORT = 8
"""Characters of a digest that people compare."""


def standing_of(store: Store | None, plan: Plan) -> Standing:
    """Return what is in the store of a plan, and what earlier runs of its name asked for."""
    from ddspec.plan.why import Standing, former

    if store is None:
        return Standing(frozenset())
    problems = {
        stage.key: store.objects.problem(stage.key)
        for stage in plan
        if stage.key is not None and store.layout.object(stage.key).exists()
    }
    present: set[Digest] = {key for key, problem in problems.items() if problem is None}
    pasts = tuple(_pasts(store, plan.name)) if len(present) < len(plan.stages) else ()
    made = {key for key in {*former(plan, present, pasts)} if store.layout.object(key).exists()}
    return Standing(
        present=present,
        needed=_needed(plan, present) if plan.locked else None,
        damaged={key: problem for key, problem in problems.items() if problem is not None},
        made=made,
        pasts=pasts,
        code=dict(_other_code(store, present)),
    )


def remember(store: Store, plan: Plan, settings: Sequence[Said], now: float) -> None:
    """Write down what a run is asked to do; a store that takes no more does without."""
    from ddspec.plan.past import encode, mark_of

    mark = mark_of(plan, settings)
    if store.planned.has(plan.name, mark):
        return
    with suppress(OSError):  # it only explains; what the run itself needs says so by itself
        content = encode(plan, settings, now)
        store.planned.record(plan.name, content, mark=mark, time=now)


def told_by_journal(store: Store, keys: Collection[Digest]) -> Mapping[Digest, str]:
    """Return how the last attempt at each key ended, in words; nothing where there was none."""
    found: dict[Digest, str] = {}
    for key in keys:
        try:
            entries = store.journal.entries(key)
        except (OSError, ValueError, TypeError):  # damaged; it is asked for an explanation alone
            continue
        if entries:
            last = entries[-1]
            reason = f": {last.reason.splitlines()[0]}" if last.reason else ""
            found[key] = f"{last.outcome}{reason}"
    return found


def _needed(plan: Plan, present: Collection[Digest]) -> Collection[Digest]:
    """Return what a run would work on, as it finds out itself."""
    from ddspec.run.demand import needed, targets

    stages = {stage.key: stage for stage in plan if stage.key is not None}
    return needed(stages, present, targets(plan.stages))


def _pasts(store: Store, name: str) -> Iterator[Past]:
    from ddspec.plan.past import decode

    for content in store.planned.contents(name):
        past = decode(content)
        if past is not None:
            yield past


def _other_code(store: Store, present: Collection[Digest]) -> Iterator[tuple[Digest, str]]:
    """Yield outputs made by other runners than those installed here, and by which."""
    from ddspec.engine.source import runners_digest

    if not present:
        return
    here = runners_digest()
    for key in present:
        result = store.result(key)
        source = result.engine.get("source") if result else None
        if isinstance(source, str) and source != here:
            yield key, f"made by runners {source[:SHORT]}, here {here[:SHORT]}"
