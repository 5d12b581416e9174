"""Predictions of a model in training for a few validation rows, beside those of the previous evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Max
from django.db.models.functions import Substr

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Item
from datasets_app.queues.queries.decisions import not_asked
from datasets_app.snapshots import queries as snapshots
from lifecycle.modeling.training.models import Run, RunSample
from lifecycle.runtime.task_types.contents.dialogue import turns_before
from lifecycle.ui.addresses import find_url
from registry.ground.access.models import User

SHOWN_CHARACTERS = 240


@dataclass(frozen=True, slots=True)
class SampleLine:
    """One row. truth, answer, before: label names, or generated text; before: None at the first evaluation.
    text: empty without permission, after erasure, and while a queue asks the viewer about the item, as is
    url. digest: of the item, empty where a reader of texts sees none. turns: of a chat, those before the
    response, whose beginning is text.
    """

    digest: str
    text: str
    url: str
    truth: list[str]
    answer: list[str]
    confidence: float | None
    before: list[str] | None
    turns: tuple[Mapping[str, str], ...] = ()

    @property
    def is_right(self) -> bool:
        """Whether the prediction is the row's label."""
        return self.answer == self.truth

    @property
    def has_changed(self) -> bool:
        """Whether it differs from the previous evaluation."""
        return self.before is not None and self.before != self.answer


def samples(user: User, run: Run) -> dict[str, Any] | None:
    """The rows at the newest evaluation: step, earlier (the one before), may_read, lines, right, written
    (generated text, shown only with permission to read the dataset's texts), judged (predictions are right or
    wrong), sure (they have a confidence); None before the first evaluation.
    """
    step = RunSample.objects.filter(run=run).aggregate(last=Max("step"))["last"]
    if step is None:
        return None
    earlier = RunSample.objects.filter(run=run, step__lt=step).aggregate(last=Max("step"))["last"]
    before = (
        {each.place: names(each.answer) for each in RunSample.objects.filter(run=run, step=earlier)}
        if earlier is not None
        else {}
    )
    rows = list(RunSample.objects.filter(run=run, step=step).order_by("place"))
    dataset = run.snapshot.dataset
    may_read = datasets.may_read(user, dataset)
    found = (
        not_asked(Item.objects.filter(dataset=dataset, digest__in=[row.item for row in rows]), user, dataset)
        if may_read
        else Item.objects.none()
    )
    texts = {
        digest: (uuid, text)
        for digest, uuid, text in found.values_list("digest", "uuid", Substr("text", 1, SHOWN_CHARACTERS))
    }
    if run.task_type.writes_text:
        written = snapshots.learned_rows_of(run.snapshot, list(texts))
        rows = [
            row for row in rows if row.item in written
        ]  # responses to erased and hidden texts aren't shown
    lines = []
    for row in rows:
        uuid, text = texts.get(row.item, (None, ""))
        url = find_url("datasets:item", uuid=uuid) if uuid and text else ""
        content = written[row.item] if run.task_type.writes_text else {}
        text = content["text"][:SHOWN_CHARACTERS] if content else text
        truth, turns = content["answer"] if content else row.truth, turns_before(content)
        lines.append(
            SampleLine(
                row.item if url or not may_read else "",
                text,
                url,
                names(truth),
                names(row.answer),
                row.confidence,
                before.get(row.place),
                turns,
            )
        )
    right = sum(line.is_right for line in lines)
    return {
        "step": step,
        "earlier": earlier,
        "may_read": may_read,
        "lines": lines,
        "right": right,
        "written": run.task_type.writes_text,
        "judged": run.task_type.has_gold,
        "sure": run.task_type.has_confidence,
    }


def names(value: Any) -> list[str]:
    """A label or several, as a list."""
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]
