"""Devices by name: what they hold and how fast they are at most, as their makers publish it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from ddspec.errors import DdspecError, Exit

GIB = 2**30
LAUNCH_S = 4e-6
"""Seconds from one small kernel to the next in eager torch at best; a matter of the host."""


@dataclass(frozen=True, slots=True)
class Device:
    """One kind of device; rates are published peaks, which no program reaches in full."""

    name: str
    """As a person names it: `a6000`."""
    title: str
    aliases: tuple[str, ...]
    """How a driver's name for it may begin or end; the longest that fits wins."""
    gib: float | None
    """Memory; None where it depends on the machine."""
    gb_s: float
    """Bandwidth of that memory."""
    fp64: float
    """Tera operations a second, as the next three; without tensor cores."""
    fp32: float
    tf32: float | None
    """Dense; None where there is none, and float32 is used."""
    bf16: float | None
    source: str

    @property
    def memory_bytes(self) -> int | None:
        """Bytes of memory; None where it depends on the machine."""
        return None if self.gib is None else int(self.gib * GIB)

    @property
    def bandwidth(self) -> float:
        """Bytes a second."""
        return self.gb_s * 1e9

    def peak(self, precision: str) -> float:
        """Return operations a second at the precision of a work."""
        rates = {"float64": self.fp64, "tf32": self.tf32 or self.fp32}
        return 1e12 * rates.get(precision, self.fp32)


_TURING = "NVIDIA Turing GPU Architecture, WP-09183-001, appendix A (reference clocks)"
_GA102 = "NVIDIA Ampere GA102 GPU Architecture, V2, tables 2 and 9 (dense)"
_ADA = "NVIDIA Ada GPU Architecture, V2, table 2 (dense)"
_V100 = "NVIDIA V100 datasheet, January 2020 (SXM2)"
_A100 = "NVIDIA A100 datasheet, June 2021 (dense; of the 80 GB cards the slower, PCIe)"
_H100 = "NVIDIA H100 datasheet (SXM; half of the rates printed for sparse matrices)"
_H200 = "NVIDIA H200 datasheet (141 GB are 131 GiB; half of the rates for sparse matrices)"
_L4 = "NVIDIA L4 datasheet (half of the rates printed for sparse matrices)"
_CPU = "ours: one core with AVX2 at 3 GHz, 2 x 8 fused operations a cycle, memory as it streams"

DEVICES: Mapping[str, Device] = {
    device.name: device
    for device in (
        # name, title, aliases, GiB, GB/s, TFLOP/s in fp64, fp32, tf32, bf16
        Device(
            "rtx2080", "GeForce RTX 2080", ("RTX 2080",),
            8, 448, 0.315, 10.1, None, None, _TURING,
        ),
        Device(
            "rtx2080ti", "GeForce RTX 2080 Ti", ("RTX 2080 Ti",),
            11, 616, 0.42, 13.4, None, None, _TURING,
        ),
        Device(
            "rtx3090", "GeForce RTX 3090", ("RTX 3090",),
            24, 936, 0.556, 35.6, 35.6, 71.0, _GA102,
        ),
        Device(
            "rtx4090", "GeForce RTX 4090", ("RTX 4090",),
            24, 1008, 1.29, 82.6, 82.6, 165.2, _ADA,
        ),
        Device(
            "a6000", "RTX A6000", ("RTX A6000",),
            48, 768, 0.605, 38.7, 77.4, 154.8, _GA102,
        ),
        Device(
            "a100-40", "A100 40 GB", ("A100", "A100-SXM4-40GB", "A100-PCIE-40GB"),
            40, 1555, 9.7, 19.5, 156, 312, _A100,
        ),
        Device(
            "a100-80", "A100 80 GB", ("A100-SXM4-80GB", "A100 80GB", "A100-PCIE-80GB"),
            80, 1935, 9.7, 19.5, 156, 312, _A100,
        ),
        Device("h100", "H100 80 GB", ("H100",), 80, 3350, 34, 67, 494.5, 989.5, _H100),
        Device("h200", "H200 141 GB", ("H200",), 131, 4800, 34, 67, 494.5, 989.5, _H200),
        Device(
            "v100", "V100 16 GB", ("V100", "V100-SXM2-16GB", "V100-PCIE-16GB"),
            16, 900, 7.8, 15.7, None, None, _V100,
        ),
        Device(
            "v100-32", "V100 32 GB", ("V100-SXM2-32GB", "V100-PCIE-32GB"),
            32, 900, 7.8, 15.7, None, None, _V100,
        ),
        Device("l4", "L4", ("L4",), 24, 300, 0.49, 30.3, 60, 121, _L4),
        Device("cpu", "one core", (), None, 10, 0.048, 0.096, None, None, _CPU),
    )
}  # fmt: skip


def device(name: str) -> Device:
    """Return the device of a name, in any case; DdspecError (exit 2) where there is none."""
    wanted = name.strip().lower()
    if wanted in DEVICES:
        return DEVICES[wanted]
    near = get_close_matches(wanted, DEVICES, n=1)
    raise DdspecError(
        f"`{name}` is no device that this version knows",
        exit=Exit.USAGE,
        hint=(f"did you mean `{near[0]}`? " if near else "") + f"known: {', '.join(DEVICES)}",
    )


def device_called(title: str) -> Device | None:
    """Return the device that a driver calls `title`; None for one that is not in the table.

    `NVIDIA GeForce RTX 2080 Ti` is `rtx2080ti`, the empty title of a run without a GPU `cpu`.
    """
    if not title:
        return DEVICES["cpu"]
    fits = [
        (len(alias), found.name)
        for found in DEVICES.values()
        for alias in found.aliases
        if re.search(rf"\b{re.escape(alias)}\b", title, re.IGNORECASE)
    ]
    return DEVICES[max(fits)[1]] if fits else None


def fitting(needed_bytes: int) -> tuple[Device, ...]:
    """Return the devices whose memory holds so much, smallest first; the CPU is not among them."""
    sizes = [(found.memory_bytes, found.name) for found in DEVICES.values()]
    return tuple(
        DEVICES[name]
        for size, name in sorted((size, name) for size, name in sizes if size is not None)
        if size >= needed_bytes
    )
