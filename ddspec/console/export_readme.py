"""The README of an export: what it holds, how to read it, how to train on it, how good it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ddspec.console.export_view import changes, spread
from ddspec.console.markdown_text import code, escaped
from ddspec.run.deliver import WHITENING
from ddspec.run.exporting import TAUGHT_SET, Export
from ddspec.run.rounding import Paired

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
"""Categories of the hub, by how many images there are at most."""
LARGEST = "1M<n<10M"

PNG = """\
import json
from pathlib import Path

import torch
from PIL import Image
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

card = json.loads(Path("card.json").read_text(encoding="utf-8"))
steps = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True){normalise}]
# opened as they are: grey ones stay grey
data = ImageFolder("train", v2.Compose(steps), loader=Image.open)
names = card["classes"]  # by label
"""
NPZ = """\
import numpy as np
import torch

found = np.load("train.npz")
images = torch.from_numpy(found["images"]).movedim(-1, 1).float() / 255  # (N, C, H, W) in [0, 1]
{normalise}labels = torch.from_numpy(found["labels"])
names = found["classes"].tolist()
"""
PARQUET = """\
from pathlib import Path

from datasets import load_dataset

data = load_dataset(str(Path().resolve()), split="train")  # of this folder, or a name on the hub
names = data.features["label"].names
"""
TAUGHT = f"""\
from ddspec_runners import load_synthetic

taught = load_synthetic("{TAUGHT_SET}")
for epoch in range(taught.epochs):
    for views, labels in taught.epoch(epoch):  # as they were seen, and what teachers said of each
        ...
"""


def readme(found: Export, told: Mapping[str, Any]) -> str:
    """Return the README; `told` is what was written, as the tool that wrote it says.

    Of Parquet it is a dataset card, with the front matter that the hub and `datasets` read.
    """
    head = _front(found, told) if found.kind == "parquet" else ()
    parts = (_about(found), _reading(found), _training(found, told), _accuracy(found), _made(found))
    return "\n".join([*head, *(line for part in parts for line in part)]) + "\n"


def _about(found: Export) -> Iterator[str]:
    card, dataset = found.card, found.plan.data.title
    yield f"# {escaped(found.plan.experiment.title or found.plan.name)}"
    yield ""
    several = card["images_per_class"] > 1
    images = f"{card['images_per_class']:,} {'images' if several else 'image'}"
    size = f"{card['size']} x {card['size']} pixels, {_colours(card['channels'])}"
    yield (
        f"{found.images:,} synthetic images that stand for {escaped(dataset)}: "
        f"{len(card['classes']):,} classes x {images} of {size}, 8 bits."
        " Distilled by ddspec: they are made for training networks and look like it."
    )
    if found.note:
        yield from ("", f"**It {found.note}.** Training on those of classes gives other numbers.")
    yield ""


def _colours(channels: int) -> str:
    return {1: "grey", 3: "RGB", 4: "RGBA"}.get(channels, f"{channels} channels")


def _reading(found: Export) -> Iterator[str]:
    whitened = found.plan.protocol.zca is not None
    plain = {"png": PNG, "npz": NPZ, "parquet": PARQUET}[found.kind]
    normalise = {
        "png": ', v2.Normalize(card["mean"], card["std"])',
        "npz": "mean, std = (torch.from_numpy(found[name]).float()[:, None, None] "
        'for name in ("mean", "std"))\nimages = (images - mean) / std\n',
        "parquet": "",
    }[found.kind]
    yield from ("## Reading it", "", "```python")
    yield plain.replace("{normalise}", "" if whitened else normalise).rstrip("\n")
    yield from ("```", "")
    if found.kind == "png":
        yield "Folders sort as labels count, so that `ImageFolder` numbers classes as they were;"
        yield "`classes.json` has the names, which not every file system takes."
    if found.kind == "npz":
        yield "`images` are bytes, (N, H, W, C); no array needs pickle."
    if found.kind == "parquet":
        yield "`image` decodes to a picture, `label` is the number of its class."
    yield ""


def _training(found: Export, told: Mapping[str, Any]) -> Iterator[str]:
    protocol, card = found.plan.protocol, found.card
    yield from ("## Training on it", "")
    if protocol.zca is not None:
        yield f"Networks see whitened images (ZCA with eps {protocol.zca:g}, fitted on the training"
        yield "split of the dataset), training and test images alike, and nothing is normalised."
        yield f"If `{WHITENING}` lies here, it holds that transform, under the names of kornia's"
        yield "`ZCAWhitening`."
    else:
        mean, std = (", ".join(f"{value:.6g}" for value in card[name]) for name in ("mean", "std"))
        yield f"Networks see (pixel - mean) / std, pixels in [0, 1]: mean {mean}; std {std}."
    if told.get("soft_labels"):
        yield from ("", f"Labels are {found.labels}: train on the probabilities in {_soft(found)},")
        yield "not on the classes alone."
    if found.recorded is not None:
        yield from ("", "What teachers said of views of these very images, in order:", "")
        yield from ("```python", TAUGHT.rstrip("\n"), "```")
    if card.get("learned_lr") is not None:
        yield from (
            "",
            f"The learning rate that was learned with the images is {card['learned_lr']:g}.",
        )
    yield from ("", "The protocol under which accuracies were measured:", "", "```json")
    yield json.dumps(protocol.model_dump(mode="json", exclude_none=True), indent=2)
    yield from ("```", "")


def _soft(found: Export) -> str:
    where = {
        "png": "`soft_labels.npz` (row i is of file i, in the order of `ImageFolder`)",
        "npz": "`soft_labels`",
        "parquet": "the column `soft_labels`",
    }
    return where[found.kind]


def _accuracy(found: Export) -> Iterator[str]:
    yield from ("## Accuracy", "")
    if found.accuracy:
        yield "In percent, mean ± standard deviation over n networks trained on the set; difference"
        yield "of trainings from the same seeds, ± its standard error."
        yield from ("", "| network | protocol | split | as learned | in 8 bits | n | difference |")
        yield "|---|---|---|---|---|---|---|"
        yield from (_row(one) for one in found.accuracy)
    else:
        yield "That of the 8 bits in here was not measured."
    moved = changes(found.figures)
    yield from ("", f"Limited to [0, 1]: {moved['clamped']}. Rounded {moved['rounded']}.", "")


def _row(one: Paired) -> str:
    difference = f"{100 * one.difference:+.2f}"
    if one.standard_error is not None:
        difference += f" ± {100 * one.standard_error:.2f}"
    names = [code(one.network), code(one.protocol), escaped(one.on)]
    cells = [*names, spread(one.before), spread(one.after), str(len(one.before)), difference]
    return f"| {' | '.join(cells)} |"


def _made(found: Export) -> Iterator[str]:
    plain = found.plain()
    made = plain["provenance"]
    assert isinstance(made, dict)
    yield from ("## Where it comes from", "")
    yield f"- dataset {code(found.card['dataset']['name'])}, by content"
    yield f"  {code(found.card['dataset']['content'])}"
    yield f"- plan {code(made['plan'])} of {code(found.plan.name)}"
    yield f"- the set as it was learned is {code(made['set'])},"
    yield f"  the rounded one {code(made['rounded'])}"
    yield f"- ddspec {code(made['ddspec'])}; `card.json` says all of this to programs"
    yield "- licence: unknown; see that of the dataset it was distilled from"


def _front(found: Export, told: Mapping[str, Any]) -> Iterator[str]:
    """Yield the front matter; JSON strings are YAML strings, so no name can end one."""
    size = next((name for most, name in SIZES if found.images < most), LARGEST)
    title = _yaml(found.plan.experiment.title or found.plan.name)
    yield from ("---", "license: unknown", f"pretty_name: {title}")
    yield from ("task_categories:", "- image-classification")
    yield from ("size_categories:", f"- {size}", "tags:", "- dataset-distillation", "- synthetic")
    yield from ("configs:", "- config_name: default", "  data_files:", "  - split: train")
    yield from ("    path: data/train-*.parquet", "dataset_info:", "  features:")
    yield from ("  - name: image", "    dtype: image", "  - name: label", "    dtype:")
    yield from ("      class_label:", "        names:")
    for label, name in enumerate(found.card["classes"]):
        yield f"          '{label}': {_yaml(name)}"
    if told.get("soft_labels"):
        yield from ("  - name: soft_labels", "    sequence: float32")
        yield f"    length: {len(found.card['classes'])}"
    yield from ("  splits:", "  - name: train", f"    num_bytes: {told['num_bytes']}")
    yield from (f"    num_examples: {told['num_examples']}", f"  dataset_size: {told['num_bytes']}")
    yield from (f"  download_size: {told['download_size']}", "---", "")


def _yaml(text: str) -> str:
    """Return a text as a quoted scalar on one line; everything odd in it is escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(one if one.isprintable() else _escape(ord(one)) for one in quoted)


def _escape(point: int) -> str:
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
