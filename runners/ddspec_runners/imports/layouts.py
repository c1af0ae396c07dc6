"""What official codes write, and the set that is in it.

- `dc` (DC, DSA, DM of Zhao et al., and IDM): `torch.save({'data': [[images, labels], …],
  'accs_all_exps': …})`, one pair an experiment, in `res_METHOD_DATA_NET_Nipc.pt`;
- `mtt` (Cazenavette et al.; FTD, TESLA): `torch.save(images)` in `images_best.pt` and
  `torch.save(labels)` in `labels_best.pt`; TESLA's labels are probabilities where they are soft;
- `idc` (Kim et al.; Acc-DD): `torch.save([images, labels])` in `data.pt`, in several folders where
  classes were distilled apart.

Images are (N, C, H, W), labels (N,).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ddspec.spec.imported import Holds, Layout
from ddspec_runners.faults import BadData
from ddspec_runners.imports.reading import Opened, described

EXPECTED: Mapping[Layout, str] = {
    "dc": "a mapping whose `data` is a list of [images, labels], one pair an experiment",
    "mtt": "a tensor of images (N, C, H, W), or one of labels (N,) or (N, classes)",
    "idc": "a list [images, labels] of tensors (N, C, H, W) and (N,)",
}
IMAGE_TYPES = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64})
LABEL_TYPES = frozenset({torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64})
CHANNELS = frozenset({1, 3, 4})


@dataclass(frozen=True, slots=True)
class Found:
    """The images and labels of one or several files, as they were written."""

    images: Tensor
    """(N, C, H, W), float32 or float64."""
    labels: Tensor | None
    """int64 (N,); or (N, K) where each image has a distribution over classes; None in no file."""
    experiments: int | None = None
    """Sets that the file holds, where it can hold several."""


def found(
    files: Sequence[tuple[Opened, Holds | None]], layout: Layout, experiment: int = 0
) -> Found:
    """Return the set in files, joined in their order.

    Raises BadData, naming the file, where one is not of the layout: what was expected, what was
    found, and whose layout it looks like.
    """
    parts = [_part(file, layout, holds, experiment) for file, holds in files]
    images = [part.images for part in parts if part.images is not None]
    labels = [part.labels for part in parts if part.labels is not None]
    if not images:
        raise BadData(f"{files[0][0].path} and the others hold labels alone, and no images")
    _alike(parts, "images", [tuple(one.shape[1:]) for one in images])
    _alike(parts, "labels", [tuple(one.shape[1:]) for one in labels])
    joined = torch.cat(images)
    told = torch.cat(labels) if labels else None
    if told is not None and len(told) != len(joined):
        raise BadData(f"there are {len(joined)} images and labels of {len(told)}, {_names(parts)}")
    return Found(joined, told, parts[0].experiments)


@dataclass(frozen=True, slots=True)
class _Part:
    file: Opened
    images: Tensor | None
    labels: Tensor | None
    experiments: int | None = None


def holds_of(file: Opened) -> Holds:
    """Return which of MTT's two files one is; BadData where it is neither."""
    if not isinstance(file.value, Tensor) or file.value.ndim not in (1, 2, 4):
        raise _unlike(file, "mtt")
    return "images" if file.value.ndim == 4 else "labels"


def _part(file: Opened, layout: Layout, holds: Holds | None, experiment: int) -> _Part:
    match layout:
        case "dc":
            pairs = _experiments(file)
            if experiment >= len(pairs):
                raise BadData(
                    f"{file.path} holds {len(pairs)} experiments, counted from 0: "
                    f"there is no number {experiment}"
                )
            images, labels = _pair(pairs[experiment], file, layout)
            return _Part(file, _images(images, file), _labels(labels, file), len(pairs))
        case "idc":
            images, labels = _pair(file.value, file, layout)
            return _Part(file, _images(images, file), _labels(labels, file))
        case "mtt":
            really = holds_of(file)
            if really != (holds or "images"):
                raise BadData(
                    f"{file.path} holds {described(file.value)}: these are {really}, "
                    f"the plan says {holds or 'images'}"
                )
            value = file.value
            if really == "images":
                return _Part(file, _images(value, file), None)
            return _Part(file, None, _labels(value, file))


def _experiments(file: Opened) -> Sequence[object]:
    pairs = file.value.get("data") if isinstance(file.value, Mapping) else None
    if not isinstance(pairs, list | tuple):
        raise _unlike(file, "dc")
    if not pairs:
        raise BadData(f"{file.path} holds no experiment: the code had finished none")
    return pairs


def _pair(value: object, file: Opened, layout: Layout) -> tuple[object, object]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise _unlike(file, layout)
    images, labels = value
    if not isinstance(images, Tensor) or not isinstance(labels, Tensor):
        raise _unlike(file, layout)
    return images, labels


def _images(value: object, file: Opened) -> Tensor:
    expected = "images are a tensor (N, C, H, W) of real numbers, C of 1, 3 or 4"
    if not isinstance(value, Tensor) or value.ndim != 4 or not value.numel():
        raise BadData(f"{file.path} holds {described(value)}: {expected}")
    if value.dtype not in IMAGE_TYPES:
        bytes_ = value.dtype == torch.uint8
        hint = "; bytes are no learned values" if bytes_ else ""
        raise BadData(f"{file.path} holds {described(value)}: {expected}{hint}")
    _, channels, height, width = value.shape
    if channels not in CHANNELS or height != width:
        last = channels == height and width in CHANNELS
        hint = "; here channels come last, (N, H, W, C)" if last else ", and they are square"
        raise BadData(f"{file.path} holds {described(value)}: {expected}{hint}")
    plain = value.detach()
    if not bool(plain.isfinite().all()):
        raise BadData(f"{file.path} cannot be used: its images hold NaN or infinite values")
    return plain if plain.dtype == torch.float64 else plain.float()


def _labels(value: object, file: Opened) -> Tensor:
    if isinstance(value, Tensor) and value.ndim == 1 and value.dtype in LABEL_TYPES:
        return value.detach().long()
    if isinstance(value, Tensor) and value.ndim == 2 and value.dtype in IMAGE_TYPES:
        soft = value.detach()
        if not bool(soft.isfinite().all()):
            raise BadData(f"{file.path} cannot be used: its labels hold NaN or infinite values")
        return soft if soft.dtype == torch.float64 else soft.float()
    expected = "labels are whole numbers (N,), or real ones (N, classes) where they are soft"
    raise BadData(f"{file.path} holds {described(value)}: {expected}")


def _unlike(file: Opened, layout: Layout) -> BadData:
    other = looks_like(file.value)
    hint = f"; that is what `{other}` writes" if other not in (None, layout) else ""
    return BadData(
        f"{file.path} is no file of `{layout}`: expected {EXPECTED[layout]}, "
        f"found {described(file.value)}{hint}"
    )


def looks_like(value: object) -> Layout | None:
    """Return whose file an object is from; None where it is nobody's that is known."""
    if isinstance(value, Mapping):
        return "dc" if "data" in value else None
    if isinstance(value, Tensor):
        return "mtt" if value.ndim in (1, 2, 4) else None
    pair = isinstance(value, list | tuple) and len(value) == 2
    tensors = pair and all(isinstance(one, Tensor) for one in value)  # type: ignore[attr-defined]
    return "idc" if tensors else None


def _alike(parts: Sequence[_Part], what: str, shapes: Sequence[tuple[int, ...]]) -> None:
    if len(set(shapes)) > 1:
        listed = " and ".join(str(shape) for shape in dict.fromkeys(shapes))
        raise BadData(f"the {what} are of several shapes, {listed}, {_names(parts)}")


def _names(parts: Sequence[_Part]) -> str:
    return "in " + ", ".join(str(part.file.path) for part in parts[:3])
