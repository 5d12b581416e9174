"""Written answers as tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lifecycle.runtime.statistics.words import manner, words
from lifecycle.runtime.task_types.contents.dialogue import ASSISTANT, as_read
from lifecycle.runtime.task_types.decoding import Card
from lifecycle.runtime.task_types.samples import Sample, curl, openai
from lifecycle.runtime.task_types.served import TEXT, Output, Served, Values, fitting
from lifecycle.runtime.task_types.shown import Given, Shown, Tensors
from lifecycle.runtime.words import things

USER = "user"
TEXT_BYTES = 16_000  # of an entry of the spool


class ServedTexts(Served):
    """A prediction is {"text", "finish", "tokens", "confidence"}: an answer, why it ended ("stop" or
    "length"), how many tokens were generated, and the geometric mean of their probabilities. A row is a
    prompt, or the turns before an answer, each a role and a text.
    """

    is_text = True

    def given(self, text: str, content: Mapping[str, Any] | None) -> dict[str, list[str]]:
        """The prompt; of a chat the turns before its last response, as a dataset shows them."""
        turns = (content or {}).get("messages", [])
        if turns and turns[-1]["role"] == ASSISTANT:
            turns = turns[:-1]
        return {TEXT.name: [as_read(turns) if turns else text]}

    def texts(self, row: Any) -> tuple[str, ...]:
        """The prompt, or the only turn; of several turns their texts, each after its role, as a dataset shows
        them.
        """
        if isinstance(row, str):
            return (row,)
        return (row[0][1],) if is_prompt(row) else (as_read(messages(row)),)

    def beside(self, row: Any) -> dict[str, Any]:
        """Several turns as messages."""
        return {} if isinstance(row, str) or is_prompt(row) else {"messages": messages(row)}

    def samples(self, server: str, name: str) -> list[Sample]:
        """Chats."""
        message = self.sample[TEXT.name][0]
        chat = {"model": name, "messages": [{"role": USER, "content": message}]}
        return [
            curl(f"{server}/v1/chat/completions", chat),
            openai(server, name, message),
        ]

    def shown(self, given: Given, outputs: Tensors) -> Shown:
        """The response, and its length."""
        tokens = things(outputs["TOKENS"]["data"][0], "token")
        cut = ", cut off" if outputs["FINISH"]["data"][0] == "length" else ""
        return Shown(
            summary=f"{tokens}{cut}",
            confidence=outputs["CONFIDENCE"]["data"][0],
            response=outputs["RESPONSE"]["data"][0],
        )

    def outputs(self, card: Card) -> tuple[Output, ...]:
        """RESPONSE, FINISH, CONFIDENCE, and TOKENS, the number of generated tokens."""
        return (
            Output("RESPONSE", "BYTES", (-1,)),
            Output("FINISH", "BYTES", (-1,)),
            Output("CONFIDENCE", "FP32", (-1,)),
            Output("TOKENS", "INT32", (-1,)),
        )

    def values(self, name: str, decoded: Any, predictions: Sequence[Mapping[str, Any]], card: Card) -> Values:
        """As `Served.values`."""
        if name == "RESPONSE":
            return [each["text"] for each in predictions]
        if name == "FINISH":
            return [each["finish"] for each in predictions]
        if name == "CONFIDENCE":
            return np.array([each["confidence"] for each in predictions], np.float32)
        return np.array([each["tokens"] for each in predictions], np.int32)

    def spooled(
        self, decoded: Any, predictions: Sequence[Mapping[str, Any]], card: Card
    ) -> list[dict[str, Any]]:
        """label: why the answer ended; value: the answer, unless it is too long to keep; written: its length
        in words, and its manner, which are known where no text is kept.
        """
        return [
            fitting(
                {
                    "label": each["finish"],
                    "confidence": round(each["confidence"], 6),
                    "labels": [each["finish"]],
                    "tokens": each["tokens"],
                    "written": written(each["text"]),
                    "value": {"text": each["text"]},
                },
                TEXT_BYTES,
            )
            for each in predictions
        ]

    def identity(self, prediction: Mapping[str, Any]) -> str:
        """The text."""
        return str(prediction["text"])


def written(text: str) -> dict[str, float]:
    """What is counted of an answer: its words, and each measure of `words.manner`."""
    return {"words": len(words(text))} | {name: round(each, 4) for name, each in manner(text).items()}


def is_prompt(turns: Sequence[tuple[str, str]]) -> bool:
    """Whether turns are a text alone."""
    return len(turns) == 1 and turns[0][0] == USER


def messages(turns: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """Turns as a dataset has them."""
    return [{"role": role, "content": text} for role, text in turns]


ENTRY = ServedTexts()
