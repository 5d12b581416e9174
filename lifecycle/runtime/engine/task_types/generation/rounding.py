"""bf16 beside fp32, and the gate that it must pass before a model may answer in it.

Generation is bound by reading weights, of which bf16 has half. Its gate is looser than that of int8 graphs,
since answers that part at one token may both be right: tokens are compared where both models read the same
reference, and answers by their score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lifecycle.runtime.engine import devices, probe
from lifecycle.runtime.engine.artifact import ArtifactInfo, Gate
from lifecycle.runtime.engine.classifier import length_batches
from lifecycle.runtime.engine.data import NOT_COUNTED
from lifecycle.runtime.engine.decoders import Decoder
from lifecycle.runtime.engine.events import EventWriter
from lifecycle.runtime.engine.task_types.generation.answering import collate_examples, token_losses
from lifecycle.runtime.engine.task_types.generation.prompts import Example
from lifecycle.runtime.statistics import metrics
from lifecycle.runtime.task_types.generation.measures import METRICS, score_texts
from lifecycle.runtime.task_types.rows import Rows, some

if TYPE_CHECKING:
    from lifecycle.runtime.engine.task_types.generation.answerer import Writer

MIN_TOKENS = 1000  # of references: with fewer, 95 % agreement proves too little
MIN_AGREEMENT = 0.95
MAX_RISE = 0.01  # of perplexity, as a share
MAX_LOSS = 0.02  # of the answers' score
READ, ANSWERED = 500, 50  # validation rows at most
NO_BF16 = "The processor of the training machine doesn't compute in bf16."


def dtype_of(info: ArtifactInfo) -> torch.dtype:
    """In which a model answers on this processor."""
    return torch.bfloat16 if info.is_bf16 and probe.bf16_supported() else torch.float32


def try_bf16(writer: Writer, rows: Rows, load: Callable[[], Any], place: str, events: EventWriter) -> Gate:
    """The gate. writer: answers in fp32; load: the same model in bf16; place: the device of both; rows:
    validation.
    """
    rows = some(rows, range(min(len(rows), READ)))
    examples = writer.examples(rows)
    tokens = sum(label != NOT_COUNTED for each in examples for label in each.labels)
    if place == devices.CPU and not probe.bf16_supported():
        return Gate(False, NO_BF16, len(rows))
    if tokens < MIN_TOKENS:
        reason = (
            f"Comparing bf16 with fp32 needs {MIN_TOKENS:,} tokens of validation responses; the dataset"
            f" version has {tokens:,}."
        )
        return Gate(False, reason, len(rows))
    events.write("stage", name="bf16", message=f"Comparing bf16 with fp32 on {len(rows):,} validation rows.")
    models = writer.model, load().to(place)
    agreement, *perplexities = read(models, examples, writer.pad_id, writer.at_once)
    first = some(rows, range(min(len(rows), ANSWERED)))
    scores = [answered(writer, model, first) for model in models]
    sizes = [size_of(model) for model in models]
    return judge(len(rows), tokens, agreement, perplexities, scores, sizes)


@torch.no_grad()
def read(
    models: Sequence[Any], examples: Sequence[Example], pad_id: int, at_once: int
) -> tuple[float, float, float]:
    """The share of the references' tokens for which two models have the same likeliest one, and the
    perplexity of each.
    """
    same = tokens = 0
    nats = np.zeros(2)
    for rows in length_batches([len(each.ids) for each in examples], at_once):
        batch = devices.beside(models[0], collate_examples([examples[row] for row in rows], pad_id))
        logits = [Decoder(each).eval()(**batch)["logits"] for each in models]
        counted = batch["labels"][:, 1:] != NOT_COUNTED
        one, two = (each[:, -counted.shape[1] - 1 : -1].argmax(-1) for each in logits)
        counted = counted[:, -one.shape[1] :]
        same += int((one == two)[counted].sum())
        tokens += int(counted.sum())
        nats += [float(token_losses(each, batch["labels"])[0].double().sum()) for each in logits]
    before, after = np.exp(nats / tokens)
    return same / tokens, float(before), float(after)


def answered(writer: Writer, model: Any, rows: Rows) -> float:
    """What a model's answers score by the metric of the gate, 0 to 1."""
    writer.model = model
    answers = [each.text for each in writer.write(rows)]
    scored = score_texts(
        answers, [each.answer for each in rows.targets], [each.context for each in rows.targets]
    )
    return metrics.point_estimates(scored)[METRICS.rounding.name]


def judge(
    rows: int,
    tokens: int,
    agreement: float,
    perplexities: Sequence[float],
    scores: Sequence[float],
    sizes: Sequence[int],
) -> Gate:
    """The verdict. Pairs are of fp32 and bf16; sizes: bytes of weights."""
    rise, loss = round(perplexities[1] / perplexities[0] - 1, 9), round(scores[0] - scores[1], 9)
    found = (
        f"bf16 and fp32 prefer the same token in {agreement * 100:.2f} % of {tokens:,} tokens of validation"
        f" responses; perplexity {perplexities[1]:.3f} against {perplexities[0]:.3f},"
        f" {METRICS.rounding.words} {scores[1]:.4f} against {scores[0]:.4f}."
    )
    if agreement < MIN_AGREEMENT:
        found += f" Agreement must be at least {MIN_AGREEMENT * 100:g} %."
    if not rise <= MAX_RISE:
        found += f" Perplexity may rise by {MAX_RISE * 100:g} % at most."
    if loss > MAX_LOSS:
        found += f" The maximum loss is {MAX_LOSS * 100:g} points."
    passed = agreement >= MIN_AGREEMENT and rise <= MAX_RISE and loss <= MAX_LOSS
    return Gate(
        passed, found, rows, agreement, METRICS.rounding.name, scores[0], scores[1], sizes[0], sizes[1]
    )


def size_of(model: Any) -> int:
    """Bytes of its weights, shared ones once."""
    return sum(each.numel() * each.element_size() for each in model.parameters())
