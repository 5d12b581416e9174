"""Base models, runs and evaluations for tests: real rows, folders and reports, without the seconds that
training takes.
"""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from django.db import transaction
from django.utils import timezone
from safetensors.numpy import save_file

from datasets_app.datasets.models import Dataset
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.manifest import ManifestRow
from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation import actions as evaluation
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.training import actions
from lifecycle.modeling.training.models import BaseModel, Run
from lifecycle.runtime.statistics import deciding
from lifecycle.runtime.statistics.deciding import Deciding
from lifecycle.runtime.task_types.by_key.measures import measures_of
from lifecycle.runtime.task_types.by_key.predictions import file_of
from lifecycle.runtime.task_types.multi_label.measures import SetPredictions
from lifecycle.runtime.task_types.single_label.measures import Predictions
from registry.ground.access.models import Project, User
from registry.ground.artifacts import actions as artifacts
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb
from tests.support import ranking, spans
from tests.support.datasets import import_texts, make_dataset
from tests.support.snapshots import freeze
from tests.support.tiny_models import make_tiny_base

HIDDEN, LAYERS = 8, 2
MEASURED = (
    "accuracy",
    "subset_accuracy",
    "micro_f1",
    "macro_f1",
    "log_loss",
    "ece",
    "pair_accuracy",
    "best_first",
)
TEXTS = {
    "card": [
        *("my card is lost", "card stolen please help", "the card not arrived"),
        *("where is my card", "card late again", "help my card broken"),
    ],
    "refund": [
        *("money back please", "refund my order", "cancel the order money back"),
        *("where is my refund", "pay back the charge", "refund late"),
    ],
    "login": [
        *("password reset", "login not open", "account closed"),
        *("my account is slow", "the app error login", "password wrong again"),
    ],
}


def labeled_dataset(
    project: Project,
    user: User,
    *,
    copies: int = 4,
    texts: dict[str, list[str]] | None = None,
    name: str = "",
) -> Dataset:
    """A dataset whose rows are all labeled: each text `copies` times, made unique by a number word. user: may
    upload.
    """
    dataset = make_dataset(project, user, name)
    rows = [
        (f"{text} {at}" if at else text, label)
        for label, some in (texts or TEXTS).items()
        for text in some
        for at in range(copies)
    ]
    import_texts(dataset, rows, user)
    return dataset


# with any number of labels; texts without one are under ""
SEVERAL = {
    "card": ["my card is lost", "card stolen please help", "the card not arrived", "card late again"],
    "refund": ["money back please", "refund my order", "where is my refund", "pay back the charge"],
    "login": ["password reset", "login not open", "account closed", "the app error login"],
    "card;refund": ["card charge twice refund", "my card is lost money back", "refund the charge on my card"],
    "login;refund": ["account closed refund", "app broken money back"],
    "": ["thanks help", "hello there", "good day to you"],
}


def multi_label_dataset(
    project: Project,
    user: User,
    *,
    copies: int = 4,
    name: str = "",
    texts: dict[str, list[str]] | None = None,
) -> Dataset:
    """As labeled_dataset, with any number of labels per text. texts: by labels, separated by ;."""
    dataset = make_dataset(project, user, name, task="multi_label")
    rows = [
        (f"{text} {at}" if at else text, json.dumps([name for name in names.split(";") if name]))
        for names, some in (texts or SEVERAL).items()
        for text in some
        for at in range(copies)
    ]
    import_texts(dataset, rows, user)
    return dataset


def multi_label_snapshot(project: Project, user: User, **options: Any) -> Snapshot:
    """As make_snapshot, with any number of labels per text."""
    shares = options.pop("shares", {"train": 60, "validation": 20, "test": 20})
    return freeze(multi_label_dataset(project, user, **options), user, shares=shares)


def make_snapshot(project: Project, user: User, **options: Any) -> Snapshot:
    """A version of a labeled dataset with rows in all three splits. user: engineer or lead."""
    shares = options.pop("shares", {"train": 60, "validation": 20, "test": 20})
    return freeze(labeled_dataset(project, user, **options), user, shares=shares)


def write_base(folder: Path) -> Path:
    """A folder with the looks of a base model: config, tokenizer and weights of a few numbers. The engine can
    describe it, not run it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "bert",
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "max_position_embeddings": 64,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(
        json.dumps({"version": "1.0", "model": {"type": "WordPiece", "vocab": {"[UNK]": 0}}})
    )
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\nA base model for tests.\n")
    save_file({"embeddings": np.zeros((4, HIDDEN), dtype=np.float32)}, folder / "model.safetensors")
    return folder


def make_base(
    project: Project, user: User | None = None, *, folder: Path | None = None, name: str = "tiny-base"
) -> BaseModel:
    """A base model whose files are kept. folder: real weights (tests.support.tiny_models), by default those
    of `write_base`.
    """
    came = {"kind": BaseModel.Kind.FOLDER, "source": f"/models/{name}"}
    with transaction.atomic():
        base, created = BaseModel.objects.get_or_create(
            project=project, name=name, revision="", defaults=came | {"added_by": user}
        )
        if created:
            record(user, Verb.BASE_MODEL_ADDED, base, project=project.uuid, revision="", **came)
    if base.folder_id is None:
        with tempfile.TemporaryDirectory() as scratch:
            actions.keep_base(base, folder or write_base(Path(scratch) / "base"))
    return base


def make_real_base(project: Project, user: User) -> BaseModel:
    """A base model with random weights, which can be trained."""
    with tempfile.TemporaryDirectory() as scratch:
        return make_base(project, user, folder=make_tiny_base(Path(scratch) / "base"))


def make_run(
    snapshot: Snapshot,
    user: User,
    *,
    succeeded: bool = True,
    strategy: str = "lora",
    accuracy: float = 0.9,
    seed: int = 1,
    splits: Sequence[str] = ("validation", "test"),
    base: BaseModel | None = None,
    **options: Any,
) -> Run:
    """A launched run; if `succeeded`, with points, an artifact folder and evaluations computed from made-up
    answers.

    accuracy: share of rows that the made-up model answers rightly (drawn with `seed`); the reports are
    computed from those answers by the engine's own metrics. user: engineer or lead.
    """
    base = base or make_base(snapshot.dataset.project, user)
    run = actions.launch(snapshot=snapshot, base=base, strategy=strategy, actor=user, options=options)
    if not succeeded:
        return run
    finish_run(run, accuracy=accuracy, seed=seed)
    for split in splits:
        if snapshot.counts["splits"].get(split):
            make_evaluation(run, split, accuracy=accuracy, seed=seed)
    run.refresh_from_db()
    return run


def finish_run(run: Run, *, accuracy: float = 0.9, seed: int = 1, error: dict[str, str] | None = None) -> Run:
    """Let a launched run have trained: curve, result, artifact. The jobs that it would have queued are taken
    out of the queue.

    error: of one that broke and ended early.
    """
    actions.begin(run.uuid)
    run.refresh_from_db()
    actions.record_events(run, curve_events())
    found = (
        scores(run, "validation", accuracy, seed) if run.snapshot.counts["splits"].get("validation") else {}
    )
    result = {
        "format": 1,
        "status": "succeeded",
        "error": error,
        "best_step": 40,
        "last_step": 60,
        "trainable_parameters": 1000,
        "total_parameters": 10_000,
        "seconds": 12.5,
        "cpu_seconds": 22.5,
        "peak_memory_mb": 300.0,
        "precision": "fp32",
        "int8": None,
        "stages": {
            "prepare": {"seconds": 2.5, "cpu_seconds": 2.5},
            "train": {"seconds": 10.0, "cpu_seconds": 20.0},
        },
        "metrics": {name: found[name] for name in MEASURED if name in found},
        "environment": {"python": "3.11", "packages": {}, "cpu": "test", "threads": 1, "device": "cpu"},
        "batch": {"batch_size": run.spec["batch_size"], "accumulation": 1},
    }
    if chosen := chosen_threshold(run, accuracy, seed):
        result["deciding"] = deciding.to_json(chosen)
    with tempfile.TemporaryDirectory() as scratch:
        folder = artifacts.put_folder(write_artifact(Path(scratch) / "artifact", run, seed))
    with transaction.atomic():
        actions.succeed(run.uuid, result, folder)
        settle(run)
    run.refresh_from_db()
    return run


def repeated(run: Run, count: int) -> list[Run]:
    """So many more runs that are as one is, without jobs and without points: for lists of many."""
    copies = [copy.copy(run) for _ in range(count)]
    for number, each in enumerate(copies, Run.objects.filter(project=run.project).count() + 1):
        each.pk, each.uuid, each.number, each.job = None, uuid4(), number, None
    return Run.objects.bulk_create(copies)


def settle(run: Run) -> None:
    """End the run's waiting jobs, so that a test that drains the queue finds none of them."""
    Job.objects.filter(subject_uuid=run.uuid, state="queued").update(
        state="succeeded", finished_at=timezone.now()
    )


def curve_events() -> list[dict[str, Any]]:
    """A run of 60 steps whose validation loss is best at step 40."""
    events = []
    for seq, step in enumerate(range(10, 70, 10)):
        values = {
            "train_loss": 2.0 / (1 + step / 10),
            "learning_rate": 1e-3 * (1 - step / 60),
            "examples_per_second": 100.0,
            "memory_mb": 256.0,
        }
        if step % 20 == 0:
            values |= {
                "validation_loss": 1.0 + abs(step - 40) / 100,
                "accuracy": 0.9,
                "macro_f1": 0.9 - abs(step - 40) / 1000,
            }
        at = f"2026-11-24T12:00:{step:02d}.000+00:00"
        events.append(
            {
                "seq": seq,
                "at": at,
                "kind": "metric",
                "step": step,
                "total_steps": 60,
                "epoch": step / 20,
                "values": values,
            }
        )
    return [
        *events,
        {
            "seq": 6,
            "at": "2026-11-24T12:01:10.000+00:00",
            "kind": "end",
            "status": "succeeded",
            "message": "Finished. Best step 40.",
        },
    ]


def write_artifact(folder: Path, run: Run, seed: int = 1) -> Path:
    """A folder with the looks of a run's artifact. The weights differ from run to run; nothing can load the
    ONNX file.
    """
    (folder / "serving").mkdir(parents=True)
    document = {
        "format": 1,
        "task": run.spec["task"],
        "labels": run.spec["labels"],
        "max_tokens": run.spec["max_tokens"],
        "pooling": "mean",
        "temperature": 1.0,
        "strategy": run.strategy,
        "base": {"name": run.base.name, "digest": run.base.facts["engine_digest"]},
        "inputs": ["input_ids", "attention_mask", "token_type_ids"],
        "serving": "serving/model.onnx",
    }
    if run.spec["task"] == "multi_label":
        document["thresholds"] = [0.5] * len(run.spec["labels"])
    (folder / "lifecycle.json").write_text(json.dumps(document))
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "hidden_size": HIDDEN}))
    (folder / "tokenizer.json").write_text(
        json.dumps({"version": "1.0", "model": {"type": "WordPiece", "vocab": {"[UNK]": 0}}})
    )
    numbers = np.random.default_rng(seed + run.number)
    save_file(
        {"weight": numbers.normal(size=(len(run.spec["labels"]), HIDDEN)).astype(np.float32)},
        folder / "head.safetensors",
    )
    (folder / "serving" / "model.onnx").write_bytes(b"placeholder " + str(run.uuid).encode())
    return folder


def answers(run: Run, split: str, accuracy: float, seed: int) -> Predictions | SetPredictions:
    """Synthetic predictions of a run on one split of its dataset version: correct for a share of the rows,
    never quite certain.
    """
    labels = tuple(run.spec["labels"])
    rows = list(snapshots.rows_of(run.snapshot, split))
    if run.spec["task"] == "multi_label":
        return multi_label_answers(labels, rows, accuracy, seed)
    chosen = chosen_threshold(run, accuracy, seed)
    return replace(one_answers(labels, rows, accuracy, seed), cut=chosen and chosen.cut(labels))


def one_answers(labels: tuple[str, ...], rows: list[ManifestRow], accuracy: float, seed: int) -> Predictions:
    """The same with a single label, the likeliest."""
    truth = np.array([labels.index(row.label) for row in rows], dtype=np.int64)
    random = np.random.default_rng(seed)
    right = random.random(len(rows)) < accuracy
    picked = np.where(right, truth, (truth + 1) % len(labels))
    top = random.uniform(0.55, 0.99, len(rows))
    probabilities = np.repeat(((1 - top) / max(len(labels) - 1, 1))[:, None], len(labels), axis=1)
    probabilities[np.arange(len(rows)), picked] = top
    return Predictions(labels, tuple(row.item for row in rows), truth, probabilities)


def chosen_threshold(run: Run, accuracy: float, seed: int) -> Deciding | None:
    """The threshold chosen on the synthetic validation predictions, if a label has one."""
    spec = run.spec
    if not spec.get("operating_class"):
        return None
    made = one_answers(
        tuple(spec["labels"]), list(snapshots.rows_of(run.snapshot, "validation")), accuracy, seed
    )
    wanted = Deciding(spec["operating_class"], spec["operating_point"], spec["operating_target"])
    return deciding.choose(wanted, made.labels, made.probabilities, made.truth)


def multi_label_answers(
    labels: tuple[str, ...], rows: list[ManifestRow], accuracy: float, seed: int
) -> SetPredictions:
    """The same with any number of labels: correct for a share of the rows' labels."""
    truth = np.array([[label in json.loads(row.label) for label in labels] for row in rows])
    random = np.random.default_rng(seed)
    decided = truth ^ (random.random(truth.shape) >= accuracy)
    sure = random.uniform(0.55, 0.99, truth.shape)
    ids = tuple(row.item for row in rows)
    return SetPredictions(labels, ids, truth, np.where(decided, sure, 1 - sure), (0.5,) * len(labels))


def report_of(run: Run, made: Any, chosen: Deciding | None = None) -> dict[str, Any]:
    """The engine's report of predictions. chosen: the label that is predicted from a threshold on."""
    return measures_of(run.task).report(replace(made, deciding=chosen) if chosen else made, count=200)


def frequent(made: Any) -> Any:
    """What the majority baseline answers to the same rows."""
    if isinstance(made, SetPredictions):
        return replace(made, probabilities=np.tile(made.truth.mean(axis=0), (len(made.truth), 1)))
    shares = np.bincount(made.truth, minlength=len(made.labels)) / len(made.truth)
    return replace(made, probabilities=np.tile(shares, (len(made.truth), 1)), cut=None)


def scores(run: Run, split: str, accuracy: float, seed: int) -> dict[str, Any]:
    """The engine's report of those answers."""
    if run.task == "spans":
        return spans.report_of(
            spans.predictions(
                run.spec["labels"], list(snapshots.rows_of(run.snapshot, split)), accuracy, seed
            )
        )
    if run.task_type.has_responses:
        return ranking.report_of(ranking.made_up(run, split, accuracy, seed))
    return report_of(run, answers(run, split, accuracy, seed), chosen_threshold(run, accuracy, seed))


def make_evaluation(
    run: Run, split: str = "test", *, accuracy: float = 0.9, seed: int = 1, by: User | None = None
) -> Evaluation:
    """An evaluation of a succeeded run from synthetic predictions, with the majority baseline; for rankings,
    those of position and length.
    """
    made: Any
    if run.task_type.has_responses:
        return ranking.make_evaluation(run, split, quality=accuracy, seed=seed, by=by)
    if run.task == "spans":
        made = spans.predictions(
            run.spec["labels"], list(snapshots.rows_of(run.snapshot, split)), accuracy, seed
        )
        report, majority = spans.report_of(made), spans.report_of(spans.nothing(made))
    else:
        made = answers(run, split, accuracy, seed)
        report, majority = (
            report_of(run, made, chosen_threshold(run, accuracy, seed)),
            report_of(run, frequent(made)),
        )
    names = [name for name in ("accuracy", "subset_accuracy", "macro_f1", "micro_f1") if name in majority]
    shown = {name: majority[name] for name in names} | {
        "intervals": {name: majority["intervals"][name] for name in names}
    }
    result = {
        "format": 1,
        "status": "succeeded",
        "error": None,
        "temperature": 1.0,
        **report,
        "baselines": {"majority": shown},
    }
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "predictions.parquet"
        file_of(run.task).write(path, made, split)
        return evaluation.keep(run=run, split=split, result=result, predictions=path, actor=by)
