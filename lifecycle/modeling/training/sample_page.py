"""What a model in training says of a few validation rows, beside what it said at the evaluation before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Max
from django.db.models.functions import Substr

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.models import Item
from datasets_app.snapshots import queries as snapshots
from lifecycle.modeling.training.models import Run, RunSample
from lifecycle.runtime.task_types.contents.dialogue import turns_before
from lifecycle.ui.addresses import find_url
from registry.ground.access.models import User

SHOWN_CHARACTERS = 240


@dataclass(frozen=True, slots=True)
class SampleLine:
    """One row. truth, answer, before: names of labels, or one text where texts are written; before: None at the first evaluation. text:
    empty where the person may not read it or it was erased, url empty then too. digest: of the item. turns: of a dialogue, those before
    the answer, of which text is the beginning."""

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
        """Whether the answer is what the row says."""
        return self.answer == self.truth

    @property
    def has_changed(self) -> bool:
        """Whether it was another at the evaluation before."""
        return self.before is not None and self.before != self.answer


def samples(user: User, run: Run) -> dict[str, Any] | None:
    """The rows at the newest evaluation: step, earlier (the one before), may_read, lines, right, written (texts are written, which those
    alone see who may read the dataset's), judged (answers are right or wrong), sure (they have a confidence); None before the first
    evaluation."""
    step = RunSample.objects.filter(run=run).aggregate(last=Max("step"))["last"]
    if step is None:
        return None
    earlier = RunSample.objects.filter(run=run, step__lt=step).aggregate(last=Max("step"))["last"]
    before = {each.place: names(each.answer) for each in RunSample.objects.filter(run=run, step=earlier)} if earlier is not None else {}
    rows = list(RunSample.objects.filter(run=run, step=step).order_by("place"))
    dataset = run.snapshot.dataset
    may_read = datasets.may_read(user, dataset)
    found = Item.objects.filter(dataset=dataset, digest__in=[row.item for row in rows]) if may_read else Item.objects.none()
    texts = {digest: (uuid, text) for digest, uuid, text in found.values_list("digest", "uuid", Substr("text", 1, SHOWN_CHARACTERS))}
    if run.task_type.writes_text:
        written = snapshots.learned_rows_of(run.snapshot, list(texts))
        rows = [row for row in rows if row.item in written]  # what was written of a text that is gone is not shown
    lines = []
    for row in rows:
        uuid, text = texts.get(row.item, (None, ""))
        url = find_url("datasets:item", uuid=uuid) if uuid and text else ""
        told = written[row.item] if run.task_type.writes_text else {}
        text = told["text"][:SHOWN_CHARACTERS] if told else text
        truth, turns = told["answer"] if told else row.truth, turns_before(told)
        lines.append(SampleLine(row.item, text, url, names(truth), names(row.answer), row.confidence, before.get(row.place), turns))
    right = sum(line.is_right for line in lines)
    return {
        "step": step, "earlier": earlier, "may_read": may_read, "lines": lines, "right": right, "written": run.task_type.writes_text,
        "judged": run.task_type.has_gold, "sure": run.task_type.has_confidence,
    }  # fmt: skip


def names(said: Any) -> list[str]:
    """A label or several, as a list."""
    return [str(each) for each in said] if isinstance(said, list) else [str(said)]
