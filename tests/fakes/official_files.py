"""Files as official codes write them, from what their calls of torch.save are given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor


def write_dc(path: Path, experiments: list[tuple[Tensor, Tensor]]) -> Path:
    """Write what `main.py` and `main_DM.py` of DC, DSA and DM write after their last iteration.

    Accuracies come from numpy's means, so they are numbers of numpy in the pickle.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    data = [[images.float().cpu(), labels.cpu()] for images, labels in experiments]
    accuracies = {"ConvNet": [np.float64(0.25), np.float64(0.5)]}
    torch.save({"data": data, "accs_all_exps": accuracies}, path)
    return path


def write_mtt(
    folder: Path, images: Tensor, labels: Tensor, name: str = "best"
) -> tuple[Path, Path]:
    """Write what `distill.py` of MTT, FTD and TESLA writes at an evaluation."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / f"images_{name}.pt", folder / f"labels_{name}.pt"
    torch.save(images.cpu(), paths[0])
    torch.save(labels.cpu(), paths[1])
    return paths


def write_idc(folder: Path, images: Tensor, labels: Tensor) -> Path:
    """Write what `condense.py` and `condense_mp.py` of IDC write."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save([images.detach().cpu(), labels.cpu()], folder / "data.pt")
    return folder / "data.pt"


def in_class_order(classes: int, each: int) -> Tensor:
    """Return labels as these codes make them: 0, 0, …, 1, 1, …"""
    rows = [np.ones(each, dtype=np.int64) * label for label in range(classes)]
    return torch.tensor(np.array(rows), dtype=torch.long).view(-1)
