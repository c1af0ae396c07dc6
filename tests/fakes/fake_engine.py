"""The container engine of this machine, if one answers, and an image on it for fake runners."""

from __future__ import annotations

import functools
import io
import json
import os
import tarfile
from pathlib import Path

from ddspec.engine.connect import Engine, connect
from ddspec.engine.images import REVISIONS, SOURCE, VERSION
from ddspec.engine.source import revisions, runners_digest
from ddspec.errors import DdspecError

BASE = os.environ.get("DDSPEC_TEST_BASE", "ddspec-base:bookworm")
"""Any image with `sh` and `python3`; `.ci/base_image` makes this one."""
NAME = "ddspec-fake-runner:latest"
RUNNER = Path(__file__).with_name("fake_runner.py")
ENTRY = ("python3", "-I", "-S", "/fake_runner.py", "/cache/script.json", "/cache/log")
RECIPE = f"""
FROM {BASE}
COPY fake_runner.py /
ENTRYPOINT {json.dumps([*ENTRY, "--root", "/", "--scratch", "/scratch"])}
"""


@functools.cache
def engine() -> Engine:
    """Return the engine that the environment means; raises DdspecError where none answers."""
    return connect(os.environ)


@functools.cache
def engine_reason() -> str:
    """Return why tests of containers cannot run here; empty where they can."""
    try:
        found = engine().api.images(name=BASE)
    except DdspecError as error:
        return error.diagnostics[0].message
    return "" if found else f"the engine has no image {BASE}: `.ci/base_image` makes it"


@functools.cache
def fake_image() -> str:
    """Build the image of the fake runner, labelled as the runners of this source; return its name.

    Its entry point reads its script from, and writes its log to, the cache of the job.
    """
    labels = {
        SOURCE: runners_digest(),
        REVISIONS: json.dumps(dict(revisions())),
        VERSION: "fake",
    }
    said = list(
        engine().api.build(
            fileobj=_context(), custom_context=True, tag=NAME, labels=labels, rm=True, decode=True
        )
    )
    assert not any("error" in line for line in said), said
    return NAME


def _context() -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in (("Dockerfile", RECIPE.encode()), (RUNNER.name, RUNNER.read_bytes())):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    packed.seek(0)
    return packed
