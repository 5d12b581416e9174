"""What a page shows of answers that changed when their rows were disturbed: the row, what became of it, and the answers in words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datasets_app.datasets.models import Item
from datasets_app.snapshots import queries as snapshots
from lifecycle.engine.flips import Flip
from lifecycle.engine.perturb import disturb, disturb_responses
from lifecycle.evaluation import marks, queries, rules
from lifecycle.evaluation.models import Evaluation
from lifecycle.evaluation.parts import may_read
from lifecycle.task_types.contents.dialogue import turns_before
from lifecycle.ui.addresses import find_url
from registry.access.models import User


@dataclass(frozen=True, slots=True)
class FlipLine:
    """An answer that changed. text, disturbed: of a prompt with its responses the prompt first; empty where the person may not read samples
    or the item is gone. true, before, after: what the answers say, one name each, none where they say nothing or are not shown."""

    flip: Flip
    text: tuple[str, ...]
    disturbed: tuple[str, ...]
    url: str
    true: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """What the model read of a row, before and after, and the reference where the answer is a text."""

    text: tuple[str, ...] = ()
    disturbed: tuple[str, ...] = ()
    reference: str = ""


def lines(user: User, evaluation: Evaluation, flips: Sequence[Flip], seed: int) -> list[FlipLine]:
    """The flips of one probe; their texts are disturbed again as they were. seed: of the disturbance."""
    items = queries.items_by_digest(evaluation, [flip.id for flip in flips])
    told = rows_of(evaluation, items) if may_read(user, evaluation) else {}
    found = []
    for flip in flips:
        item = items.get(flip.id)
        url = find_url("datasets:item", uuid=item.uuid) if item else ""
        read = reread(flip, told[flip.id], seed) if flip.id in told else Read()
        true, before, after = (said(evaluation, each, read) for each in (flip.label, flip.clean, flip.predicted))
        true = (read.reference,) if read.reference else true
        found.append(FlipLine(flip, read.text, read.disturbed, url, true, before, after))
    return found


def rows_of(evaluation: Evaluation, items: Mapping[str, Item]) -> dict[str, Mapping[str, Any]]:
    """The rows as they were given to the model, by digest; those that are gone are left out."""
    digests = list(items)
    if evaluation.task_type.has_responses or evaluation.task_type.writes_text:
        return dict(snapshots.learned_rows_of(evaluation.snapshot, digests))
    return {digest: {"text": item.text} for digest, item in items.items() if item.text}


def reread(flip: Flip, row: Mapping[str, Any], seed: int) -> Read:
    """A row as the engine's subjects disturb it."""
    turns, responses = turns_before(row), row.get("responses", ())
    prompt = turns[-1]["content"] if turns else row["text"]
    again = disturb(flip.probe, prompt, seed=seed, name=flip.id).text
    others = disturb_responses(flip.probe, responses, seed=seed, name=flip.id)
    return Read((prompt, *numbered(responses)), (again, *numbered(others)), row.get("answer", ""))


def numbered(responses: Sequence[str]) -> list[str]:
    """Responses as orders name them."""
    return [f"{at}: {text}" for at, text in enumerate(responses, 1)]


def said(evaluation: Evaluation, told: str, read: Read) -> tuple[str, ...]:
    """What `flips` has of an answer, as names."""
    report = evaluation.report
    if rules.task_type(report).has_thresholds:
        return tuple(json.loads(told))
    if rules.is_marks(report):
        text = "".join(read.disturbed)
        return tuple(marks.quote(text, *each) if text else "{2} {0}–{1}".format(*each) for each in json.loads(told))
    if rules.task_type(report).writes_text:
        return (told,) if read.text and told else ()
    return (told,)
