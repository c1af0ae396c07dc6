"""What there is to say of the results of a matrix: one line a variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ddspec.canon import Json
from ddspec.cli.report import Report, headline, plain_line
from ddspec.console.matrix_results_view import VariantScores, render_matrix
from ddspec.console.results_view import StageLine
from ddspec.plan.ir import Plan
from ddspec.run.curves import Curve
from ddspec.run.scores import Score


@dataclass(frozen=True, slots=True)
class VariantReport:
    """Scores and files of one variant."""

    name: str
    settings: Mapping[str, Json]
    scores: tuple[Score, ...]
    files: Mapping[str, str]
    curves: tuple[Curve, ...] = ()


@dataclass(frozen=True, slots=True)
class MatrixReport:
    """Scores of all variants, and the stages of their plan."""

    plan: Plan
    variants: tuple[VariantReport, ...]
    stages: Sequence[StageLine]
    folder: str
    """Where the sets of the variants lie, each in a folder of its name."""

    def text(self) -> str:
        """Return the tables for people."""
        rows = [VariantScores(one.name, one.scores, one.curves) for one in self.variants]
        return render_matrix(headline(self.plan), rows, self.stages, self._files())

    def _files(self) -> dict[str, str]:
        made = sum(bool(one.files) for one in self.variants)
        return {"sets": f"{self.folder}/VARIANT/, {made} of them"} if made else {}

    def plain(self, form: str) -> dict[str, Json]:
        """Return the report as one JSON object of the given format."""
        keys = {stage.label: stage.key for stage in self.plan}
        return {
            "format": form,
            "name": self.plan.name,
            "title": self.plan.experiment.title,
            "plan": self.plan.digest,
            "variants": [self._plain(one) for one in self.variants],
            "stages": [plain_line(line, keys) for line in self.stages],
        }

    def _plain(self, one: VariantReport) -> dict[str, Json]:
        alone = Report(self.plan.of(one.name), one.scores, (), one.files, one.curves).plain("")
        shown = ("plan", "results", "differences", "over_loops")
        parts = {key: alone[key] for key in shown if key in alone}
        return {"name": one.name, "settings": one.settings, **parts, **one.files}
