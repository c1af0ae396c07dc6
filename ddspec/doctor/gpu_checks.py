"""Whether containers get a GPU, and whether its driver runs what the image holds.

A driver that is seen is enough for a problem: runs take a GPU unasked where there is one.
"""

from __future__ import annotations

from ddspec.doctor.finding import Finding, ok, problem, refused, unchecked
from ddspec.doctor.patient import Patient
from ddspec.doctor.probe import probe
from ddspec.errors import DdspecError

TOOLKIT = (
    "install the NVIDIA Container Toolkit and run `nvidia-ctk runtime configure --runtime=docker`, "
    "then restart the engine; `--device cpu` does without"
)


def check_runtime(patient: Patient) -> Finding:
    """Return whether a container with a GPU starts, tried with the first one chosen."""
    name = "GPU runtime"
    if not patient.chosen:
        return unchecked(name, "no GPU is chosen")
    first = patient.chosen[0]
    try:
        told = probe(patient, gpu=first.uuid)
    except DdspecError as error:
        return refused(name, error)
    if not told.nvidia:
        return problem(name, "a container with a GPU starts, and sees no device", TOOLKIT)
    return ok(name, f"a container sees {first.name}")


def check_driver(patient: Patient) -> Finding:
    """Return whether the driver of each chosen GPU runs the CUDA of the image."""
    from ddspec.engine.gpus import driver_runs

    name = "GPU driver"
    cuda, chosen = patient.image.cuda, patient.chosen
    if not cuda:
        return unchecked(name, "the image holds torch without CUDA")
    if not chosen:
        return unchecked(name, "no GPU is chosen")
    driver = chosen[0].driver
    if not driver_runs(driver, cuda):
        return problem(
            name,
            f"driver {driver} is too old for CUDA {cuda} of the image",
            "update the driver, or build an image with an older torch; `--device cpu` does without",
        )
    return ok(name, f"driver {driver} runs CUDA {cuda}")
