"""The verb `train`: from spec.json and rows to result.json and an artifact. Run it again after any kill and
it continues.
"""

from __future__ import annotations

import gc
import json
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback, TrainerState
from transformers.utils import logging as transformers_logging

from lifecycle.runtime.engine import best, checkpoint, continuing, devices, diagnosis, memory, sharding
from lifecycle.runtime.engine.base import open_base
from lifecycle.runtime.engine.batches import Collate, EncodedRows
from lifecycle.runtime.engine.classifier import Network
from lifecycle.runtime.engine.data import PRECISION, read_rows
from lifecycle.runtime.engine.document import SpecError
from lifecycle.runtime.engine.effort import Effort
from lifecycle.runtime.engine.events import EventWriter, points, read_events, write_json
from lifecycle.runtime.engine.faults import EngineFault, Fault, Unstable, is_out_of_memory
from lifecycle.runtime.engine.forward import frozen_activations
from lifecycle.runtime.engine.layers import Lowest
from lifecycle.runtime.engine.prepared import Prepared
from lifecycle.runtime.engine.probe import choose_precision, environment
from lifecycle.runtime.engine.reporter import Reporter, evaluations_since_best
from lifecycle.runtime.engine.samples import Samples, choose
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.engine.strategies import counts, load_tokenizer
from lifecycle.runtime.engine.task_types.answerer import Trained
from lifecycle.runtime.engine.task_types.by_key.learners import learner_of
from lifecycle.runtime.engine.team import Obey, Team, set_threads
from lifecycle.runtime.engine.trainer import EngineTrainer, Show, arguments
from lifecycle.runtime.statistics import deciding
from lifecycle.runtime.task_types.by_key.types import type_of
from lifecycle.runtime.task_types.rows import Rows
from lifecycle.runtime.task_types.spans.tagging import Unit

PATIENCE = 60.0  # seconds that the other processes have to end after the last step
# of the base's size: weights, best weights, checkpoints of optimizer and weights, and the graphs
DISK_SHARE = {"full": 6.0}
SMALL_SHARE = 2.0


def train(folder: Path, cancelled: Callable[[], bool]) -> dict[str, Any]:
    """Run it and return its result (status succeeded or cancelled). Raises EngineFault or any other error
    when it fails.
    """
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
    learner = learner_of(spec.task)
    set_threads(spec.threads, spec.processes)
    old = points(read_events(folder / "events.jsonl")[0])
    events = EventWriter(folder / "events.jsonl")
    events.write("stage", name="prepare", message="Loading the data and base model.")
    prepared = _prepare(spec, folder)
    if spec.rehearsal:
        new = len(prepared.train) - prepared.rehearsed
        events.write(
            "log",
            message=(
                f"Training on {new:,} new rows and {prepared.rehearsed:,} rehearsal rows of {spec.base.name}."
            ),
        )
    if note := learner.note(prepared.unit):
        events.write("log", message=note)
    reporter = Reporter(spec, events, old, cancelled, effort, len(prepared.train))
    trainer, model = _learn(spec, folder, prepared, events, reporter)
    effort.stage("artifact")
    trainable, total = trainer.counted
    parts, broke, best_step = trainer.parts, trainer.broke, best.kept(folder).get("step")
    result: dict[str, Any] = {
        "format": 1,
        "error": None,
        "trainable_parameters": trainable,
        "total_parameters": total,
        "precision": prepared.precision,
        "batch": {"batch_size": parts.rows, "accumulation": spec.accumulation * parts.count},
        "best_by": learner.metrics.trained.name,
        "best_step": best_step,
        "last_step": trainer.state.global_step,
        "environment": environment(prepared.device),
    }
    reporter.report(reporter.diagnose(finished=not cancelled() and not broke))
    if broke:
        result["error"] = _report_divergence(broke, best_step, events)
    elif cancelled():
        events.write(
            "end",
            status="cancelled",
            message=f"Stopped on request at step {trainer.state.global_step}; it can be resumed.",
        )
        return result | {"status": "cancelled", "metrics": best.values(folder)} | _cost(effort, trainer.team)
    trainer.free_training_memory()
    devices.release_memory(prepared.device)
    if spec.sharded:  # this process has a part of it
        model = trainer.model = _begin(spec, prepared, trainer.train_dataset.encoded.labels)
    # Graph libraries are loaded into memory that training has freed.
    from lifecycle.runtime.engine.task_types.by_key.answerers import answerer_of

    best.load(folder, model)
    if model.lowest is not None:
        model.lowest.restore()
    model.to(devices.CPU)  # whose bytes are in the artifact; it is served there too
    devices.release_memory(prepared.device)
    events.write(
        "stage",
        name="artifact",
        message=f"Saving the weights of step {best_step}, the best by {learner.metrics.trained.words}.",
    )
    run, answerer = Trained(spec, folder, prepared, trainer, events), answerer_of(spec.task)
    values, info, paces = answerer.finish(run)
    result |= {
        "metrics": values,
        "int8": asdict(info.int8) if info.int8 else None,
        "bf16": asdict(info.bf16) if info.bf16 else None,
        "inference": paces,
        "rehearsed": prepared.rehearsed,
    }
    if info.deciding:
        result["deciding"] = deciding.to_json(info.deciding)
    if info.operating:
        result["operating"] = asdict(info.operating)
    if forgotten := continuing.forgetting(run, answerer):
        result["forgetting"] = forgotten
        reporter.report(
            [each for each in [continuing.finding(forgotten, learner.metrics.listed, spec.base.name)] if each]
        )
    checkpoint.purge(folder / "checkpoints")
    shutil.rmtree(folder / "best", ignore_errors=True)
    shutil.rmtree(folder / "cache", ignore_errors=True)
    events.write("end", status="succeeded", message=f"Finished. Best step {best_step}.")
    return result | {"status": "succeeded"} | _cost(effort, trainer.team)


def _report_divergence(broke: Unstable, best_step: int | None, events: EventWriter) -> dict[str, Any]:
    """Log that training diverged; returns the `error` of a result with earlier weights. Raises it where there
    are none.
    """
    sound = best_step if best_step and best_step < broke.step else None
    finding = diagnosis.broken(broke, sound)
    events.write("finding", **finding.to_json())
    if sound is None:
        raise broke
    return Fault(broke.code, finding.detail, broke.next_step).to_json()


def _learn(
    spec: TrainSpec, folder: Path, prepared: Prepared, events: EventWriter, reporter: Reporter
) -> tuple[EngineTrainer, Network]:
    """Train to the end. Where memory runs out, continue from the newest checkpoint with half as many rows at
    a time.
    """
    while True:
        try:
            return _attempt(spec, folder, prepared, events, reporter)
        except (MemoryError, RuntimeError) as error:
            if spec.processes > 1 or not is_out_of_memory(error):
                raise
        parts = memory.keep_half(folder, spec.batch_size)
        gc.collect()  # the failure's traceback keeps model, optimizer, and the batch's tensors
        devices.release_memory(prepared.device)
        events.write(
            "log",
            message=(
                f"Out of memory; continuing with {parts.rows} of {parts.batch} rows of a batch at a time."
            ),
        )


def _attempt(
    spec: TrainSpec, folder: Path, prepared: Prepared, events: EventWriter, reporter: Reporter
) -> tuple[EngineTrainer, Network]:
    """A new trainer, from the newest checkpoint to the end, or to where training diverged."""
    team = Team(folder, spec.processes, device=prepared.device, sharded=spec.sharded)
    try:
        trainer, model = _trainer(spec, folder, prepared, events.write, team, [reporter])
        trainer.show = _samples(spec, prepared, trainer, events)
        _tell_start(spec, folder, trainer, reporter)
        _train_from(trainer, spec, checkpoint.newest(folder / "checkpoints"))
        team.end(patience=PATIENCE)
    except Unstable as fault:
        trainer.broke = fault
    except RuntimeError as error:
        if lost := team.lost():
            raise lost from error
        raise
    finally:
        team.end()
    return trainer, model


def _samples(spec: TrainSpec, prepared: Prepared, trainer: EngineTrainer, events: EventWriter) -> Show:
    """A callback that logs sample predictions of a few validation rows at each evaluation."""
    numbers, ids = trainer.eval_dataset.encoded.shown, prepared.validation.ids
    shown = Samples(
        trainer.learner, spec.labels, ids, choose(len(ids), spec.seed) if numbers is None else tuple(numbers)
    )
    return lambda step, outputs, truth: events.write("samples", **shown.event(step, outputs, truth))


def follow(folder: Path, team: Team) -> None:
    """Train in a run that another process leads, and write nothing but random states."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    spec = TrainSpec.read(folder / "spec.json")
    set_threads(spec.threads, spec.processes)
    prepared = _prepare(spec, folder, team.rank)
    team.device = prepared.device
    trainer, _ = _trainer(spec, folder, prepared, lambda kind, **values: None, team, [])
    _train_from(trainer, spec, checkpoint.newest(folder / "checkpoints"))


def _tell_start(spec: TrainSpec, folder: Path, trainer: EngineTrainer, reporter: Reporter) -> None:
    learner, events, (trainable, total) = trainer.learner, reporter.events, trainer.counted
    few = diagnosis.few_validation_rows(
        learner.support(trainer.eval_dataset.encoded.truth, len(spec.labels)), spec.labels
    )
    reporter.report([*([few] if few else []), *trainer.train_dataset.encoded.notes])
    if trainer.parts.count > 1:
        events.write("finding", **trainer.parts.finding().to_json())
    point = checkpoint.newest(folder / "checkpoints")
    message = (
        f"Resuming from step {checkpoint.step_of(point)}."
        if point
        else (f"Training {trainable:,} of {total:,} parameters ({100 * trainable / total:.2f} %).")
    )
    events.write("stage", name="train", message=message)
    reporter.effort.stage("train")


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _cost(effort: Effort, team: Team) -> dict[str, Any]:
    return (
        effort.to_json()
        | {"peak_memory_mb": round(team.peak_memory_mb(), 1)}
        | devices.peak_memory(team.device)
    )


def _prepare(spec: TrainSpec, folder: Path, rank: int = 0) -> Prepared:
    device = devices.kept(spec, folder)
    devices.prepare(device, spec.processes, rank)
    learner, kind = learner_of(spec.task), type_of(spec.task)
    new_rows = read_rows(folder / "train.jsonl", spec.labels, learner.read)
    train_rows = continuing.rehearsed(spec, new_rows, folder, learner)
    validation = read_rows(folder / "validation.jsonl", spec.labels, learner.read)
    learner.check(train_rows.targets, spec.labels)
    # without a pair that is decided there is no score by which a step could be the best
    if kind.has_responses:
        learner.check(validation.targets, spec.labels)
    base = open_base(folder / spec.base.path, spec.base.name, spec.base.digest)
    if kind.writes_text and not base.decoder:
        raise SpecError(
            "base",
            f"is {base.model_type or 'unknown'}, which can't generate text; choose a decoder, such as"
            " SmolLM2.",
        )
    needed = int(base.bytes * DISK_SHARE.get(spec.strategy.kind, SMALL_SHARE))
    free = shutil.disk_usage(folder).free
    if free < needed:
        message = f"The run needs about {needed / 1e6:,.0f} MB of disk; {free / 1e6:,.0f} MB are free."
        raise EngineFault("disk_full", message, "Free some disk space, then resume the run.")
    rehearsed = len(train_rows) - len(new_rows)
    precision, unit = _precision_and_unit(spec, folder, device, train_rows)
    return Prepared(
        base, load_tokenizer(base.path), train_rows, validation, precision, rehearsed, device, unit
    )


def _precision_and_unit(spec: TrainSpec, folder: Path, device: str, train: Rows) -> tuple[str, Unit]:
    """The precision of the run's first start, and the unit of its tags, which a resume must keep to reach the
    same weights.
    """
    kept = folder / PRECISION
    if kept.exists():
        found = json.loads(kept.read_text(encoding="utf-8"))
        return str(found["precision"]), Unit(found["unit"])
    choose = devices.choose_precision if device == devices.CUDA else choose_precision
    chosen = "fp32" if spec.strategy.kind == "head" else choose(spec.precision)
    unit = learner_of(spec.task).unit(train)
    write_json(kept, {"precision": chosen, "unit": unit})
    return chosen, unit


def _trainer(
    spec: TrainSpec,
    folder: Path,
    prepared: Prepared,
    emit: Callable[..., object],
    team: Team,
    callbacks: list[TrainerCallback],
) -> tuple[EngineTrainer, Network]:
    """The trainer; what is computed once is ready before the other processes start. emit: as events.write."""
    learner, labels = learner_of(spec.task), len(spec.labels)
    limit = prepared.limit(spec)
    named = (("train", prepared.train), ("validation", prepared.validation))
    encoded = {
        name: learner.encode(prepared.tokenizer, rows, labels, limit, prepared.unit) for name, rows in named
    }
    model: Any = _begin(spec, prepared, encoded["train"].labels)
    if spec.keep_head:
        taken = continuing.take_head(model.head, prepared.base.path, spec)
        emit(
            "log",
            message=f"The head reuses {taken} of {learner.outputs(labels)} outputs of {spec.base.name}.",
        )
    if spec.sharded:
        sharding.check(model)
    else:
        model.to(devices.place(prepared.device, team.rank))
    lowest = Lowest(model.encoder, spec.strategy.frozen_layers) if spec.strategy.cached else None
    parts = memory.kept(folder, spec.batch_size)
    batches = Collate(
        prepared.tokenizer.pad_token_id or 0,
        "token_type_ids" in prepared.tokenizer.model_input_names,
        learner.stack,
        learner.pad,
    )
    sets = []
    for name, rows in encoded.items():
        features = hidden = None
        if lowest is not None:
            emit(
                "log",
                message=f"Caching the output of {lowest.count} frozen layers for {len(rows):,} {name} rows.",
                once=True,
            )
            hidden = frozen_activations(
                lowest, rows.ids, batches, folder / "cache" / f"{name}.f16", parts.evaluation
            )
        if spec.strategy.kind == "head":
            emit("log", message=f"Computing frozen embeddings of {len(rows):,} {name} rows.", once=True)
            features = learner.frozen(
                model, rows, batches, folder / "cache" / f"{name}.safetensors", parts.evaluation
            )
        sets.append(EncodedRows(rows, features, hidden))
    model.lowest = lowest
    team.gather()
    team.meet()
    if team.size > 1:
        callbacks = [*callbacks, Obey(team)]
    args = arguments(
        spec, folder, rows=len(prepared.train), bf16=prepared.precision == "bf16", device=prepared.device
    )
    if spec.sharded:
        held = sharding.divide(model, prepared.device, team.size)
        emit(
            "log",
            message=(
                f"Sharded the model: each of {team.size} processes holds at most {held:,} of"
                f" {counts(model)[1]:,} parameters."
            ),
        )
    kind = sharding.ShardedTrainer if spec.sharded else EngineTrainer
    trainer = kind(
        spec, folder, parts, team, model, *sets, args=args, data_collator=batches, callbacks=callbacks
    )
    if lowest is not None:
        lowest.detach()
    return trainer, model


def _begin(spec: TrainSpec, prepared: Prepared, labels: Any) -> Network:
    """The model as it is before the first step. labels: of the training rows, as the learner's loss reads
    them.
    """
    _seed(spec.seed)
    learner = learner_of(spec.task)
    return learner.build(prepared.base.path, spec, learner.loss(spec, labels))


def _train_from(trainer: EngineTrainer, spec: TrainSpec, point: Path | None) -> None:
    """Train from the point on. Where patience had ended at the point, nothing is left to train: only the
    record is read back.
    """
    if point is not None:
        state = TrainerState.load_from_json(str(point / "trainer_state.json"))
        if spec.patience and evaluations_since_best(state) >= spec.patience:
            trainer.state = state
            return
    trainer.train(resume_from_checkpoint=str(point) if point else None)
