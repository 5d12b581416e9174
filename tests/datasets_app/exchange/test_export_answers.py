"""Data imported from another tool is exported unchanged, with the new annotations added."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from datasets_app.datasets.models import Dataset
from datasets_app.exchange.actions.exports import export_annotations
from datasets_app.exchange.models import Export
from datasets_app.exchange.queries import exports as reading
from datasets_app.prelabels.models import Suggestion
from datasets_app.queues.models import Queue
from datasets_app.queues.queries.decisions import current_decision
from datasets_app.review.actions.reviews import adjudicate
from datasets_app.schemas.queries.labels import labels_by_name, latest_schema, names_in, value_of
from lifecycle.runtime.task_types.answers import canonical
from lifecycle.runtime.task_types.values import rename
from registry.ground.access.models import User
from registry.ground.artifacts import actions as artifacts
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support.datasets import import_file, import_texts, make_dataset
from tests.support.jobs import run_ok
from tests.support.labeling import annotate, make_queue
from tests.support.tools import annotation, as_json, choice, lines, packed, region, span, task
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


def exported(dataset: Dataset, user: User, format: str, queue: Queue | None = None) -> bytes:
    """The bytes of a new export."""
    export_annotations(
        dataset_id=dataset.uuid, actor=user, format=format, queue_id=queue.uuid if queue else None
    )
    run_ok("default")
    with artifacts.open_blob(Export.objects.latest("id").blob.digest) as file:
        return file.read()


def unpacked(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def tasks_in(content: bytes) -> list[dict[str, Any]]:
    return json.loads(unpacked(content)["project.json"])


def account(dataset: Dataset) -> list[tuple]:
    """The items and annotations of a dataset, in order, as values that can be compared across datasets."""
    names = names_in(latest_schema(dataset))
    found = []
    for item in dataset.items.order_by("id"):
        rows = (
            item.annotations.select_related("user", "label").filter(replaced_by__isnull=True).order_by("id")
        )
        annotations = sorted(
            (
                row.user.first_name or row.user.email,
                row.action,
                canonical(rename(value_of(row), names)) if row.action == "label" else "",
            )
            for row in rows
        )
        decision = current_decision(item)
        guesses = sorted(
            (row.source_name, canonical(rename(value_of(row), names)), row.score)
            for row in Suggestion.objects.filter(item=item)
        )
        ruling = canonical(rename(value_of(decision), names)) if decision else ""
        found.append((item.external_id, item.text, item.content, annotations, ruling, guesses))
    return found


PROJECT = [
    {
        "id": 41,
        "data": {"text": "Anna works\r\nat Siemens 👨🏻‍🚒", "source": "mail", "n": 1.5},
        "meta": {"k": [1, {"z": None}]},
        "annotations": [
            annotation(
                "ana@x.org",
                span(0, 4, "PER", "Anna"),
                span(15, 22, "ORG", "Siemens"),
                id=901,
                custom={"a": 1},
            ),
            annotation(
                7,
                span(0, 4, "PER", "Anna"),
                {"type": "relation", "from_id": "a", "to_id": "b"},
                lead_time=1e1,
            ),
            annotation("eva@x.org", was_cancelled=True, id=903, lead_time=None),
        ],
        "predictions": [
            {"id": 5, "model_version": "m1", "score": 0.9, "result": [span(0, 4, "PER", "Anna")]},
            {"id": 6, "model_version": "m2", "score": 0.1, "result": [], "cluster": 3},
        ],
        "inner_id": 1,
        "total_annotations": 3,
        "file_upload": "x.json",
    },
    task(42, "nobody was here", predictions=[17], drafts=[]),
    task(
        43, "golden", annotation("ana@x.org", span(0, 6, "ORG", "golden"), ground_truth=True), annotation(7)
    ),
    task(44, "golden", annotation(8, span(0, 6, "PER", "golden"))),
    task(45, "", annotation(8)),
]
CONFIG = b"""<View><Labels name="label" toName="text"><Label value="PER"/><Label value="ORG"/><Label value="LOC"/></Labels>
<Text name="text" value="$text"/></View>"""  # noqa: E501


@pytest.fixture
def project_of_spans(project, mia, ana) -> Dataset:
    User.objects.filter(pk=ana.pk).update(email="ana@x.org")
    dataset = make_dataset(project, mia, task="spans")
    upload = import_file(
        dataset,
        mia,
        packed(project__json=as_json(PROJECT).replace(b'"n": 1.5', b'"n": 1.50'), config__xml=CONFIG),
        "project.zip",
    )
    assert (upload.parser, upload.rows_new, upload.rows_duplicate, upload.rows_failed) == (
        "labelstudio",
        3,
        1,
        1,
    )
    return dataset


@pytest.mark.postgres
def test_an_unchanged_label_studio_project_is_exported_unchanged(project_of_spans, mia):
    files = unpacked(exported(project_of_spans, mia, "labelstudio"))

    assert json.loads(files["project.json"]) == PROJECT
    assert '"n": 1.50' in files["project.json"]
    assert files["config.xml"].encode() == CONFIG
    assert list(labels_by_name(latest_schema(project_of_spans))) == ["PER", "ORG", "LOC"]
    row = Export.objects.get()
    assert (row.items, row.annotations, row.dropped, row.file_name) == (
        3,
        5,
        {},
        f"{project_of_spans.slug}-labelstudio.zip",
    )
    assert (
        json.loads(Event.objects.get(verb=Verb.ANNOTATIONS_EXPORTED).canonical)["payload"]["file"]
        == row.blob.digest
    )


def test_new_annotations_are_appended_to_exported_items(project_of_spans, mia, ana, ravi):
    items = list(project_of_spans.items.order_by("id"))
    queue = make_queue(project_of_spans, mia, source="all")
    annotate(queue, ana, items[1], {"spans": [{"start": 0, "end": 6, "label": "LOC"}]}, seconds=3)
    imported = Queue.objects.get(source="imported")
    labels = {label.name: str(label.stable_id) for label in queue.schema.labels.all()}
    value = {"spans": [{"start": 0, "end": 4, "label": labels["ORG"]}]}
    adjudicate(queue_id=imported.uuid, item_id=items[0].uuid, actor=ravi, value=value, reason="it is a firm")

    first, second, *rest = tasks_in(exported(project_of_spans, mia, "labelstudio"))

    assert ({**first, "annotations": first["annotations"][:-1]}, rest) == (PROJECT[0], PROJECT[2:])
    assert {
        key: first["annotations"][-1][key] for key in ("completed_by", "ground_truth", "was_cancelled")
    } == {
        "completed_by": {"email": "ravi@example.test"},
        "ground_truth": True,
        "was_cancelled": False,
    }
    (fresh,) = second["annotations"]
    assert (fresh["completed_by"], fresh["ground_truth"], fresh["lead_time"]) == (
        {"email": "ana@x.org"},
        False,
        3.0,
    )
    assert fresh["result"][0] | {"id": ""} == {
        "id": "",
        "from_name": "label",
        "to_name": "text",
        "type": "labels",
        "value": {"start": 0, "end": 6, "text": "nobody", "labels": ["LOC"]},
    }


def test_a_queue_is_exported_with_its_own_items_and_annotations_only(project_of_spans, mia, ana):
    items = list(project_of_spans.items.order_by("id"))
    queue = make_queue(project_of_spans, mia, source="items", item_ids=[items[1].pk])

    assert tasks_in(exported(project_of_spans, mia, "labelstudio", queue)) == [PROJECT[1]]
    assert (
        tasks_in(exported(project_of_spans, mia, "labelstudio", Queue.objects.get(source="imported")))
        == PROJECT
    )


def test_a_label_studio_export_is_imported_as_the_same_data(project_of_spans, project, mia):
    again = make_dataset(project, mia, task="spans")
    import_file(again, mia, exported(project_of_spans, mia, "labelstudio"), "again.zip")

    assert account(again) == account(project_of_spans)


def test_labels_of_a_table_are_exported_as_ground_truth_of_the_person_who_accepted_them(project, mia):
    User.objects.filter(pk=mia.pk).update(email="mia@x.org")
    dataset = make_dataset(project, mia)
    import_texts(dataset, [("a", "pos", "r1"), ("b", "", "r2")], mia, header=("text", "label", "id"))

    first, second = tasks_in(exported(dataset, mia, "labelstudio"))
    (made,) = first["annotations"]
    assert (first["id"], first["data"], made["ground_truth"], made["completed_by"]) == (
        "r1",
        {"text": "a"},
        True,
        {"email": "mia@x.org"},
    )
    assert (made["result"][0]["value"], second["annotations"]) == ({"choices": ["pos"]}, [])


PAIR = task(
    1,
    "",
    annotation(1, region("pairwise", {"selected": "right"})),
    data={"prompt": "q", "response1": "a", "response2": "b"},
)


DOCCANO = {
    "all.jsonl": [
        {"id": 1, "text": "a", "label": ["x"], "Comments": ["look"], "meta": {"k": 1}},
        {"id": 2, "text": "b", "label": []},
    ],
    "ana@x.org.jsonl": [{"id": 1, "text": "a", "label": ["x"]}, {"id": 2, "text": "b", "label": ["y"]}],
    "ben.jsonl": [{"id": 1, "text": "a", "label": ["y"]}, {"id": 2, "text": "b", "label": []}],
}
PRODIGY = [
    {
        "text": "a",
        "accept": ["x"],
        "answer": "accept",
        "_session_id": "set-ana",
        "_input_hash": 5,
        "_timestamp": 1700000000,
    },
    {
        "text": "a",
        "accept": ["y"],
        "answer": "accept",
        "_session_id": "set-ben",
        "_input_hash": 5,
        "_timestamp": 1700000001,
    },
    {
        "text": "b",
        "accept": ["y"],
        "answer": "reject",
        "_session_id": "set-ben",
        "meta": {"k": 1},
        "options": [{"id": "x"}, {"id": "y"}],
    },
    {"text": "c", "accept": [], "answer": "ignore", "_session_id": "set-ana", "_task_hash": -7},
]
ARGILLA = [
    {
        "id": "r1",
        "status": "completed",
        "fields": {"text": "a"},
        "metadata": {"source": "mail"},
        "vectors": {"v": [0.5, 1.25]},
        "suggestions": {"topic": {"value": "x", "score": 0.5, "agent": "m1"}},
        "responses": {
            "topic": [
                {"value": "x", "user_id": "u1", "status": "submitted"},
                {"value": "y", "user_id": "u2", "status": "submitted"},
                {"value": "x", "user_id": "u3", "status": "draft"},
                {"value": None, "user_id": "u4", "status": "discarded"},
            ]
        },
    },
    {
        "id": "r2",
        "text": "b",
        "topic.responses": ["y"],
        "topic.responses.users": ["u1"],
        "topic.responses.status": ["submitted"],
    },
]


@pytest.fixture
def records_and_examples(project, mia, ana) -> tuple[Dataset, Dataset]:
    """A dataset imported from Argilla, and one from Prodigy."""
    User.objects.filter(pk=ana.pk).update(email="ana@x.org")
    argilla, prodigy = make_dataset(project, mia), make_dataset(project, mia)
    import_file(argilla, mia, json.dumps(ARGILLA).encode(), "records.json")
    import_file(prodigy, mia, lines(*PRODIGY), "examples.jsonl")
    return argilla, prodigy


def test_unchanged_argilla_records_and_prodigy_examples_are_exported_unchanged(records_and_examples, mia):
    argilla, prodigy = records_and_examples

    assert json.loads(exported(argilla, mia, "argilla")) == ARGILLA
    assert [json.loads(line) for line in exported(prodigy, mia, "prodigy").splitlines()] == PRODIGY
    assert [row["dropped"] for row in Export.objects.values("dropped")] == [{}, {}]


def test_new_annotations_are_added_to_records_and_after_examples(records_and_examples, mia, ana):
    argilla, prodigy = records_and_examples
    for dataset in (argilla, prodigy):
        annotate(
            make_queue(dataset, mia, source="all"),
            ana,
            dataset.items.order_by("id")[1],
            {"label": "x"},
            seconds=2,
        )

    first, second = json.loads(exported(argilla, mia, "argilla"))
    assert first == ARGILLA[0]
    assert {key: second[f"topic.responses{key}"] for key in ("", ".users", ".status")} == {
        "": ["y", "x"],
        ".users": ["u1", "ana@x.org"],
        ".status": ["submitted", "submitted"],
    }
    assert Export.objects.get().dropped == {"Annotation times: Argilla has none.": 1}
    rows = [json.loads(line) for line in exported(prodigy, mia, "prodigy").splitlines()]
    assert [row for row in rows if row in PRODIGY] == PRODIGY
    assert rows[3] | {"_timestamp": 0} == {
        "text": "b",
        "meta": {"k": 1},
        "accept": ["x"],
        "answer": "accept",
        "_session_id": "ana@x.org",
        "_timestamp": 0,
    }


def test_an_item_without_annotations_is_its_own_line_for_prodigy(project, mia):
    dataset = make_dataset(project, mia)
    import_file(dataset, mia, lines({"text": "a"}, {"text": "b", "label": "x"}), "two.jsonl")

    rows = [json.loads(line) for line in exported(dataset, mia, "prodigy").splitlines()]

    assert [(row["text"], row.get("accept")) for row in rows] == [("a", None), ("b", ["x"])]


def test_each_doccano_annotator_has_a_file_and_all_has_the_resolved_labels(project, mia, ana):
    User.objects.filter(pk=ana.pk).update(email="ana@x.org")
    dataset = make_dataset(project, mia)
    content = packed(**{name.replace(".jsonl", "__jsonl"): lines(*rows) for name, rows in DOCCANO.items()})
    import_file(dataset, mia, content, "export.zip")

    files = {
        name: [json.loads(line) for line in text.splitlines()]
        for name, text in unpacked(exported(dataset, mia, "doccano")).items()
    }
    beside = {"Comments": ["look"], "meta": {"k": 1}}
    assert files == {
        "all.jsonl": [
            {"id": 1, "text": "a", "label": ["x"], **beside},
            {"id": 2, "text": "b", "label": ["y"]},
        ],
        "ana@x.org.jsonl": [
            {"id": 1, "text": "a", "label": ["x"], **beside},
            {"id": 2, "text": "b", "label": ["y"]},
        ],
        "ben.jsonl": [{"id": 1, "text": "a", "label": ["y"], **beside}],
    }
    again = make_dataset(project, mia)
    import_file(again, mia, exported(dataset, mia, "doccano"), "again.zip")
    assert account(again) == account(dataset)


def test_what_a_format_cannot_represent_is_counted_or_refused(project, mia, ana):
    dataset = make_dataset(project, mia, task="preference")
    import_file(dataset, mia, as_json([PAIR]), "p.json")
    annotate(make_queue(dataset, mia, source="all"), ana, dataset.items.get(), {"choice": "tie"})
    exported(dataset, mia, "labelstudio")

    assert Export.objects.get().dropped == {
        "Annotations without a preferred response: Label Studio's Pairwise control only supports left and right.": (  # noqa: E501
            1
        )
    }
    with refused("format", naming=("Label Studio, Argilla",)):
        export_annotations(dataset_id=dataset.uuid, actor=mia, format="prodigy")
    assert Export.objects.count() == 1


def test_only_people_who_may_export_texts_export_annotations(project_of_spans, ana, lee, ravi):
    for person in (ana, lee):
        with pytest.raises(PermissionDenied):
            export_annotations(dataset_id=project_of_spans.uuid, actor=person, format="labelstudio")
    assert not Export.objects.exists()
    exported(project_of_spans, ravi, "labelstudio")
    assert Export.objects.get().created_by == ravi


def test_the_number_of_queries_does_not_grow_with_the_items(project, mia, django_assert_num_queries):
    dataset = make_dataset(project, mia)
    for start, count in ((0, 3), (3, 40)):
        import_file(
            dataset,
            mia,
            as_json([task(n, f"t{n}", annotation(n % 3, choice("x"))) for n in range(start, start + count)]),
            "p.json",
        )
    scope = reading.scope_of(dataset, None)
    for upload in reading.uploads_in(scope):
        with django_assert_num_queries(5):
            list(reading.facts(scope, upload))
