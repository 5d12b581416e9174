"""Generated texts: answers to every prompt, their scores, and those of baselines.

A dialogue's last answer is asked for, given all before it; its earlier answers are read as they were decided.

Baselines  prompted_base: the model before it was tuned, given the same prompt; nearest and frequent: as in
           the task's baselines
against    of each baseline, how much better the answers are by the leading score: a paired bootstrap over the
           same rows
cut_answers  how many answers reached the longest length without an end
copied     runs of words that answers share with training completions, beside those of the held-out
           references, which aren't in training
"""

from __future__ import annotations

import math
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lifecycle.runtime.engine import devices
from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.engine.base import check_base
from lifecycle.runtime.engine.data import read_rows
from lifecycle.runtime.engine.decoders import Decoder, load_decoder, open_decoder, save_decoder
from lifecycle.runtime.engine.export import set_info
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.perturb import disturb
from lifecycle.runtime.engine.strategies import load_tokenizer
from lifecycle.runtime.engine.task_types.answerer import (
    Answerer,
    Cancelled,
    ChangedRow,
    Evaluation,
    Finished,
    Sides,
    Trained,
)
from lifecycle.runtime.engine.task_types.generation import prompts, rounding
from lifecycle.runtime.engine.task_types.generation.answering import Answer, Losses, answer, measure_losses
from lifecycle.runtime.engine.task_types.generation.learner import ENTRY as LEARNER
from lifecycle.runtime.engine.task_types.generation.learner import (
    EVALUATION_ROWS,
    Target,
    examples_of,
    prompts_of,
)
from lifecycle.runtime.statistics import bootstrap, metrics, words
from lifecycle.runtime.statistics.metrics import Floats
from lifecycle.runtime.task_types.by_key.baselines import baselines_of
from lifecycle.runtime.task_types.generation import predictions, verbatim
from lifecycle.runtime.task_types.generation.measures import ScoredTexts, TextAnswers, paired, score_texts
from lifecycle.runtime.task_types.rows import Rows

INPUTS = ("input_ids", "attention_mask")
LONGEST = 128  # tokens of an answer if no limit is set
PROGRESS_SECONDS = 10.0  # seconds between two lines about how many rows are answered


@dataclass
class Writer:
    """A decoder that answers. longest: tokens of an answer. at_once: rows that pass together."""

    model: Any
    tokenizer: Any
    info: ArtifactInfo
    longest: int
    at_once: int
    cancelled: Cancelled

    @cached_property
    def frame(self) -> prompts.Frame:
        """The template around prompts, in its tokenizer's ids."""
        return prompts.find_frame(self.tokenizer)

    @property
    def pad_id(self) -> int:
        """Of its tokenizer."""
        return self.tokenizer.pad_token_id or 0

    @property
    def limit(self) -> int:
        """How many tokens a prompt may have, so that the longest answer fits after it."""
        known = getattr(self.model.config, "max_position_embeddings", 0)
        room = known - self.longest if known else self.info.max_tokens
        return max(len(self.frame) + 1, min(self.info.max_tokens, room))

    def examples(self, rows: Rows) -> list[prompts.Example]:
        """The rows with their true answers."""
        return examples_of(self.tokenizer, self.frame, rows, self.info.max_tokens, all_turns=False)

    def losses(self, rows: Rows) -> Losses:
        """Of the true answers. Raises EngineFault `nan_loss` where the model returns NaN."""
        found = measure_losses(
            Decoder(self.model), self.examples(rows), self.pad_id, self.at_once, self.cancelled
        )
        if not np.isfinite(found.nats).all():
            raise EngineFault(
                "nan_loss", "The model returns NaN for some rows.", "Train again with a lower learning rate."
            )
        return found

    def write(self, rows: Rows, progress: Callable[[int], None] = lambda count: None) -> list[Answer]:
        """Its greedy answer to each prompt. progress: as of `answer`."""
        asked = prompts_of(self.tokenizer, self.frame, rows, self.limit)
        return answer(
            self.model,
            self.tokenizer,
            asked,
            end=self.frame.end,
            pad_id=self.pad_id,
            max_new_tokens=self.longest,
            at_once=self.at_once,
            progress=progress,
            cancelled=self.cancelled,
        )


@dataclass(frozen=True)
class Generated:
    """A model's answers, which were cut at the length limit, and the loss of the references under it."""

    answers: list[str]
    cut: list[bool]
    losses: Losses

    def scored(self, references: Sequence[str], contexts: Sequence[str]) -> ScoredTexts:
        """Against the references."""
        return score_texts(self.answers, references, contexts, self.losses.nats, self.losses.tokens)


@dataclass(frozen=True)
class Given:
    """What an evaluation is made of. base: of the model before it was tuned; train, index: the training rows,
    and the index of their completions. None where no baselines are asked for, or no base is there.
    """

    own: Generated
    base: Generated | None
    train: Rows | None
    index: verbatim.CopyIndex | None


class TextAnswerer(Answerer[Writer, Given, TextAnswers]):
    """An answer is a text."""

    probed = ("rouge_l", "exact_match")
    at_once = EVALUATION_ROWS
    lost_at_once = 4 * EVALUATION_ROWS

    def finish(self, run: Trained) -> Finished:
        """Write the weights, open them again as they will answer, and measure the loss of the validation
        answers.
        """
        spec, prepared, artifact = run.spec, run.prepared, run.folder / "artifact"
        model: Any = run.trainer.accelerator.unwrap_model(run.trainer.model, keep_fp32_wrapper=False)
        info = ArtifactInfo(
            (),
            prepared.limit(spec),
            "none",
            1.0,
            spec.strategy.kind,
            spec.base.name,
            prepared.base.digest,
            INPUTS,
            spec.task,
            serving="",
            max_new_tokens=spec.max_new_tokens,
        )
        shutil.rmtree(artifact, ignore_errors=True)
        artifact.mkdir(parents=True)
        save_decoder(artifact, model)
        prepared.tokenizer.save_pretrained(artifact, save_jinja_files=False)
        rows: Any = run.trainer.eval_dataset.encoded
        # a sharded model may not fit one GPU
        place = devices.CPU if spec.sharded else devices.place(prepared.device)
        opened = Decoder(open_decoder(artifact, prepared.base.path, info)).to(place)
        losses = measure_losses(opened, rows.examples, prepared.tokenizer.pad_token_id or 0, EVALUATION_ROWS)
        longest = min(info.max_new_tokens or LONGEST, LONGEST)
        writer = Writer(opened.encoder, prepared.tokenizer, info, longest, EVALUATION_ROWS, lambda: False)
        load = partial(open_decoder, artifact, prepared.base.path, info, torch.bfloat16)
        gate = rounding.try_bf16(writer, prepared.validation, load, place, run.events)
        info = replace(info, bf16=gate)
        set_info(artifact, info)
        return Finished({"validation_loss": losses.mean, "perplexity": math.exp(losses.mean)}, info, {})

    def merge(self, artifact: Path, base: Path | None, info: ArtifactInfo, target: Path) -> None:
        """The whole decoder."""
        open_decoder(artifact, base, info).save_pretrained(target)
        load_tokenizer(artifact).save_pretrained(target, save_jinja_files=False)

    def open(
        self, artifact: Path, base: Path | None, *, threads: int, batch_size: int, cancelled: Cancelled
    ) -> Writer:
        """Its base is checked by digest."""
        info = ArtifactInfo.read(artifact)
        check_base(info, base)
        dtype = rounding.dtype_of(info)
        model, longest = open_decoder(artifact, base, info, dtype), info.max_new_tokens or LONGEST
        return Writer(
            model, load_tokenizer(artifact), info, longest, min(batch_size, EVALUATION_ROWS), cancelled
        )

    def ask(self, opened: Writer, asked: Evaluation) -> Given:
        """Answers of the model, and of the one before it was tuned."""
        spec = asked.spec
        train = read_rows(asked.folder / spec.train, (), LEARNER.read) if spec.baselines else None
        opened.longest = spec.max_new_tokens or opened.longest
        own, base = generate(opened, asked, "the model"), None
        if spec.baselines and asked.base is not None and not asked.cancelled():
            opened.model = None  # before the other is loaded: both may not fit into memory
            opened.model = load_decoder(asked.base)
            base = generate(opened, asked, "the base model")
        references = [each.answer for each in asked.rows.targets]
        index = (
            verbatim.CopyIndex((each.taught for each in train.targets), [*own.answers, *references])
            if train
            else None
        )
        return Given(own, base, train, index)

    def predicted(self, given: Given, asked: Evaluation) -> TextAnswers:
        """With the base's answers, and what is copied."""
        rows, own, base = asked.rows, given.own, given.base
        return TextAnswers(
            rows.ids,
            tuple(map(asked_for, rows.texts, rows.targets)),
            tuple(own.answers),
            own.scored(*wanted(rows)),
            tuple(copied(given.index, own.answers, rows)),
            tuple(own.cut),
            tuple(base.answers) if base else None,
            rows.codes,
        )

    def beside(
        self, opened: Writer, given: Given, predicted: TextAnswers, asked: Evaluation
    ) -> dict[str, Any]:
        """What was asked, what was cut and copied, what the references reach, and baselines."""
        rows, spec, own, base, index = asked.rows, asked.spec, given.own, given.base, given.index
        references, contexts = wanted(rows)
        options: dict[str, Any] = {"count": spec.bootstrap, "seed": spec.seed, "clusters": rows.codes}
        rivals: dict[str, Any] = {"prompted_base": base.scored(references, contexts)} if base else {}
        if given.train is not None:
            rivals |= {
                name: each(rows)
                for name, each in baselines_of(asked.info.task)(given.train, 0, spec.seed, None).items()
            }
        return {
            "dialogues": sum(bool(each.turns) for each in rows.targets),
            "left_out": dict(Counter(rows.left_out)),
            "with_context": sum(map(bool, contexts)),
            "max_new_tokens": opened.longest,
            "truncation": asdict(prompts.truncation(opened.examples(rows), asked.info.max_tokens)),
            "cut_answers": predictions.cut_report(own.cut, base.cut if base else None),
            "references": reached(references, contexts),
            "baselines": {name: bootstrap.summary(each, **options) for name, each in rivals.items()},
            "against": {name: paired(each, predicted.scored, **options) for name, each in rivals.items()},
            "copied": (
                verbatim.report(list(predicted.copied), copied(index, references, rows)) if index else None
            ),
        }

    def losses(self, opened: Writer, rows: Rows) -> Floats:
        """Mean over the tokens of the true answer."""
        found = opened.losses(rows)
        return metrics.mean_loss(found.nats, found.tokens)

    def remembered(self, run: Trained, rows: Rows, labels: tuple[str, ...]) -> tuple[Any, Any]:
        """By the losses of their true answers."""
        base, artifact, tokenizer = (
            run.folder / run.spec.base.path,
            run.folder / "artifact",
            run.prepared.tokenizer,
        )
        info = ArtifactInfo.read(artifact)
        examples = LEARNER.encode(tokenizer, rows, 0, info.max_tokens).examples
        models = open_decoder(base, None, ArtifactInfo.read(base)), open_decoder(artifact, base, info)
        pad_id = run.trainer.data_collator.pad_id
        found = [measure_losses(Decoder(model), examples, pad_id, EVALUATION_ROWS) for model in models]
        before, after = (ScoredLosses(each.nats, each.tokens) for each in found)
        return before, after

    def reads(self, rows: Rows) -> list[object]:
        """The prompts, or all turns before the answer; contexts stay."""
        return [each.turns or text for text, each in zip(rows.texts, rows.targets, strict=True)]

    def answer(self, opened: Writer, rows: Rows) -> list[str]:
        """What is written to each prompt."""
        return [each.text for each in opened.write(rows)]

    def disturb(self, probe: str, rows: Rows, seed: int) -> Rows:
        """Only the prompts: references and contexts stay."""

        def disturbed(name: str, target: Target) -> Target:
            *before, last = target.turns
            return replace(
                target,
                turns=(*before, replace(last, text=disturb(probe, last.text, seed=seed, name=name).text)),
            )

        pairs = zip(rows.ids, rows.targets, strict=True)
        targets = tuple(disturbed(name, target) if target.turns else target for name, target in pairs)
        return replace(super().disturb(probe, rows, seed), targets=targets)

    def score(self, info: ArtifactInfo, rows: Rows, answers: Sequence[str]) -> ScoredTexts:
        """Against the references."""
        return score_texts(answers, [each.answer for each in rows.targets], [""] * len(answers))

    def compare(
        self, info: ArtifactInfo, rows: Rows, clean: Sequence[str], disturbed: Rows, answers: Sequence[str]
    ) -> Sides:
        """A row's own score is its ROUGE-L. Answers have no confidence."""
        before, after = self.score(info, rows, clean), self.score(info, rows, answers)
        changed = np.array([one != two for one, two in zip(clean, answers, strict=True)], dtype=np.bool_)
        changes = [
            ChangedRow("", clean[at], None, answers[at], None) for at in np.flatnonzero(changed).tolist()
        ]
        return Sides(before, after, np.stack([before.rouge_l, after.rouge_l]), changed, changes)


@dataclass(frozen=True)
class ScoredLosses:
    """Answers ready for scoring, by their perplexity. nats, tokens: as of Losses."""

    nats: Floats
    tokens: Floats

    def __len__(self) -> int:
        return len(self.nats)

    def aggregate(self, weights: Floats) -> dict[str, Floats]:
        """perplexity of each weighting."""
        return {"perplexity": np.exp(weights @ self.nats / np.maximum(weights @ self.tokens, 1.0))}


def generate(writer: Writer, asked: Evaluation, name: str) -> Generated:
    """Every row answered, and the loss of every reference. name: of the model, in the run's events."""
    rows, events = asked.rows, asked.events
    events.write("stage", name="predict", message=f"Generating {len(rows):,} responses with {name}.")
    losses, last = writer.losses(rows), time.monotonic()

    def progress(done: int) -> None:
        nonlocal last
        if time.monotonic() - last > PROGRESS_SECONDS:
            last = time.monotonic()
            events.write("log", message=f"{done:,} of {len(rows):,} responses generated with {name}.")

    found = writer.write(rows, progress)
    return Generated([each.text for each in found], [each.cut for each in found], losses)


def wanted(rows: Rows) -> tuple[list[str], list[str]]:
    """The references and their contexts."""
    return [each.answer for each in rows.targets], [each.context for each in rows.targets]


def copied(index: verbatim.CopyIndex | None, texts: Sequence[str], rows: Rows) -> list[verbatim.Run]:
    """The longest run of each text that was learned and is not in its prompt."""
    return [index.longest(*each) if index else verbatim.NONE for each in zip(texts, rows.texts, strict=True)]


def asked_for(text: str, target: Target) -> str:
    """The digest of an answer's reference; of a dialogue, of the turns before it too, since people edit
    those.
    """
    return predictions.target_of(
        target.answer, f"{target.context}\0{text}" if target.turns else target.context
    )


def reached(references: list[str], contexts: list[str]) -> dict[str, Any]:
    """The references' own scores, which show the highest possible values."""
    grounded = [
        share
        for each in zip(references, contexts, strict=True)
        if (share := words.groundedness(*each)) is not None
    ]
    found = {"answer_words": float(np.mean([len(words.words(each)) for each in references]))}
    return found | ({"groundedness": float(np.mean(grounded))} if grounded else {})


ENTRY = TextAnswerer()
