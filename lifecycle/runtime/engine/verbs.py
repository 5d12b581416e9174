"""The small verbs: evaluate, predict, embed, export, probe. Each reads DIR/spec.json and returns what goes
into DIR/result.json.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from transformers.utils import logging as transformers_logging

from lifecycle.runtime.engine import baselines
from lifecycle.runtime.engine import probe as machine
from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.engine.data import read_rows
from lifecycle.runtime.engine.events import EventWriter
from lifecycle.runtime.engine.predictor import export_again, open_predictor
from lifecycle.runtime.engine.spec import EvaluateEachSpec, EvaluateSpec, ExportSpec, PredictSpec
from lifecycle.runtime.engine.task_types.answerer import Cancelled, Evaluation
from lifecycle.runtime.engine.task_types.by_key.answerers import answerer_of
from lifecycle.runtime.engine.task_types.by_key.learners import learner_of
from lifecycle.runtime.task_types.by_key.decoding import decoding_of
from lifecycle.runtime.task_types.by_key.measures import measures_of
from lifecycle.runtime.task_types.by_key.predictions import file_of

Learn = Callable[..., dict[str, baselines.Measure]]


def evaluate(folder: Path, cancelled: Cancelled, learn: Learn | None = None) -> dict[str, Any]:
    """Measure an artifact as it serves: predictions.parquet, every score with its interval, and the baselines
    where they are asked for.
    """
    started = time.monotonic()
    spec = EvaluateSpec.read(folder / "spec.json")
    quiet(spec.threads)
    artifact, events = folder / spec.artifact, EventWriter(folder / "events.jsonl")
    info = ArtifactInfo.read(artifact)
    rows = read_rows(folder / spec.data, info.labels, learner_of(info.task).read)
    answerer, asked = answerer_of(info.task), Evaluation(folder, spec, info, rows, events, cancelled, learn)
    opened = answerer.open(
        artifact, asked.base, threads=spec.threads, batch_size=spec.batch_size, cancelled=cancelled
    )
    given = answerer.ask(opened, asked)
    if cancelled():
        events.write("end", status="cancelled", message="Stopped on request.")
        return {"format": 1, "status": "cancelled", "error": None}
    events.write(
        "stage", name="score", message=f"Computing scores with {spec.bootstrap:,} bootstrap samples."
    )
    predicted = answerer.predicted(given, asked)
    file_of(info.task).write(folder / "predictions.parquet", predicted, spec.split)
    found = measures_of(info.task).report(predicted, bins=spec.bins, count=spec.bootstrap, seed=spec.seed)
    found |= answerer.beside(opened, given, predicted, asked)
    status = "cancelled" if cancelled() else "succeeded"
    events.write(
        "end", status=status, message="Finished." if status == "succeeded" else "Stopped on request."
    )
    cost = {"seconds": round(time.monotonic() - started, 3), "environment": machine.environment()}
    return {"format": 1, "status": status, "error": None} | found | cost


def evaluate_each(folder: Path, cancelled: Cancelled) -> dict[str, Any]:
    """Measure in each sub-folder, in one process, since starting one takes seconds. {"results": {sub-folder:
    its result}}.
    """
    results, learn = {}, lru_cache(maxsize=1)(baselines.learn)  # most often from the same rows
    for name in EvaluateEachSpec.read(folder / "spec.json").folders:
        (folder / name / "events.jsonl").symlink_to(folder / "events.jsonl")  # the events of the whole verb
        results[name] = evaluate(folder / name, cancelled, learn)
    stopped = any(each["status"] == "cancelled" for each in results.values())
    return {"format": 1, "status": "cancelled" if stopped else "succeeded", "error": None, "results": results}


def quiet(threads: int) -> None:
    """No progress bars of transformers in the log, and so many threads of torch; 0: as many as it takes."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    if threads:
        torch.set_num_threads(threads)


def predict(folder: Path, cancelled: Cancelled) -> dict[str, Any]:
    """answers.parquet: id, predicted, confidence, probabilities in label order. Of sets, predicted is a list
    without a confidence; of spans a list of {"start", "end", "label", "confidence"} without probabilities.
    """
    spec = PredictSpec.read(folder / "spec.json")
    quiet(spec.threads)
    base = folder / spec.base.path if spec.base else None
    predictor = open_predictor(folder / spec.artifact, base, spec.threads, spec.batch_size)
    rows = read_rows(folder / spec.data)
    probabilities = predictor.probabilities(rows.texts)
    answers = decoding_of(predictor.info.task).predictions(probabilities, predictor.info)
    field = next(name for name in ("label", "labels", "spans") if name in answers[0])
    table = {"id": list(rows.ids), "predicted": [each[field] for each in answers]}
    table |= {"confidence": [each["confidence"] for each in answers]} if "confidence" in answers[0] else {}
    table |= (
        {"probabilities": list(probabilities)}
        if not learner_of(predictor.info.task).network.is_ragged
        else {}
    )
    pq.write_table(pa.table(table), folder / "answers.parquet")
    return {
        "format": 1,
        "status": "succeeded",
        "error": None,
        "rows": len(rows),
        "labels": list(predictor.info.labels),
    }


def embed(folder: Path, cancelled: Cancelled) -> dict[str, Any]:
    """embeddings.parquet: id and the pooled vector (float32) of each row."""
    spec = PredictSpec.read(folder / "spec.json")
    quiet(spec.threads)
    base = folder / spec.base.path if spec.base else None
    predictor = open_predictor(folder / spec.artifact, base, spec.threads, spec.batch_size)
    rows = read_rows(folder / spec.data)
    vectors = predictor.answer(rows.texts).embeddings
    pq.write_table(
        pa.table({"id": list(rows.ids), "embedding": list(vectors)}), folder / "embeddings.parquet"
    )
    return {
        "format": 1,
        "status": "succeeded",
        "error": None,
        "rows": len(rows),
        "width": int(vectors.shape[1]),
    }


def export(folder: Path, cancelled: Cancelled) -> dict[str, Any]:
    """Write serving/model.onnx of an artifact again; the largest difference from torch is in the result."""
    spec = ExportSpec.read(folder / "spec.json")
    quiet(0)
    difference = export_again(folder / spec.artifact, folder / spec.base.path if spec.base else None)
    return {"format": 1, "status": "succeeded", "error": None, "largest_difference": difference}


def probe(folder: Path, cancelled: Cancelled) -> dict[str, Any]:
    """This machine's capabilities."""
    return machine.probe()
