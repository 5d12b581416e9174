"""Spans as parallel tensors over all texts of a request: np.split(START, np.cumsum(COUNTS)[:-1]) are those of
each text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.task_types.decoding import Card
from lifecycle.runtime.task_types.served import TEXT, Output, Served, Values, fitting, summary
from lifecycle.runtime.task_types.shown import Given, Piece, Shown, Tensors
from lifecycle.runtime.task_types.spans import tagging
from lifecycle.runtime.task_types.spans.decoding import ENTRY as DECODING
from lifecycle.runtime.task_types.spans.tagging import Tokens
from lifecycle.runtime.words import things

PLACES = ("START", "END")


class ServedSpans(Served):
    """Decoded values are Tokens."""

    is_ragged = True

    def width(self, card: Card) -> int:
        """One number for each tag."""
        return tagging.tags(len(card.labels))

    def gather(
        self, logits: Sequence[NDArray[Any]], encodings: Sequence[Any], rows: Sequence[str], card: Card
    ) -> Tokens:
        """Of the tokens that represent text."""
        return tagging.of_tokens(rows, encodings, logits, card.unit)

    def outputs(self, card: Card) -> tuple[Output, ...]:
        """COUNTS of each text's spans, then the spans in text order; START and END are code points. ENTITIES:
        the same as JSON, a list for each text.
        """
        return (
            Output("COUNTS", "INT32", (-1,)),
            *(Output(name, "INT32", (-1,)) for name in PLACES),
            Output("LABEL", "BYTES", (-1,)),
            Output("CONFIDENCE", "FP32", (-1,)),
            Output("ENTITIES", "BYTES", (-1,), on_request=True),
        )

    def values(
        self, name: str, decoded: Tokens, predictions: Sequence[Mapping[str, Any]], card: Card
    ) -> Values:
        """As `Served.values`."""
        if name == "COUNTS":
            return np.array([len(each["spans"]) for each in predictions], np.int32)
        if name == "ENTITIES":
            return [json.dumps(each["spans"], ensure_ascii=False) for each in predictions]
        every = [span[name.lower()] for each in predictions for span in each["spans"]]
        return every if name == "LABEL" else np.array(every, np.int32 if name in PLACES else np.float32)

    def spooled(
        self, decoded: Tokens, predictions: Sequence[Mapping[str, Any]], card: Card
    ) -> list[dict[str, Any]]:
        """label: the distinct labels in label order; confidence: the mean of the spans', None without any."""
        return [entry(each["spans"], card.labels) for each in predictions]

    def shown(self, given: Given, outputs: Tensors) -> Shown:
        """The text with its spans."""
        (text,), labels = given[TEXT.name], outputs["LABEL"]["data"]
        spans = zip(outputs["START"]["data"], outputs["END"]["data"], labels, strict=True)
        pieces, done = [], 0
        for start, end, label in sorted(spans):
            pieces += [Piece(text[done:start]), Piece(text[start:end], label)]
            done = end
        every = [*pieces, Piece(text[done:])]
        return Shown(summary=things(len(labels), "span"), pieces=[piece for piece in every if piece.text])

    def identity(self, prediction: Mapping[str, Any]) -> Any:
        """As of its decoding."""
        return DECODING.identity(prediction)


def entry(spans: Sequence[Mapping[str, Any]], among: Sequence[str]) -> dict[str, Any]:
    """The spool's entry for a text's spans. among: all labels, in order."""
    labels = [each["label"] for each in spans]
    places = [{name: each[name] for name in ("start", "end", "label")} for each in spans]
    return fitting(
        {
            "label": summary(sorted(set(labels), key=among.index)),
            "confidence": round(fmean(each["confidence"] for each in spans), 6) if spans else None,
            "labels": labels,
            "value": {"spans": places},
        }
    )


ENTRY = ServedSpans()
