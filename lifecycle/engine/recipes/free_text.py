"""Text generation: a prompt and its completion, learnt by a decoder whose loss counts the completion alone."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from lifecycle.engine import text_diagnosis
from lifecycle.engine.answering import Losses, answer, measure_losses
from lifecycle.engine.artifact import ArtifactInfo
from lifecycle.engine.batches import Collate, Encoded, EncodedRows
from lifecycle.engine.classifier import collate
from lifecycle.engine.data import NOT_COUNTED, Rows
from lifecycle.engine.decoders import AnswerLoss, Decoder, build_decoder
from lifecycle.engine.faults import EngineFault
from lifecycle.engine.leading import LEADING
from lifecycle.engine.prompts import Example, encode_examples, find_frame, truncation
from lifecycle.engine.spec import TrainSpec

SAMPLES = 4  # validation rows that are answered at each evaluation, the first of the file, whose order is that of digests
SAMPLE_TOKENS = 48
EVALUATION_ROWS = 8  # at once: logits of a large vocabulary are most of the memory


@dataclass(frozen=True)
class Target:
    """What a row says. context: what the answer is to rest on; empty where the row has none."""

    answer: str
    context: str = ""


@dataclass(frozen=True)
class EncodedTexts(Encoded):
    """Rows of a decoder. tokenizer, end: for the samples."""

    tokenizer: Any = None
    end: int = 0

    @property
    def examples(self) -> list[Example]:
        """The rows as their losses are measured."""
        return [Example(tuple(ids), tuple(labels.tolist())) for ids, labels in zip(self.ids, self.labels, strict=True)]


@dataclass(frozen=True)
class Observed:
    """What a model in training gives to validation: its losses, and the answers to the first rows with the seconds that they took."""

    losses: Losses
    said: tuple[str, ...] = ()
    seconds: float = 0.0


class FreeText:
    """A row is {"answer": text, "context": text or nothing}; its truth is a Target. Lower validation loss is better."""

    best_by: str = LEADING["free_text"].name
    best_name: str = LEADING["free_text"].words
    served_by: str = "torch"
    network: type[Any] = Decoder
    gated: bool = False
    watched: tuple[str, ...] = ("perplexity",)
    shown: tuple[str, ...] = ("rouge_l", "token_f1", "chrf")

    def read(self, row: Mapping[str, Any], index: Mapping[str, int]) -> Target:
        """Its completion and context."""
        if not isinstance(row.get("answer"), str):
            raise ValueError("it has no text under 'answer'.")
        return Target(row["answer"], str(row.get("context") or ""))

    def check(self, targets: Sequence[Target], labels: tuple[str, ...]) -> None:
        """Raises EngineFault `bad_data` where no answer says anything."""
        if not any(each.answer.strip() for each in targets):
            raise EngineFault("bad_data", "All training answers are empty.", "Write answers, freeze again, and start a new run.")

    def truth(self, targets: Sequence[Target], classes: int) -> tuple[Target, ...]:
        """As they are."""
        return tuple(targets)

    def support(self, truth: Any, classes: int) -> list[int]:
        """There are no labels."""
        return []

    def encode(self, tokenizer: Any, rows: Rows, classes: int, max_tokens: int) -> EncodedTexts:
        """Prompt and completion in one row of ids, as `prompts` says, with a finding where something was cut."""
        frame = find_frame(tokenizer)
        answers = [each.answer for each in rows.targets]
        examples = encode_examples(tokenizer, frame, rows.texts, answers, max_tokens, [each.context for each in rows.targets])
        return EncodedTexts(
            ids=[each.ids for each in examples],
            labels=[np.array(each.labels, dtype=np.int64) for each in examples],
            truth=rows.targets,
            notes=text_diagnosis.cut(truncation(examples, max_tokens)),
            tokenizer=tokenizer,
            shown=tuple(range(min(SAMPLES, len(examples)))),
            end=frame.end,
        )

    def outputs(self, classes: int) -> int:
        """None of its own: it writes with the base's head."""
        return 0

    def meanings(self, labels: Sequence[str]) -> Sequence[str]:
        """None."""
        return ()

    def stack(self, labels: Sequence[Any]) -> Tensor:
        """Padded with what no loss counts."""
        return pad_sequence([torch.from_numpy(each) for each in labels], batch_first=True, padding_value=NOT_COUNTED)

    @staticmethod
    def pad(encoded: Any, pad_id: int, *, token_types: bool) -> dict[str, Tensor]:
        """As collate."""
        return collate(encoded, pad_id, token_types=token_types)

    def loss(self, spec: TrainSpec, labels: Any) -> nn.Module:
        """Cross entropy of the answers' tokens."""
        return AnswerLoss()

    def build(self, base: Path, spec: TrainSpec, loss: nn.Module) -> Decoder:
        """As `decoders.build_decoder`."""
        return build_decoder(base, spec.strategy, loss, checkpointing=spec.gradient_checkpointing)

    def frozen(self, model: Any, encoded: Encoded, batches: Collate, cache: Path, at_once: int) -> NoReturn:
        """No strategy of decoders learns a head alone."""
        raise NotImplementedError

    def observe(self, model: Any, rows: EncodedRows, batches: Collate, at_once: int) -> Observed:
        """The loss of each row's answer, and greedy answers to the first rows, cut at SAMPLE_TOKENS."""
        encoded: Any = rows.encoded
        examples = encoded.examples
        losses = measure_losses(model, examples, batches.pad_id, min(at_once, EVALUATION_ROWS))
        prompts = [
            [token for token, label in zip(each.ids, each.labels, strict=True) if label == NOT_COUNTED] for each in examples[:SAMPLES]
        ]
        begun = time.monotonic()
        said = answer(
            model.encoder, encoded.tokenizer, prompts, end=encoded.end, pad_id=batches.pad_id, max_new_tokens=SAMPLE_TOKENS,
            at_once=SAMPLES,
        )  # fmt: skip
        return Observed(losses, tuple(each.text for each in said), time.monotonic() - begun)

    def sound(self, outputs: Observed) -> bool:
        """Whether all losses are numbers."""
        return bool(np.isfinite(outputs.losses.nats).all())

    def validate(self, outputs: Observed, truth: Any) -> dict[str, float]:
        """Loss of a token, and its perplexity."""
        loss = outputs.losses.mean
        return {"log_loss": loss, "perplexity": float(np.exp(loss))}

    def sample(self, outputs: Observed, truth: Any, rows: Sequence[int], labels: tuple[str, ...]) -> list[dict[str, Any]]:
        """What was written to the first rows; the reference stays with its item."""
        return [{"truth": None, "answer": outputs.said[at], "confidence": None} for at in rows]

    # What follows is of answers that are labels: a decoder's artifact is measured by `text_evaluation`.
    def calibrate(self, info: ArtifactInfo, logits: Any, truth: Any) -> ArtifactInfo:
        """As it is."""
        return info

    def ask(self, rows: Rows) -> NoReturn:
        """Raises EngineFault: there is no graph."""
        raise writes()

    def gather(self, logits: Any, rows: Rows) -> NoReturn:
        """Raises EngineFault."""
        raise writes()

    def decode(self, logits: Any, temperature: float = 1.0) -> NoReturn:
        """Raises EngineFault: there are no probabilities of labels."""
        raise writes()

    def answer(self, probabilities: Any, info: ArtifactInfo) -> NoReturn:
        """Raises EngineFault."""
        raise writes()

    def agreement(self, one: Any, two: Any, info: ArtifactInfo) -> NoReturn:
        """Raises EngineFault."""
        raise writes()

    def score(self, probabilities: Any, truth: Any, thresholds: Sequence[float] | None = None) -> NoReturn:
        """Raises EngineFault."""
        raise writes()

    def report(self, probabilities: Any, truth: Any, info: ArtifactInfo, *, bins: int, count: int, seed: int) -> NoReturn:
        """Raises EngineFault."""
        raise writes()

    def keep(self, path: Path, ids: Sequence[str], probabilities: Any, truth: Any, info: ArtifactInfo, split: str) -> NoReturn:
        """Raises EngineFault."""
        raise writes()


def writes() -> EngineFault:
    """The fault for what is asked of labels."""
    return EngineFault(
        "bad_spec", "This model writes texts; it gives no label and no vector of a text.", "Read its answers in its evaluation."
    )
