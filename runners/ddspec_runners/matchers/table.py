"""Kind of matcher to its implementation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ddspec.spec.method import MatcherSpec
from ddspec_runners.faults import BadJob
from ddspec_runners.matchers.base import Matcher
from ddspec_runners.matchers.distribution import DistributionMatcher
from ddspec_runners.matchers.gradient import GradientMatcher
from ddspec_runners.nets.base import Network

# Spec and target are of each matcher's own kind, so the table cannot name one type for all.
MATCHERS: Mapping[str, Callable[[Any, Network], Matcher[Any]]] = {
    "gradient": GradientMatcher,
    "distribution": DistributionMatcher,
}


def make_matcher(spec: MatcherSpec, network: Network) -> Matcher[Any]:
    """Return the matcher that a spec names, for one architecture; raises BadJob if none is."""
    if spec.kind not in MATCHERS:
        raise BadJob(f"this version has no matcher `{spec.kind}`")
    return MATCHERS[spec.kind](spec, network)
