"""The weights of a run's best step so far, kept in its folder. best.json, written last, names the file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from lifecycle.runtime.engine.events import write_json
from lifecycle.runtime.engine.reporter import scores_of
from lifecycle.runtime.engine.strategies import load_trainable


def save(folder: Path, trained: dict[str, Tensor], step: int, values: dict[str, float]) -> None:
    """Keep these weights, by name, as the best so far. values: as the trainer logs them."""
    best = folder / "best"
    best.mkdir(exist_ok=True)
    name = f"step-{step}.safetensors"
    save_file(trained, best / f".{name}")
    (best / f".{name}").replace(best / name)
    write_json(best / "best.json", {"step": step, "weights": name, "values": values})
    for other in best.glob("*.safetensors"):
        if other.name != name:
            other.unlink()


def hard_link(folder: Path, step: int, target: Path) -> bool:
    """Give the best weights a second name, `target`, where they are those of this step: weights are written
    once, and no file of them is ever changed in place. Returns whether it was linked: not for other weights,
    nor on a disk without hard links.
    """
    found = kept(folder)
    if found.get("step") != step:
        return False
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)  # of a checkpoint that a kill left half written
        os.link(folder / "best" / found["weights"], target)
    except OSError:
        return False
    return True


def kept(folder: Path) -> dict[str, Any]:
    """The content of best.json: step, weights (a file's name) and values; empty before the first
    evaluation.
    """
    path = folder / "best" / "best.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def load(folder: Path, model: Any) -> None:
    """Put the best weights into the model."""
    load_trainable(model, load_file(folder / "best" / kept(folder)["weights"]))


def values(folder: Path) -> dict[str, float]:
    """The validation scores of the best step so far; empty before the first evaluation."""
    found = kept(folder).get("values")
    return (
        {name: value for name, value in scores_of(found).items() if not name.startswith("predicted_")}
        if found
        else {}
    )
