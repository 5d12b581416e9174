"""Label sources of a dataset version, counted over its rows while it is created."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from datasets_app.quality.agreement import Tally, leading, names
from datasets_app.quality.measure import coefficient_data
from datasets_app.quality.queries.answers import answers_of_items, ordered_labels, places_of
from datasets_app.queues.models.decisions import Decision
from datasets_app.schemas.models.schemas import LabelSchema
from datasets_app.snapshots.manifest import ManifestRow

BATCH = 1_000


def label_protocol(
    schema: LabelSchema, rows: Iterator[ManifestRow], counted: Callable[[int], None]
) -> dict[str, Any]:
    """Label sources of these rows and annotator agreement on their items, as JSON, in constant memory.

    {"decisions": {how: rows}, "agreement": the leading coefficient of a queue's page, as from
    `quality.coefficient_data`, with its name in words as coefficient, and annotators: whose annotations it is
    based on}. The decisions are those of the rows, whatever was decided since; the annotations are the
    current ones. counted: called with the number of rows so far.
    """
    kind, labels = schema.dataset.task_type, ordered_labels(schema)
    places = places_of(schema, labels)
    tally, annotators = (
        Tally(kind.answers.coefficients, range(len(labels)) if kind.one_label else ()),
        set[int](),
    )
    decisions: Counter[str] = Counter()
    while batch := list(islice(rows, BATCH)):
        found = list(
            Decision.objects.filter(uuid__in=[row.decision_uuid for row in batch]).values_list(
                "how", "item_id"
            )
        )
        decisions.update(how for how, _ in found)
        for answers in answers_of_items([item for _, item in found], places):
            tally.add([(answer.user, answer.value) for answer in answers])
            annotators.update(answer.user for answer in answers if len(answers) > 1)
        counted(decisions.total())
    main = leading([coefficient_data(each) for each in tally.coefficients()])
    name, _ = names(has_labels=kind.has_labels)[main["name"]]
    return {
        "decisions": dict(sorted(decisions.items())),
        "agreement": {**main, "coefficient": name, "annotators": len(annotators)},
    }
