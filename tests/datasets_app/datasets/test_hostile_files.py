"""A small file can't block a request or fill memory: it's rejected by its metadata, read in small steps, or
checked by a job.
"""

from __future__ import annotations

import io
import itertools
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.urls import reverse

from datasets_app.datasets import actions, queries
from datasets_app.datasets.actions import examining, inspection
from datasets_app.datasets.importing import dry_run, mapping, readers
from datasets_app.datasets.importing.readers import Reading, archives, columns
from datasets_app.datasets.importing.readers.sources import Member
from datasets_app.datasets.models import Upload
from lifecycle.ground.jobs import actions as jobs
from lifecycle.ground.jobs.models import Job
from tests.support.datasets import csv_bytes, import_file, make_dataset, receive
from tests.support.jobs import run_jobs, run_ok

PARQUET = Reading("", "parquet", "", has_header=False)
ROWS = csv_bytes([[f"text {n}", "a" if n % 2 else "b"] for n in range(30)], ["text", "label"])


def parquet(table: pa.Table, **options: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **{"compression": "zstd", **options})
    return file.getvalue()


def workbook(rows: int) -> bytes:
    book, file = openpyxl.Workbook(), io.BytesIO()
    for each in [("text", "label"), *((f"text {n}", "a") for n in range(rows))]:
        book.active.append(each)
    book.save(file)
    return file.getvalue()


def equal_rows(count: int, text: str = "my card is lost") -> pa.Table:
    """A table that repeats one text, stored once."""
    return pa.table(
        {"text": pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([text]))}
    )


def faults(tmp_path, content: bytes) -> list[str]:
    path = tmp_path / "file"
    path.write_bytes(content)
    return [problem.sentence for problem in columns.header(Member(path), PARQUET).problems if problem.blocks]


# ── By metadata ─────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("limits", "table", "options", "fault"),
    [
        ({"ROWS_LIMIT": 99}, {"text": ["a"] * 100}, {}, "The file has 100 rows; the limit is 99."),
        (
            {"ROWS_LIMIT": 99},
            {"text": ["a"] * 9, "list": [["a"] * 12] * 9},
            {},
            "A row group has 108 values in one column; the limit is 99.",
        ),
        (
            {"RATIO_FROM": 9_000},
            {"text": ["a" * 99] * 20_000},
            {"use_dictionary": False},
            "The file expands to more than 250 times its size, so it's rejected.",
        ),
        (
            {"GROUP_LIMIT": 1_000_000},
            {"text": ["a" * 99] * 20_000},
            {"use_dictionary": False},
            "A row group expands to 1 MB.",
        ),
        (
            {"COLUMNS_LIMIT": 2},
            {"a": ["1"], "b": ["1"], "c": ["1"]},
            {},
            "The file has 3 columns; the limit is 2.",
        ),
    ],
)
def test_parquet_is_rejected_by_its_metadata(tmp_path, monkeypatch, limits, table, options, fault):
    for name, value in limits.items():
        monkeypatch.setattr(columns, name, value)

    assert faults(tmp_path, parquet(pa.table(table), **options)) == [fault]


def test_a_rejected_file_isnt_read(tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "ROWS_LIMIT", 9)
    (tmp_path / "file").write_bytes(parquet(pa.table({"text": ["a"] * 10})))

    assert list(columns.rows(Member(tmp_path / "file"), PARQUET)) == []


@pytest.mark.parametrize("nested", [False, True])
def test_equal_values_of_parquet_are_in_memory_once(tmp_path, nested):
    table = equal_rows(20_000, "x" * 10_000)  # 200 MB of text
    if nested:
        lists = pa.ListArray.from_arrays(
            pa.array(range(0, 20_001, 1_000), pa.int32()), table["text"].combine_chunks().cast(pa.string())
        )
        table = pa.table({"text": ["a"] * 20, "list": lists})
    path = tmp_path / "file"
    path.write_bytes(parquet(table))
    before, most, count = pa.total_allocated_bytes(), 0, 0
    del table

    for _ in columns.rows(Member(path), PARQUET):
        count, most = count + 1, max(most, pa.total_allocated_bytes() - before)

    assert count == (20 if nested else 20_000)
    assert path.stat().st_size < 500_000
    assert most < 20_000_000


def test_repeated_texts_and_lists_are_read_unchanged(tmp_path):
    table = pa.table(
        {"text": ["a", None, "a", "ü"], "list": [["x", "x"], [], None, ["y", None]], "n": [1, 2, 3, 4]}
    )
    path = tmp_path / "file"
    path.write_bytes(parquet(table))

    assert [row.values for row in readers.read_rows(path, PARQUET)] == [
        {"text": "a", "list": '["x", "x"]', "n": "1"},
        {"text": "", "list": "[]", "n": "2"},
        {"text": "a", "list": "", "n": "3"},
        {"text": "ü", "list": '["y", null]', "n": "4"},
    ]


def test_workbooks_in_an_archive_count_towards_its_limits(tmp_path, monkeypatch):
    book, path = workbook(3_000), tmp_path / "file"
    unpacked = sum(info.file_size for info in zipfile.ZipFile(io.BytesIO(book)).infolist())
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a.xlsx", "b.xlsx"):
            archive.writestr(name, book)

    assert readers.find_fault(path, 2 * (len(book) + unpacked)) is None
    monkeypatch.setattr(archives, "WORKBOOK_LIMIT", unpacked)
    assert readers.find_fault(path, 2 * (len(book) + unpacked)) is None
    assert readers.find_fault(path, 2 * (len(book) + unpacked) - 1).sentence.startswith(
        "b.xlsx: It expands to more than"
    )
    monkeypatch.setattr(archives, "WORKBOOK_LIMIT", unpacked - 1)
    assert readers.find_fault(path, 1 << 30).sentence.startswith("a.xlsx: It expands to more than")


@pytest.mark.parametrize(
    "card",
    [
        (
            "a: &a [x, x]\nb: &b [*a, *a]\ndataset_info: {features: [{name: label, dtype: {class_label:"
            " {names: [*b, *b]}}}]}"
        ),
        "dataset_info: {features: [{name: label, dtype: {class_label: {names: [[x], [y]]}}}]}",
    ],
)
def test_class_names_of_a_hostile_card_are_ignored(tmp_path, card):
    path = tmp_path / "file"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("README.md", f"---\n{card}\n---\n")
        archive.writestr("a.csv", "text,label\na,0\n")

    assert readers.open_source(path).names == {}


# ── In a request ────────────────────────────────────────────────────────────
def stop_after(steps: int):
    """A check that raises TooSlow after so many steps."""
    left = itertools.count(steps, -1)

    def check() -> None:
        if next(left) == 0:
            raise readers.TooSlow

    return check


BROKEN = b"text,label\n" + b"only one cell\n" * 40_000
EMPTY_ROWS = b'[{"text": "a"}, ' + b"0, " * 100_000 + b"0]"


@pytest.mark.parametrize(
    ("content", "reading"),
    [
        (ROWS * 900, Reading("utf-8", "csv", ",")),
        (BROKEN, Reading("utf-8", "csv", ",")),
        (EMPTY_ROWS, Reading("utf-8", "json", "", has_header=False)),
        (b'{"text": "a"}\n' * 30_000, Reading("utf-8", "jsonl", "", has_header=False)),
        (b"a O\n\n" * 30_000, Reading("utf-8", "conll", "", has_header=False)),
        (workbook(300), Reading("", "xlsx", "")),
        (parquet(equal_rows(3_000)), PARQUET),
    ],
    ids=["csv", "broken rows", "json", "jsonl", "conll", "xlsx", "parquet"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_reading_any_format_can_be_stopped(tmp_path, content, reading, packed):
    path = tmp_path / "file"
    path.write_bytes(content)
    if packed:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"a.{reading.parser}", content)

    with pytest.raises(readers.TooSlow), readers.watched(stop_after(5)):
        for _ in readers.read_rows(path, reading):
            pass


def test_first_rows_are_taken_only_from_the_first_lines(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(BROKEN + b"text,label\n")

    assert dry_run.first_rows(path, Reading("utf-8", "csv", ",")) == []


def test_spans_of_a_text_that_is_too_long_arent_parsed():
    spans = '[{"start": 0, "end": 5, "label": "A", "text": "wrong"}]'

    assert (
        mapping.Mapper({"text": "text", "spans": "label"}, task="spans")
        .draft(readers.Row(1, {"text": "x" * 100_001, "spans": spans}))
        .code
        == "long_text"
    )


# ── In a job ────────────────────────────────────────────────────────────────
@pytest.fixture
def dataset(project, ana):
    return make_dataset(project, ana)


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(inspection, "AT_ONCE_SECONDS", -1)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "name"),
    [(ROWS, "a.csv"), (parquet(equal_rows(30)), "a.parquet"), (workbook(3), "a.xlsx")],
    ids=["csv", "parquet", "xlsx"],
)
def test_a_slow_dry_run_continues_in_a_job(dataset, ana, impatient, content, name):
    upload = receive(dataset, ana, content, name)

    assert (upload.state, upload.report, Job.objects.get().kind) == ("received", {}, "datasets.inspect")
    (job,) = run_ok()
    upload.refresh_from_db()
    assert (upload.state, upload.report["dry_run"]["blocked"]) == ("inspected", False)


@pytest.mark.django_db
def test_the_page_shows_the_job_with_a_cancel_button_and_then_its_results(
    dataset, ana, impatient, client_for, monkeypatch
):
    client, upload = client_for(ana), receive(dataset, ana, ROWS)
    address = reverse("datasets:upload", args=[upload.uuid])
    job = Job.objects.get()

    page = client.get(address).content.decode()
    assert f'id="job-{job.uuid}"' in page
    assert reverse("jobs:cancel", args=[job.uuid]) in page
    assert reverse("datasets:accept", args=[upload.uuid]) not in page
    monkeypatch.setattr(dry_run, "TICK", 10)
    run_ok()
    job.refresh_from_db()
    assert (job.done, job.total, job.unit) == (30, 31, "rows")
    done = client.get(address)
    assert done.context["found"]["ok"] == 30
    assert f'action="{reverse("datasets:accept", args=[upload.uuid])}"' in done.content.decode()


@pytest.mark.django_db
def test_a_cancelled_dry_run_leaves_the_upload_unchanged(dataset, ana, impatient, monkeypatch):
    upload = receive(dataset, ana, ROWS)
    monkeypatch.setattr(inspection, "CANCEL_SECONDS", 0)
    monkeypatch.setattr(
        examining,
        "find_reading",
        lambda *_, **__: jobs.cancel(Job.objects.get().uuid, ana) and readers.step(),
    )
    run_jobs()

    upload.refresh_from_db()
    assert (Job.objects.get().state, upload.state, upload.report) == ("cancelled", "received", {})


@pytest.mark.django_db
def test_settings_and_mapping_chosen_together_are_one_dry_run(dataset, ana, impatient, client_for):
    upload = receive(dataset, ana, b"a;b\nx;y\n")
    run_ok()
    body = {"delimiter": ";", "mapping": {"a": "label", "b": "text"}}
    client_for(ana).post(f"/api/v1/uploads/{upload.uuid}/inspect/", body, content_type="application/json")

    assert len(run_ok()) == 1
    upload.refresh_from_db()
    assert (upload.delimiter, upload.mapping) == (";", {"a": "label", "b": "text"})


@pytest.mark.django_db
def test_a_dry_run_with_wait_runs_in_the_request(dataset, ana, impatient):
    upload = actions.receive_upload(dataset=dataset, actor=ana, file=io.BytesIO(ROWS), file_name="a.csv")

    assert actions.inspect(upload_id=upload.uuid, actor=ana, wait=True).state == "inspected"
    assert (
        actions.set_mapping(upload_id=upload.uuid, actor=ana, mapping={"text": "text"}, wait=True).mapping[
            "label"
        ]
        == "ignore"
    )


@pytest.mark.django_db
def test_a_page_doesnt_wait_for_slow_first_rows(dataset, ana, client_for, monkeypatch):
    upload = import_file(dataset, ana, workbook(3), "a.xlsx")
    address = reverse("datasets:upload", args=[upload.uuid])

    assert [row.values["text"] for row in queries.first_rows(Upload.objects.get())] == [
        "text 0",
        "text 1",
        "text 2",
    ]
    assert 'data-preview="shown"' in client_for(ana).get(address).content.decode()
    monkeypatch.setattr(queries, "PREVIEW_SECONDS", -1)
    assert queries.first_rows(Upload.objects.get()) is None
    assert 'data-preview="slow"' in client_for(ana).get(address).content.decode()
