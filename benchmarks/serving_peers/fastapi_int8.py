"""FastAPI with ONNX Runtime and the graph that the artifact in MODEL serves (int8, or fp32 where int8 failed
its gate): no batching, no telemetry, no tokens, nothing else.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from fastapi import FastAPI
from pydantic import BaseModel
from tokenizers import Tokenizer

folder = Path(os.environ["MODEL"])
card = json.loads((folder / "lifecycle.json").read_text(encoding="utf-8"))
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
tokenizer.enable_truncation(card["max_tokens"])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
options.add_session_config_entry("session.intra_op.allow_spinning", "0")
int8 = folder / "serving" / "model.int8.onnx"
session = onnxruntime.InferenceSession(
    int8 if int8.exists() else folder / "serving" / "model.onnx", options, providers=["CPUExecutionProvider"]
)
app = FastAPI()


class Request(BaseModel):
    """Texts to be classified."""

    texts: list[str]


@app.post("/predict")
def predict(request: Request) -> list[dict[str, Any]]:
    """Label and score of each."""
    return [answer(text) for text in request.texts]


def answer(text: str) -> dict[str, Any]:
    """One text through the graph."""
    row = tokenizer.encode(text)
    columns = {"input_ids": row.ids, "attention_mask": row.attention_mask, "token_type_ids": row.type_ids}
    (logits,) = session.run(
        ["logits"], {name: np.array([columns[name]], np.int64) for name in card["inputs"]}
    )
    shares = np.exp((logits[0] - logits[0].max()) / card["temperature"])
    best = int(shares.argmax())
    return {"label": card["labels"][best], "score": float(shares[best] / shares.sum())}
