"""From weights that have learnt to the artifact that serves, measured as it will serve."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lifecycle.engine import devices, diagnosis
from lifecycle.engine.artifact import ArtifactInfo, Operating
from lifecycle.engine.decoders import Decoder, open_decoder, save_decoder
from lifecycle.engine.events import EventWriter
from lifecycle.engine.export import set_info, write_artifact
from lifecycle.engine.predictor import Predictor, answer_timed
from lifecycle.engine.prepared import Prepared
from lifecycle.engine.quantise import try_int8
from lifecycle.engine.spec import TrainSpec
from lifecycle.engine.task_types.free_text.answering import measure_losses
from lifecycle.engine.task_types.free_text.learner import EVALUATION_ROWS
from lifecycle.engine.trainer import EngineTrainer
from lifecycle.statistics import metrics
from lifecycle.statistics.deciding import Deciding
from lifecycle.task_types.by_key.decoding import decoding_of
from lifecycle.task_types.by_key.measures import measures_of
from lifecycle.task_types.by_key.types import type_of

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
Paces = dict[str, dict[str, float]]  # by graph, what answering the validation texts took: rows, seconds, cpu_seconds
Finish = Callable[..., tuple[dict[str, float], ArtifactInfo, Paces]]


def finish_graph(
    spec: TrainSpec, folder: Path, prepared: Prepared, trainer: EngineTrainer, events: EventWriter
) -> tuple[dict[str, float], ArtifactInfo, Paces]:
    """Write the artifact, choose its graph, fit on validation what turns logits into answers, and measure it as it will serve."""
    model: Any = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    inputs = tuple(name for name in INPUTS if name in prepared.tokenizer.model_input_names)
    base, limit = prepared.base, prepared.limit(spec)
    by, target, of = spec.operating_point, spec.operating_target, spec.operating_class
    info = ArtifactInfo(
        spec.labels, limit, spec.pooling, 1.0, spec.strategy.kind, spec.base.name, base.digest, inputs, spec.task,
        operating=None if by == "f1" or of else Operating(by, target), deciding=Deciding(of, by, target) if of else None,
        unit=prepared.unit,
    )  # fmt: skip
    write_artifact(folder / "artifact", model, prepared.tokenizer, info)
    decoding, truth, rows = decoding_of(spec.task), trainer.eval_dataset.encoded.truth, prepared.validation
    answered = answer_timed(Predictor(folder / "artifact", spec.threads), rows)
    logits, paces = answered.logits, {"fp32": answered.pace}
    info = decoding.fit(info, logits, truth, rows.codes)
    if type_of(spec.task).has_labels:  # the gate measures labels
        events.write("stage", name="int8", message=f"Comparing int8 with fp32 on {len(rows):,} validation rows.")
        info, rounded = try_int8(folder / "artifact", info, rows, logits, spec.threads)
        if rounded is not None:
            logits, paces["int8"] = rounded.logits, rounded.pace
            info = decoding.fit(info, logits, truth, rows.codes)
    set_info(folder / "artifact", info)
    if info.operating and info.operating.missed:
        events.write("finding", **diagnosis.operating_point_missed(info.operating, info.labels).to_json())
    if info.deciding and not info.deciding.is_met:
        events.write("finding", **diagnosis.threshold_missed(info.deciding).to_json())
    values, before = (
        metrics.point_estimates(measures_of(spec.task).score(decoding.predicted(decoding.decode(logits, by), truth, rows.ids, card)))
        for by, card in ((info.temperature, info), (1.0, replace(info, deciding=None)))
    )
    measured = {"validation_loss": before["log_loss"], "ece_before_temperature": before["ece"], "temperature": info.temperature}
    return values | measured, info, paces


def finish_decoder(
    spec: TrainSpec, folder: Path, prepared: Prepared, trainer: EngineTrainer, events: EventWriter
) -> tuple[dict[str, float], ArtifactInfo, Paces]:
    """Write the weights of a decoder, open them again as they will answer, and measure the loss of the validation answers."""
    model: Any = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    base, limit, kind = prepared.base, prepared.limit(spec), spec.strategy.kind
    info = ArtifactInfo(
        (), limit, "none", 1.0, kind, spec.base.name, base.digest, INPUTS[:2], spec.task, serving="", max_new_tokens=spec.max_new_tokens
    )
    artifact = folder / "artifact"
    shutil.rmtree(artifact, ignore_errors=True)
    artifact.mkdir(parents=True)
    save_decoder(artifact, model)
    prepared.tokenizer.save_pretrained(artifact, save_jinja_files=False)
    set_info(artifact, info)
    rows: Any = trainer.eval_dataset.encoded
    place = devices.CPU if spec.sharded else devices.place(prepared.device)  # what was divided may not fit one GPU
    opened = Decoder(open_decoder(artifact, base.path, info)).to(place)
    losses = measure_losses(opened, rows.examples, prepared.tokenizer.pad_token_id or 0, EVALUATION_ROWS)
    return {"validation_loss": losses.mean, "perplexity": math.exp(losses.mean)}, info, {}


def finish_of(task: str) -> Finish:
    """How runs of a task end."""
    return finish_decoder if type_of(task).writes_text else finish_graph
