"""Engines: a verified artifact folder becomes a function from texts to label probabilities."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

from lifecycle import bundle
from lifecycle.inference.protocol import Floats, Prediction
from lifecycle.refusals import Refused

MARKER = "lifecycle.json"
MAX_ROWS_PER_RUN = 8
MAX_PADDING = 1.35  # rows of one run differ in length by at most this factor: padding costs more than a second run
WARM_UP_TEXTS = ("a", "a word or two of a usual message to be sorted", "a long message " * 40)


class Engine(Protocol):
    """Something that predicts; safe to call from several threads at once."""

    labels: tuple[str, ...]
    hidden: int | None
    platform: str

    def predict(self, texts: Sequence[str]) -> Prediction:
        """Scores, embedding and token counts of n texts, in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Card:
    """lifecycle.json of an artifact: what its engine must know."""

    labels: tuple[str, ...]
    max_tokens: int
    temperature: float
    inputs: tuple[str, ...]
    serving: str | None


def load(folder: Path, listed: bundle.Manifest) -> Engine:
    """An engine of a verified folder, warmed up. Every byte used is compared with the manifest. Raises Refused with the reason."""
    card = read_card(bundle.read_verified(folder, listed, MARKER))
    engine: Engine
    if card.serving is not None and card.serving in listed:
        engine = OnnxEngine(
            card, bundle.read_verified(folder, listed, card.serving), bundle.read_verified(folder, listed, "tokenizer.json")
        )
    else:
        engine = TorchEngine(card, folder)
    for text in WARM_UP_TEXTS:
        scores = engine.predict([text]).scores
        if scores.shape != (1, len(card.labels)) or not np.isfinite(scores).all():
            raise Refused(
                "The model's answers are not numbers for each of its labels.", next_step="Evaluate the version again before it is served."
            )
    return engine


def read_card(data: bytes) -> Card:
    """The fields of lifecycle.json that serving needs. Raises Refused, naming the field."""
    try:
        raw: dict[str, Any] = json.loads(data)
        labels = tuple(str(label) for label in raw["labels"])
        card = Card(
            labels=labels,
            max_tokens=int(raw["max_tokens"]),
            temperature=float(raw["temperature"]),
            inputs=tuple(raw["inputs"]),
            serving=raw.get("serving"),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"{MARKER} is not as it should be: {error}.", next_step="Export the run again.") from error
    if raw.get("format") != 1 or raw.get("task") != "single_label":
        raise Refused(f"{MARKER} is of a format or task that this server does not know.", next_step="Update the server, or export again.")
    if len(set(labels)) < 2 or len(set(labels)) != len(labels) or not card.temperature > 0 or not 1 <= card.max_tokens <= 100_000:
        raise Refused(
            f"{MARKER} needs two labels or more, each once, a temperature above 0 and max_tokens from 1.", next_step="Export again."
        )
    return card


class OnnxEngine:
    """ONNX Runtime, fp32, one thread a run: parallel requests share the cores, and no thread spins while it waits."""

    platform = "onnxruntime_onnx"

    def __init__(self, card: Card, model: bytes, tokenizer: bytes) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            self._tokenizer = Tokenizer.from_buffer(tokenizer)
        except Exception as error:  # both libraries raise their own kinds, one of them plain Exception
            raise Refused(f"The model cannot be loaded: {type(error).__name__}.", next_step="Export the run again.") from error
        self._tokenizer.enable_truncation(card.max_tokens)
        self._tokenizer.no_padding()
        self._inputs, self._temperature, self.labels = card.inputs, card.temperature, card.labels
        self._pad = self._tokenizer.token_to_id("[PAD]") or 0
        outputs = {output.name: output for output in self._session.get_outputs()}
        wanted = {node.name for node in self._session.get_inputs()}
        if "logits" not in outputs or not wanted <= set(self._inputs):
            raise Refused("The exported model has other inputs or outputs than lifecycle.json says.", next_step="Export the run again.")
        self._feeds = [name for name in self._inputs if name in wanted]
        width = outputs["embedding"].shape[-1] if "embedding" in outputs else None
        self.hidden: int | None = width if isinstance(width, int) else None
        self._names = ["logits"] + (["embedding"] if "embedding" in outputs else [])

    def predict(self, texts: Sequence[str]) -> Prediction:
        """See Engine. Rows of like length run together, so that padding stays small."""
        rows = self._tokenizer.encode_batch(list(texts))
        lengths = [len(row.ids) for row in rows]
        logits: Floats = np.empty((len(rows), len(self.labels)), np.float32)
        embedding: Floats | None = None
        for group in groups_of_like_length(lengths):
            outputs = self._session.run(self._names, self._feed([rows[index].ids for index in group]))
            logits[group] = outputs[0]
            if len(outputs) > 1:
                if embedding is None:
                    embedding = np.empty((len(rows), outputs[1].shape[-1]), np.float32)
                embedding[group] = outputs[1]
        return Prediction(
            self.labels, softmax(logits / self._temperature), embedding, tuple(lengths), tuple(bool(row.overflowing) for row in rows)
        )

    def _feed(self, ids: list[list[int]]) -> dict[str, Any]:
        width = max(1, max(len(row) for row in ids))
        tokens = np.full((len(ids), width), self._pad, np.int64)  # (rows, width)
        mask = np.zeros((len(ids), width), np.int64)
        for index, row in enumerate(ids):
            tokens[index, : len(row)] = row
            mask[index, : len(row)] = 1
        made = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": np.zeros_like(tokens)}
        return {name: made[name] for name in self._feeds}


class TorchEngine:
    """The fallback for an artifact without an ONNX file: the engine's own predictor, at the price of torch in this process."""

    platform = "pytorch"
    hidden: int | None = None

    def __init__(self, card: Card, folder: Path) -> None:
        module = importlib.import_module("lifecycle.engine.predictor")  # torch costs 5 s and 300 MB: paid only by those who need it
        self._predictor = module.Predictor.load(folder)
        self.labels = card.labels

    def predict(self, texts: Sequence[str]) -> Prediction:
        """See Engine."""
        found = self._predictor.predict(list(texts))
        scores: Floats = np.asarray(found.probabilities, np.float32)
        embedding: Floats | None = None if found.embedding is None else np.asarray(found.embedding, np.float32)
        return Prediction(self.labels, scores, embedding, tuple(found.tokens), tuple(found.truncated))


def groups_of_like_length(lengths: Sequence[int]) -> list[list[int]]:
    """Indices in runs of at most MAX_ROWS_PER_RUN whose lengths differ by at most MAX_PADDING."""
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        last = groups[-1] if groups else None
        if last is not None and len(last) < MAX_ROWS_PER_RUN and lengths[index] <= MAX_PADDING * lengths[last[0]]:
            last.append(index)
        else:
            groups.append([index])
    return groups


def softmax(logits: Floats) -> Floats:
    """Probabilities over the last axis, in float64 inside."""
    wide = logits.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=-1, keepdims=True))
    scores: Floats = (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
    return scores
