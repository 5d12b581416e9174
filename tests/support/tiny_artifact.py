"""A model that serves without training."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from registry.ground.artifacts.actions import put_folder
from registry.ground.artifacts.models import Folder
from tests.inference import models
from tests.support import registry


def tiny_artifact(shift: int) -> Folder:
    """Files of a model that answers "card" with the label at this place; stored as a run's artifact."""
    card = {
        "format": 1,
        "task": "single_label",
        "labels": registry.LABELS,
        "max_tokens": 16,
        "pooling": "mean",
        "temperature": 1.0,
        "strategy": "full",
        "base": {"name": "tiny", "digest": "0" * 64},
        "int8": None,
    }
    card |= {"inputs": ["input_ids", "attention_mask", "token_type_ids"], "serving": "serving/model.onnx"}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "artifact"
        (folder / "serving").mkdir(parents=True)
        (folder / "lifecycle.json").write_text(json.dumps(card))
        (folder / "tokenizer.json").write_text(models.tokenizer())
        (folder / "serving" / "model.onnx").write_bytes(models.onnx_model(shift))
        return put_folder(folder)
