"""The small verbs: evaluate, predict, embed, export, probe. Each reads DIR/spec.json and returns what goes into DIR/result.json."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from transformers.utils import logging as transformers_logging

from lifecycle.engine import baselines, text_evaluation
from lifecycle.engine import probe as machine
from lifecycle.engine.artifact import INT8, SERVING, ArtifactInfo
from lifecycle.engine.base import open_base
from lifecycle.engine.data import read_rows
from lifecycle.engine.events import EventWriter
from lifecycle.engine.export import export_onnx, load_classifier
from lifecycle.engine.faults import EngineFault
from lifecycle.engine.predictor import Predictor
from lifecycle.engine.spec import EvaluateEachSpec, EvaluateSpec, ExportSpec, PredictSpec
from lifecycle.engine.strategies import load_tokenizer
from lifecycle.engine.task_types.by_key.learners import learner_of
from lifecycle.task_types.baselines import Measured, told
from lifecycle.task_types.by_key.decoding import decoding_of
from lifecycle.task_types.by_key.measures import measures_of
from lifecycle.task_types.by_key.predictions import file_of
from lifecycle.task_types.by_key.types import type_of

Cancelled = Callable[[], bool]
Learn = Callable[..., dict[str, baselines.Measure]]


def evaluate(folder: Path, cancelled: Cancelled, learn: Learn | None = None) -> dict[str, Any]:
    """Measure an artifact as it serves: predictions.parquet, every score with its interval, and the baselines where they are asked for."""
    started = time.monotonic()
    spec = EvaluateSpec.read(folder / "spec.json")
    quiet(spec.threads)
    described = ArtifactInfo.read(folder / spec.artifact)
    if type_of(described.task).writes_text:
        return text_evaluation.evaluate(folder, spec, described, cancelled)
    events = EventWriter(folder / "events.jsonl")
    base = folder / spec.base.path if spec.base else None
    predictor = open_predictor(folder / spec.artifact, base, spec.threads)
    info = predictor.info
    learner, decoding = learner_of(info.task), decoding_of(info.task)
    rows = read_rows(folder / spec.data, info.labels, learner.read)
    events.write("stage", name="predict", message=f"Answering {len(rows):,} rows.")
    probabilities = decoding.decode(predictor.logits(rows, spec.batch_size), info.temperature)
    truth = learner.truth(rows.targets, len(info.labels))
    predicted, measures = decoding.predicted(probabilities, truth, rows.ids, info, rows.codes), measures_of(info.task)
    file_of(info.task).write(folder / "predictions.parquet", predicted, spec.split)
    events.write("stage", name="score", message=f"Scoring, with {spec.bootstrap:,} bootstrap samples.")
    found = measures.report(predicted, bins=spec.bins, count=spec.bootstrap, seed=spec.seed)
    if spec.baselines and not cancelled():
        train = (folder / spec.train).resolve()
        settings: dict[str, Any] = {
            "task": info.task, "pooling": info.pooling, "max_tokens": info.max_tokens, "count": spec.bootstrap, "seed": spec.seed,
            "unit": info.unit,
        }  # fmt: skip
        digest = baselines.digest_of(train, folder / spec.data, labels=info.labels, base=info.base_digest if base else None, **settings)
        earlier = json.loads((folder / spec.earlier).read_text(encoding="utf-8")) if spec.earlier else {}
        if earlier.get("baselines_digest") == digest:
            measured = {name: Measured(each, earlier["baselines_drawn"][name]) for name, each in earlier["baselines"].items()}
        else:
            events.write("stage", name="baselines", message="Fitting the baselines on the training rows.")
            learnt = (learn or baselines.learn)(train, info.labels, base=base and base.resolve(), **settings)
            measured = {name: measure(rows) for name, measure in learnt.items()}
        beside = told(measures.score(predicted), rows, measured, by=measures.metrics, count=spec.bootstrap, seed=spec.seed)
        found |= beside | {"baselines_digest": digest}
    status = "cancelled" if cancelled() else "succeeded"
    events.write("end", status=status, message="Finished." if status == "succeeded" else "Stopped on request.")
    cost = {"seconds": round(time.monotonic() - started, 3), "environment": machine.environment()}
    graph = "int8" if info.graph(folder / spec.artifact) == folder / spec.artifact / INT8 else "fp32"
    return {"format": 1, "status": status, "error": None, "temperature": info.temperature, "graph": graph} | found | cost


def evaluate_each(folder: Path, cancelled: Cancelled) -> dict[str, Any]:
    """Measure in each sub-folder, in one process, since starting one takes seconds. {"results": {sub-folder: its result}}."""
    results, learn = {}, lru_cache(maxsize=1)(baselines.learn)  # most often from the same rows
    for name in EvaluateEachSpec.read(folder / "spec.json").folders:
        (folder / name / "events.jsonl").symlink_to(folder / "events.jsonl")  # the diary of the whole
        results[name] = evaluate(folder / name, cancelled, learn)
    stopped = any(each["status"] == "cancelled" for each in results.values())
    return {"format": 1, "status": "cancelled" if stopped else "succeeded", "error": None, "results": results}


def open_predictor(artifact: Path, base: Path | None, threads: int) -> Predictor:
    """The artifact's predictor; its ONNX graph is made again from the weights where it is missing."""
    info = ArtifactInfo.read(artifact)
    if type_of(info.task).writes_text:
        message = "This model writes texts; it gives no label and no vector of a text."
        raise EngineFault("bad_spec", message, "Read its answers in its evaluation.")
    if not info.graph(artifact).is_file():
        _export(artifact, base)
    return Predictor(artifact, threads)


def _export(artifact: Path, base: Path | None) -> float:
    info = ArtifactInfo.read(artifact)
    if base is not None and info.strategy != "full":
        open_base(base, info.base_name, info.base_digest)
    pad_id = load_tokenizer(artifact).pad_token_id or 0
    return export_onnx(load_classifier(artifact, base), artifact / SERVING, info.inputs, pad_id)


def quiet(threads: int) -> None:
    """No progress bars of transformers in the log, and so many threads of torch; 0: as many as it takes."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    if threads:
        torch.set_num_threads(threads)


def predict(folder: Path, cancelled: Cancelled) -> dict[str, Any]:
    """answers.parquet: id, predicted, confidence, probabilities in label order. Of sets, predicted is a list without a confidence; of spans
    a list of {"start", "end", "label", "confidence"} without probabilities."""
    spec = PredictSpec.read(folder / "spec.json")
    quiet(spec.threads)
    predictor = open_predictor(folder / spec.artifact, folder / spec.base.path if spec.base else None, spec.threads)
    rows = read_rows(folder / spec.data)
    probabilities = predictor.probabilities(rows.texts, spec.batch_size)
    answers = decoding_of(predictor.info.task).predictions(probabilities, predictor.info)
    said = next(name for name in ("label", "labels", "spans") if name in answers[0])
    table = {"id": list(rows.ids), "predicted": [each[said] for each in answers]}
    table |= {"confidence": [each["confidence"] for each in answers]} if "confidence" in answers[0] else {}
    table |= {"probabilities": list(probabilities)} if not learner_of(predictor.info.task).network.is_ragged else {}
    pq.write_table(pa.table(table), folder / "answers.parquet")
    return {"format": 1, "status": "succeeded", "error": None, "rows": len(rows), "labels": list(predictor.info.labels)}


def embed(folder: Path, cancelled: Cancelled) -> dict[str, Any]:
    """embeddings.parquet: id and the pooled vector (float32) of each row."""
    spec = PredictSpec.read(folder / "spec.json")
    quiet(spec.threads)
    predictor = open_predictor(folder / spec.artifact, folder / spec.base.path if spec.base else None, spec.threads)
    rows = read_rows(folder / spec.data)
    vectors = predictor.answer(rows.texts, spec.batch_size).embeddings
    pq.write_table(pa.table({"id": list(rows.ids), "embedding": list(vectors)}), folder / "embeddings.parquet")
    return {"format": 1, "status": "succeeded", "error": None, "rows": len(rows), "width": int(vectors.shape[1])}


def export(folder: Path, cancelled: Cancelled) -> dict[str, Any]:
    """Write serving/model.onnx of an artifact again; the largest difference from torch is in the result."""
    spec = ExportSpec.read(folder / "spec.json")
    quiet(0)
    difference = _export(folder / spec.artifact, folder / spec.base.path if spec.base else None)
    return {"format": 1, "status": "succeeded", "error": None, "largest_difference": difference}


def probe(folder: Path, cancelled: Cancelled) -> dict[str, Any]:
    """What this machine can do."""
    return machine.probe()
