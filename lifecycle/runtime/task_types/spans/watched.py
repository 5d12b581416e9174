"""Spans as monitoring counts them."""

from __future__ import annotations

from statistics import fmean

import numpy as np

from lifecycle.runtime.task_types.answers import Value
from lifecycle.runtime.task_types.spans.measures import ENTRY as MEASURES
from lifecycle.runtime.task_types.spans.measures import SpanPredictions
from lifecycle.runtime.task_types.spans.served import entry
from lifecycle.runtime.task_types.watched import Figure, Observed, Watched


def density(value: Value, chars: int) -> float | None:
    """Spans per 100 characters of the text; None of an empty one."""
    return 100 * len(value["spans"]) / chars if chars else None


def length(value: Value, chars: int) -> float | None:
    """The mean length of the text's spans in characters; None without any."""
    return fmean(each["end"] - each["start"] for each in value["spans"]) if value["spans"] else None


class WatchedSpans(Watched[SpanPredictions]):
    """By each label that a text has spans of. A text is right if all its spans are; without any, it has no
    confidence: files of predictions don't contain how sure a model was that there's none.
    """

    figures = (Figure("density", density), Figure("span_length", length))

    def observed(self, rows: SpanPredictions) -> Observed:
        """As `Watched.observed`."""
        sure = [np.isfinite([each.confidence for each in some]).all() for some in rows.found]
        kept = MEASURES.some(rows, np.flatnonzero(sure).tolist())
        entries = [
            entry(
                [
                    {
                        "start": each.start,
                        "end": each.end,
                        "label": kept.labels[each.label],
                        "confidence": each.confidence,
                    }
                    for each in some
                ],
                kept.labels,
            )
            for some in kept.found
        ]
        return Observed(
            names=kept.labels,
            ids=kept.ids,
            labels=[tuple(dict.fromkeys(each["labels"])) for each in entries],
            confidence=np.array([each["confidence"] for each in entries], dtype=np.float64),
            right=MEASURES.score(kept).exact if len(kept.ids) else np.zeros(0, dtype=np.bool_),
            clusters=kept.clusters,
            values=[each.get("value") for each in entries],
        )


ENTRY = WatchedSpans()
