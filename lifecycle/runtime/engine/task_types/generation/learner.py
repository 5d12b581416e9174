"""Text generation: a prompt and its completion, learned by a decoder whose loss counts the completion alone.

A prompt may be a dialogue, whose last answer is the completion; `dialogues` decides which of its earlier
answers count.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from lifecycle.runtime.engine.batches import Collate, Encoded, EncodedRows
from lifecycle.runtime.engine.classifier import Network
from lifecycle.runtime.engine.data import NOT_COUNTED
from lifecycle.runtime.engine.decoders import AnswerLoss, Decoder, build_decoder
from lifecycle.runtime.engine.faults import EngineFault
from lifecycle.runtime.engine.spec import TrainSpec
from lifecycle.runtime.engine.task_types.generation import diagnosis, dialogues
from lifecycle.runtime.engine.task_types.generation.answering import Losses, answer, measure_losses
from lifecycle.runtime.engine.task_types.generation.dialogues import Turn
from lifecycle.runtime.engine.task_types.generation.prompts import (
    Example,
    Frame,
    encode_examples,
    encode_prompts,
    find_frame,
    truncation,
)
from lifecycle.runtime.engine.task_types.learner import Learner
from lifecycle.runtime.task_types.generation.measures import METRICS
from lifecycle.runtime.task_types.rows import Rows
from lifecycle.runtime.task_types.spans.tagging import Unit

# validation rows that are answered at each evaluation, the first of the file, whose order is that of digests
SAMPLES = 4
SAMPLE_TOKENS = 48
EVALUATION_ROWS = 8  # at once: logits of a large vocabulary are most of the memory


@dataclass(frozen=True)
class Target:
    """A row's target. context: what the answer is to rest on; empty where the row has none. turns: of a
    dialogue, those before its last answer; empty where the row's text is the prompt. in_loss: whether that
    answer counts in the loss.
    """

    answer: str
    context: str = ""
    turns: tuple[Turn, ...] = ()
    in_loss: bool = True

    @property
    def taught(self) -> str:
        """All completions of the row as one text: the answer, after the dialogue's earlier ones."""
        earlier = [each.text for each in self.turns if each.role == "assistant" and each.in_loss]
        return "\n".join([*earlier, self.answer] if self.in_loss else earlier)


@dataclass(frozen=True)
class EncodedTexts(Encoded):
    """Rows of a decoder. tokenizer, end: for the samples. prompts: how many ids of each row are before its
    answer.
    """

    tokenizer: Any = None
    end: int = 0
    prompts: Sequence[int] = ()

    @property
    def examples(self) -> list[Example]:
        """The rows as their losses are measured."""
        rows = zip(self.ids, self.labels, self.prompts, strict=True)
        return [Example(tuple(ids), tuple(labels.tolist()), prompt=prompt) for ids, labels, prompt in rows]


@dataclass(frozen=True)
class Observed:
    """A model's outputs on validation during training: losses, and answers to the first rows with the seconds
    for them.
    """

    losses: Losses
    answers: tuple[str, ...] = ()
    seconds: float = 0.0


class TextLearner(Learner[Target]):
    """A row is {"answer": text, "context": text or nothing}, or {"messages": [{"role", "content", "weight"},
    …]} of a dialogue that ends with the answer; its truth is a Target. Lower validation loss is better.
    """

    metrics = METRICS
    network: ClassVar[type[Network]] = Decoder

    def read(self, row: Mapping[str, Any], labels: Mapping[str, int]) -> Target:
        """Its completion and context; of a dialogue its turns."""
        if "messages" in row:
            *turns, last = read_dialogue(row["messages"])
            return Target(last.text, str(row.get("context") or ""), tuple(turns), last.in_loss)
        if not isinstance(row.get("answer"), str):
            raise ValueError("it has no text under 'answer'.")
        return Target(row["answer"], str(row.get("context") or ""))

    def check(self, targets: Sequence[Target], labels: tuple[str, ...]) -> None:
        """Raises EngineFault `bad_data` where every answer is empty."""
        if not any(each.answer.strip() for each in targets):
            raise EngineFault(
                "bad_data",
                "All training responses are empty.",
                "Add responses, create a new dataset version, and start a new run.",
            )

    def encode(
        self, tokenizer: Any, rows: Rows, labels: int, max_tokens: int, unit: Unit = Unit.PIECE
    ) -> EncodedTexts:
        """Prompt and completion in one row of ids, as in `prompts`, with a finding where something was
        cut.
        """
        frame = find_frame(tokenizer)
        examples = examples_of(tokenizer, frame, rows, max_tokens, all_turns=True)
        return EncodedTexts(
            ids=[each.ids for each in examples],
            labels=[np.array(each.labels, dtype=np.int64) for each in examples],
            truth=rows.targets,
            notes=diagnosis.notes(examples, truncation(examples, max_tokens), rows.left_out),
            prompts=[each.prompt for each in examples],
            tokenizer=tokenizer,
            shown=tuple(range(min(SAMPLES, len(examples)))),
            end=frame.end,
        )

    def outputs(self, labels: int) -> int:
        """None of its own: it generates with the base's head."""
        return 0

    def meanings(self, labels: Sequence[str]) -> Sequence[str]:
        """None."""
        return ()

    def stack(self, labels: Sequence[Any]) -> Tensor:
        """Padded with what no loss counts."""
        return pad_sequence(
            [torch.from_numpy(each) for each in labels], batch_first=True, padding_value=NOT_COUNTED
        )

    def loss(self, spec: TrainSpec, labels: Any) -> nn.Module:
        """Cross entropy of the answers' tokens."""
        return AnswerLoss()

    def build(self, base: Path, spec: TrainSpec, loss: nn.Module) -> Decoder:
        """As `decoders.build_decoder`."""
        return build_decoder(base, spec.strategy, loss, checkpointing=spec.gradient_checkpointing)

    def observe(self, model: Any, rows: EncodedRows, batches: Collate, at_once: int) -> Observed:
        """The loss of each row's answer, and greedy answers to the first rows, cut at SAMPLE_TOKENS."""
        encoded: Any = rows.encoded
        examples = encoded.examples
        losses = measure_losses(model, examples, batches.pad_id, min(at_once, EVALUATION_ROWS))
        prompts = [each.ids[: each.prompt] for each in examples[:SAMPLES]]
        begun = time.monotonic()
        answers = answer(
            model.encoder,
            encoded.tokenizer,
            prompts,
            end=encoded.end,
            pad_id=batches.pad_id,
            max_new_tokens=SAMPLE_TOKENS,
            at_once=SAMPLES,
        )
        return Observed(losses, tuple(each.text for each in answers), time.monotonic() - begun)

    def sound(self, outputs: Observed) -> bool:
        """Whether all losses are numbers."""
        return bool(np.isfinite(outputs.losses.nats).all())

    def validate(self, outputs: Observed, truth: Any) -> dict[str, float]:
        """Loss of a token, and its perplexity."""
        loss = outputs.losses.mean
        return {"loss": loss, "perplexity": float(np.exp(loss))}

    def sample(
        self, outputs: Observed, truth: Any, rows: Sequence[int], labels: tuple[str, ...]
    ) -> list[dict[str, Any]]:
        """The answers to the first rows; the reference stays with its item."""
        return [{"truth": None, "answer": outputs.answers[at], "confidence": None} for at in rows]


# ── Rows ────────────────────────────────────────────────────────────────────
def read_dialogue(messages: Any) -> list[Turn]:
    """The turns of a row, of which the last is the assistant's and another comes before it. Raises
    ValueError.
    """
    if not isinstance(messages, list) or len(messages) < 2:
        raise ValueError("it has no list of two or more under 'messages'.")
    turns = []
    for number, each in enumerate(messages, 1):
        if (
            not isinstance(each, dict)
            or each.get("role") not in dialogues.ROLES
            or not isinstance(each.get("content"), str)
        ):
            raise ValueError(f"turn {number} isn't a system, user, or assistant message with text.")
        turns.append(Turn(each["role"], each["content"], each.get("weight", 1) != 0))
    if turns[-1].role != "assistant":
        raise ValueError(f"the dialogue ends with {turns[-1].role} instead of assistant.")
    return turns


def examples_of(tokenizer: Any, frame: Frame, rows: Rows, limit: int, *, all_turns: bool) -> list[Example]:
    """Every row with its answer, at most `limit` tokens long, as in `prompts` and `dialogues`. all_turns: as
    of `dialogues.encode`.
    """
    dialogue_rows = [at for at, each in enumerate(rows.targets) if each.turns]
    rest = [at for at, each in enumerate(rows.targets) if not each.turns]
    given = [
        (rows.targets[at].turns, rows.targets[at].answer, rows.targets[at].in_loss or not all_turns)
        for at in dialogue_rows
    ]
    whose = [rows.ids[at] for at in dialogue_rows]
    found = dict(
        zip(
            dialogue_rows,
            dialogues.encode_all(tokenizer, frame, whose, given, limit, all_turns=all_turns),
            strict=True,
        )
    )
    texts, targets = [rows.texts[at] for at in rest], [rows.targets[at] for at in rest]
    answers, contexts = [each.answer for each in targets], [each.context for each in targets]
    found |= zip(rest, encode_examples(tokenizer, frame, texts, answers, limit, contexts), strict=True)
    return [found[at] for at in range(len(rows))]


def prompts_of(tokenizer: Any, frame: Frame, rows: Rows, limit: int) -> list[list[int]]:
    """The ids of every row with its answer opened, at most `limit` of them."""
    # which writes all of them: the same rows were encoded before
    template = dialogues.Template(tokenizer, frame)
    return [
        (
            dialogues.ask(template, each.turns, limit)
            if each.turns
            else encode_prompts(tokenizer, frame, [text], limit, [each.context])[0]
        )
        for text, each in zip(rows.texts, rows.targets, strict=True)
    ]


ENTRY = TextLearner()
