"""BentoML: bentoml serve bento_service:Intents, run in this folder. MODEL: the folder of the model."""

from __future__ import annotations

import os
from typing import Any

import bentoml


@bentoml.service(workers=1)
class Intents:
    """transformers' pipeline as a service of one worker."""

    def __init__(self) -> None:
        import torch
        from transformers import pipeline

        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        self.classify = pipeline(
            "text-classification", model=os.environ["MODEL"], device="cpu", truncation=True
        )

    @bentoml.api
    def predict(self, texts: list[str]) -> list[dict[str, Any]]:
        """Label and score of each."""
        return self.classify(texts)
