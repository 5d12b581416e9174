"""FastAPI with transformers' pipeline: uvicorn benchmarks/serving_peers/fastapi_pipeline:app. MODEL: the
folder of the model.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
classify = pipeline("text-classification", model=os.environ["MODEL"], device="cpu", truncation=True)
app = FastAPI()


class Request(BaseModel):
    """Texts to be classified."""

    texts: list[str]


@app.post("/predict")
def predict(request: Request) -> list[dict[str, Any]]:
    """Label and score of each."""
    return classify(request.texts)
