"""Engines that write text: a verified artifact folder becomes a function from prompts to answers."""

from __future__ import annotations

import asyncio
import importlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lifecycle.runtime import bundle
from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.generation.rules import Finish, Full, Prompt, Sampling
from lifecycle.runtime.inference.batching import Slots, busy
from lifecycle.runtime.inference.protocol import Prediction, outputs_of
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.by_key.served import served_of

if TYPE_CHECKING:  # torch takes seconds and 300 MB, which only versions that write text need
    from lifecycle.runtime.generation.answers import Answer
    from lifecycle.runtime.generation.version import Version

FP32 = "Responses are generated in fp32."
NO_BF16 = "The processor of this server doesn't compute in bf16, so responses are generated in fp32."


class WriteFailed(ArithmeticError):
    """The network returned NaN, or an answer ended in a failure."""


def load_writer(folder: Path, listed: bundle.Manifest, card: ArtifactInfo) -> Writer:
    """An engine of a verified folder, warmed up. Base models lie beside the artifacts, by digest. Raises
    Refused with the reason.
    """
    try:
        version = importlib.import_module("lifecycle.runtime.generation.version")
    except ImportError as error:
        raise Refused(
            f"The server has no {error.name}, which text generation needs.",
            next_step="Install the product's dependencies on the server.",
        ) from error
    writer = Writer(card, version.load(folder, listed, card, folder.parents[1] / "bases"))
    try:
        asyncio.run(writer.write([writer.version.prompt("a")[0]], Sampling(1)))
    except WriteFailed as error:
        raise Refused(
            "The model's output isn't numeric.", next_step="Evaluate the version again before serving it."
        ) from error
    return writer


class Writer:
    """A version that writes text, behind the same face as an Engine."""

    platform, hidden = "pytorch", None

    def __init__(self, card: ArtifactInfo, version: Version) -> None:
        self.card, self.version, self.served = card, version, served_of(card.task)
        self.precision = version.precision
        self.reason = reason_of(card, version.precision)
        self.outputs = outputs_of(card, self.hidden)

    def predict(self, rows: Sequence[Any]) -> Prediction:
        """Greedy answers to rows, in order, as an evaluation gives them; blocks. Raises Full, WriteFailed."""
        return asyncio.run(self._predict(self._prompts(rows)))[0]

    async def run(self, slots: Slots, rows: Sequence[Any], texts: int) -> tuple[Prediction, float, float]:
        """The prediction, the seconds that it waited, and the seconds that it ran. Raises ProtocolError (429)
        when too many answers wait.
        """
        prompts, _ = await slots.run(texts, lambda: self._prompts(rows))
        try:
            return await self._predict(prompts)
        except Full as error:
            raise busy(error.seconds) from error

    async def write(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[tuple[Answer, float]]:
        """Each prompt answered, and the mean log probability of its tokens. Raises Full, WriteFailed."""
        answers: list[Answer] = []
        try:
            for prompt in prompts:
                answers.append(self.version.answer(prompt, sampling))
            tokens = await asyncio.gather(*(each.whole() for each in answers))
        finally:
            for begun in answers:
                begun.cancel()
        if any(each.finish not in (Finish.STOP, Finish.LENGTH) for each in answers):
            raise WriteFailed("An answer failed.")
        return [
            (one, mean_of([token.logprob for token in made]))
            for one, made in zip(answers, tokens, strict=True)
        ]

    def _prompts(self, rows: Sequence[Any]) -> list[tuple[Prompt, bool]]:
        return [
            self.version.prompt(row) if isinstance(row, str) else (self.version.chat(row), False)
            for row in rows
        ]

    async def _predict(self, prompts: Sequence[tuple[Prompt, bool]]) -> tuple[Prediction, float, float]:
        written = await self.write([each for each, _ in prompts], Sampling(self.version.longest))
        return prediction_of(self.card, written, [cut for _, cut in prompts])


def reason_of(card: ArtifactInfo, precision: str) -> str:
    """Why it answers in this type of numbers."""
    if card.is_bf16 and precision == "fp32":
        return NO_BF16
    return card.bf16.reason if card.bf16 else FP32


def prediction_of(
    card: ArtifactInfo, written: Sequence[tuple[Answer, float]], truncated: Sequence[bool]
) -> tuple[Prediction, float, float]:
    """Answers that ended, with their mean log probabilities, as a prediction; the longest wait of one of them
    for its row, and until its last token.
    """
    ended = [each.ended for each, _ in written if each.ended]
    answers = tuple(
        {"text": each.text, "finish": str(each.finish), "tokens": end.tokens, "confidence": math.exp(log)}
        for (each, log), end in zip(written, ended, strict=True)
    )
    prediction = Prediction(
        card,
        answers,
        answers,
        None,
        tuple(len(each.prompt.ids) for each, _ in written),
        tuple(truncated),
        (None,) * len(written),
        sum(each.cpu_seconds for each in ended),
        tuple(ended),
    )
    return (
        prediction,
        max(each.queue_seconds for each in ended),
        max(each.seconds - each.queue_seconds for each in ended),
    )


def mean_of(logs: Sequence[float]) -> float:
    """The mean log probability of tokens; 0 of an answer without any."""
    return math.fsum(logs) / len(logs) if logs else 0.0
