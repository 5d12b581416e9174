"""Rankings as parallel tensors over all candidates of a request. A row is a prompt, then its candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifecycle.runtime.statistics.metrics import Floats
from lifecycle.runtime.task_types.contents.dialogue import as_read
from lifecycle.runtime.task_types.decoding import Card
from lifecycle.runtime.task_types.ranking.decoding import ENTRY as DECODING
from lifecycle.runtime.task_types.ranking.decoding import ranks, sure
from lifecycle.runtime.task_types.ranking.measures import of_rows
from lifecycle.runtime.task_types.served import TEXT, Input, Output, Served, Values, fitting
from lifecycle.runtime.task_types.shown import Given, Ranked, Shown, Tensors
from lifecycle.runtime.words import things

CANDIDATES, COUNTS = Input("CANDIDATES", "BYTES"), Input("COUNTS", "INT32", optional=True)

Row = tuple[str, ...]


class ServedRankings(Served):
    """Decoded values are strengths (N, M), NaN where a row has fewer candidates."""

    inputs = (TEXT, CANDIDATES, COUNTS)
    sample = {**Served.sample, CANDIDATES.name: ("Block it in the app.", "No idea.")}

    def given(self, text: str, content: Mapping[str, Any] | None) -> dict[str, list[str]]:
        """The prompt and its responses."""
        found = content or {}
        candidates = [as_read(each) for each in found["responses"]]
        return {TEXT.name: [as_read(found.get("prompt", ""))], CANDIDATES.name: candidates}

    def read(self, given: Mapping[str, Sequence[Any]]) -> list[Row]:
        """COUNTS says how many candidates each text has; without it, all are the only text's."""
        texts, candidates = given[TEXT.name], given[CANDIDATES.name]
        counts = given.get(COUNTS.name, [len(candidates)])
        if len(counts) != len(texts):
            raise ValueError("COUNTS needs a number of candidates for each text.")
        if min(counts) < 1:
            raise ValueError("Each text needs at least one candidate.")
        if sum(counts) != len(candidates):
            raise ValueError(
                f"COUNTS adds up to {sum(counts)}, but CANDIDATES contains {len(candidates)} texts."
            )
        ends = np.cumsum(counts).tolist()
        return [
            (text, *candidates[end - count : end])
            for text, count, end in zip(texts, counts, ends, strict=True)
        ]

    def shown(self, given: Given, outputs: Tensors) -> Shown:
        """The candidates with their scores."""
        texts, scores, ranks = given[CANDIDATES.name], outputs["SCORES"]["data"], outputs["RANKS"]["data"]
        best = [Ranked(ranks[at] + 1, texts[at], scores[at]) for at in outputs["ORDER"]["data"]]
        return Shown(summary=things(len(best), "candidate"), ranked=best)

    def example(self, text: str) -> Row:
        """A prompt with one candidate."""
        return text, text

    def texts(self, row: Row) -> Row:
        """The prompt, then the candidates."""
        return row

    def sequences(self, row: Row) -> Sequence[tuple[str, str | None]]:
        """The prompt with each candidate."""
        prompt, *candidates = row
        return [(prompt, each) for each in candidates]

    def width(self, card: Card) -> int:
        """One score."""
        return 1

    def gather(
        self, logits: Sequence[NDArray[Any]], encodings: Sequence[Any], rows: Sequence[Row], card: Card
    ) -> Floats:
        """Scores of each row."""
        return of_rows(np.concatenate(logits), [len(row) - 1 for row in rows])

    def outputs(self, card: Card) -> tuple[Output, ...]:
        """SCORES and RANKS of each candidate in the order of the request, 0 the best and equal scores equal,
        and ORDER, numbers from 0 of the candidates of one text after the other, best first.
        """
        return (
            Output("SCORES", "FP32", (-1,)),
            Output("ORDER", "INT32", (-1,)),
            Output("RANKS", "INT32", (-1,)),
        )

    def values(
        self, name: str, decoded: Floats, predictions: Sequence[Mapping[str, Any]], card: Card
    ) -> Values:
        """As `Served.values`."""
        if name == "SCORES":
            return np.array([each for row in predictions for each in row["strengths"]], np.float32)
        if name == "ORDER":
            return np.array([each for row in predictions for each in row["order"]], np.int32)
        return np.array([each for row in predictions for each in ranks(row["strengths"])], np.int32)

    def spooled(
        self, decoded: Floats, predictions: Sequence[Mapping[str, Any]], card: Card
    ) -> list[dict[str, Any]]:
        """label: the best candidate's number from 1; confidence: how likely it is better than the next, None
        without a next.
        """
        return [self.entry(each) for each in predictions]

    def entry(self, prediction: Mapping[str, Any]) -> dict[str, Any]:
        """Of one prediction."""
        order, best = prediction["order"], str(prediction["order"][0] + 1)
        return fitting(
            {
                "label": best,
                "confidence": round(sure(prediction["strengths"]), 6) if len(order) > 1 else None,
                "labels": [best],
                "value": self.value(prediction),
            }
        )

    def value(self, prediction: Mapping[str, Any]) -> dict[str, Any]:
        """The prediction as an annotation."""
        return {"ranking": prediction["order"]}

    def identity(self, prediction: Mapping[str, Any]) -> Any:
        """As of its decoding."""
        return DECODING.identity(prediction)


ENTRY = ServedRankings()
