"""Which words of a request its prediction depends on: the row that the engine explains, and what it found.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lifecycle.modeling.evaluation.shading import Part, parts, strongest, strongest_effect
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.contents.dialogue import ASSISTANT, turns_before
from monitoring.traffic.models import Prediction

CUT_OFF = "length"  # the label of a generated text that reached its maximum length
SHOWN = 5  # parts of a prediction: its labels, spans, or responses


@dataclass(frozen=True, slots=True)
class Passage:
    """A text with its words shaded. heading: which one; empty where there is no other."""

    heading: str
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Explained:
    """One part of a prediction. title: which; scale: what words change; full, empty: that, with the whole
    text and without any of its words.
    """

    title: str
    scale: str
    passages: Sequence[Passage]
    full: float
    empty: float

    @property
    def words(self) -> list[Part]:
        """The words of all passages by effect."""
        return strongest([part for passage in self.passages for part in passage.parts])


def row_of(prediction: Prediction) -> dict[str, Any]:
    """What was asked, as the engine explains it. Raises Refused where it isn't stored."""
    text, content = prediction.text, prediction.content or {}
    if text is None:
        raise Refused("This request's text isn't stored, so its words have no known effect.")
    if not prediction.is_written:
        return {"text": text} | {name: content[name] for name in ("responses",) if name in content}
    answer = str((prediction.value or {}).get("text", ""))
    if not answer.strip():
        raise Refused("The response is empty or isn't stored, so there's nothing to explain.")
    row: dict[str, Any] = {"text": text, "answer": answer}
    if turns := content.get("messages"):
        row["messages"] = [*turns, {"role": ASSISTANT, "content": answer}]
    return row


def asked(row: Mapping[str, Any]) -> list[str]:
    """The texts of a row whose words can be left out."""
    turns = turns_before(row)
    prompts = [each["content"] for each in turns if each["role"] != ASSISTANT] if turns else [row["text"]]
    return [*prompts, *row.get("responses", [])]


def explained(row: Mapping[str, Any], report: Mapping[str, Any]) -> list[Explained]:
    """What the engine found of a row, part by part."""
    if "responses" in report:
        return [of_response(row, each) for each in report["responses"][:SHOWN]]
    if "classes" in report:
        return [of_text(row["text"], each, each["answer"]) for each in report["classes"][:SHOWN]]
    if "parts" in report:
        spans = (
            (f"“{row['text'][each['start'] : each['end']]}” {each['answer']}", each)
            for each in report["parts"]
        )
        return [of_text(row["text"], each, title) for title, each in spans][:SHOWN]
    if "answer" in row:
        return [of_turns(row, report)]
    return [of_text(row["text"], report, report["answer"])]


def of_text(text: str, found: Mapping[str, Any], title: str) -> Explained:
    """Of a label or a span."""
    named = title if found.get("given", True) else f"{title} (not predicted)"
    passage = Passage("", parts(text, found["words"]))
    return Explained(named, f"the log-odds of {title}", [passage], found["log_odds"], found["empty"])


def of_response(row: Mapping[str, Any], found: Mapping[str, Any]) -> Explained:
    """Of a candidate: the prompt and its own words, shaded on one scale."""
    top = strongest_effect([*found["prompt"], *found["words"]])
    number = found["answer"] + 1
    passages = [
        Passage("Prompt", parts(row["text"], found["prompt"], top)),
        Passage(f"Candidate {number}", parts(row["responses"][found["answer"]], found["words"], top)),
    ]
    name = f"Candidate {number}"
    return Explained(name, f"the lead of candidate {number}", passages, found["log_odds"], found["empty"])


def of_turns(row: Mapping[str, Any], found: Mapping[str, Any]) -> Explained:
    """Of a generated text: its prompt, turn by turn, shaded on one scale."""
    top = strongest_effect(found["words"])
    turns = turns_before(row) or ({"role": "", "content": row["text"]},)
    passages = [
        Passage(turn["role"], parts(turn["content"], in_turn(found["words"], at), top))
        for at, turn in enumerate(turns)
    ]
    scale = "the log-probability of the response"
    return Explained("Response", scale, passages, found["log_probability"], found["empty"])


def in_turn(words: Iterable[Mapping[str, Any]], turn: int) -> list[Mapping[str, Any]]:
    """The words of one turn."""
    return [word for word in words if word["turn"] == turn]
