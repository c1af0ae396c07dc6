"""Kind of matcher to its implementation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ddspec.spec.method import MatcherSpec
from ddspec_runners.matchers.base import Matcher
from ddspec_runners.matchers.gradient import GradientMatcher
from ddspec_runners.nets.base import Network

# A target is whatever its own matcher makes of it, so the table cannot name one type for all.
MATCHERS: Mapping[str, Callable[[MatcherSpec, Network], Matcher[Any]]] = {
    "gradient": GradientMatcher,
}


def make_matcher(spec: MatcherSpec, network: Network) -> Matcher[Any]:
    """Return the matcher that a spec names, for one architecture."""
    return MATCHERS[spec.kind](spec, network)
