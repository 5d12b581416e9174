"""The graph that serves, as a Python function of MLflow: mlflow.pyfunc.load_model(FOLDER).predict(["a
string", "another"]).

It needs numpy, onnxruntime and tokenizers (pandas where the texts come as a table) and answers each text
alone, as the server does, so that its probabilities are the served ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer


def _load_pyfunc(path: str) -> Model:
    """What MLflow calls."""
    return Model(Path(path))


class Model:
    """The version in a folder, loaded."""

    def __init__(self, folder: Path) -> None:
        self.about = json.loads((folder / "lifecycle.json").read_text(encoding="utf-8"))
        self.session = onnxruntime.InferenceSession(folder / self.about["serving"])
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(self.about["max_tokens"])
        self.tokenizer.no_padding()

    def predict(self, model_input: Any, params: Any = None) -> list[dict[str, Any]]:
        """model_input: texts, or a table with them in the column `text` or its first one. Of each text its
        label with the probability of each label; where a text may have several, its labels.
        """
        return [self._answer(self.probabilities(text)) for text in _texts(model_input)]

    def probabilities(self, text: str) -> np.ndarray[Any, Any]:
        """Of each label, in order."""
        encoded = self.tokenizer.encode(text)
        columns = {
            "input_ids": encoded.ids,
            "attention_mask": encoded.attention_mask,
            "token_type_ids": [0] * len(encoded.ids),
        }
        feed = {name: np.array([columns[name]], dtype=np.int64) for name in self.about["inputs"]}
        logits = self.session.run(["logits"], feed)[0][0].astype(np.float64) / self.about["temperature"]
        if "thresholds" in self.about:
            several: np.ndarray[Any, Any] = 1 / (1 + np.exp(-logits))
            return several
        shares = np.exp(logits - logits.max())
        one: np.ndarray[Any, Any] = shares / shares.sum()
        return one

    def _answer(self, shares: np.ndarray[Any, Any]) -> dict[str, Any]:
        names = self.about["labels"]
        probabilities = {"probabilities": dict(zip(names, shares.tolist(), strict=True))}
        if "thresholds" in self.about:
            given = [
                name
                for name, share, least in zip(names, shares, self.about["thresholds"], strict=True)
                if share >= least
            ]
            return {"labels": given, **probabilities}
        chosen, deciding = int(shares.argmax()), self.about.get("deciding")
        if deciding and deciding["threshold"] is not None:
            at = names.index(deciding["label"])
            others = np.where(np.arange(len(shares)) == at, -1.0, shares)
            chosen = at if shares[at] >= deciding["threshold"] else int(others.argmax())
        return {"label": names[chosen], "probability": float(shares[chosen]), **probabilities}


def _texts(given: Any) -> Iterable[str]:
    if hasattr(given, "columns"):  # a table of pandas
        given = given["text"] if "text" in given.columns else given.iloc[:, 0]
    return [given] if isinstance(given, str) else [str(each) for each in given]
