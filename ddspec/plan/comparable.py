"""Whether the accuracies of two plans may be compared, and what speaks against it."""

from __future__ import annotations

from dataclasses import dataclass

from ddspec.canon import Digest, Json, digest
from ddspec.plan.ir import Plan
from ddspec.wire.work import EvaluateWork, PrepareWork


@dataclass(frozen=True, slots=True)
class Comparable:
    """Whether accuracies of both plans may be compared, and what speaks against it."""

    protocol: bool = True
    test_set: bool = True
    networks: bool = True
    """Some network judges in both."""
    labels: bool = True
    """Both sets have labels of one kind."""
    budget: bool = True
    """Both sets have as many images of each class: more of them are no better method."""

    def __bool__(self) -> bool:
        return all(self.facts.values())

    def __and__(self, other: Comparable) -> Comparable:
        """Return what both say holds."""
        return Comparable(
            self.protocol and other.protocol,
            self.test_set and other.test_set,
            self.networks and other.networks,
            self.labels and other.labels,
            self.budget and other.budget,
        )

    @property
    def facts(self) -> dict[str, bool]:
        """Each fact by its name in words."""
        return {
            "protocol": self.protocol,
            "test set": self.test_set,
            "label kind": self.labels,
            "networks": self.networks,
            "budget": self.budget,
        }


def comparable(before: Plan, after: Plan) -> Comparable:
    """Compare how two plans, each of one variant, judge a set."""
    protocols = [plan.protocol.model_dump(exclude={"name"}) for plan in (before, after)]
    return Comparable(
        protocol=protocols[0] == protocols[1],
        test_set=_test_set(before) == _test_set(after),
        networks=bool(_judges(before) & _judges(after)),
        labels=_labels(before) == _labels(after),
        budget=before.experiment.budget == after.experiment.budget,
    )


def _labels(plan: Plan) -> str:
    labels = plan.experiment.labels
    return "hard" if labels is None else labels.kind


def _judges(plan: Plan) -> set[str]:
    works = (stage.work for stage in plan)
    return {work.network.model_dump_json() for work in works if isinstance(work, EvaluateWork)}


def _test_set(plan: Plan) -> Json:
    """Return what decides on which images accuracy is measured, and how they are prepared."""
    split = plan.experiment.evaluate.on
    work = next(
        stage.work
        for stage in plan
        if isinstance(stage.work, PrepareWork) and stage.work.split == split
    )
    # What is held out for choices moves published test images no more than it moves statistics.
    fields = {"validation"} if split == "test" else set[str]()
    return [split, work.source.model_dump(mode="json", exclude=fields)]


def protocol_digest(plan: Plan) -> Digest:
    """Return the digest of how a plan of one variant judges a set, whatever that is called."""
    return digest(plan.protocol.model_dump(mode="json", exclude={"name"}))


def test_set_digest(plan: Plan) -> Digest:
    """Return the digest of what a plan of one variant measures accuracy on."""
    return digest(_test_set(plan))
