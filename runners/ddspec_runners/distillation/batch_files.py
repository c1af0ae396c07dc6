"""Where batches begin, and where they lie until all of them are finished."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Size, Tensor

from ddspec.wire.work import DistillWork, Precision
from ddspec_runners.artifacts import read_tensors, write_tensors
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.distillation.recover import Batch
from ddspec_runners.faults import BadJob
from ddspec_runners.parameterization.init import initial_images
from ddspec_runners.runtime import dtype_of

DTYPES: Mapping[torch.dtype, str] = {torch.float32: "F32", torch.float64: "F64"}


@dataclass(slots=True)
class FirstImages:
    """Images before learning; a class draws all of its own at once, so those of a chunk stay."""

    work: DistillWork
    split: PreparedSplit
    _classes: range = range(0)
    _images: Tensor = field(default_factory=lambda: torch.zeros(0))

    def of(self, batch: Batch) -> Tensor:
        """Return (c, C, H, W), on the CPU."""
        if batch.classes != self._classes:
            work, self._classes = self.work, batch.classes
            self._images = initial_images(
                work.parameterization,
                work.init,
                work.images_per_class,
                self.split,
                work.seed,
                batch.classes,
                dtype=dtype_of(work.precision),
            )
        return self._images[:, batch.image].clone()


@dataclass(frozen=True, slots=True)
class Layout:
    """How batches make up a set of classes."""

    batches: tuple[Batch, ...]
    classes: range
    """Global indices of the K' classes."""
    images: int
    """Of each class, n."""

    def rows(self, batch: Batch) -> slice:
        """Return where the classes of a batch are among all."""
        first = self.classes.start
        return slice(batch.classes.start - first, batch.classes.stop - first)


@dataclass(frozen=True, slots=True)
class Finished:
    """Files of batches, by their number."""

    folder: Path
    layout: Layout

    def put(self, number: int, tensors: Mapping[str, Tensor]) -> None:
        """Write the tensors of a batch, each of one entry a class."""
        write_tensors(self._file(number), tensors)

    def holds(self, count: int) -> bool:
        """Tell whether the first so many are all there."""
        return all(self._file(number).is_file() for number in range(count))

    def gathered(self) -> dict[str, Tensor]:
        """Return all batches as one, each tensor (K', n, ...)."""
        whole: dict[str, Tensor] = {}
        layout = self.layout
        for number, batch in enumerate(layout.batches):
            for name, tensor in read_tensors(self._file(number))[0].items():
                if name not in whole:
                    shape = (len(layout.classes), layout.images, *tensor.shape[1:])
                    whole[name] = tensor.new_empty(shape)
                whole[name][layout.rows(batch), batch.image] = tensor
        return whole

    def _file(self, number: int) -> Path:
        return self.folder / f"batch-{number}.safetensors"


def batch_of_state(
    path: Path, batch: Batch, layout: Layout, shapes: Mapping[str, Size], precision: Precision
) -> dict[str, Tensor]:
    """Return a batch as the segment before has left it, reading no more than that.

    Raises BadJob where the file is not a state of these names and shapes (K', n, ...).
    """
    kind = DTYPES[dtype_of(precision)]
    try:
        with safe_open(path, framework="pt") as file:
            held = {*file.keys()}
            parts = {name: file.get_slice(name) for name in shapes if name in held}
            for name, shape in shapes.items():
                part = parts.get(name)
                if part is None or part.get_shape() != [*shape] or part.get_dtype() != kind:
                    message = f"`{name}` in {path} is not {tuple(shape)} at precision {precision}"
                    raise BadJob(message)
            return {name: part[layout.rows(batch), batch.image] for name, part in parts.items()}
    except (OSError, SafetensorError) as error:
        raise BadJob(f"{path} cannot be read: {error}") from error
