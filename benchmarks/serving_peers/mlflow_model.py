"""An MLflow model "from code": python mlflow_model.py TARGET writes it, mlflow models serve -m TARGET serves
it.

MODEL: the folder of the weights.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import mlflow


class Intents(mlflow.pyfunc.PythonModel):
    """transformers' pipeline as a pyfunc."""

    def load_context(self, context: Any) -> None:
        """Load the weights of the environment's MODEL."""
        import torch
        from transformers import pipeline

        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        self.classify = pipeline(
            "text-classification", model=os.environ["MODEL"], device="cpu", truncation=True
        )

    def predict(
        self, context: Any, model_input: list[str], params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Label and score of each."""
        return self.classify(model_input)


if __name__ == "__main__":
    mlflow.pyfunc.save_model(sys.argv[1], python_model=__file__, pip_requirements=[])
else:
    mlflow.models.set_model(Intents())
