"""What there is to say of the expectations of one document, and of those of many together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ddspec.console.verify_view import Left, Verified
from ddspec.run.witness import Witness, damaged, evaluated_set, witness_of

if TYPE_CHECKING:
    from ddspec.canon import Digest
    from ddspec.cli.inputs import Opened
    from ddspec.cli.left import Forecaster
    from ddspec.plan.ir import Plan
    from ddspec.run.recorded import Record
    from ddspec.run.verification import Claim
    from ddspec.store.store import Store


@dataclass(frozen=True, slots=True)
class Beside:
    """A document's expectations, and what is needed to count what several have left."""

    verified: Verified
    of: Forecaster
    waiting: tuple[str, ...]
    """Variants that a run would work on."""


def verified(
    opened: Opened,
    document: Path,
    variants: Sequence[str] | None,
    store: Store | None,
    gpu: str | None,
) -> Beside:
    """Judge the expectations of a document by what is in a store; nothing is run or changed.

    What is not there is taken from the results that are committed for the document, if they are of
    the same evaluations.
    """
    from ddspec.cli.left import forecaster
    from ddspec.cli.report import headline, metrics_of
    from ddspec.cli.surroundings import read_from_data
    from ddspec.plan.abilities import missing_parts
    from ddspec.run.verification import claims_of

    plan = opened.plan
    stored, recorded = metrics_of(plan, store), _recorded(document)
    metrics = stored if recorded is None else {**recorded.record.metrics, **stored}
    chosen = {one.name for one in opened.only(variants).plan.variants}
    claims = [one for one in claims_of(plan, metrics) if chosen.intersection(one.variants)]
    of = forecaster(plan, store, gpu)
    waiting = {claim.variant: claim.variants for claim in claims if claim.is_left}
    others = [name for claim in claims if claim.is_left for name in claim.others]
    needed = tuple(dict.fromkeys([*(name for some in waiting.values() for name in some), *others]))
    whole, stages = of.left(needed)
    from_data = " --data DIR" if read_from_data(plan) else ""
    only = "".join(f" --variant '{glob}'" for glob in variants or ())
    found = Verified(
        file=str(document),
        title=headline(plan),
        plan=plan.digest,
        claims=claims,
        left={name: of.left(some)[0] for name, some in waiting.items()},
        whole=whole,
        device=of.device,
        missing=missing_parts(stages),
        command=f"ddspec verify {document}{only} --run{from_data}",
        witnesses=[_witness(plan, claim, store, recorded, stored) for claim in claims],
        from_data=from_data,
        damaged=damaged(plan, store),
    )
    return Beside(found, of, needed)


def left_together(found: Sequence[Beside]) -> Left:
    """Return what runs of several documents would still do; what they share counts once."""
    seen: set[Digest] = set()
    whole: Left | None = None
    for one in found:
        left, stages = one.of.left(one.waiting, without=seen)
        seen |= {stage.key for stage in stages if stage.key is not None}
        if left.flops is None:
            left = replace(left, uncounted=left.stages)
        whole = left if whole is None else whole.plus(left)
    return whole or Left(0, 0)


@dataclass(frozen=True, slots=True)
class _Recorded:
    path: Path
    record: Record


def _recorded(document: Path) -> _Recorded | None:
    from ddspec.cli.spec_files import recorded_beside
    from ddspec.run.recorded import read_record

    path = recorded_beside(document)
    return None if path is None else _Recorded(path, read_record(path))


def _witness(
    plan: Plan,
    claim: Claim,
    store: Store | None,
    recorded: _Recorded | None,
    stored: Collection[Digest],
) -> Witness | None:
    """Return who made what a claim is judged by; None where nothing was measured."""
    if claim.measured is None:
        return None
    keys = [*claim.measured.keys, *(() if claim.other is None else claim.other.keys)]
    sets = (evaluated_set(plan.of(name), claim.measured) for name in claim.variants)
    found = replace(witness_of(keys, store), sets=tuple(key for key in sets if key is not None))
    if recorded is None or all(key in stored for key in keys):
        return found
    return replace(
        found,
        devices=tuple(dict.fromkeys([*found.devices, *recorded.record.devices])),
        dates=tuple(sorted({*found.dates, *recorded.record.dates})),
        recorded=str(recorded.path),
    )
