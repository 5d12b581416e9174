"""The values of a label column become labels as mapped by the uploader; obvious ones are matched
automatically.
"""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from datasets_app.datasets import actions, queries
from datasets_app.datasets.importing.label_values import LabelValues, wrong_target
from datasets_app.datasets.importing.mapping import Mapper
from datasets_app.datasets.importing.readers import Row
from datasets_app.datasets.models import Item, Upload
from datasets_app.queues.queries.decisions import values_of_items
from lifecycle.runtime.refusals import Refused
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.datasets import csv_bytes, import_file, make_dataset, receive

ROWS = csv_bytes([["good", "pos"], ["bad", "NEG"], ["so so", "0"], ["well", "pos"]], ["text", "label"])


def test_only_obvious_values_are_matched():
    known = ["positive", "negative", "Card lost"]
    expected = {
        "pos": "positive",
        "NEG": "negative",
        "POSITIVE": "positive",
        "card_lost": "Card lost",
        "card lost": "Card lost",
        "negative": "negative",
        "0": "0",
        "a1": "a1",
        "neutral": "neutral",
    }
    values = LabelValues("single_label", {}, known)

    assert {value: values.read(value) for value in expected} == expected
    assert values.decided() == {value: name for value, name in expected.items() if value != name}
    assert LabelValues("single_label", {}, ["pos", "positive"]).read("POSITIVE") == "POSITIVE"  # ambiguous


@pytest.mark.parametrize(
    ("task", "values", "expected", "names"),
    [
        ("multi_label", '["a", "b", "junk"]', {"labels": ["A", "B"]}, ("A", "B")),
        ("spans", '[[0, 3, "a"], [4, 8, "junk"]]', {"spans": [{"start": 0, "end": 3, "label": "A"}]}, ("A",)),
        ("preference", "0", {"choice": "first"}, ()),
    ],
)
def test_every_task_with_values_maps_them(task, values, expected, names):
    roles = (
        {"first": "first", "second": "second", "label": "label"}
        if task == "preference"
        else {"text": "text", "label": "label"}
    )
    chosen = {"a": "A", "b": "B", "junk": "", "0": "first"}
    found = Mapper(roles, task=task, values=LabelValues(task, chosen)).draft(
        Row(1, {"text": "one word", "first": "x", "second": "y", "label": values})
    )

    assert (found.value, found.names) == (expected, names)


@pytest.mark.parametrize(
    ("task", "targets", "reason"),
    [
        ("single_label", {"a": "x" * 121}, "'a' maps to"),
        ("preference", {"0": "left"}, "'0' can be mapped to first, second, tie, neither"),
        ("chat", {"a": "b"}, "Labels"),
    ],
)
def test_invalid_targets_are_refused(task, targets, reason):
    assert wrong_target(task, targets).startswith(reason)


@pytest.fixture
def dataset(project, ana):
    row = make_dataset(project, ana)
    import_file(row, ana, csv_bytes([["fine", "positive"], ["awful", "negative"]], ["text", "label"]))
    return row


def labels(dataset):
    items = dict(Item.objects.filter(dataset=dataset).values_list("pk", "text"))
    return {items[pk]: value["label"] for pk, value in values_of_items(list(items)).items()}


@pytest.mark.django_db
def test_chosen_and_obvious_values_become_labels_and_are_in_the_audit_log(dataset, ana):
    upload = import_file(dataset, ana, ROWS, label_values={"0": ""})

    assert upload.report["dry_run"]["values"] == {"pos": 2, "0": 1, "NEG": 1}
    assert upload.label_values == {"pos": "positive", "NEG": "negative", "0": ""}
    assert labels(dataset) == {
        "fine": "positive",
        "awful": "negative",
        "good": "positive",
        "well": "positive",
        "bad": "negative",
    }
    assert queries.known_labels(dataset) == ["positive", "negative"] or queries.known_labels(dataset) == [
        "negative",
        "positive",
    ]
    event = json.loads(Event.objects.filter(verb=Verb.UPLOAD_ACCEPTED).latest("pk").canonical)
    assert event["payload"]["label_values"] == upload.label_values


@pytest.mark.django_db
def test_numbers_of_a_preference_are_rejected_until_they_are_mapped(project, ana):
    rows = csv_bytes([["p", "x", "y", 0], ["q", "v", "w", 1]], ["prompt", "first", "second", "choice"])
    upload = receive(make_dataset(project, ana, task="preference"), ana, rows)
    assert (upload.report["dry_run"]["failed"], upload.report["dry_run"]["values"]) == (2, {"0": 1, "1": 1})

    upload = actions.set_mapping(
        upload_id=upload.uuid, actor=ana, mapping=upload.mapping, label_values={"0": "first", "1": "second"}
    )
    assert (upload.report["dry_run"]["failed"], upload.report["dry_run"]["ok"]) == (0, 2)
    assert actions.set_mapping(upload_id=upload.uuid, actor=ana, mapping=upload.mapping).label_values == {
        "0": "first",
        "1": "second",
    }


@pytest.mark.django_db
def test_an_invalid_target_changes_nothing(dataset, ana):
    upload = receive(dataset, ana, ROWS)
    before = queries.seen_digest(upload)

    with pytest.raises(Refused) as refusal:
        actions.set_mapping(
            upload_id=upload.uuid, actor=ana, mapping=upload.mapping, label_values={"pos": "two\nlines"}
        )

    assert list(refusal.value.fields) == ["label_values"]
    assert queries.seen_digest(Upload.objects.get(pk=upload.pk)) == before
    changed = actions.set_mapping(
        upload_id=upload.uuid, actor=ana, mapping=upload.mapping, label_values={"0": "neutral"}
    )
    assert queries.seen_digest(changed) != before


@pytest.mark.django_db
def test_the_page_has_a_field_for_each_value_and_saves_choices(dataset, ana, client_for):
    upload = receive(dataset, ana, ROWS)
    client = client_for(ana)
    form = client.get(reverse("datasets:upload", args=[upload.uuid])).context["form"]
    fields = {field.html_name: field.value() for field in form.value_fields}
    assert (form.values, form.values_open) == (["pos", "0", "NEG"], True)
    assert fields == {"value_0": "=positive", "value_1": "=0", "value_2": "=negative"}

    data = {
        "parser": "csv",
        "encoding": "utf-8",
        "delimiter": ",",
        "has_header": "on",
        "column_0": "text",
        "column_1": "label",
    }
    client.post(reverse("datasets:inspect", args=[upload.uuid]), data | fields | {"value_1": ""})
    upload.refresh_from_db()
    assert upload.label_values == {"pos": "positive", "NEG": "negative", "0": ""}

    client.post(reverse("datasets:inspect", args=[upload.uuid]), data | {"column_1": "metadata"} | fields)
    upload.refresh_from_db()
    assert upload.label_values == {}


@pytest.mark.django_db
def test_the_api_sets_and_returns_label_values(dataset, ana, client_for):
    upload = receive(dataset, ana, ROWS)

    answer = client_for(ana).post(
        f"/api/v1/uploads/{upload.uuid}/inspect/",
        {"mapping": upload.mapping, "label_values": {"0": "neutral"}},
        content_type="application/json",
    )

    assert (answer.status_code, answer.json()["label_values"]["0"]) == (200, "neutral")
    assert answer.json()["report"]["dry_run"]["labels"] == {"negative": 1, "neutral": 1, "positive": 2}
