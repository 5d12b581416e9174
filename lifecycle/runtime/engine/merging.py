"""The verb `merge`: a trained artifact as a base model that another run can start from, for every
strategy.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers.utils import logging as transformers_logging

from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.engine.base import check_base
from lifecycle.runtime.engine.export import set_info
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.spec import ExportSpec
from lifecycle.runtime.engine.strategy import MERGED
from lifecycle.runtime.engine.task_types.by_key.answerers import answerer_of


def merge(folder: Path, cancelled: Callable[[], bool]) -> dict[str, Any]:
    """Write DIR/model: config, tokenizer, the weights with the adapter merged into them, the head, and
    lifecycle.json with its labels.

    It is the artifact as full fine-tuning would have left it, without graphs. Raises EngineFault `bad_spec`
    where what was learned is kept beside the base's weights, `base_missing` where the base is not there.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    spec = ExportSpec.read(folder / "spec.json")
    artifact, target, base = (
        folder / spec.artifact,
        folder / "model",
        folder / spec.base.path if spec.base else None,
    )
    info = ArtifactInfo.read(artifact)
    if info.strategy not in MERGED:
        raise EngineFault(
            "bad_spec",
            f"{info.strategy} weights can't be merged into the base model.",
            f"Choose a run that used {', '.join(MERGED[:-1])}, or {MERGED[-1]}.",
        )
    check_base(info, base)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    answerer_of(info.task).merge(artifact, base, info, target)
    set_info(target, replace(info, strategy="full", serving="", int8=None, bf16=None))
    return {"format": 1, "status": "succeeded", "error": None, "labels": list(info.labels), "task": info.task}
