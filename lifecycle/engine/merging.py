"""The verb `merge`: a trained artifact as a base model that another run can start from, whatever it was trained by."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers.utils import logging as transformers_logging

from lifecycle.engine.artifact import HEAD, ArtifactInfo
from lifecycle.engine.base import open_base
from lifecycle.engine.decoders import open_decoder
from lifecycle.engine.export import load_classifier, set_info
from lifecycle.engine.faults import EngineFault
from lifecycle.engine.spec import MERGED, ExportSpec
from lifecycle.engine.strategies import load_tokenizer
from lifecycle.task_types.by_key.types import type_of


def merge(folder: Path, cancelled: Callable[[], bool]) -> dict[str, Any]:
    """Write DIR/model: config, tokenizer, the weights with what was learnt added into them, the head, and lifecycle.json with its labels.

    It is the artifact as full fine-tuning would have left it, without graphs. Raises EngineFault `bad_spec` where what was learnt stands
    beside the base's weights, `base_missing` where the base is not there.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    spec = ExportSpec.read(folder / "spec.json")
    artifact, target, base = folder / spec.artifact, folder / "model", folder / spec.base.path if spec.base else None
    info = ArtifactInfo.read(artifact)
    if info.strategy not in MERGED:
        raise EngineFault(
            "bad_spec",
            f"What {info.strategy} learnt stands beside the base's weights and cannot be added into them.",
            f"Start from a run of {', '.join(MERGED[:-1])} or {MERGED[-1]}.",
        )
    if base is not None and info.strategy != "full":
        open_base(base, info.base_name, info.base_digest)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    written = type_of(info.task).writes_text
    if written:
        open_decoder(artifact, base, info).save_pretrained(target)
    else:
        load_classifier(artifact, base).encoder.save_pretrained(target)
        shutil.copyfile(artifact / HEAD, target / HEAD)
    load_tokenizer(artifact).save_pretrained(target, **({"save_jinja_files": False} if written else {}))
    set_info(target, replace(info, strategy="full", serving="", int8=None))
    return {"format": 1, "status": "succeeded", "error": None, "labels": list(info.labels), "task": info.task}
