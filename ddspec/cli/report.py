"""What there is to say of a plan's results: the same for `run`, `results` and `diff`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pydantic import JsonValue

from ddspec.canon import Digest, Json
from ddspec.console.results_view import StageLine, render_results
from ddspec.plan.ir import Plan, Stage, Variant
from ddspec.run.curves import Curve, curves
from ddspec.run.deliver import CARD, FACTS, GRID, LABELS, TENSORS, Taught, deliver
from ddspec.run.outcome import Outcome
from ddspec.run.scores import SETS, Score, gain, judged, scores
from ddspec.store.store import Store, StoredResult
from ddspec.visible import visible
from ddspec.wire.work import EvaluateWork

if TYPE_CHECKING:
    from ddspec.cli.report_matrix import MatrixReport
    from ddspec.run.evidence import Evidence

Metrics: TypeAlias = "Mapping[Digest, Mapping[str, JsonValue]]"
"""Figures of finished stages by key."""
SET_FILES = {"images": GRID, "set": TENSORS, "card": CARD}
"""Files of a synthetic set that a person looks for, by the name they are printed under."""


@dataclass(frozen=True, slots=True)
class Line:
    """One stage of the report."""

    label: str
    key: Digest
    state: str
    seconds: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Scores, stages and files of a plan."""

    plan: Plan
    scores: tuple[Score, ...]
    stages: Sequence[StageLine]
    files: Mapping[str, str]
    curves: tuple[Curve, ...] = ()
    """Accuracies over outer loops, where snapshots are judged."""

    def text(self) -> str:
        """Return the table for people."""
        title = headline(self.plan)
        return render_results(title, self.scores, self.stages, self.files, self.curves)

    def plain(self, form: str) -> dict[str, Json]:
        """Return the report as one JSON object of the given format."""
        keys = {stage.label: stage.key for stage in self.plan}
        return {
            "format": form,
            "name": self.plan.name,
            "title": self.plan.experiment.title,
            "plan": self.plan.digest,
            "results": [score.plain() for score in self.scores],
            "differences": _differences(self.scores),
            **curves_json(self.curves),
            "stages": [plain_line(line, keys) for line in self.stages],
            **self.files,
        }


def headline(plan: Plan) -> str:
    """Return a plan in one line."""
    data, budget = plan.data, plan.experiment.budget.images_per_class
    images = "image" if budget == 1 else "images"
    title = visible(plan.experiment.title or plan.name)
    if plan.is_matrix:
        return f"{title} · {len(plan.variants):,} variants, {len(plan.stages):,} stages"
    about = f"{data.title}, {len(data.classes)} classes x {budget} {images} at {data.size} px"
    return f"{title} · {about}"


def report_of_run(plan: Plan, outcome: Outcome, store: Store) -> Report | MatrixReport:
    """Return what a run has led to, and deliver its distilled sets."""
    from ddspec.run.evidence import evidence_of

    metrics = {stage.key: stage.metrics for stage in outcome.stages}
    for variant, known in zip(plan.variants, evidence_of(plan, store), strict=True):
        alone, folder = plan.of(variant.name), _folder(plan, variant.name)
        _deliver(alone, folder, metrics, store, known, unpublished_of(plan, variant))
    return _report(plan, metrics, outcome.stages, store)


def _folder(plan: Plan, variant: str) -> str:
    """Return the name of the folder in which a variant's set is delivered."""
    return f"{plan.name}/{variant}" if variant else plan.name


def _report(
    plan: Plan, metrics: Metrics, stages: Sequence[StageLine], store: Store | None
) -> Report | MatrixReport:
    if not plan.is_matrix:
        files = {} if store is None else _files(plan, plan.name, store)
        return Report(plan, scores(plan, metrics), stages, files, curves(plan, metrics))
    from ddspec.cli.report_matrix import MatrixReport, VariantReport

    found = []
    for variant in plan.variants:
        alone = plan.of(variant.name)
        files = {} if store is None else _files(alone, _folder(plan, variant.name), store)
        known = (scores(alone, metrics), files, curves(alone, metrics))
        found.append(VariantReport(variant.name, variant.settings, *known))
    folder = "" if store is None else _near(store.layout.results / plan.name)
    return MatrixReport(plan, tuple(found), stages, folder)


def unpublished_of(plan: Plan, variant: Variant) -> Json:
    """Return what publications of a variant's preset leave open; None where there is nothing."""
    from ddspec.presets.left_open import left_open
    from ddspec.spec.presets import Subject

    chosen = variant.settings.get("preset") or next(iter(plan.presets), None)
    preset = chosen.get("name") if isinstance(chosen, Mapping) else chosen
    data, experiment = variant.data, variant.experiment
    subject = Subject(
        dataset=experiment.dataset.kind,
        size=data.size,
        channels=data.channels,
        classes=len(data.classes),
        images_per_class=experiment.budget.images_per_class,
    )
    return left_open(preset, experiment, subject) if isinstance(preset, str) else None


def _deliver(
    plan: Plan,
    folder: str,
    metrics: Metrics,
    store: Store,
    known: Evidence,
    unpublished: Json,
) -> None:
    """Put the distilled set of one experiment where a person finds it, with what it scored."""
    found = scores(plan, metrics)
    key = _distilled(plan)
    if key is not None and store.objects.has(key):
        measured: dict[str, Json] = {
            "format": "ddspec.results/1",
            "name": plan.name,
            "plan": plan.digest,
            "results": [score.plain() for score in found],
            "evidence": known.plain(),
        }
        deliver(store, folder, key, plan.protocol, measured, _taught(plan), unpublished)


def report_of_store(plan: Plan, store: Store | None) -> Report | MatrixReport:
    """Return what the store knows of a plan; nothing is run, rehashed or changed."""
    results = {stage.label: _result(store, stage.key) for stage in plan}
    lines = [_stored_line(stage, results[stage.label]) for stage in plan]
    metrics = {stage.key or "": found.metrics for stage in plan if (found := results[stage.label])}
    return _report(plan, metrics, lines, store)


def metrics_of(plan: Plan, store: Store | None) -> Metrics:
    """Return the figures of a plan's finished evaluations by key; nothing is rehashed."""
    keys = [stage.key for stage in plan if isinstance(stage.work, EvaluateWork)]
    found = ((key or "", _result(store, key)) for key in keys)
    return {key: result.metrics for key, result in found if result is not None}


def _result(store: Store | None, key: Digest | None) -> StoredResult | None:
    return store.result(key) if store and key and store.objects.has(key) else None


def _stored_line(stage: Stage, result: StoredResult | None) -> Line:
    state = "in store" if result else "not in store"
    return Line(stage.label, stage.key or "", state, result.seconds if result else None)


def _files(plan: Plan, name: str, store: Store) -> dict[str, str]:
    """Return the paths of the delivered set's files, where it is the one of this plan."""
    folder, key = store.layout.results / name, _distilled(plan)
    if key is None or _delivered(folder) != key:
        return {}
    files = {name: _near(folder / file) for name, file in SET_FILES.items()}
    if (folder / LABELS / FACTS).is_file():
        return files | {LABELS: _near(folder / LABELS)}
    taught = _taught(plan)
    recorded = None if taught is None else taught.recorded
    if recorded is None or not store.objects.has(recorded):
        return files
    return files | {LABELS: _near(store.layout.object(recorded))}


def _delivered(folder: Path) -> Digest | None:
    """Return the key of the set that lies in a folder of results."""
    try:
        key: Digest = json.loads((folder / "card.json").read_bytes())["provenance"]["key"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # nothing was delivered there yet, or a person changed it
    return key


def _near(path: Path) -> str:
    """Return a path as a person would type it here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _distilled(plan: Plan) -> Digest | None:
    """Return the key of the set that evaluations of the distilled set are trained on."""
    for one in judged(plan):
        if one.set == SETS[0]:
            return plan.stage(one.stage.upstream["set"]).key
    return None


def _taught(plan: Plan) -> Taught | None:
    """Return how teachers label the set that evaluations of the distilled set are trained on."""
    for one in judged(plan):
        if one.set == SETS[0] and one.labels == "soft":
            label = one.stage.upstream.get("labels")
            return Taught(None if label is None else plan.stage(label).key)
    return None


def _differences(found: Sequence[Score]) -> list[Json]:
    """Return how far the distilled set is ahead of each other set, as fractions.

    With the labels that both were learned from: of two kinds, it is no difference of methods alone.
    """
    rows: list[Json] = []
    for learned in (score for score in found if score.set == SETS[0]):
        for other in found:
            if other.set != learned.set and other.place == learned.place:
                ahead = gain(learned, other)
                rows.append(
                    {
                        "ahead": learned.set,
                        "of": other.set,
                        "network": other.network,
                        "protocol": other.protocol,
                        "labels": [learned.labels, other.labels],
                        "difference": ahead.difference,
                        "standard_error": ahead.standard_error,
                    }
                )
    return rows


def curves_json(found: Sequence[Curve]) -> dict[str, Json]:
    """Return the field of accuracies over outer loops; none where there are none."""
    points: list[Json] = [point.plain() for curve in found for point in curve.points]
    return {"over_loops": points} if points else {}


def standing(plain: Mapping[str, Json], evidence: Sequence[Evidence]) -> dict[str, Json]:
    """Return a report's JSON with what lets it stand for its document in another place."""
    variants = plain.get("variants")
    if not isinstance(variants, list):
        return {**plain, "evidence": evidence[0].plain()}
    told = [{**one, "evidence": of.plain()} for one, of in zip(variants, evidence, strict=True)]
    return {**plain, "variants": told}


def plain_line(line: StageLine, keys: Mapping[str, Digest | None]) -> dict[str, Json]:
    """Return a stage as it is printed with `--json`."""
    return {
        "label": line.label,
        "key": keys[line.label],
        "state": line.state,
        "seconds": line.seconds,
        **({"reason": line.reason} if line.reason else {}),
    }
