"""Annotations of every type go through each labeling tool that can hold them, and come back the same."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from datasets_app.datasets.models import Dataset
from datasets_app.exchange.actions.exports import export_annotations
from datasets_app.exchange.exporting.doccano import EMPTY, SKIPS
from datasets_app.exchange.models import Export
from datasets_app.queues.actions.answers import skip
from datasets_app.queues.models import Queue
from datasets_app.queues.queries.decisions import current_decision
from datasets_app.schemas.queries.labels import names_ever, value_of
from lifecycle.runtime.refusals import Refused
from lifecycle.runtime.task_types.by_key.formats import formats_of
from lifecycle.runtime.task_types.values import rename
from registry.ground.artifacts import actions as artifacts
from tests.support.datasets import import_file, make_dataset
from tests.support.jobs import run_ok
from tests.support.labeling import annotate_items, queue_items
from tests.task_types.examples import EXAMPLES, values_of

pytestmark = pytest.mark.django_db
ANA, BEN = "ana@example.test", "ben@example.test"
# the tools that cannot hold the last value of a type
OMITTED = {("multi_label", "doccano"), ("spans", "doccano"), ("preference", "labelstudio")}
PAIRS = [(key, tool) for key in EXAMPLES for tool in formats_of(key).tools]
OTHERS = [key for key in EXAMPLES if {*Export.Format.values} - {*formats_of(key).tools}]


@pytest.fixture
def annotated_of_each_type(queue_of_each_type, ana, ben) -> dict[str, UUID]:
    """The queue of every type: Ana gives its first item the last value, which may be empty, and Ben skips it;
    they agree on the second and differ on the third.
    """
    for key, (one, other, *more) in ((key, values_of(key)) for key in queue_of_each_type):
        queue = Queue.objects.get(uuid=queue_of_each_type[key])
        annotate_items(queue, {ana: [more[-1], one, one], ben: [None, one, other]})
        slot = queue.slots.filter(item=queue_items(queue)[0]).order_by("id").last()
        skip(queue_id=queue.uuid, actor=ben, slot_id=slot.pk, client_key=uuid4())
    return queue_of_each_type


@pytest.fixture
def annotated(key, annotated_of_each_type) -> Dataset:
    return Dataset.objects.get(queues__uuid=annotated_of_each_type[key])


def account(dataset: Dataset) -> list[tuple[Any, ...]]:
    """The items of a dataset in order, each with everyone's annotation and skip, and its resolved label."""
    names, found = names_ever(dataset), []
    for item in dataset.items.order_by("id"):
        rows = (
            item.annotations.select_related("user", "label").filter(replaced_by=None).order_by("user__email")
        )
        given = [
            [row.user.email, row.action, rename(value_of(row), names) if row.action == "label" else None]
            for row in rows
        ]
        resolved = current_decision(item)
        found.append((item.content or item.text, given, resolved and rename(value_of(resolved), names)))
    return found


@pytest.mark.parametrize(("key", "tool"), PAIRS)
def test_annotations_survive_a_round_trip(key, tool, annotated, values, project, mia):
    export_annotations(dataset_id=annotated.uuid, actor=mia, format=tool)
    run_ok("default")
    made = Export.objects.get()
    with artifacts.open_blob(made.blob.digest) as file:
        content = file.read()
    again = make_dataset(project, mia, task=key)

    upload = import_file(again, mia, content, made.file_name)

    assert (upload.parser, upload.rows_failed, made.items) == (tool, 0, 3)
    one, other, last = values[0], values[1], values[-1]
    kept = [ANA, "label", last] if (key, tool) not in OMITTED else None
    skip = [BEN, "skip", None] if tool != "doccano" else None
    expected = [
        ([each for each in (kept, skip) if each], last if kept else None),
        ([[ANA, "label", one], [BEN, "label", one]], one),
        ([[ANA, "label", one], [BEN, "label", other]], None),
    ]
    items = [item.content or item.text for item in annotated.items.order_by("id")]
    assert account(again) == [(item, *each) for item, each in zip(items, expected, strict=True)]
    for words, lost in ((EMPTY, tool == "doccano"), (formats_of(key).tools[tool].omits, True)):
        assert made.dropped.get(words, 0) == (lost and words != "" and not kept), words
    assert made.dropped.get(SKIPS, 0) == (skip is None)


@pytest.mark.parametrize("key", OTHERS)
def test_a_tool_that_cannot_hold_the_annotations_is_refused(key, annotated, mia):
    for tool in {*Export.Format.values} - {*formats_of(key).tools}:
        with pytest.raises(Refused, match="exported as"):
            export_annotations(dataset_id=annotated.uuid, actor=mia, format=tool)

    assert not Export.objects.exists()
