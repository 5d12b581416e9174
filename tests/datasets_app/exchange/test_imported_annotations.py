"""Import of a Label Studio project: annotations per person, skips, ground truth, and predictions."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from datasets_app.datasets import actions as datasets
from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.exchange.actions import person_annotations
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.models import Annotation, Decision, Dispute, Queue, Seat, Slot, SlotSkip
from datasets_app.queues.queries.decisions import current_decision
from datasets_app.queues.queries.pages import queues
from datasets_app.schemas.queries.labels import latest_schema, names_in
from lifecycle.ground.jobs import actions as jobs
from registry.ground.access import policy
from registry.ground.access import queries as access
from registry.ground.access.models import User
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.datasets import import_file, make_dataset, receive
from tests.support.jobs import run_jobs
from tests.support.tools import annotation, as_json, choice, region, span, task

pytestmark = pytest.mark.django_db


def annotations_of(item: Item) -> list[tuple[str, str, str]]:
    rows = item.annotations.select_related("user", "label").order_by("id")
    return [(str(row.user), row.action, row.label.name if row.label else "") for row in rows]


def decided(item: Item) -> tuple[str, str, str | None] | None:
    found = current_decision(item)
    return found and (found.label.name if found.label else str(found.value), found.how, str(found.by))


def payload(verb: Verb) -> dict:
    return json.loads(Event.objects.get(verb=verb).canonical)["payload"]


@pytest.fixture
def dataset(project, mia) -> Dataset:
    return make_dataset(project, mia)


def test_everyones_annotations_are_imported_and_resolved_by_the_usual_rule(dataset, mia, ana):
    User.objects.filter(pk=ana.pk).update(email="Ana@x.org")
    tasks = [
        task(1, "alone", annotation("ana@x.org", choice("pos"))),
        task(2, "agreeing", annotation("ana@x.org", choice("pos")), annotation(7, choice("pos"))),
        task(3, "differing", annotation("ana@x.org", choice("pos")), annotation(7, choice("neg"))),
        task(4, "skipped", annotation(7, was_cancelled=True)),
        task(
            5,
            "golden",
            annotation("ana@x.org", choice("neg"), ground_truth=True),
            annotation(7, choice("pos")),
        ),
        task(6, "untouched"),
    ]
    upload = import_file(dataset, mia, as_json(tasks), "project.json")

    items = {item.external_id: item for item in dataset.items.order_by("id")}
    seven = "7, from project.json"
    assert [annotations_of(items[str(number)]) for number in range(1, 7)] == [
        [(str(ana), "label", "pos")],
        [(str(ana), "label", "pos"), (seven, "label", "pos")],
        [(str(ana), "label", "pos"), (seven, "label", "neg")],
        [(seven, "skip", "")],
        [(str(ana), "label", "neg"), (seven, "label", "pos")],
        [],
    ]
    assert [decided(items[str(number)]) for number in range(1, 7)] == [
        ("pos", "single", str(mia)),
        ("pos", "unanimous", str(mia)),
        None,
        None,
        ("neg", "imported", str(mia)),
        None,
    ]
    queue = Queue.objects.get()
    assert (queue.name, queue.state, queue.source, queue.upload_id) == (
        "Annotations in project.json",
        "closed",
        "imported",
        upload.pk,
    )
    assert (queue.overlap, queue.items_total, queue.slots_total, queue.slots_done) == (2, 5, 7, 7)
    assert (queue.items_labeled, queue.items_disputed, queue.disputes_total) == (3, 1, 1)
    assert [dispute.item for dispute in Dispute.objects.all()] == [items["3"]]
    seats = {
        str(seat.user): (seat.labeled, seat.skipped, round(seat.seconds, 1))
        for seat in Seat.objects.select_related("user")
    }
    assert seats == {str(ana): (4, 0, 16.8), seven: (3, 1, 12.6)}
    first = Annotation.objects.order_by("id").first()
    assert (first.created_at, first.seconds, first.gold) == (datetime(2026, 1, 2, 10, tzinfo=UTC), 4.2, False)
    assert Annotation.objects.filter(gold=True).get().item == items["5"]
    event = payload(Verb.ANNOTATIONS_IMPORTED)
    assert (event["annotations"], event["accounts"], event["placeholders"]) == (8, [str(ana.uuid)], 1)
    assert payload(Verb.LABELS_IMPORTED)["rows"] == 3


def test_an_annotator_without_an_account_becomes_a_placeholder_without_permissions(dataset, mia, client):
    import_file(dataset, mia, as_json([task(1, "a", annotation("eva@x.org", choice("pos")))]), "project.json")

    person = Annotation.objects.get().user
    assert (
        str(person),
        person.is_active,
        person.email,
        person.has_usable_password(),
        person.is_placeholder,
    ) == (
        "eva@x.org, from project.json",
        False,
        "",
        False,
        True,
    )
    assert not policy.can(person, "labeling.view", dataset)
    assert person not in access.people()
    assert person not in policy.who_can("labeling.annotate", dataset)


def test_an_address_only_matches_accounts_that_may_annotate_the_dataset(dataset, mia, otto):
    User.objects.filter(pk=otto.pk).update(email="otto@x.org")
    import_file(
        dataset, mia, as_json([task(1, "a", annotation("otto@x.org", choice("pos")))]), "project.json"
    )

    assert str(Annotation.objects.get().user) == "otto@x.org, from project.json"


@pytest.mark.postgres
def test_the_dry_run_names_the_people_and_the_nearest_class(dataset, mia, ana):
    User.objects.filter(pk=ana.pk).update(email="ana@x.org")
    import_file(dataset, mia, b"text,label\nx,positive\n")
    upload = receive(
        dataset,
        mia,
        as_json([task(1, "a", annotation("ana@x.org", choice("postive")), annotation(7, choice("postive")))]),
        "p.json",
    )

    found = upload.report["dry_run"]
    assert (found["people"], found["accounts"], found["labels"]) == (
        {"ana@x.org": 1, "7": 1},
        {"ana@x.org": str(ana)},
        {"postive": 1},
    )
    assert [(each["sentence"], each["fix"]) for each in found["problems"]] == [
        (
            "'postive' isn't a label of this dataset yet. Accepting the file adds it.",
            "Did you mean 'positive'?",
        )
    ]


def test_predictions_of_several_models_for_one_item_become_pre_labels_of_each(dataset, mia):
    predictions = [
        {"model_version": "m1", "score": 0.9, "result": [choice("pos")]},
        {"model_version": "m2", "score": 7, "result": [choice("neg")]},
        {"model_version": "m1", "score": 0.2, "result": [choice("neg")]},
    ]
    upload = import_file(
        dataset,
        mia,
        as_json([task(1, "a", predictions=predictions), task(2, "b", predictions=[12])]),
        "p.json",
    )

    rows = [
        (row.source_name, row.label.name, row.score)
        for row in Suggestion.objects.select_related("label").order_by("id")
    ]
    assert rows == [("m1", "pos", 0.9), ("m2", "neg", None), ("m1", "neg", 0.2)]
    assert not Queue.objects.exists()
    assert [each["sentence"] for each in upload.report["dry_run"]["problems"]] == [
        "Object 2 has predictions as bare numbers without labels; these are ignored in the whole file."
    ]


@pytest.mark.postgres
def test_annotations_imported_as_pre_labels_create_no_annotations(dataset, mia):
    tasks = [
        task(
            1,
            "a",
            annotation(7, choice("pos"), ground_truth=True),
            annotation(8, choice("neg")),
            annotation(9, was_cancelled=True),
        )
    ]
    import_file(dataset, mia, as_json(tasks), "p.json", labels_as="suggestions")

    assert [
        (row.source_name, row.label.name) for row in Suggestion.objects.select_related("label").order_by("id")
    ] == [
        ("7, p.json", "pos"),
        ("8, p.json", "neg"),
    ]
    assert (Annotation.objects.count(), Decision.objects.count(), Queue.objects.count()) == (0, 0, 0)


def test_spans_are_counted_in_code_points_for_any_unit_of_the_file(project, mia):
    text = "👨🏻‍🚒 firemen drive firetrucks\r\n"
    dataset = make_dataset(project, mia, task="spans")
    tasks = [
        task(
            1,
            text,
            annotation(1, span(19, 29, "CAR", "firetrucks")),
            annotation(2, span(22, 32, "CAR", "firetrucks")),
        ),
        task(
            2,
            "Anna works",
            annotation(
                1, span(0, 5, "PER", "Anna "), region("labels", {"start": 5, "end": 10, "labels": ["X", "Y"]})
            ),
        ),
        task(3, "Out of range", annotation(1, span(5, 99, "PER", "f range"))),
        task(4, "nothing", annotation(1)),
    ]
    upload = import_file(dataset, mia, as_json(tasks), "p.json")

    items = list(dataset.items.order_by("id"))
    names = names_in(latest_schema(dataset))
    found = [
        [
            sorted((each["start"], each["end"], names[each["label"]]) for each in row.value["spans"])
            for row in item.annotations.all()
        ]
        for item in items
    ]
    assert found == [[[(19, 29, "CAR")]] * 2, [[(0, 4, "PER"), (5, 10, "X"), (5, 10, "Y")]], [[]]]
    assert items[0].text == text
    assert [each["sentence"] for each in upload.report["dry_run"]["problems"]] == [
        "Object 3: Span 5–99 isn't in the text, which has 12 characters."
    ]


def test_multi_label_generation_preference_and_ranking_are_imported(project, mia):
    cases = {
        "multi_label": (task(1, "a", annotation(1, choice("x", "y"))), {"labels": ["x", "y"]}),
        "generation": (task(1, "a", annotation(1, region("textarea", {"text": ["said"]}))), {"text": "said"}),
        "preference": (
            task(
                1,
                "",
                annotation(1, region("pairwise", {"selected": "right"})),
                data={"prompt": "q", "response1": "a", "response2": "b"},
            ),
            {"choice": "second"},
        ),
        "ranking": (
            task(
                1,
                "",
                annotation(1, region("ranker", {"ranker": {"rank": ["k2", "k1"]}})),
                data={
                    "prompt": "q",
                    "responses": [
                        {"id": "k1", "title": "a", "body": "first"},
                        {"id": "k2", "title": "b", "body": "second"},
                    ],
                },
            ),
            {"ranking": [1, 0]},
        ),
        "chat": (
            task(
                1,
                "",
                annotation(
                    1, region("chatmessage", {"chatmessage": {"role": "assistant", "content": "hello"}})
                ),
                data={
                    "messages": [{"role": "user", "content": "hi"}],
                },
            ),
            {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]},
        ),
    }
    for kind, (one, value) in cases.items():
        dataset = make_dataset(project, mia, task=kind)
        upload = import_file(dataset, mia, as_json([one]), "p.json")
        assert (upload.parser, upload.rows_failed) == ("labelstudio", 0), kind
        row = Annotation.objects.get(item__dataset=dataset)
        names = names_in(latest_schema(dataset))
        known = (
            {"labels": sorted(names[key] for key in row.value["labels"])}
            if "labels" in row.value
            else row.value
        )
        assert (known, Decision.objects.get(item__dataset=dataset).value) == (value, row.value), kind


def test_unknown_regions_are_reported_and_change_nothing(dataset, mia):
    tasks = [
        task(
            1,
            "a",
            annotation(1, choice("pos"), region("rectanglelabels", {"x": 1, "rectanglelabels": ["Car"]})),
        )
    ]
    upload = import_file(dataset, mia, as_json(tasks), "p.json")

    assert annotations_of(dataset.items.get()) == [("1, from p.json", "label", "pos")]
    assert [(each["sentence"], each["notice"]) for each in upload.report["dry_run"]["problems"]] == [
        ("Object 1 has regions of type rectanglelabels; these are ignored in the whole file.", True)
    ]


def test_completions_of_old_files_and_the_short_form_are_imported(project, mia):
    old = {
        "id": 1,
        "data": {"text": "a"},
        "completions": [{"result": [choice("pos")]}, {"result": [choice("neg")]}],
    }
    short = {
        "id": 1,
        "text": "a",
        "label": "pos",
        "annotator": 3,
        "annotation_id": 5,
        "created_at": "2026-01-02T10:00:00Z",
        "updated_at": "2026-01-02T10:00:00Z",
        "lead_time": 2.5,
    }
    first, second = make_dataset(project, mia), make_dataset(project, mia)
    import_file(first, mia, as_json([old]), "old.json")
    import_file(
        second,
        mia,
        as_json([short, {**short, "annotator": 4, "annotation_id": 6, "label": "neg"}]),
        "min.json",
    )

    assert annotations_of(first.items.get()) == [
        ("unknown, from old.json", "label", "pos"),
        ("unknown 2, from old.json", "label", "neg"),
    ]
    assert annotations_of(second.items.get()) == [
        ("3, from min.json", "label", "pos"),
        ("4, from min.json", "label", "neg"),
    ]
    assert Annotation.objects.filter(item__dataset=second).first().seconds == 2.5
    assert Dispute.objects.count() == 2


@pytest.mark.postgres
def test_a_second_annotation_of_the_same_person_replaces_their_first(dataset, mia):
    import_file(
        dataset,
        mia,
        as_json([task(1, "a", annotation(1, choice("pos")), annotation(1, choice("neg")))]),
        "p.json",
    )

    first, second = Annotation.objects.order_by("id")
    assert (second.replaces, Slot.objects.get().annotation) == (first, second)
    assert decided(dataset.items.get())[0] == "neg"


@pytest.mark.postgres
def test_a_refused_file_leaves_nothing(dataset, mia, monkeypatch):
    tasks = [
        task(
            n,
            f"t{n}",
            annotation(1, choice("a")),
            annotation(2, choice("ab"[n % 2])),
            annotation(3, was_cancelled=True),
        )
        for n in range(5)
    ]
    upload = receive(dataset, mia, as_json(tasks), "p.json")
    people = User.objects.count()
    job = datasets.accept_upload(upload_id=upload.uuid, actor=mia)
    settle, seen = person_annotations.resolve_batch, []

    def then_cancel(queue, after, by):
        found = settle(queue, after, by)
        seen.append(
            (
                Decision.objects.count(),
                Dispute.objects.count(),
                Annotation.objects.count(),
                queues(mia).count(),
            )
        )
        if len(seen) == 1:
            jobs.cancel(job.uuid, mia)
        return found

    monkeypatch.setattr(person_annotations, "resolve_batch", then_cancel)
    run_jobs("default")

    upload.refresh_from_db()
    assert (upload.state, seen) == (Upload.State.INSPECTED, [(3, 2, 15, 0)])
    left = [
        model.objects.count()
        for model in (Item, Annotation, Slot, SlotSkip, Seat, Queue, Dispute, Decision, Suggestion)
    ]
    assert (left, User.objects.count()) == ([0] * 9, people)
