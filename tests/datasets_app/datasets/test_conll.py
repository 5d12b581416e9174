"""CoNLL import and export: every tag scheme gives the same spans, and an export imports unchanged."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from django.conf import settings

from datasets_app.datasets.importing import readers, sniffing
from datasets_app.datasets.importing.readers import Reading, Row
from datasets_app.queues.queries.decisions import current_decisions
from datasets_app.schemas.queries.labels import latest_schema, names_in
from datasets_app.snapshots import actions
from datasets_app.snapshots.models import Export
from lifecycle.runtime.task_types.spans import conll
from lifecycle.runtime.task_types.values import rename
from registry.ground.artifacts import actions as artifacts
from tests.support.datasets import import_file, make_dataset
from tests.support.jobs import run_ok
from tests.support.snapshots import freeze
from tests.support.unchanged import refused

CONLL = Reading("utf-8", "conll", "", has_header=False)
WNUT = Path(settings.BASE_DIR).parent / "shared" / "data" / "wnut17" / "emerging.dev.conll"
WORDS = ("EU", "rejects", "German", "British", "lamb", "New", "York")
SCHEMES = {
    "IOB1": ("I-ORG", "O", "I-MISC", "B-MISC", "O", "I-LOC", "I-LOC"),
    "IOB2": ("B-ORG", "O", "B-MISC", "B-MISC", "O", "B-LOC", "I-LOC"),
    "BIOES": ("S-ORG", "O", "S-MISC", "S-MISC", "O", "B-LOC", "E-LOC"),
    "BILOU": ("U-ORG", "O", "U-MISC", "U-MISC", "O", "B-LOC", "L-LOC"),
}


def read(path: Path, content: str) -> list[tuple]:
    path.write_text(content, encoding="utf-8")
    found = readers.read_rows(path, CONLL)
    return [(row.line, row.values) if isinstance(row, Row) else (row.line, row.sentence) for row in found]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_of_tags_gives_the_same_spans(tmp_path, scheme):
    content = "".join(f"{word} NNP B-NP {tag}\n" for word, tag in zip(WORDS, SCHEMES[scheme], strict=True))

    ((line, values),) = read(tmp_path / "a", content)

    assert (line, values["text"]) == (1, "EU rejects German British lamb New York")
    assert json.loads(values["spans"]) == [[0, 2, "ORG"], [11, 17, "MISC"], [18, 25, "MISC"], [31, 39, "LOC"]]


def test_document_starts_and_blank_lines_are_not_rows(tmp_path):
    content = "-DOCSTART- -X- -X- O\n\nEU\tB-ORG\n\n\nParis \tB-LOC \n"

    assert [(line, values["text"]) for line, values in read(tmp_path / "a", content)] == [
        (3, "EU"),
        (6, "Paris"),
    ]


def test_a_text_may_begin_with_the_word_that_marks_a_document(tmp_path):
    content = "-DOCSTART-\tO\nEU\tB-ORG\n\n-DOCSTART-\tO\n\nParis\tB-LOC\n"

    assert [values["text"] for _, values in read(tmp_path / "a", content)] == ["-DOCSTART- EU", "Paris"]


def test_a_line_without_a_tag_skips_only_its_sentence(tmp_path):
    assert read(tmp_path / "a", "EU\tB-ORG\nrejects\n\nParis\tB-LOC\n") == [
        (2, "Line 2 isn't a token with a tag such as O or B-PER."),
        (4, {"text": "Paris", "spans": '[[0, 5, "LOC"]]'}),
    ]


def test_a_file_without_blank_lines_is_reported_and_not_kept_in_memory(tmp_path):
    found = read(tmp_path / "a", "word\tO\n" * 30_000)

    assert found == [
        (20_001, "The sentence that starts before line 20,001 has more than 100,000 characters.")
    ]


def test_blanks_in_label_names_become_underscores():
    assert list(conll.tagged("Anna", [(0, 4, "first name")])) == [("Anna", "B-first_name")]


def test_a_tagged_file_is_recognized(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("EU\tB-ORG\nrejects\tO\n\nParis\tB-LOC\n", encoding="utf-8")

    assert sniffing.propose(path, "a.txt", "utf-8") == CONLL


def test_the_longer_of_overlapping_spans_is_kept():
    assert conll.without_overlap([(0, 5, "A"), (3, 12, "B"), (12, 14, "C"), (3, 12, "A")]) == [
        (3, 12, "A"),
        (12, 14, "C"),
    ]


def test_tokens_are_cut_where_spans_begin_and_end():
    assert list(conll.tagged("to Acme, now", [(3, 7, "ORG")])) == [
        ("to", "O"),
        ("Acme", "B-ORG"),
        (",", "O"),
        ("now", "O"),
    ]


def decided(dataset) -> dict[str, object]:
    names = names_in(latest_schema(dataset))
    return {row.item.text: rename(row.value, names) for row in current_decisions(dataset)}


def exported(dataset, mia) -> bytes:
    actions.export(snapshot_id=freeze(dataset, mia).uuid, actor=mia, format="conll")
    run_ok("default")
    with artifacts.local_copy(Export.objects.latest("id").blob.digest) as path:
        return path.read_bytes()


@pytest.mark.django_db
def test_an_export_imports_unchanged(project, ana, mia):
    content = "\n".join(f"Anna{n}\tB-PER\nof\tO\nNew\tB-LOC\nYork\tI-LOC\n" for n in range(12))
    first = make_dataset(project, ana, task="spans")
    import_file(first, ana, content.encode(), "a.conll")

    packed = exported(first, mia)
    second = make_dataset(project, ana, task="spans")
    import_file(second, ana, packed, "a.conll.zip")

    assert sorted(zipfile.ZipFile(io.BytesIO(packed)).namelist()) == [
        "test.conll",
        "train.conll",
        "validation.conll",
    ]
    assert decided(second) == decided(first)
    splits = dict(second.items.values_list("text", "split"))
    assert dict(first.items.values_list("text", "assignment__split")) == splits


@pytest.mark.django_db
def test_a_classification_dataset_cant_be_exported_as_conll(project, ana, mia):
    dataset = make_dataset(project, ana)
    import_file(
        dataset, ana, b"text,label\n" + b"".join(f"text {n},{'ab'[n % 2]}\n".encode() for n in range(20))
    )
    snapshot = freeze(dataset, mia)

    with refused("format", naming=("csv, xlsx, jsonl, parquet, hf, fasttext",)):
        actions.export(snapshot_id=snapshot.uuid, actor=mia, format="conll")
    assert Export.objects.count() == 0


@pytest.mark.skipif(not WNUT.exists(), reason="the shared data sets are not beside the project")
def test_wnut17_is_read_completely():
    found = list(readers.read_rows(WNUT, CONLL))

    rows = [row for row in found if isinstance(row, Row)]
    spans = [span for row in rows for span in json.loads(row.values["spans"])]
    assert (len(rows), len(found) - len(rows)) == (1009, 0)
    assert len(spans) == 836


@pytest.mark.parametrize("ending", ["conll", "iob", "bio"])
def test_a_tagged_file_is_recognized_by_its_name(tmp_path, ending):
    path = tmp_path / "file"
    path.write_text("# global columns, comma separated\nEU,B-ORG\n", encoding="utf-8")

    assert sniffing.propose(path, f"a.{ending}", "utf-8").parser == "conll"


def test_comments_above_a_sentence_are_skipped_but_a_hash_token_is_not(tmp_path):
    assert read(tmp_path / "file", "# id = 1\n# text = EU # 1\nEU\tB-ORG\n#\tO\n1\tO\n") == [
        (3, {"text": "EU # 1", "spans": '[[0, 2, "ORG"]]'})
    ]
