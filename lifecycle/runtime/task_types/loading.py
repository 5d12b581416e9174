"""Code samples in a model card for loading a model and running it with only public libraries."""

from __future__ import annotations

from abc import ABC, abstractmethod

GRAPH = """import json
from pathlib import Path

import numpy
import onnxruntime
from tokenizers import Tokenizer

folder = Path("model")
about = json.loads((folder / "lifecycle.json").read_text())
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
tokenizer.enable_truncation(about["max_tokens"])
session = onnxruntime.InferenceSession(folder / about["serving"])

text = "Where is my card?"
encoded = tokenizer.encode(text)
columns = {"input_ids": encoded.ids, "attention_mask": encoded.attention_mask, "token_type_ids": encoded.type_ids}
inputs = {name: numpy.array([columns[name]], dtype=numpy.int64) for name in about["inputs"]}
scores = session.run(["logits"], inputs)[0][0] / about["temperature"]
{answer}"""  # noqa: E501


class Loading(ABC):
    """The code sample for a folder that contains the version as `model/`. needs_torch: whether it uses torch
    instead of numpy and ONNX.
    """

    needs_torch = False

    @abstractmethod
    def code(self, strategy: str, *, decides: bool) -> str:
        """Python code that predicts for one text. strategy: of the fine-tuning. decides: whether one label
        has a threshold.
        """


def of_graph(answer: str) -> str:
    """The code that computes an ONNX graph's logits as `scores`, followed by `answer`."""
    return GRAPH.replace("{answer}", answer)
