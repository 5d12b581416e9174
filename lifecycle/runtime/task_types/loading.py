"""How a model of a task is loaded and asked with nothing but public libraries, as its card shows it."""

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
{answer}"""


class Loading(ABC):
    """The code for a folder that contains the version as `model/`. needs_torch: whether torch answers, else numpy and the graph."""

    needs_torch = False

    @abstractmethod
    def code(self, strategy: str, *, decides: bool) -> str:
        """Python that answers one text. strategy: by which it learnt. decides: whether one label is the answer from a threshold on."""


def of_graph(answer: str) -> str:
    """The code that has a graph's logits, of a text or of its tokens, as `scores`, which `answer` goes on from."""
    return GRAPH.replace("{answer}", answer)
