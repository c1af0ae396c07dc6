"""A submitter that takes a GPU again and again, and shouts when it is not alone with it.

Called as `fake_lessee.py IMAGE NAME ROUNDS FOLDER UUID...`; DOCKER_HOST says which engine. Prints
how often it had to wait. The containers do nothing, and no GPU is handed to them.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

from ddspec.executors.base import NoRoom
from ddspec.executors.leases import GPUS_LABEL, lease

PROGRAM = Path("/bin/sleep")


def engine(host: str | None = None) -> Any:
    """Return a client of the engine of DOCKER_HOST, or of another one."""
    from docker.api import APIClient  # slow to load

    return APIClient(base_url=host or os.environ.get("DOCKER_HOST"), version="auto")


def import_sleep(api: Any, reference: str) -> None:
    """Make an image with nothing in it but `sleep`, and what it is linked with."""
    told = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True, check=True).stdout
    libraries = [word for word in told.split() if word.startswith("/")]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", dereference=True) as archive:
        for path in (str(PROGRAM), *libraries):
            archive.add(path)
    name, _, tag = reference.partition(":")
    api.import_image_from_data(packed.getvalue(), repository=name, tag=tag or "latest")


def create(api: Any, image: str, name: str, uuid: str, **settings: Any) -> str:
    """Create a container that sleeps, labelled as one that holds a GPU."""
    config = api.create_host_config(network_mode="none", **settings)
    container = api.create_container(
        image, ["/bin/sleep", "60"], name=name, labels={GPUS_LABEL: uuid}, host_config=config
    )
    return str(container["Id"])


def remove(api: Any, container: str) -> None:
    api.remove_container(container, force=True)


def fight(api: Any, image: str, name: str, folder: Path, uuids: list[str]) -> int:
    """Take a GPU, start on it, be alone with it for a moment, let it go; return the waits."""
    waits = 0
    got = ""

    def make(uuid: str) -> str:
        nonlocal got
        got = uuid
        return create(api, image, name, uuid)

    while True:
        try:
            container = lease(api, uuids, make, lambda lost: remove(api, lost), locks=folder / "l")
        except NoRoom:
            waits += 1
            time.sleep(0.005)
            continue
        (folder / got).mkdir()  # the file system, too, lets one do that at a time
        api.start(container)
        time.sleep(0.005)
        (folder / got).rmdir()
        remove(api, container)
        return waits


def main() -> None:
    image, name, rounds, folder, *uuids = sys.argv[1:]
    api = engine()
    print(sum(fight(api, image, name, Path(folder), uuids) for _ in range(int(rounds))))


if __name__ == "__main__":
    main()
