"""The verb `losses`: what each row loses under an artifact as it serves, whatever its task; see `row_losses`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lifecycle.engine import row_losses
from lifecycle.engine.artifact import ArtifactInfo
from lifecycle.engine.base import open_base
from lifecycle.engine.data import read_rows
from lifecycle.engine.decoders import Decoder, open_decoder
from lifecycle.engine.events import EventWriter, Stopped, teller
from lifecycle.engine.faults import EngineFault
from lifecycle.engine.probing.subject import AT_ONCE
from lifecycle.engine.spec import PredictSpec
from lifecycle.engine.strategies import load_tokenizer
from lifecycle.engine.task_types.by_key.learners import learner_of
from lifecycle.engine.task_types.free_text import prompts
from lifecycle.engine.task_types.free_text.answering import measure_losses
from lifecycle.engine.task_types.free_text.learner import EVALUATION_ROWS, examples_of
from lifecycle.engine.verbs import open_predictor, quiet
from lifecycle.statistics import metrics
from lifecycle.statistics.metrics import Floats
from lifecycle.task_types.by_key.decoding import decoding_of
from lifecycle.task_types.by_key.measures import measures_of
from lifecycle.task_types.by_key.types import type_of
from lifecycle.task_types.rows import Rows, parts

WRITTEN_AT_ONCE = 4 * EVALUATION_ROWS  # rows between two looks at whether to stop, where texts are written


def losses(folder: Path, cancelled: Callable[[], bool]) -> dict[str, Any]:
    """losses.parquet, by the same graph and precision as `evaluate` answers."""
    started = time.monotonic()
    spec = PredictSpec.read(folder / "spec.json")
    quiet(spec.threads)
    events = EventWriter(folder / "events.jsonl")
    info = ArtifactInfo.read(folder / spec.artifact)
    rows = read_rows(folder / spec.data, info.labels, learner_of(info.task).read)
    is_written = type_of(info.task).writes_text
    measure = (of_decoder if is_written else of_graph)(folder / spec.artifact, folder / spec.base.path if spec.base else None, spec)
    events.write("stage", name="losses", message=f"Measuring what {len(rows):,} rows lose.")
    tell, found = teller(events, len(rows), cancelled), []
    try:
        for some in parts(rows, WRITTEN_AT_ONCE if is_written else AT_ONCE):
            found.append(measure(some))
            tell(len(some))
    except Stopped:
        events.write("end", status="cancelled", message="Stopped on request.")
        return {"format": 1, "status": "cancelled", "error": None}
    row_losses.write(folder / "losses.parquet", rows.ids, np.concatenate(found))
    events.write("end", status="succeeded", message="Finished.")
    return {"format": 1, "status": "succeeded", "error": None, "rows": len(rows), "seconds": round(time.monotonic() - started, 3)}


def of_graph(artifact: Path, base: Path | None, spec: PredictSpec) -> Callable[[Rows], Floats]:
    """The losses of rows that the artifact's graph answers."""
    predictor = open_predictor(artifact, base, spec.threads)
    info = predictor.info
    learner, decoding = learner_of(info.task), decoding_of(info.task)

    def measure(rows: Rows) -> Floats:
        decoded = decoding.decode(predictor.logits(rows, spec.batch_size), info.temperature)
        truth = learner.truth(rows.targets, len(info.labels))
        return measures_of(info.task).losses(decoding.predicted(decoded, truth, rows.ids, info))

    return measure


def of_decoder(artifact: Path, base: Path | None, spec: PredictSpec) -> Callable[[Rows], Floats]:
    """The losses of rows whose answers are written. Raises EngineFault `nan_loss` where the model gives no numbers."""
    info = ArtifactInfo.read(artifact)
    if base is not None and info.strategy != "full":
        open_base(base, info.base_name, info.base_digest)
    model, tokenizer = Decoder(open_decoder(artifact, base, info)), load_tokenizer(artifact)
    frame, at_once = prompts.find_frame(tokenizer), min(spec.batch_size, EVALUATION_ROWS)

    def measure(rows: Rows) -> Floats:
        examples = examples_of(tokenizer, frame, rows, info.max_tokens, all_turns=False)
        found = measure_losses(model, examples, tokenizer.pad_token_id or 0, at_once)
        if not np.isfinite(found.nats).all():
            raise EngineFault("nan_loss", "The model gives no numbers for some rows.", "Train again with a lower rate.")
        return metrics.mean_loss(found.nats, found.tokens)

    return measure
