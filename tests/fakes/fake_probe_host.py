"""Run the probe as a job in a container, and print what it told.

Called as `fake_probe_host.py JSON` with home, image, memory, shm and ports; a process of its own,
so that it can hold secrets and be another user.
"""

import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fake_jobs import order
from fake_plans import chain

from ddspec.executors.base import Phase, Terms
from ddspec.executors.docker import DockerExecutor
from ddspec.run.dispatch import site_of
from ddspec.store.store import open_store

PATIENCE_S = 60
PROBE = Path(__file__).with_name("fake_probe.py")


def main() -> None:
    told = json.loads(sys.argv[1])
    store = open_store(Path(told["home"]))
    for stage in chain()[:1]:
        (store.layout.object(stage.key or "")).mkdir(parents=True, exist_ok=True)
    terms = Terms(image=told["image"], memory=told["memory"], shm=told["shm"])
    command = ("python3", "-I", "-S", "-c", PROBE.read_text(), *told["ports"])
    executor = DockerExecutor(site_of(store), terms, command=command, environ=dict(os.environ))
    handle = executor.submit(executor.prepare(order("probe")))
    end = time.monotonic() + PATIENCE_S
    while not (state := executor.poll([handle])[handle]).over and time.monotonic() < end:
        time.sleep(0.05)
    executor.cancel(handle, force=True)
    executor.retire(handle)
    said, erred = executor.logs(handle, stream="stdout").text, executor.logs(handle).text
    if state.phase is not Phase.DONE:
        raise SystemExit(f"{state}\n{said}\n{erred}")
    print(said)


if __name__ == "__main__":
    main()
