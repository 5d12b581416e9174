"""Exports of labeling tools: recognized and flattened, with all annotations; ignored content is reported with
its position.
"""

from __future__ import annotations

import json

import pytest

from datasets_app.datasets import queries
from datasets_app.datasets.importing import dry_run, mapping, readers, sniffing
from datasets_app.datasets.importing.mapping import Draft
from datasets_app.datasets.importing.report import Problem
from lifecycle.runtime.task_types.answers import Value, canonical
from registry.ground.artifacts import actions as artifacts
from tests.support.datasets import import_file, make_dataset, receive
from tests.support.tools import annotation, as_json, choice, lines, packed, region, span, task


def read(tmp_path, content: bytes, name: str, task: str = "single_label") -> tuple[str, list[tuple]]:
    """The parser, and for each row its line, label, annotations and predictions, or the code and sentence of
    a problem.
    """
    path = tmp_path / "file"
    path.write_bytes(content)
    reading = sniffing.propose(path, name, "utf-8")
    roles = mapping.propose(readers.header(path, reading).columns, dry_run.first_rows(path, reading), task)
    found = list(dry_run.read_drafts(path, reading, roles, "", task))
    return reading.parser, [summary(each) for each in found]


def summary(found: Draft | Problem) -> tuple:
    if isinstance(found, Problem):
        return found.line, found.code, found.sentence
    labeling = found.labeling
    people = [(each.person, "skip" if each.skipped else text_of(each.value)) for each in labeling.answers]
    return (
        found.line,
        text_of(found.value),
        people,
        [(each.model, text_of(each.value), each.score) for each in labeling.guesses],
    )


def text_of(value: Value | None) -> str:
    """A label by its name, any other value as canonical JSON; empty for none."""
    return "" if value is None else value.get("label") or canonical(value)


def test_doccano_labels_have_no_annotator_and_several_are_reported(tmp_path):
    content = lines(
        {"id": 1, "text": "a", "label": ["positive"], "meta": {"k": 1}, "Comments": []},
        {"id": 2, "text": "b", "label": []},
        {"id": 3, "data": "c", "labels": ["x", "y"]},
        {"id": 5, "text": "e", "entities": [], "cats": ["z"]},
    )

    assert read(tmp_path, content, "all.jsonl") == (
        "doccano",
        [
            (1, "positive", [], []),
            (2, "", [], []),
            (3, "labels", "Line 3: There are 2 labels, but this dataset has one label per text."),
            (4, "z", [], []),
        ],
    )


@pytest.mark.parametrize(
    "row",
    [
        {"text": "EU rejects", "label": [[0, 2, "ORG"]]},
        {"text": "EU rejects", "entities": [[0, 2, "ORG"]], "cats": ["news"]},
        {
            "text": "EU rejects",
            "entities": [{"id": 0, "start_offset": 0, "end_offset": 2, "label": "ORG"}],
            "relations": [],
        },
    ],
)
def test_every_form_of_spans_in_doccano_is_read(tmp_path, row):
    value = '{"spans":[{"end":2,"label":"ORG","start":0}]}'

    assert read(tmp_path, lines(row), "all.jsonl", "spans") == ("doccano", [(1, value, [], [])])


def test_generated_texts_of_doccano_are_read(tmp_path):
    content = lines({"text": "Hello!", "label": ["こんにちは！"]}, {"text": "Bye", "label": ["a", "b"]})

    assert read(tmp_path, content, "all.jsonl", "generation") == (
        "doccano",
        [
            (1, '{"text":"こんにちは！"}', [], []),
            (2, "several", "Line 2: One annotator gave 2 texts; this dataset takes one."),
        ],
    )


def test_each_file_of_a_doccano_archive_has_one_annotator(tmp_path):
    row = {"text": "a", "label": ["x"]}
    content = packed(
        zoe__jsonl=lines(row),
        all__jsonl=lines({**row, "label": ["y"]}),
        ben__jsonl=lines({**row, "label": []}),
    )

    assert read(tmp_path, content, "export.zip") == (
        "doccano",
        [
            (1, "y", [], []),
            (1, "", [], []),
            (1, "", [("zoe", "x")], []),
        ],
    )


def test_label_studio_has_all_annotations_and_ignored_content_is_reported(tmp_path):
    tasks = [
        task(1, "a", annotation("a@x.org", choice("pos")), annotation(4, choice("neg"), was_cancelled=True)),
        task(2, "", annotation(4, choice("neg")), data={"n": 1, "body": "b"}, predictions=[7, 8]),
        task(3, "e", annotation(4, choice("pos", "neg"))),
        task(
            4,
            "f",
            predictions=[
                {"model_version": "m", "score": 0.5, "result": [choice("x")]},
                {"result": [choice("x", "y")]},
            ],
        ),
    ]

    assert read(tmp_path, as_json(tasks), "export.json") == (
        "labelstudio",
        [
            (1, "", [("a@x.org", "pos"), ("4", "skip")], []),
            (
                2,
                "left_out",
                (
                    "Object 2 has predictions as bare numbers without labels; these are ignored in the whole"
                    " file."
                ),
            ),
            (2, "empty_text", "Object 2 has no text."),
            (3, "labels", "Object 3: There are 2 labels, but this dataset has one label per text."),
            (4, "unread", "Object 4 has 1 prediction that can't be parsed for this task."),
            (4, "", [], [("m", "x", 0.5)]),
        ],
    )


def test_the_question_that_fits_the_task_is_the_label(tmp_path):
    tasks = [
        task(1, "Anna", annotation(1, span(0, 4, "PER", "Anna"), {**choice("pos"), "from_name": "mood"}))
    ]
    path = tmp_path / "file"
    path.write_bytes(as_json(tasks))
    reading = sniffing.propose(path, "export.json", "utf-8")
    columns = readers.header(path, reading).columns

    assert [
        mapping.propose(columns, dry_run.first_rows(path, reading), kind) for kind in ("spans", "multi_label")
    ] == [
        {"id": "id", "text": "text", "label": "label", "mood": "ignore"},
        {"id": "id", "text": "text", "label": "ignore", "mood": "label"},
    ]


def test_only_accepted_examples_of_prodigy_are_annotations(tmp_path):
    content = lines(
        {"text": "a", "accept": ["A"], "answer": "accept", "options": [{"id": "A"}], "_task_hash": 1},
        {"text": "b", "label": "A", "answer": "reject", "meta": {"s": 1}, "_session_id": "set-ana"},
        {"text": "c", "accept": [], "answer": "ignore", "_session_id": "set-ana"},
        {"text": "d", "label": "B", "answer": "accept", "_session_id": "set-ana", "_timestamp": 1700000000},
        {"text": "e", "accept": ["A", "B"], "answer": "accept"},
    )

    assert read(tmp_path, content, "p.jsonl") == (
        "prodigy",
        [
            (1, "A", [], []),
            (2, "", [], []),
            (3, "", [("set-ana", "skip")], []),
            (4, "", [("set-ana", "B")], []),
            (5, "labels", "Line 5: There are 2 labels, but this dataset has one label per text."),
        ],
    )


def test_spans_of_prodigy_are_read(tmp_path):
    row = {
        "text": "Anna works",
        "spans": [{"start": 0, "end": 4, "label": "PER", "token_start": 0, "token_end": 0}],
        "answer": "accept",
    }

    assert read(tmp_path, lines(row), "p.jsonl", "spans") == (
        "prodigy",
        [
            (1, '{"spans":[{"end":4,"label":"PER","start":0}]}', [], []),
        ],
    )


FLAT = {
    "id": "r1",
    "status": "completed",
    "text": "t1",
    "topic.responses": ["a", "b", None, "c"],
    "topic.responses.users": ["u", "v", "w", "x"],
    "topic.responses.status": ["submitted", "submitted", "discarded", "draft"],
    "topic.suggestion": "b",
    "topic.suggestion.score": 0.5,
    "topic.suggestion.agent": "m1",
    "source": "mail",
}
NESTED = {
    "id": "r1",
    "fields": {"text": "t1"},
    "metadata": {"source": "mail"},
    "suggestions": {"topic": {"value": "b", "score": 0.5, "agent": "m1"}},
    "responses": {
        "topic": [
            {"value": "a", "user_id": "u", "status": "submitted"},
            {"value": "b", "user_id": "v", "status": "submitted"},
            {"value": None, "user_id": "w", "status": "discarded"},
            {"value": "c", "user_id": "x", "status": "draft"},
        ]
    },
    "vectors": {},
}


@pytest.mark.parametrize("record", [FLAT, NESTED])
def test_argilla_has_every_response_and_suggestion(tmp_path, record):
    assert read(tmp_path, json.dumps([record]).encode(), "records.json") == (
        "argilla",
        [
            (1, "left_out", "Object 1 has draft responses; these are ignored in the whole file."),
            (1, "", [("u", "a"), ("v", "b"), ("w", "skip")], [("m1", "b", 0.5)]),
        ],
    )


def test_values_of_argilla_are_read_for_every_task(tmp_path):
    def one(value: object, fields: dict) -> bytes:
        return json.dumps(
            [
                {
                    "id": "r",
                    "fields": fields,
                    "responses": {"q": [{"value": value, "user_id": "u", "status": "submitted"}]},
                }
            ]
        ).encode()

    spans = [{"label": "PER", "start": 0, "end": 4, "score": 1.0}]
    ranks = [{"value": "response-1", "rank": 2}, {"value": "response-2", "rank": 1}]
    cases = {
        "spans": (one(spans, {"text": "Anna"}), '{"spans":[{"end":4,"label":"PER","start":0}]}'),
        "multi_label": (one(["b", "a"], {"text": "t"}), '{"labels":["a","b"]}'),
        "generation": (one("said", {"text": "t"}), '{"text":"said"}'),
        "ranking": (one(ranks, {"responses": ["x", "y"]}), '{"ranking":[1,0]}'),
    }
    for kind, (content, value) in cases.items():
        assert read(tmp_path, content, "r.json", kind) == ("argilla", [(1, "", [("u", value)], [])]), kind


@pytest.mark.parametrize(
    "row", [{"text": "a", "label": "x"}, {"text": "a", "data": "b"}, {"instruction": "a", "output": "b"}]
)
def test_plain_json_isnt_read_as_an_export(tmp_path, row):
    path = tmp_path / "file"
    path.write_bytes(lines(row))

    assert sniffing.propose(path, "a.jsonl", "utf-8").parser == "jsonl"


def test_a_notice_isnt_a_failed_row(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(as_json([task(1, "a", annotation(3, choice("x")), predictions=[1])]))
    reading = sniffing.propose(path, "export.json", "utf-8")
    roles = mapping.propose(readers.header(path, reading).columns, dry_run.first_rows(path, reading))
    report = dry_run.examine(path, reading, roles)

    assert (report.rows, report.ok, report.failed, report.counts) == (1, 1, 0, {"left_out": 1})
    assert roles == {"id": "id", "text": "text", "label": "label"}


@pytest.mark.parametrize(
    ("rows", "files", "parser"),
    [
        ([{"text": "a", "labels": ["x"]}, {"text": "b", "labels": []}], ["rows"], "jsonl"),
        ([{"text": "a", "label": ["x"], "Comments": []}], ["rows"], "doccano"),
        ([{"text": "a", "label": ["x"]}], ["all", "ben"], "doccano"),
        ([{"text": "a", "label": ["x"]}], ["part-1", "part-2"], "jsonl"),
        ([{"text": "a", "label": ["x"]}], ["train", "test"], "jsonl"),
    ],
)
@pytest.mark.django_db
def test_a_list_of_labels_isnt_an_export_if_the_task_takes_several(project, ana, rows, files, parser):
    dataset = make_dataset(project, ana, task="multi_label")
    content = (
        lines(*rows) if len(files) == 1 else packed(**{f"{name}__jsonl": lines(*rows) for name in files})
    )

    assert receive(dataset, ana, content, "rows.jsonl" if len(files) == 1 else "rows.zip").parser == parser


@pytest.mark.django_db
def test_an_archive_of_doccano_is_imported_with_its_labels(project, ana):
    content = packed(all__jsonl=lines({"text": "a", "label": ["x"]}, {"text": "b", "label": ["y"]}))
    dataset = make_dataset(project, ana)
    upload = import_file(dataset, ana, content, "export.zip")

    assert (upload.parser, upload.report["dry_run"]["labels"]) == ("doccano", {"x": 1, "y": 1})
    assert [(item.text, item.member) for item in queries.items(dataset)] == [
        ("a", "all.jsonl"),
        ("b", "all.jsonl"),
    ]


@pytest.mark.django_db
def test_generated_texts_of_doccano_are_values_and_an_empty_list_is_none(project, ana):
    content = lines({"id": 1, "text": "a", "label": ["label1"]}, {"id": 2, "text": "b", "label": []})
    upload = receive(make_dataset(project, ana, task="generation"), ana, content, "admin.jsonl")
    with artifacts.local_copy(upload.blob.digest) as path:
        found = list(dry_run.read_drafts(path, queries.reading_of(upload), upload.mapping, "", "generation"))

    assert (upload.parser, [each.value for each in found]) == ("doccano", [{"text": "label1"}, None])


def test_a_bare_task_of_label_studio_is_its_data(tmp_path):
    tasks = [
        task(1, "a", annotation(4, choice("pos"))),
        {"text": "b"},
        {"id": 3, "text": "c", "meta": {}},
        {"id": 4},
    ]

    assert read(tmp_path, as_json(tasks), "export.json") == (
        "labelstudio",
        [
            (1, "", [("4", "pos")], []),
            (2, "", [], []),
            (3, "", [], []),
            (4, "json", "Object 4 has no data, which Label Studio tasks have."),
        ],
    )


def test_a_question_of_which_all_answers_are_empty_lists_is_one_about_spans_too(tmp_path):
    record = {
        "id": "r1",
        "fields": {"text": "nobody"},
        "responses": {"who": [{"value": [], "user_id": "u1", "status": "submitted"}]},
    }

    found = [read(tmp_path, as_json([record]), "records.json", task)[1] for task in ("spans", "multi_label")]

    assert found == [[(1, "", [("u1", '{"spans":[]}')], [])], [(1, "", [("u1", '{"labels":[]}')], [])]]


def test_numbers_and_ratings_of_label_studio_are_read_where_a_task_takes_them(tmp_path):
    tasks = [
        task(
            1,
            "a",
            annotation(1, region("number", {"number": 3.50}), region("rating", {"rating": 4}, "stars")),
        ),
        task(2, "b", annotation(1, region("number", {"number": "3"}))),
    ]

    assert read(tmp_path, as_json(tasks), "project.json", "regression")[1] == [
        (1, "", [("1", '{"number":3.5}')], []),
        (2, "left_out", "Object 2 has regions of type number; these are ignored in the whole file."),
        (2, "", [], []),
    ]
    assert [row[2] for row in read(tmp_path, as_json(tasks[:1]), "project.json", "single_label")[1]] == [[]]
