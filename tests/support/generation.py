"""Datasets of prompts with completions, their versions, and decoders, for tests."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from django.db import transaction
from safetensors.numpy import save_file

from datasets_app.datasets.models import Dataset
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Snapshot
from lifecycle.modeling.evaluation import actions as evaluation
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.training import actions
from lifecycle.modeling.training.models import BaseModel, Run
from lifecycle.runtime.statistics import bootstrap
from lifecycle.runtime.task_types.generation import measures as text_scores
from lifecycle.runtime.task_types.generation import predictions as text_answers
from lifecycle.runtime.task_types.generation import verbatim
from lifecycle.runtime.task_types.generation.measures import TextAnswers
from registry.ground.access.models import Project, User
from registry.ground.artifacts import actions as artifacts
from tests.support.datasets import import_file, import_texts, make_dataset
from tests.support.snapshots import freeze
from tests.support.tiny_decoders import QUESTIONS, SHAPE, make_tiny_decoder
from tests.support.training import make_base, settle, write_base

SHARES = {"train": 60, "validation": 20, "test": 20}


def generation_dataset(project: Project, user: User, *, copies: int = 4, name: str = "") -> Dataset:
    """A dataset whose completions are all there: each question `copies` times, made different by a number.
    user: may upload.

    The context of every other row is its answer, with a word more.
    """
    dataset = make_dataset(project, user, name, task="generation")
    rows = [
        (f"{question} {at}" if at else question, answer, f"please {answer}" if number % 2 else "")
        for number, (question, answer) in enumerate(QUESTIONS)
        for at in range(copies)
    ]
    import_texts(dataset, rows, user, header=("instruction", "output", "input"))
    return dataset


def generation_snapshot(project: Project, user: User, **options: Any) -> Snapshot:
    """A dataset version with rows in all three splits."""
    shares = options.pop("shares", SHARES)
    return freeze(generation_dataset(project, user, **options), user, shares=shares)


def chat_dataset(
    project: Project,
    user: User,
    *,
    copies: int = 4,
    name: str = "",
    more: Sequence[list[dict[str, Any]]] = (),
) -> Dataset:
    """A dataset of labeled chats: a system turn, a question with its answer, and another question with
    its own; each question `copies` times, made different by a number. more: chats added after them. user: may
    upload.
    """
    dataset = make_dataset(project, user, name, task="chat")
    talks = [
        [
            {"role": "system", "content": "please"},
            {"role": "user", "content": other[0]},
            {"role": "assistant", "content": other[1]},
            {"role": "user", "content": f"{question} {at}" if at else question},
            {"role": "assistant", "content": answer},
        ]
        for number, (question, answer) in enumerate(QUESTIONS)
        for at in range(copies)
        for other in [QUESTIONS[(number + 1) % len(QUESTIONS)]]
    ]
    lines = [{"messages": talk} for talk in (*talks, *more)]
    import_file(dataset, user, "".join(json.dumps(line) + "\n" for line in lines).encode(), "talks.jsonl")
    return dataset


def chat_snapshot(project: Project, user: User, **options: Any) -> Snapshot:
    """A chat dataset version with rows in all three splits."""
    shares = options.pop("shares", SHARES)
    return freeze(chat_dataset(project, user, **options), user, shares=shares)


def write_decoder(folder: Path) -> Path:
    """A folder with the looks of a decoder of two layers. The engine can describe it, not run it; no torch is
    needed.
    """
    write_base(folder)
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_key_value_heads": 2, **SHAPE}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def make_decoder(
    project: Project, user: User, scratch: Path | None = None, name: str = "tiny-decoder"
) -> BaseModel:
    """A decoder of two layers, kept. scratch: where its weights are made, which can be trained; without it
    those of `write_decoder`.
    """
    if scratch:
        return make_base(project, user, folder=make_tiny_decoder(scratch / name), name=name)
    with tempfile.TemporaryDirectory() as folder:
        return make_base(project, user, folder=write_decoder(Path(folder) / name), name=name)


def made_up(run: Run, split: str, quality: float, seed: int) -> tuple[TextAnswers, dict[str, Any]]:
    """Answers of a made-up run, and the engine's own report of them: right for a share of the rows, else
    three other words.

    The base before it was tuned is right for a tenth of the rows.
    """
    rows = list(snapshots.learned_rows(run.snapshot, split))
    train = [row["answer"] for row in snapshots.learned_rows(run.snapshot, "train")]
    draw = np.random.default_rng(seed)
    references, contexts = [row["answer"] for row in rows], [row.get("context", "") for row in rows]
    omitted = [row["left_out"] for row in snapshots.engine_rows(run.snapshot, split) if "left_out" in row]

    def draw_answers(share: float) -> list[str]:
        return [
            each if right else "please look again"
            for each, right in zip(references, draw.random(len(rows)) < share, strict=True)
        ]

    answers, base = draw_answers(quality), draw_answers(0.1)
    nats = draw.uniform(1.0, 3.0, len(rows)) * (2 - quality)
    tokens = np.array([len(each.split()) + 1.0 for each in references])
    scored = text_scores.score_texts(answers, references, contexts, nats, tokens)
    rivals = {"prompted_base": text_scores.score_texts(base, references, contexts, nats + 2, tokens)}
    rivals["frequent"] = text_scores.score_texts(
        [Counter(train).most_common(1)[0][0]] * len(rows), references, contexts
    )
    index, cut = (
        verbatim.CopyIndex(train, answers),
        [each != reference for each, reference in zip(answers, references, strict=True)],
    )
    copied = [index.longest(*each) for each in zip(answers, [row["text"] for row in rows], strict=True)]
    options = {"count": 200, "seed": 1}
    ids = tuple(row["id"] for row in rows)
    targets = tuple(map(text_answers.target_of, references, contexts))
    found = TextAnswers(ids, targets, tuple(answers), scored, tuple(copied), tuple(cut), tuple(base))
    report = text_scores.ENTRY.report(found, **options) | {
        "with_context": sum(map(bool, contexts)),
        "max_new_tokens": run.spec["max_new_tokens"],
        "dialogues": sum("messages" in row for row in rows),
        "left_out": dict(Counter(omitted)),
        "truncation": {
            "rows": len(rows),
            "limit": 64,
            "prompts": 2,
            "prompt_tokens": 9,
            "answers": 0,
            "answer_tokens": 0,
            "turns": 0,
        },
        "cut_answers": text_answers.cut_report(cut, [False] * len(rows)),
        "references": {"groundedness": 1.0, "answer_words": 5.0},
        "baselines": {name: bootstrap.summary(each, **options) for name, each in rivals.items()},
        "against": {name: text_scores.paired(each, scored, **options) for name, each in rivals.items()},
        "copied": verbatim.report(copied, copied),
    }
    return found, report


def make_generation_evaluation(
    run: Run, split: str = "test", *, quality: float = 0.8, seed: int = 1
) -> Evaluation:
    """An evaluation of made-up answers."""
    answers, report = made_up(run, split, quality, seed)
    result = {"format": 1, "status": "succeeded", "error": None, **report}
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "predictions.parquet"
        text_answers.ENTRY.write(path, answers, split)
        return evaluation.keep(run=run, split=split, result=result, predictions=path, actor=None)


def make_generation_run(
    snapshot: Snapshot,
    user: User,
    base: BaseModel,
    *,
    quality: float = 0.8,
    seed: int = 1,
    splits: Sequence[str] = ("validation", "test"),
) -> Run:
    """A made-up run that has succeeded, with evaluations of made-up answers. user: engineer or lead."""
    run = actions.launch(snapshot=snapshot, base=base, strategy="lora", actor=user)
    actions.begin(run.uuid)
    run.refresh_from_db()
    items = [row["id"] for row in snapshots.learned_rows(snapshot, "validation")][:2]
    events: list[dict[str, Any]] = []
    for step in (20, 40, 60):
        values = {
            "train_loss": 3.0 - step / 40,
            "learning_rate": 1e-3,
            "examples_per_second": 4.0,
            "memory_mb": 900.0,
        }
        values |= {
            "validation_loss": 1.0 + abs(step - 40) / 100,
            "perplexity": float(np.exp(1.0 + abs(step - 40) / 100)),
        }
        at = f"2026-11-24T12:00:{step % 60:02d}.000+00:00"
        events.append(
            {
                "seq": len(events),
                "at": at,
                "kind": "metric",
                "step": step,
                "total_steps": 60,
                "epoch": step / 20,
                "values": values,
            }
        )
        shown = [
            {"id": item, "truth": None, "answer": f"sample {place} at {step}", "confidence": None}
            for place, item in enumerate(items)
        ]
        events.append({"seq": len(events), "at": at, "kind": "samples", "step": step, "rows": shown})
    actions.record_events(run, events)
    result = {
        "format": 1,
        "status": "succeeded",
        "error": None,
        "best_step": 40,
        "last_step": 60,
        "trainable_parameters": 512,
        "total_parameters": 20_000,
        "seconds": 12.5,
        "cpu_seconds": 22.5,
        "peak_memory_mb": 900.0,
        "precision": "fp32",
        "int8": None,
        "stages": {"train": {"seconds": 10.0, "cpu_seconds": 20.0}},
        "metrics": {"validation_loss": 1.0, "perplexity": float(np.exp(1.0))},
        "environment": {"python": "3.11", "packages": {}, "cpu": "test", "threads": 1, "device": "cpu"},
        "batch": {"batch_size": run.spec["batch_size"], "accumulation": 1},
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = artifacts.put_folder(write_artifact(Path(scratch) / "artifact", run, seed))
    with transaction.atomic():
        actions.succeed(run.uuid, result, folder)
        settle(run)
    run.refresh_from_db()
    for split in splits:
        make_generation_evaluation(run, split, quality=quality, seed=seed)
    return run


def write_artifact(folder: Path, run: Run, seed: int) -> Path:
    """A folder with the looks of a decoder's adapter."""
    folder.mkdir(parents=True)
    base = {"name": run.base.name, "digest": run.base.facts["engine_digest"]}
    document = {
        "format": 1,
        "task": "generation",
        "labels": [],
        "max_tokens": 64,
        "pooling": "none",
        "temperature": 1.0,
        "strategy": run.strategy,
        "base": base,
        "inputs": ["input_ids", "attention_mask"],
        "serving": "",
        "max_new_tokens": run.spec["max_new_tokens"],
    }
    (folder / "lifecycle.json").write_text(json.dumps(document))
    numbers = np.random.default_rng(seed + run.number)
    save_file({"lora": numbers.normal(size=(2, 8)).astype(np.float32)}, folder / "adapter_model.safetensors")
    return folder
