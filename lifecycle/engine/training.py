"""The verb `train`: from spec.json and rows to result.json and an artifact. Run it again after any kill and it goes on."""

from __future__ import annotations

import gc
import json
import random
import resource
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import TrainerState
from transformers.utils import logging as transformers_logging

from lifecycle.engine import checkpoint, diagnosis, memory, metrics
from lifecycle.engine.artifact import ArtifactInfo, Operating
from lifecycle.engine.base import BaseFolder, open_base
from lifecycle.engine.classifier import Classifier, collate, encode, length_batches
from lifecycle.engine.data import Rows, read_rows
from lifecycle.engine.effort import Effort
from lifecycle.engine.events import EventWriter, points, read_events, write_json
from lifecycle.engine.export import set_info, write_artifact
from lifecycle.engine.faults import EngineFault, Fault, Unstable, is_out_of_memory
from lifecycle.engine.layers import Activations, Lowest
from lifecycle.engine.predictor import Predictor
from lifecycle.engine.probe import choose_precision, environment
from lifecycle.engine.quantise import try_int8
from lifecycle.engine.recipes import RECIPES
from lifecycle.engine.samples import Samples, choose
from lifecycle.engine.spec import TrainSpec
from lifecycle.engine.strategies import build, load_tokenizer
from lifecycle.engine.trainer import (
    Collate,
    EncodedRows,
    EngineTrainer,
    Reporter,
    arguments,
    best_values,
    evaluations_since_best,
    kept_best,
    load_best,
)

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
DISK_SHARE = {"full": 6.0}  # of the base's size: weights, best weights, checkpoints of optimizer and weights, and the graphs
SMALL_SHARE = 2.0


@dataclass(frozen=True)
class Prepared:
    """Everything a run needs before its first step. test: for the gate of the int8 graph; None where the run has no such rows."""

    base: BaseFolder
    tokenizer: Any
    train: Rows
    validation: Rows
    test: Rows | None
    precision: str


def train(folder: Path, cancelled: Callable[[], bool]) -> dict[str, Any]:
    """Carry the run out and return its result (status succeeded or cancelled). Raises EngineFault or any other error when it fails."""
    effort = Effort(folder)
    try:
        return _train(folder, cancelled, effort)
    finally:
        with suppress(OSError):  # the disk may be full
            effort.keep()


def _train(folder: Path, cancelled: Callable[[], bool], effort: Effort) -> dict[str, Any]:
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    spec = TrainSpec.read(folder / "spec.json")
    if spec.threads:
        torch.set_num_threads(spec.threads)
    old = points(read_events(folder / "events.jsonl")[0])
    events = EventWriter(folder / "events.jsonl")
    events.write("stage", name="prepare", message="Reading the data and the base model.")
    prepared = _prepare(spec, folder)
    reporter = Reporter(spec, events, old, cancelled, effort, len(prepared.train))
    trainer, model = _learn(spec, folder, prepared, events, reporter)
    effort.stage("artifact")
    trainable, total = trainer.counted
    parts, broke, best_step = trainer.parts, trainer.broke, kept_best(folder).get("step")
    result: dict[str, Any] = {
        "format": 1,
        "error": None,
        "trainable_parameters": trainable,
        "total_parameters": total,
        "precision": prepared.precision,
        "batch": {"batch_size": parts.rows, "accumulation": spec.accumulation * parts.count},
        "best_by": "macro_f1",
        "best_step": best_step,
        "last_step": trainer.state.global_step,
        "environment": environment(),
    }
    reporter.report(reporter.diagnose(finished=not cancelled() and not broke))
    if broke:
        result["error"] = _keep_sound(broke, best_step, events)
    elif cancelled():
        events.write("end", status="cancelled", message=f"Stopped on request at step {trainer.state.global_step}; it can be resumed.")
        return result | {"status": "cancelled", "metrics": best_values(folder)} | _cost(effort)
    load_best(folder, model)
    if model.lowest is not None:
        model.lowest.put_back()
    events.write("stage", name="artifact", message=f"Writing the weights of step {best_step}, the best by macro-F1.")
    values, info = _finish(spec, folder, prepared, trainer, events)
    result |= {"metrics": values, "int8": asdict(info.int8) if info.int8 else None}
    checkpoint.purge(folder / "checkpoints")
    shutil.rmtree(folder / "best", ignore_errors=True)
    shutil.rmtree(folder / "cache", ignore_errors=True)
    events.write("end", status="succeeded", message=f"Finished. Best step {best_step}.")
    return result | {"status": "succeeded"} | _cost(effort)


def _keep_sound(broke: Unstable, best_step: int | None, events: EventWriter) -> dict[str, Any]:
    """Say that training broke; returns the `error` of a result whose weights come from before. Raises it where no such weights are."""
    sound = best_step if best_step and best_step < broke.step else None
    finding = diagnosis.broken(broke, sound)
    events.write("finding", **finding.to_json())
    if sound is None:
        raise broke
    return Fault(broke.code, finding.detail, broke.next_step).to_json()


def _learn(spec: TrainSpec, folder: Path, prepared: Prepared, events: EventWriter, reporter: Reporter) -> tuple[EngineTrainer, Classifier]:
    """Train to the end. Where memory runs out, go on from the newest checkpoint with half as many rows at a time."""
    while True:
        try:
            return _attempt(spec, folder, prepared, events, reporter)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        parts = memory.keep_half(folder, spec.batch_size)
        gc.collect()  # what failed holds itself: model, optimizer and the batch's tensors
        events.write("log", message=f"Memory ran out; going on with {parts.rows} of a batch's {parts.batch} rows at a time.")


def _attempt(
    spec: TrainSpec, folder: Path, prepared: Prepared, events: EventWriter, reporter: Reporter
) -> tuple[EngineTrainer, Classifier]:
    """A new trainer, from the newest checkpoint to the end, or to where training broke."""
    _seed(spec.seed)
    trainer, model = _trainer(spec, folder, prepared, events, reporter)
    trainable, total = trainer.counted
    if model.lowest is not None:
        model.lowest.take_off()
    if trainer.parts.count > 1:
        events.write("finding", **trainer.parts.finding().to_json())
    point = checkpoint.newest(folder / "checkpoints")
    message = f"Resuming from step {checkpoint.step_of(point)}." if point else f"Learning {trainable:,} of {total:,} weights."
    events.write("stage", name="train", message=message)
    reporter.effort.stage("train")
    try:
        _train_from(trainer, spec, point)
    except Unstable as fault:
        trainer.broke = fault
    return trainer, model


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _cost(effort: Effort) -> dict[str, Any]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return effort.to_json() | {"peak_memory_mb": round(peak, 1)}


def _prepare(spec: TrainSpec, folder: Path) -> Prepared:
    recipe = RECIPES[spec.task]
    train_rows = read_rows(folder / "train.jsonl", spec.labels, recipe.read)
    validation = read_rows(folder / "validation.jsonl", spec.labels, recipe.read)
    test = read_rows(folder / "test.jsonl", spec.labels, recipe.read) if (folder / "test.jsonl").exists() else None
    recipe.check(train_rows.targets, spec.labels)
    base = open_base(folder / spec.base.path, spec.base.name, spec.base.digest)
    needed = int(base.bytes * DISK_SHARE.get(spec.strategy.kind, SMALL_SHARE))
    free = shutil.disk_usage(folder).free
    if free < needed:
        message = f"The run needs about {needed / 1e6:,.0f} MB of disk and {free / 1e6:,.0f} MB are free."
        raise EngineFault("disk_full", message, "Free some space, then resume the run.")
    return Prepared(base, load_tokenizer(base.path), train_rows, validation, test, _precision(spec, folder))


def _precision(spec: TrainSpec, folder: Path) -> str:
    """The precision of the run's first start, which a resume must keep to reach the same weights."""
    kept = folder / "precision.json"
    if kept.exists():
        return str(json.loads(kept.read_text(encoding="utf-8"))["precision"])
    chosen = "fp32" if spec.strategy.kind == "head" else choose_precision(spec.precision)
    write_json(kept, {"precision": chosen})
    return chosen


def _trainer(
    spec: TrainSpec, folder: Path, prepared: Prepared, events: EventWriter, reporter: Reporter
) -> tuple[EngineTrainer, Classifier]:
    recipe, classes, checkpointing = RECIPES[spec.task], len(spec.labels), spec.gradient_checkpointing
    loss = recipe.loss(spec, recipe.truth(prepared.train.targets, classes))
    model = build(prepared.base.path, spec.strategy, spec.pooling, classes, loss, checkpointing=checkpointing)
    lowest = Lowest(model.encoder, spec.strategy.frozen_layers) if spec.strategy.cached else None
    limit = min(spec.max_tokens, prepared.base.max_tokens or spec.max_tokens)
    parts = memory.kept(folder, spec.batch_size)
    batches = Collate(prepared.tokenizer.pad_token_id or 0, "token_type_ids" in prepared.tokenizer.model_input_names)
    sets = []
    for name, rows in (("train", prepared.train), ("validation", prepared.validation)):
        encoded = encode(prepared.tokenizer, rows.texts, limit)
        features = hidden = None
        if lowest is not None:
            events.write("log", message=f"Computing what the {lowest.count} frozen layers give to {len(rows):,} {name} rows.")
            hidden = frozen_activations(lowest, encoded, batches, folder / "cache" / f"{name}.f16", parts.evaluation)
        if spec.strategy.kind == "head":
            events.write("log", message=f"Computing the frozen encoder's vectors of {len(rows):,} {name} rows.")
            features = frozen_features(model, encoded, batches, folder / "cache" / f"{name}.safetensors", parts.evaluation)
        sets.append(EncodedRows(encoded, recipe.truth(rows.targets, classes), features, hidden))
    model.lowest = lowest
    few = diagnosis.few_validation_rows(recipe.support(sets[1].truth, classes), spec.labels)
    reporter.report([few] if few else [])
    args = arguments(spec, folder, rows=len(prepared.train), bf16=prepared.precision == "bf16")
    trainer = EngineTrainer(spec, folder, parts, model, *sets, args=args, data_collator=batches, callbacks=[reporter])
    shown = Samples(recipe, spec.labels, prepared.validation.ids, choose(len(prepared.validation), spec.seed))
    trainer.show = lambda step, logits, truth: events.write("samples", **shown.event(step, logits, truth))
    return trainer, model


@torch.no_grad()
def frozen_features(
    model: Classifier, encoded: list[list[int]], batches: Collate, cache: Path | None = None, at_once: int = memory.EVALUATION_BATCH
) -> Tensor:
    """Pooled vectors (N, H) of an encoder that does not learn, read from the cache file where it is whole."""
    if cache is not None and cache.exists():
        known: Tensor = load_file(cache)["features"]
        return known
    model.eval()
    features = torch.zeros((len(encoded), model.head.in_features))
    for rows in length_batches([len(each) for each in encoded], at_once):
        batch = collate([encoded[row] for row in rows], batches.pad_id, token_types=batches.token_types)
        features[rows] = model.embed(**batch).float()
    if cache is not None:
        cache.parent.mkdir(exist_ok=True)
        temporary = cache.with_suffix(".part")
        save_file({"features": features}, temporary)
        temporary.replace(cache)
    return features


def frozen_activations(lowest: Lowest, encoded: list[list[int]], batches: Collate, path: Path, at_once: int) -> Activations:
    """What the lowest layers give to each token of each text, read from the file where it is whole."""
    found = Activations(path, [len(each) for each in encoded], lowest.base.config.hidden_size)

    def run(rows: Sequence[int]) -> Tensor:
        return lowest.run(**collate([encoded[row] for row in rows], batches.pad_id, token_types=batches.token_types))

    lowest.check(**collate(encoded[:4], batches.pad_id, token_types=batches.token_types))
    found.fill(length_batches([len(each) for each in encoded], at_once), run)
    return found


def _train_from(trainer: EngineTrainer, spec: TrainSpec, point: Path | None) -> None:
    """Train from the point on. Where patience had ended at the point, nothing is left to train: only the record is read back."""
    if point is not None:
        state = TrainerState.load_from_json(str(point / "trainer_state.json"))
        if spec.patience and evaluations_since_best(state) >= spec.patience:
            trainer.state = state
            return
    trainer.train(resume_from_checkpoint=str(point) if point else None)


def _finish(
    spec: TrainSpec, folder: Path, prepared: Prepared, trainer: EngineTrainer, events: EventWriter
) -> tuple[dict[str, float], ArtifactInfo]:
    """Write the artifact, choose its graph, fit on validation what turns logits into answers, and measure it as it will serve."""
    model: Any = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    inputs = tuple(name for name in INPUTS if name in prepared.tokenizer.model_input_names)
    base, limit = prepared.base, min(spec.max_tokens, prepared.base.max_tokens or spec.max_tokens)
    wanted = None if spec.operating_point == "f1" else Operating(spec.operating_point, spec.operating_target)
    info = ArtifactInfo(
        spec.labels, limit, spec.pooling, 1.0, spec.strategy.kind, spec.base.name, base.digest, inputs, spec.task, operating=wanted
    )
    write_artifact(folder / "artifact", model, prepared.tokenizer, info)
    recipe, truth = RECIPES[spec.task], trainer.eval_dataset.truth
    logits = Predictor(folder / "artifact", spec.threads).answer(prepared.validation.texts).logits
    if prepared.test is not None:
        events.write("stage", name="int8", message=f"Comparing int8 with fp32 on {len(prepared.test):,} test rows.")
    info = set_info(folder / "artifact", try_int8(folder / "artifact", recipe.calibrate(info, logits, truth), prepared.test, spec.threads))
    if info.int8 and info.int8.passed:
        logits = Predictor(folder / "artifact", spec.threads).answer(prepared.validation.texts).logits
        info = set_info(folder / "artifact", recipe.calibrate(info, logits, truth))
    if info.operating and info.operating.missed:
        events.write("finding", **diagnosis.operating_point_missed(info.operating, info.labels).to_json())
    values = metrics.point_estimates(recipe.score(recipe.decode(logits, info.temperature), truth, info.thresholds))
    before = metrics.point_estimates(recipe.score(recipe.decode(logits), truth, info.thresholds))
    measured = {"validation_loss": before["log_loss"], "ece_before_temperature": before["ece"], "temperature": info.temperature}
    return values | measured, info
