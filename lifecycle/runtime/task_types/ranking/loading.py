"""Code sample for ranking responses."""

from __future__ import annotations

from lifecycle.runtime.task_types.loading import Loading

RANKING = """import json
from pathlib import Path

import numpy
import onnxruntime
from tokenizers import Tokenizer

folder = Path("model")
about = json.loads((folder / "lifecycle.json").read_text())
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
tokenizer.enable_truncation(about["max_tokens"])
session = onnxruntime.InferenceSession(folder / about["serving"])

prompt, responses = "Where is my card?", ["It was sent on Monday and takes five days.", "No idea."]
strengths = []
for response in responses:
    encoded = tokenizer.encode(prompt, response)
    columns = {"input_ids": encoded.ids, "attention_mask": encoded.attention_mask, "token_type_ids": [0] * len(encoded.ids)}
    inputs = {name: numpy.array([columns[name]], dtype=numpy.int64) for name in about["inputs"]}
    strengths.append(float(session.run(["logits"], inputs)[0][0, 0]) / about["temperature"])
print([responses[at] for at in numpy.argsort(strengths)[::-1]])
print(1 / (1 + numpy.exp(strengths[1] - strengths[0])))  # probability that the first is better"""  # noqa: E501


class RankingLoading(Loading):
    """Score each response together with the prompt."""

    def code(self, strategy: str, *, decides: bool) -> str:
        """Sorting by score."""
        return RANKING


ENTRY = RankingLoading()
