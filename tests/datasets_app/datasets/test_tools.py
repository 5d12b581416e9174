"""Exports of labeling tools: recognised, flattened, one label a text; what cannot be taken is told with its place."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from datasets_app.datasets import queries
from datasets_app.datasets.importing import dry_run, mapping, readers, sniffing
from datasets_app.datasets.importing.readers import Row
from tests.support.datasets import import_file, make_dataset


def lines(*rows: dict) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def read(tmp_path, content: bytes, name: str) -> tuple[str, list[tuple]]:
    path = tmp_path / "file"
    path.write_bytes(content)
    reading = sniffing.propose(path, name, "utf-8")
    found = [
        (each.line, each.values) if isinstance(each, Row) else (each.line, each.code, each.sentence)
        for each in readers.read_rows(path, reading)
    ]  # fmt: skip
    return reading.parser, found


def test_doccano_takes_one_label_and_tells_of_more_and_of_spans(tmp_path):
    content = lines(
        {"id": 1, "text": "a", "label": ["positive"], "meta": {"k": 1}, "Comments": []},
        {"id": 2, "text": "b", "label": []},
        {"id": 3, "data": "c", "labels": ["x", "y"]},
        {"id": 4, "text": "d", "label": [[0, 1, "ORG"]]},
        {"id": 5, "text": "e", "entities": [], "cats": ["z"]},
    )

    assert read(tmp_path, content, "all.jsonl") == ("doccano", [
        (1, {"text": "a", "label": "positive", "id": "1", "meta.k": "1", "Comments": "[]"}),
        (2, {"text": "b", "label": "", "id": "2"}),
        (3, "labels", "Line 3 has 2 labels; a dataset with one label per text takes one."),
        (4, "spans", "Line 4 has marked passages; labels of whole texts are imported here."),
        (5, {"text": "e", "label": "z", "id": "5"}),
    ])  # fmt: skip


def choice(*names: str, **more) -> dict:
    result = [{"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": list(names)}}]
    return {"completed_by": {"id": 3, "email": "a@x.org"}, "result": result, **more}


def test_label_studio_takes_the_choice_that_all_annotations_give(tmp_path):
    tasks = [
        {
            "id": 1,
            "data": {"text": "a", "title": "T"},
            "annotations": [choice("pos"), choice("neg", was_cancelled=True)],
            "meta": {"k": "v"},
        },
        {"id": 2, "data": {"n": 1, "body": "b"}, "annotations": [choice("neg", completed_by=4)], "predictions": [7, 8]},
        {"id": 3, "data": {"text": "c"}, "annotations": [choice("pos"), choice("neg")], "predictions": [9]},
        {"id": 4, "data": {"text": "d"}, "annotations": [choice("pos", ground_truth=True), choice("neg")]},
        {"id": 5, "data": {"text": "e"}, "annotations": [choice("pos", "neg")]},
        {
            "id": 6,
            "data": {"text": "f"},
            "annotations": [{"result": [{"type": "labels", "value": {"start": 0, "end": 1, "labels": ["X"]}}]}],
        },
        {"id": 7, "data": {"text": "g"}, "completions": []},
    ]

    assert read(tmp_path, json.dumps(tasks).encode(), "export.json") == ("labelstudio", [
        (1, {"id": "1", "text": "a", "label": "pos", "data.title": "T", "meta.k": "v", "annotators": "3"}),
        (2, "left_out", "Object 2 names predictions by bare numbers, without what they say; predictions are left out of this import, here and below."),  # noqa: E501
        (2, {"id": "2", "text": "b", "label": "neg", "data.n": "1", "annotators": "4"}),
        (3, "labels", "Object 3 has annotations that differ; the label has to be settled first."),
        (4, {"id": "4", "text": "d", "label": "pos", "annotators": "3"}),
        (5, "labels", "Object 5 has 2 labels; a dataset with one label per text takes one."),
        (6, "spans", "Object 6 has a result of type labels; only choices for a whole text are imported here."),
        (7, {"id": "7", "text": "g", "label": ""}),
    ])  # fmt: skip


def test_only_what_prodigy_accepted_becomes_a_label(tmp_path):
    content = lines(
        {"text": "a", "accept": ["A"], "answer": "accept", "options": [{"id": "A"}], "_task_hash": 1},
        {"text": "b", "label": "A", "answer": "reject", "meta": {"s": 1}},
        {"text": "c", "accept": [], "answer": "ignore"},
        {"text": "d", "label": "B", "answer": "accept"},
        {"text": "e", "accept": ["A", "B"], "answer": "accept"},
        {"text": "f", "spans": [{"start": 0, "end": 1, "label": "X"}], "answer": "accept"},
    )

    assert read(tmp_path, content, "p.jsonl") == ("prodigy", [
        (1, {"text": "a", "label": "A", "answer": "accept", "_task_hash": "1"}),
        (2, {"text": "b", "label": "", "proposed": "A", "answer": "reject", "meta.s": "1"}),
        (3, {"text": "c", "label": "", "answer": "ignore"}),
        (4, {"text": "d", "label": "B", "answer": "accept"}),
        (5, "labels", "Line 5 has 2 labels; a dataset with one label per text takes one."),
        (6, "spans", "Line 6 has marked passages; labels of whole texts are imported here."),
    ])  # fmt: skip


def test_argilla_takes_the_submitted_responses_to_its_one_question(tmp_path):
    def record(number: int, responses: list, status: list) -> dict:
        return {
            "id": f"r{number}", "status": "completed", "text": f"t{number}", "topic.responses": responses, "topic.responses.users": ["u"],
            "topic.responses.status": status, "topic.suggestion": "b", "topic.suggestion.score": 0.5, "source": "mail",
        }  # fmt: skip

    rows = [record(1, ["a"], ["submitted"]), record(2, ["a", "b"], ["submitted", "discarded"]), record(3, ["a", "b"], ["submitted"] * 2)]
    both = {**record(4, ["a"], ["submitted"]), "other.responses": ["x"]}
    kept = {"status": "completed", "source": "mail", "suggestion": "b"}

    assert read(tmp_path, json.dumps([*rows, both]).encode(), "records.json") == ("argilla", [
        (1, {"id": "r1", "text": "t1", "label": "a", **kept}),
        (2, {"id": "r2", "text": "t2", "label": "a", **kept}),
        (3, "labels", "Object 3 has annotations that differ; the label has to be settled first."),
        (4, "labels", "Object 4 answers 2 questions; one is taken."),
    ])  # fmt: skip


@pytest.mark.parametrize("row", [{"text": "a", "label": "x"}, {"text": "a", "data": "b"}, {"instruction": "a", "output": "b"}])
def test_plain_json_is_not_taken_for_an_export(tmp_path, row):
    assert read(tmp_path, lines(row), "a.jsonl")[0] == "jsonl"


def test_a_notice_is_no_row_that_failed(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(json.dumps([{"id": 1, "data": {"text": "a"}, "annotations": [choice("x")], "predictions": [1]}]).encode())
    reading = sniffing.propose(path, "export.json", "utf-8")
    roles = mapping.propose(readers.header(path, reading).columns, dry_run.first_rows(path, reading))
    report = dry_run.examine(path, reading, roles)

    assert (report.rows, report.ok, report.failed, report.counts) == (1, 1, 0, {"left_out": 1})
    assert roles == {"id": "id", "text": "text", "label": "label", "annotators": "metadata"}


@pytest.mark.django_db
def test_an_archive_of_doccano_is_imported_with_its_labels(project, ana):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("all.jsonl", lines({"text": "a", "label": ["x"]}, {"text": "b", "label": ["y"]}))
    dataset = make_dataset(project, ana)
    upload = import_file(dataset, ana, file.getvalue(), "export.zip")

    assert (upload.parser, upload.report["dry_run"]["labels"]) == ("doccano", {"x": 1, "y": 1})
    assert [(item.text, item.member) for item in queries.items(dataset)] == [("a", "all.jsonl"), ("b", "all.jsonl")]
