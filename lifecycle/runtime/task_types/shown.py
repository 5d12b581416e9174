"""One prediction as people read it, from the tensors of its response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Given = Mapping[str, Sequence[Any]]  # values of a request by input
Tensors = Mapping[str, Mapping[str, Any]]  # outputs of the Open Inference Protocol by name

SHOWN = 5  # labels


@dataclass(frozen=True, slots=True)
class Score:
    """A label's probability. predicted: whether the label is part of the prediction."""

    label: str
    probability: float
    predicted: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the text. label: of the span that it is, else ""."""

    text: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate. rank: from 1, the same for equal scores."""

    rank: int
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Shown:
    """A prediction. summary: in a few words; confidence: 0 to 1, or None; scores, ranked: the best first;
    pieces: joined, they are the text; response: a generated text; tensors: in words, by name, of a task
    without a form of its own.
    """

    summary: str = ""
    confidence: float | None = None
    scores: Sequence[Score] = ()
    pieces: Sequence[Piece] = ()
    ranked: Sequence[Ranked] = ()
    response: str | None = None
    tensors: Sequence[tuple[str, str]] = ()


def likeliest(output: Mapping[str, Any], predicted: Sequence[str]) -> list[Score]:
    """Of a SCORES tensor of one text the predicted labels, and others up to five, the likeliest first."""
    pairs = zip(output["parameters"]["labels"], output["data"], strict=True)
    scores = sorted(
        (Score(str(label), float(score), label in predicted) for label, score in pairs),
        key=lambda each: -each.probability,
    )
    room = SHOWN - sum(each.predicted for each in scores)
    others = [each for each in scores if not each.predicted][: max(room, 0)]
    return [each for each in scores if each.predicted or each in others]


def in_words(output: Mapping[str, Any]) -> str:
    """A tensor's values, with the names of its columns."""
    values = [f"{each:.3g}" if isinstance(each, float) else str(each) for each in output["data"]]
    names = output.get("parameters", {}).get("labels")
    if names:
        values = [f"{name}: {value}" for name, value in zip(names, values, strict=True)]
    return ", ".join(values) or "none"
