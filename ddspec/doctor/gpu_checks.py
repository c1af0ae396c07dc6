"""Whether containers get a GPU, and whether its driver runs what the image holds."""

from __future__ import annotations

from ddspec.doctor.finding import Finding, ok, problem, unchecked, warning
from ddspec.doctor.patient import Patient
from ddspec.doctor.probe import probe
from ddspec.errors import DdspecError

TOOLKIT = (
    "install the NVIDIA container toolkit, `nvidia-ctk runtime configure --runtime=docker`, and "
    "restart the engine; or `nvidia-ctk cdi generate`. Without it: `--device cpu`"
)


def check_runtime(patient: Patient) -> Finding:
    """Return whether a container with a GPU starts, tried with the first one chosen."""
    name = "GPU runtime"
    chosen = patient.chosen
    if not chosen:
        return unchecked(name, "no GPU is chosen")
    first = chosen[0]
    verdict = warning if patient.gpus is None else problem
    try:
        told = probe(patient, gpu=first.uuid)
    except DdspecError as error:
        return verdict(name, error.diagnostics[0].message, TOOLKIT)
    if not told.nvidia:
        return verdict(name, "a container with a GPU starts, and sees no device", TOOLKIT)
    return ok(name, f"a container sees {first.name}")


def check_driver(patient: Patient) -> Finding:
    """Return whether the driver of each chosen GPU runs the CUDA of the image."""
    from ddspec.engine.gpus import driver_runs

    name = "GPU driver"
    cuda = patient.image.cuda
    if not cuda:
        return unchecked(name, "the image holds torch without CUDA")
    chosen = patient.chosen
    old = next((gpu for gpu in chosen if not driver_runs(gpu.driver, cuda)), None)
    if old is not None:
        verdict = warning if patient.gpus is None else problem
        return verdict(
            name,
            f"driver {old.driver} is too old for CUDA {cuda} of the image",
            "update the driver, or build the image with an older torch: `ddspec image build`",
        )
    return ok(name, f"driver {chosen[0].driver} runs CUDA {cuda}" if chosen else "no GPU chosen")
