"""Take over a network that was trained elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from ddspec.wire.work import CheckpointWork
from ddspec_runners.artifacts import write_tensors
from ddspec_runners.data.folder import inside
from ddspec_runners.faults import BadData, BadJob
from ddspec_runners.nets.make import make_network
from ddspec_runners.pools.foreign import fitted, read_weights
from ddspec_runners.pools.recorded import NETWORK
from ddspec_runners.runtime import dtype_of
from ddspec_runners.site import Site


def run(work: CheckpointWork, site: Site) -> Mapping[str, JsonValue]:
    """Read the file that the job's location names and write `network.safetensors`.

    Files of torchvision's networks have torchvision's names, those of others the names that
    recorded networks have here. Raises BadData where the file is not the one of the plan, or not
    of the network.

    Returns:
        `parameters`, how many numbers were trained.
    """
    path = _path(site)
    network = make_network(
        work.network, channels=work.channels, size=work.size, classes=work.classes
    )
    tensors = fitted(read_weights(path, work.content), network, path, dtype_of(work.precision))
    write_tensors(site.output / NETWORK, tensors)
    running = network.buffers()
    trained = [tensor.numel() for name, tensor in tensors.items() if name not in running]
    return {"parameters": sum(trained)}


def _path(site: Site) -> Path:
    if "path" not in site.location:
        raise BadJob("the job does not say where the weights lie")
    if site.data is None:
        raise BadData(
            f"the weights {site.location['path']} need a data directory: "
            "give `--data DIR` or set DDSPEC_DATA"
        )
    return inside(site.data, site.data / site.location["path"])
