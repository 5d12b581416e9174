"""Answers of an artifact: through its ONNX graph, the one that serves, or through torch where that is
missing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lifecycle.runtime.engine.artifact import INT8, SERVING, ArtifactInfo
from lifecycle.runtime.engine.base import check_base
from lifecycle.runtime.engine.classifier import length_batches
from lifecycle.runtime.engine.export import export_onnx, load_classifier
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.strategies import load_tokenizer
from lifecycle.runtime.engine.task_types.by_key.learners import learner_of
from lifecycle.runtime.task_types.by_key.decoding import decoding_of
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.rows import Rows
from lifecycle.runtime.task_types.spans import tagging

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Answers:
    """logits (N, C) before temperature, or those of each text's tokens; embeddings (N, H) and token counts
    (N,), in order of the texts.
    """

    logits: Any
    embeddings: Floats
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class Answered:
    """Logits of labeled rows, and what answering them took: rows, seconds, cpu_seconds."""

    logits: Any
    pace: dict[str, float]


class Predictor:
    """An artifact, loaded. Its answers do not depend on which texts share a batch beyond rounding: int8
    answers each text alone.
    """

    def __init__(
        self, artifact: Path, threads: int = 0, batch_size: int = 64, *, graph: Path | None = None
    ) -> None:
        """batch_size: texts that pass at a time. graph: a certain one; by default the one that serves."""
        self.info = ArtifactInfo.read(artifact)
        path = graph or artifact / self.info.serving
        self.alone = path == artifact / INT8
        self.batch_size = 1 if self.alone else batch_size
        import onnxruntime  # only where it answers: training does without its memory

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.tokenizer = Tokenizer.from_file(str(artifact / "tokenizer.json"))
        self.tokenizer.enable_truncation(self.info.max_tokens)
        self.tokenizer.no_padding()

    def logits(self, rows: Rows) -> Any:
        """Of labeled rows, as they are decoded."""
        learner: Any = learner_of(self.info.task)
        return learner.gather(self.answer(learner.ask(rows)).logits, rows)

    def answer(self, texts: Sequence[Any]) -> Answers:
        """Logits and embeddings of each text, or of two texts read together."""
        if learner_of(self.info.task).network.reads_pairs and any(isinstance(each, str) for each in texts):
            raise EngineFault(
                "bad_spec",
                "This is a ranking model; it returns no label or embedding for a single text.",
                "See its evaluation for predictions.",
            )
        encodings = self.tokenizer.encode_batch(list(texts))
        ids = [each.ids for each in encodings]
        ragged = learner_of(self.info.task).network.is_ragged
        found: list[Floats] = [np.zeros(0, dtype=np.float32)] * len(ids)
        embeddings: Floats | None = None
        for rows in length_batches([len(each) for each in ids], self.batch_size):
            some, pooled = self.session.run(["logits", "embedding"], self._batch([ids[row] for row in rows]))
            if embeddings is None:
                embeddings = np.zeros((len(ids), pooled.shape[1]), dtype=np.float32)
            embeddings[rows] = pooled
            for row, each in zip(rows, some, strict=True):
                found[row] = each[: len(ids[row])] if ragged else each
        logits: Any = np.stack(found) if found and not ragged else np.zeros((0, len(self.info.labels)))
        if ragged:
            logits = tagging.of_tokens(texts, encodings, found, self.info.unit)
        return Answers(
            logits,
            embeddings if embeddings is not None else np.zeros((0, 0), np.float32),
            tuple(map(len, ids)),
        )

    def _batch(self, ids: list[list[int]]) -> dict[str, Any]:
        width = max(map(len, ids))
        tokens, mask = np.zeros((len(ids), width), np.int64), np.zeros((len(ids), width), np.int64)
        for row, each in enumerate(ids):
            tokens[row, : len(each)], mask[row, : len(each)] = each, 1
        values = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": np.zeros_like(tokens)}
        return {name: values[name] for name in self.info.inputs}

    def probabilities(self, texts: Sequence[str]) -> Any:
        """Calibrated probabilities (N, C) in order of the labels, or what the task's logits are decoded
        to.
        """
        return decoding_of(self.info.task).decode(self.answer(texts).logits, self.info.temperature)


def open_predictor(artifact: Path, base: Path | None, threads: int, batch_size: int = 64) -> Predictor:
    """The artifact's predictor; its fp32 graph is made again from the weights where the one that answers is
    missing.
    """
    info = ArtifactInfo.read(artifact)
    if type_of(info.task).writes_text:
        message = "This is a generation model; it returns no label or embedding."
        raise EngineFault("bad_spec", message, "See its evaluation for predictions.")
    if (artifact / info.serving).is_file():
        return Predictor(artifact, threads, batch_size)
    export_again(artifact, base)
    return Predictor(artifact, threads, batch_size, graph=artifact / SERVING)


def export_again(artifact: Path, base: Path | None) -> float:
    """Write the fp32 graph of an artifact from its weights. Returns its largest difference from torch."""
    info = ArtifactInfo.read(artifact)
    check_base(info, base)
    pad_id = load_tokenizer(artifact).pad_token_id or 0
    return export_onnx(load_classifier(artifact, base), artifact / SERVING, info.inputs, pad_id)


def answer_timed(predictor: Predictor, rows: Rows) -> Answered:
    """What a loaded artifact gives to the rows."""
    begun = time.monotonic(), time.process_time()
    logits = predictor.logits(rows)
    taken = {"seconds": time.monotonic() - begun[0], "cpu_seconds": time.process_time() - begun[1]}
    return Answered(logits, {"rows": len(rows), **{unit: round(value, 6) for unit, value in taken.items()}})
