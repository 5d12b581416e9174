"""Spans as a graph finds them; where texts are disturbed, the spans move with them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from lifecycle.runtime.engine.artifact import ArtifactInfo
from lifecycle.runtime.engine.perturb import Disturbed, disturb
from lifecycle.runtime.engine.predictor import Predictor
from lifecycle.runtime.engine.task_types.answerer import ChangedRow, Sides
from lifecycle.runtime.engine.task_types.graphs import GraphAnswerer, read_end
from lifecycle.runtime.engine.task_types.spans.learner import ENTRY as LEARNER
from lifecycle.runtime.engine.task_types.spans.occlusion import explain_parts, tempered
from lifecycle.runtime.statistics.metrics import Floats, ratio
from lifecycle.runtime.task_types.rows import Rows
from lifecycle.runtime.task_types.spans import measures as spans
from lifecycle.runtime.task_types.spans import tagging
from lifecycle.runtime.task_types.spans.decoding import ENTRY as DECODING
from lifecycle.runtime.task_types.spans.measures import ENTRY as MEASURES
from lifecycle.runtime.task_types.spans.measures import ScoredSpans, SpanPredictions
from lifecycle.runtime.task_types.spans.tagging import Found, Span

Place = tuple[int, int]


@dataclass(frozen=True)
class Carried:
    """What is true and what was found before, in the disturbed text. lost: true spans that were cut off.
    rests: what is left of spans that were cut within: nothing is scored there, on either side.
    """

    true: tuple[Span, ...]
    found: tuple[Found, ...]
    lost: int
    rests: tuple[Place, ...]


def carry(text: Disturbed, true: Sequence[Span], found: Sequence[Found]) -> Carried:
    """Move spans with their text."""
    places = {
        (start, end): text.move(start, end) for start, end, _ in (*true, *(each.span for each in found))
    }
    rests = tuple(sorted({rest for place in places if (rest := text.rest(*place))}))
    kept = tuple((*now, label) for start, end, label in true if (now := places[start, end]))
    clean = tuple(
        replace(each, start=now[0], end=now[1]) for each in found if (now := places[each.start, each.end])
    )
    return Carried(kept, beside(clean, rests), len(true) - len(kept), rests)


def beside(found: Sequence[Found], rests: Sequence[Place]) -> tuple[Found, ...]:
    """Those that touch no rest."""
    return tuple(
        each for each in found if all(each.end <= start or end <= each.start for start, end in rests)
    )


class SpanAnswerer(GraphAnswerer[SpanPredictions]):
    """An answer is the list of spans that were found. Of disturbed rows the targets are perturb.Disturbed."""

    learner, decoding, measures = LEARNER, DECODING, MEASURES
    probed = ("micro_f1", "exact_texts")

    def explain(self, opened: Predictor, text: str, payload: dict[str, Any]) -> dict[str, Any]:
        """parts: occlusion.PartExplanation of each, its label by name."""
        parts = explain_parts(
            lambda texts: tempered(opened.answer(texts).logits, opened.info.temperature),
            text,
            end=read_end(opened, text),
        )
        return {"parts": [asdict(each) | {"answer": opened.info.labels[each.answer]} for each in parts]}

    def answer(self, opened: Predictor, rows: Rows) -> list[list[Found]]:
        """Spans in order of their places."""
        return tagging.find(opened.probabilities(rows.texts))

    def disturb(self, probe: str, rows: Rows, seed: int) -> Rows:
        """The texts, and by what their spans move."""
        made = tuple(
            disturb(probe, text, seed=seed, name=name)
            for name, text in zip(rows.ids, rows.texts, strict=True)
        )
        return Rows(rows.ids, tuple(each.text for each in made), made)

    def score(self, info: ArtifactInfo, rows: Rows, answers: Sequence[Sequence[Found]]) -> ScoredSpans:
        """By place and label."""
        return counted(info, answers, [each.spans for each in rows.targets])

    def compare(
        self,
        info: ArtifactInfo,
        rows: Rows,
        clean: Sequence[Sequence[Found]],
        disturbed: Rows,
        answers: Sequence[Sequence[Found]],
    ) -> Sides:
        """A row's own score is the F1 of its spans, 1 where there is none and none is found. Confidence is
        the highest of a span that only one side has.
        """
        carried = [
            carry(text, each.spans, found)
            for text, each, found in zip(disturbed.targets, rows.targets, clean, strict=True)
        ]
        new = [beside(found, each.rests) for found, each in zip(answers, carried, strict=True)]
        old, truth = [each.found for each in carried], [each.true for each in carried]
        before, after = counted(info, old, truth), counted(info, new, truth)
        changed = np.array(
            [_set(one) != _set(two) for one, two in zip(old, new, strict=True)], dtype=np.bool_
        )

        def names(some: Iterable[Span]) -> str:
            return json.dumps(
                [[start, end, info.labels[label]] for start, end, label in some], ensure_ascii=False
            )

        changes = [
            ChangedRow(
                names(truth[at]),
                names(each.span for each in old[at]),
                _surest(old[at], new[at]),
                names(each.span for each in new[at]),
                _surest(new[at], old[at]),
            )
            for at in np.flatnonzero(changed).tolist()
        ]
        lost = [each.lost for each in carried]
        own = np.stack([text_f1(each) for each in (before, after)])
        return Sides(before, after, own, changed, changes, (sum(lost), sum(each > 0 for each in lost)))


def counted(
    info: ArtifactInfo, found: Sequence[Sequence[Found]], truth: Sequence[Sequence[Span]]
) -> ScoredSpans:
    """By place and label. Tokens aren't counted: a disturbed text has other tokens."""
    nothing = np.zeros(len(truth))
    return spans.score_spans(found, truth, nothing, nothing, len(info.labels))


def text_f1(rows: ScoredSpans) -> Floats:
    """F1 of each text's own spans (N,), 1 where there is none on either side."""
    every = rows.held.sum(axis=1) + rows.called.sum(axis=1)
    return np.where(every == 0, 1.0, ratio(2 * rows.hits.sum(axis=1), every))


def _set(found: Sequence[Found]) -> set[Span]:
    return {each.span for each in found}


def _surest(found: Sequence[Found], other: Sequence[Found]) -> float | None:
    """Of the spans that only the first has; None where it has none."""
    return max((each.confidence for each in found if each.span not in _set(other)), default=None)


ENTRY = SpanAnswerer()
