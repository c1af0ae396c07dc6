"""What every test of the runners gets: one thread, as jobs have by default."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Float32 sums depend on the number of threads, and tiny tensors gain nothing from more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def process_wide_switches() -> Iterator[None]:
    """Put back what an entry that runs in the process of a test has switched."""
    handler, threads = signal.getsignal(signal.SIGTERM), torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    yield
    signal.signal(signal.SIGTERM, handler)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
