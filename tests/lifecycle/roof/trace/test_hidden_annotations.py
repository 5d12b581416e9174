"""Annotations quote texts or are texts, so only people who may read texts see them."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.support.labeling import annotate, make_dataset, make_queue, queue_items

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("task", "schema", "annotation", "secret", "class_name"),
    [
        ("spans", ["PERSON"], {"spans": [{"start": 0, "end": 4, "label": "PERSON"}]}, b"Anna", b"PERSON"),
        ("generation", [], {"text": "She owes money."}, b"owes money", b""),
    ],
)
def test_spans_and_responses_are_hidden_with_the_texts(
    project, mia, ana, lee, client_for, task, schema, annotation, secret, class_name
):
    queue = make_queue(make_dataset(project, mia, ["Anna works here."], task=task), mia, schema=schema)
    (item,) = queue_items(queue)
    annotate(queue, ana, item, annotation)
    page = reverse("trace:item", args=[item.uuid])

    read, unread = client_for(mia).get(page).content, client_for(lee).get(page).content

    assert secret in read
    assert secret not in unread
    assert class_name in unread
