"""Annotation forms of each task: values from a plain form, and a template and a script for each part."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.http import QueryDict
from django.template.loader import select_template
from django.urls import reverse

from datasets_app.queues.task_types.by_key import WIDGETS, posted, typed, widget_of
from lifecycle.runtime.task_types.answers import canonical
from lifecycle.runtime.task_types.by_key.types import type_of
from tests.support.labeling import annotate, make_annotator, make_dataset, make_queue, queue_items
from tests.task_types.examples import EXAMPLES, IDS, NAMES


@pytest.mark.parametrize("task", WIDGETS)
def test_every_part_of_a_page_has_a_template_and_every_script_is_there(task):
    widget = widget_of(task)

    for name, found in widget.parts.items():
        assert select_template(found).template.name in found, name
    assert [path for path in widget.scripts if not finders.find(path)] == []


@pytest.mark.parametrize(
    ("task", "form", "value"),
    [
        ("single_label", "label=a&every=b", {"label": "a"}),
        ("single_label", "every=b", {"label": "b"}),
        ("multi_label", "labels=&labels=a&labels=b", {"labels": ["a", "b"]}),
        ("multi_label", "labels=", {"labels": []}),
        ("generation", "text=+One.", {"text": " One."}),
        ("generation", "text=", None),
        ("spans", "", None),
    ],
)
def test_fields_of_a_plain_form_make_an_annotation(task, form, value):
    assert widget_of(task).posted(QueryDict(form)) == posted(QueryDict(form)) == value


@pytest.mark.parametrize(
    ("task", "form", "value"),
    [
        ("single_label", "other=+card+&label=a", {"label": "card"}),
        ("single_label", "other=+", None),
        ("generation", "text=One.", {"text": "One."}),
        ("generation", "text=+", None),
        ("multi_label", "labels=a", None),
    ],
)
def test_what_a_reviewer_typed_goes_before_buttons(task, form, value):
    assert widget_of(task).typed(QueryDict(form)) == typed(QueryDict(form)) == value


def test_the_better_side_is_saved_as_the_files_response():
    widget, example = widget_of("preference"), EXAMPLES["preference"]

    for order, first in (([0, 1], "first"), ([1, 0], "second")):
        values = [value for value, _ in widget.buttons({"content": {"order": order}})]
        assert values[0] == f'{{"choice":"{first}"}}'
        assert len(set(values)) == len(type_of("preference").answers.choices)
    assert [name for _, name in widget.fields(example.good[0][1], "", {})["choices"]][
        0
    ] == "the first response"


@pytest.mark.django_db
@pytest.mark.parametrize("task", WIDGETS)
def test_bench_review_and_gold_have_what_is_of_the_task(task, project, mia, ana, ravi, client_for):
    about, kind = EXAMPLES[task].item, type_of(task)
    dataset = make_dataset(project, mia, [dict(about.content) or about.text], task=task)
    queue = make_queue(dataset, mia, schema=[*IDS] if kind.has_labels else [], overlap=3)
    (item,) = queue_items(queue)
    one, other, *_ = {canonical(value): value for _, value in EXAMPLES[task].good}.values()
    for person, value in ((ana, one), (make_annotator(project, "ben"), other)):
        annotate(queue, person, item, kind.answers.rename(value, NAMES))

    bench = (
        client_for(make_annotator(project, "cem"))
        .get(reverse("queues:bench", args=[queue.uuid]))
        .content.decode()
    )
    review = (
        client_for(ravi)
        .get(reverse("review:review", args=[queue.uuid]), {"item": item.uuid})
        .content.decode()
    )
    gold = client_for(ravi).get(reverse("quality:gold_item", args=[item.uuid])).content.decode()

    scripts = widget_of(task).scripts
    assert f'data-task="{task}"' in bench
    assert [path for path in scripts if Path(path).stem not in bench] == []
    assert ('id="save"' in bench) == widget_of(task).saves
    assert ('id="utter"' in bench, 'id="utter"' in review, 'id="source"' in bench) == (True,) * 3
    assert f'action="{reverse("review:adjudicate", args=[queue.uuid])}"' in review
    assert [path for path in scripts if (f"task_types/{task}" in review) != widget_of(task).edits] == []
    assert ('id="known"' in gold) == kind.has_gold
