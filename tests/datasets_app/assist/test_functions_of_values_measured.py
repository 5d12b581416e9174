"""Precision of labeling functions for tasks with several labels, on the pages and over the API."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from datasets_app.assist.actions.suggesting import write_function
from datasets_app.assist.matching import matcher
from datasets_app.assist.models import LabelingFunction
from datasets_app.assist.queries import suggesting
from datasets_app.prelabels.models import Suggestion
from datasets_app.schemas.actions.schemas import publish_schema
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema
from lifecycle.ground.jobs.models import Job
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.functions import NAMES, apply, multi_label_dataset, spans_dataset, write
from tests.support.labeling import annotate, make_dataset, make_queue, make_schema, queue_items
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def several(project, mia):
    return multi_label_dataset(project, mia)


@pytest.fixture
def marked(project, mia):
    return spans_dataset(project, mia)


def labels(dataset):
    return {name: label.stable_id for name, label in labels_by_name(latest_schema(dataset)).items()}


def test_of_several_classes_right_is_a_hit_whose_decision_holds_the_class(project, mia, ana):
    dataset = make_dataset(project, mia, [f"card {n}" for n in range(24)] + ["a bill"], task="multi_label")
    queue = make_queue(dataset, mia, schema=["billing", "card", "lost"])
    for number, item in enumerate(queue_items(queue)[:22]):
        annotate(
            queue,
            ana,
            item,
            {"labels": ["billing", "card"] if number < 11 else ["lost"] if number < 20 else []},
        )

    found = suggesting.preview(dataset, matcher("words", "card", "any"), labels(dataset)["card"])

    measured = found.measured
    assert (measured.items, measured.matches, measured.spans, measured.labeled, measured.right) == (
        25,
        24,
        0,
        22,
        11,
    )
    assert (measured.precision, [round(end, 3) for end in measured.interval]) == (0.5, [0.307, 0.693])
    assert [(each.label, each.claims, each.right) for each in found.examples[:1]] == [("billing, card", 1, 1)]
    assert (
        suggesting.preview(
            dataset, matcher("words", "bill", "any"), labels(dataset)["billing"]
        ).measured.labeled
        == 0
    )
    write(dataset, mia, "card", "card")
    apply(dataset, mia)
    assert set(Suggestion.objects.values_list("score", flat=True)) == {0.5}


def test_an_empty_set_is_a_decision_against_the_rule(several, mia, ana):
    queue = make_queue(several, mia)
    annotate(queue, ana, queue_items(queue)[0], {"labels": []})

    found = suggesting.preview(several, matcher("words", "card", "any"), labels(several)["card"])

    assert [(each.label, each.claims, each.right) for each in found.examples] == [
        ("none of the labels", 1, 0)
    ]


def test_rules_for_several_classes_never_contradict_each_other(several, mia):
    found = [write(several, mia, "card", "card"), write(several, mia, "lost", "lost")]

    findings = suggesting.measure(several, found)

    assert (findings.conflicts, findings.disputed) == ([], 0)


def test_of_marked_parts_right_is_what_was_decided_just_so(project, mia, ana):
    dataset = make_dataset(project, mia, [f"lost {n} card and card" for n in range(12)], task="spans")
    queue = make_queue(dataset, mia, schema=NAMES)
    for number, item in enumerate(queue_items(queue)[:11]):
        first = item.text.index("card")
        spans = [{"start": first, "end": first + 4, "label": "ORG"}]
        if number < 3:
            spans.append({"start": first + 9, "end": first + 13, "label": "PERSON"})
        annotate(queue, ana, item, {"spans": spans if number < 10 else []})

    found = suggesting.preview(dataset, matcher("words", "card", "any"), labels(dataset)["ORG"])

    measured = found.measured
    assert (measured.items, measured.matches, measured.spans, measured.labeled, measured.right) == (
        12,
        12,
        24,
        22,
        10,
    )
    assert (round(measured.precision, 3), [round(end, 3) for end in measured.interval]) == (
        0.455,
        [0.269, 0.653],
    )
    assert [(each.label, each.share) for each in found.examples[:4:3]] == [
        ("ORG, PERSON", "1 of 2 correct"),
        ("ORG", "1 of 2 correct"),
    ]
    write(dataset, mia, "card", "ORG")
    apply(dataset, mia)
    row = Suggestion.objects.first()
    assert (round(row.score, 3), [round(each["score"], 3) for each in row.value["spans"]]) == (
        0.455,
        [0.455, 0.455],
    )


def test_rules_that_mark_the_same_place_as_different_classes_contradict_each_other(marked, mia):
    org, topic = write(marked, mia, "card", "ORG"), write(marked, mia, "card\nbill", "TOPIC")
    wider = write(marked, mia, "my card", "PERSON")

    findings = suggesting.measure(marked, [org, topic, wider])

    assert (findings.conflicts, findings.disputed) == ([(org, topic, 1)], 1)


def test_the_preview_takes_the_same_statements_for_few_and_many_items(project, mia, client_for):
    taken = []
    for rows in (1, 300):
        dataset = make_dataset(
            project, mia, [f"card {rows} {n}" for n in range(rows)], task="spans", slug=f"s{rows}"
        )
        make_schema(dataset, mia, NAMES)
        data = {
            "kind": "words",
            "pattern": "card",
            "mode": "any",
            "label": str(labels(dataset)["ORG"]),
            "name": "",
        }
        with CaptureQueriesContext(connection) as statements:
            client_for(mia).post(
                reverse("assist:preview_function", args=[dataset.uuid]), data, headers={"HX-Request": "true"}
            )
        taken.append(len(statements))

    assert taken[0] == taken[1]


def labels_page(client, dataset) -> str:
    return client.get(reverse("schemas:schema", args=[dataset.uuid])).content.decode()


def test_the_pages_describe_a_rule_in_each_task(several, marked, mia, client_for):
    client = client_for(mia)
    for dataset, name in ((several, "card"), (marked, "ORG")):
        write(dataset, mia, "card", name)
    answers = [client.get(reverse("assist:functions", args=[dataset.uuid])) for dataset in (several, marked)]
    pages = [answer.content.decode() for answer in answers]

    assert 'data-pre-labels="all"' in pages[0]
    assert 'data-pre-labels="spans"' in pages[1]
    assert reverse("assist:functions", args=[marked.uuid]) in labels_page(client, marked)
    assert ['id="conflicts"' in page for page in pages] == [False, True]
    assert answers[1].context["lines"][0]["measured"].labeled == 0
    assert 'data-state="few"' in pages[1]
    data = {
        "kind": "words",
        "pattern": "card\nlost",
        "mode": "any",
        "label": str(labels(marked)["ORG"]),
        "name": "",
    }
    tried = client.post(
        reverse("assist:preview_function", args=[marked.uuid]), data, headers={"HX-Request": "true"}
    ).content.decode()
    assert 'data-matches="2" data-spans="3"' in tried
    assert 'data-labeled="0"' in tried
    assert 'data-precision="few"' in tried


def test_over_rest_the_preview_counts_what_is_marked(marked, mia, ana, client_for):
    queue = make_queue(marked, mia)
    annotate(queue, ana, queue_items(queue)[0], {"spans": [{"start": 3, "end": 7, "label": "ORG"}]})
    sent = {"kind": "words", "pattern": "card\nlost", "label": str(labels(marked)["ORG"])}

    tried = (
        client_for(mia)
        .post(
            f"/api/v1/labeling/datasets/{marked.uuid}/functions/preview/",
            sent,
            content_type="application/json",
        )
        .json()
    )

    measured = tried["measured"]
    assert (
        measured["matches"],
        measured["spans"],
        measured["labeled"],
        measured["right"],
        measured["precision"],
    ) == (2, 3, 2, 1, None)
    assert [each["label"] for each in tried["examples"]] == ["ORG", ""]


def test_where_answers_name_no_class_there_are_no_rules(project, mia, client_for):
    dataset = make_dataset(project, mia, ["one"], task="generation")
    publish_schema(dataset_id=dataset.uuid, actor=mia, labels=[], guideline="Write well.")

    with refused():
        write_function(
            dataset_id=dataset.uuid, actor=mia, name="x", label=dataset.uuid, kind="words", pattern="one"
        )

    functions_url, write_url = (
        reverse(f"assist:{name}", args=[dataset.uuid]) for name in ("functions", "write_function")
    )
    listed = client_for(mia).get(functions_url)
    assert (listed.context["has_labels"], listed.context["lines"], listed.context["may_manage"]) == (
        False,
        [],
        True,
    )
    assert write_url not in listed.content.decode()
    assert functions_url not in labels_page(client_for(mia), dataset)
    assert (
        LabelingFunction.objects.count(),
        Job.objects.count(),
        Event.objects.filter(verb=Verb.FUNCTION_CREATED).count(),
    ) == (0, 0, 0)
