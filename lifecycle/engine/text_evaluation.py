"""Measure a model that writes texts: its answers to every prompt, their scores, and the same of what it must beat.

A dialogue's last answer is asked for, given all before it; its earlier answers are read as they were decided.

Baselines  prompted_base: the model before it was tuned, given the same prompt; nearest and frequent: as the task's baselines say
against    of each baseline, how much better the answers are by the leading score: a paired bootstrap over the same rows
cut_answers  how many answers reached the longest length without an end
copied     runs of words that answers share with training completions, beside those of the held-out references, which have not seen them
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lifecycle.engine.artifact import ArtifactInfo
from lifecycle.engine.base import open_base
from lifecycle.engine.data import read_rows
from lifecycle.engine.decoders import Decoder, load_decoder, open_decoder
from lifecycle.engine.events import EventWriter
from lifecycle.engine.faults import EngineFault
from lifecycle.engine.probe import environment
from lifecycle.engine.spec import EvaluateSpec
from lifecycle.engine.strategies import load_tokenizer
from lifecycle.engine.task_types.by_key.learners import learner_of
from lifecycle.engine.task_types.free_text import prompts
from lifecycle.engine.task_types.free_text.answering import Losses, answer, measure_losses
from lifecycle.engine.task_types.free_text.learner import EVALUATION_ROWS, Target, examples_of, prompts_of
from lifecycle.statistics import metrics, words
from lifecycle.task_types.by_key.baselines import baselines_of
from lifecycle.task_types.free_text import measures as text_scores
from lifecycle.task_types.free_text import predictions as text_answers
from lifecycle.task_types.free_text import verbatim
from lifecycle.task_types.free_text.measures import TextAnswers, score_texts
from lifecycle.task_types.rows import Rows

Cancelled = Callable[[], bool]
TOLD_EVERY = 10.0  # seconds between two lines about how many rows are answered


@dataclass(frozen=True)
class Setting:
    """How every model of one evaluation is asked. limit: tokens of a row; longest: of an answer."""

    tokenizer: Any
    frame: prompts.Frame
    limit: int
    longest: int
    at_once: int
    events: EventWriter
    cancelled: Cancelled


@dataclass(frozen=True)
class Said:
    """What a model answers, which answers did not end by themselves, and the loss of the references under it."""

    answers: list[str]
    cut: list[bool]
    losses: Losses


def evaluate(folder: Path, spec: EvaluateSpec, info: ArtifactInfo, cancelled: Cancelled) -> dict[str, Any]:
    """The whole of result.json; answers.parquet's rows go into predictions.parquet."""
    started, events = time.monotonic(), EventWriter(folder / "events.jsonl")
    learner, artifact = learner_of(info.task), folder / spec.artifact
    rows = read_rows(folder / spec.data, (), learner.read)
    train = read_rows(folder / spec.train, (), learner.read) if spec.baselines else None
    base = folder / spec.base.path if spec.base else None
    if base is not None and info.strategy != "full":
        open_base(base, info.base_name, info.base_digest)
    tokenizer = load_tokenizer(artifact)
    at_once = min(spec.batch_size, EVALUATION_ROWS)
    longest = spec.max_new_tokens or info.max_new_tokens or 128
    setting = Setting(tokenizer, prompts.find_frame(tokenizer), info.max_tokens, longest, at_once, events, cancelled)
    own = _ask(open_decoder(artifact, base, info), rows, setting, "the model")
    base_said = None
    if spec.baselines and base is not None and not cancelled():
        base_said = _ask(load_decoder(base), rows, setting, "the model before it was tuned")
    if cancelled():
        events.write("end", status="cancelled", message="Stopped on request.")
        return {"format": 1, "status": "cancelled", "error": None}
    events.write("stage", name="score", message=f"Scoring, with {spec.bootstrap:,} bootstrap samples.")
    found = _measure(folder, spec, info, rows, train, own, base_said, setting)
    events.write("end", status="succeeded", message="Finished.")
    cost = {"seconds": round(time.monotonic() - started, 3), "environment": environment()}
    return {"format": 1, "status": "succeeded", "error": None} | found | cost


def _ask(model: Any, rows: Rows, setting: Setting, name: str) -> Said:
    """Every row answered, and the loss of every reference."""
    setting.events.write("stage", name="predict", message=f"Asking {name} {len(rows):,} times.")
    examples = examples_of(setting.tokenizer, setting.frame, rows, setting.limit, all_turns=False)
    pad = setting.tokenizer.pad_token_id or 0
    losses = measure_losses(Decoder(model), examples, pad, setting.at_once, setting.cancelled)
    if not np.isfinite(losses.nats).all():
        raise EngineFault("nan_loss", "The model gives no numbers for some rows.", "Train again with a lower rate.")
    last = time.monotonic()

    def tell(done: int) -> None:
        nonlocal last
        if time.monotonic() - last > TOLD_EVERY:
            last = time.monotonic()
            setting.events.write("log", message=f"{done:,} of {len(rows):,} answered by {name}.")

    limit = longest_prompt(model, setting.frame, setting.limit, setting.longest)
    asked = prompts_of(setting.tokenizer, setting.frame, rows, limit)
    said = answer(
        model, setting.tokenizer, asked, end=setting.frame.end, pad_id=pad, max_new_tokens=setting.longest, at_once=setting.at_once,
        told=tell, cancelled=setting.cancelled,
    )  # fmt: skip
    return Said([each.text for each in said], [each.cut for each in said], losses)


def longest_prompt(model: Any, frame: prompts.Frame, limit: int, longest: int) -> int:
    """How many tokens a prompt may have, so that an answer of so many has its place behind it. limit: tokens of a row."""
    room = model.config.max_position_embeddings - longest if getattr(model.config, "max_position_embeddings", 0) else limit
    return max(len(frame) + 1, min(limit, room))


def _measure(
    folder: Path, spec: EvaluateSpec, info: ArtifactInfo, rows: Rows, train: Rows | None, own: Said, base: Said | None, setting: Setting
) -> dict[str, Any]:
    references, contexts = [each.answer for each in rows.targets], [each.context for each in rows.targets]
    options: dict[str, Any] = {"count": spec.bootstrap, "seed": spec.seed, "clusters": rows.codes}
    scored = score_texts(own.answers, references, contexts, own.losses.nats, own.losses.tokens)
    learnt = verbatim.Learnt((each.taught for each in train.targets), [*own.answers, *references]) if train else None
    copied = [learnt.longest(*each) for each in zip(own.answers, rows.texts, strict=True)] if learnt else [verbatim.NONE] * len(rows)
    kept = TextAnswers(
        rows.ids, tuple(map(asked_for, rows.texts, rows.targets)), tuple(own.answers), scored, tuple(copied),
        tuple(base.answers) if base else None, tuple(own.cut), rows.codes,
    )  # fmt: skip
    text_answers.ENTRY.write(folder / "predictions.parquet", kept, spec.split)
    rivals: dict[str, Any] = {}
    if base is not None:
        rivals["prompted_base"] = score_texts(base.answers, references, contexts, base.losses.nats, base.losses.tokens)
    if train is not None:
        rivals |= {name: answer(rows) for name, answer in baselines_of(info.task)(train, 0, spec.seed, None).items()}
    examples = examples_of(setting.tokenizer, setting.frame, rows, setting.limit, all_turns=False)
    return {
        **text_scores.ENTRY.report(kept, count=spec.bootstrap, seed=spec.seed),
        "dialogues": sum(bool(each.turns) for each in rows.targets),
        "left_out": dict(Counter(rows.left_out)),
        "with_context": sum(map(bool, contexts)),
        "max_new_tokens": setting.longest,
        "truncation": asdict(prompts.truncation(examples, setting.limit)),
        "cut_answers": text_answers.cut_report(own.cut, base.cut if base else None),
        "references": _references(references, contexts),
        "baselines": {name: metrics.summary(each, **options) for name, each in rivals.items()},
        "against": {name: text_scores.paired(each, scored, **options) for name, each in rivals.items()},
        "copied": verbatim.report(copied, [learnt.longest(*each) for each in zip(references, rows.texts, strict=True)]) if learnt else None,
    }


def asked_for(text: str, target: Target) -> str:
    """The digest of what an answer is measured against; of a dialogue, of what was said before it too, since people mend that."""
    return text_answers.target_of(target.answer, f"{target.context}\0{text}" if target.turns else target.context)


def _references(references: list[str], contexts: list[str]) -> dict[str, Any]:
    """What the references themselves reach, where that says how high a score can be."""
    grounded = [share for each in zip(references, contexts, strict=True) if (share := words.groundedness(*each)) is not None]
    found = {"answer_words": float(np.mean([len(words.words(each)) for each in references]))}
    return found | ({"groundedness": float(np.mean(grounded))} if grounded else {})
