"""gzip and ZIP: one logical file whose positions name the file inside, or a refusal that leaves nothing."""

from __future__ import annotations

import gzip
import io
import json
import stat
import struct
import zipfile
from itertools import count

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_app.datasets import actions, queries
from datasets_app.datasets.importing import readers
from datasets_app.datasets.importing.readers import archives
from datasets_app.datasets.models import Upload
from registry.ground.artifacts.models import Blob
from tests.support.datasets import import_file, make_dataset, receive
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db
LIMIT = 50_000_000


@pytest.fixture
def dataset(project, ana):
    return make_dataset(project, ana)


def pack(files: dict[str, bytes | str], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def parquet(rows: dict[str, list], metadata: dict | None = None) -> bytes:
    file = io.BytesIO()
    table = pa.table(rows)
    pq.write_table(table.replace_schema_metadata(metadata) if metadata else table, file)
    return file.getvalue()


def workbook(rows: list[list]) -> bytes:
    book, file = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


def fault(tmp_path, content: bytes, limit: int = LIMIT) -> str:
    path = tmp_path / "file"
    path.write_bytes(content)
    found = readers.find_fault(path, limit)
    return found.sentence if found else ""


def test_a_gzip_file_is_read_as_its_content(dataset, ana):
    upload = import_file(dataset, ana, gzip.compress(b"text,label\nhello,a\nbye\n"), "rows.csv.gz")

    assert (upload.parser, upload.encoding, upload.rows_new, upload.rows_failed) == ("csv", "utf-8", 1, 1)
    assert [(item.member, item.line, item.text) for item in queries.items(dataset)] == [("", 2, "hello")]


@pytest.mark.postgres
def test_files_of_an_archive_are_one_file_and_every_position_has_their_name(dataset, ana):
    content = pack(
        {
            "b.csv": "text,label\nthree,x\nragged\n",
            "a.csv": "text,label,note\none,x,n\n one ,y,\ntwo,y,\n",
            "README.md": "hi",
        }
    )
    upload = import_file(dataset, ana, content, "rows.zip")
    found = upload.report["dry_run"]

    assert [(item.member, item.line, item.text, item.position) for item in queries.items(dataset)] == [
        ("a.csv", 2, "one", "line 2 of a.csv"),
        ("a.csv", 3, " one ", "line 3 of a.csv"),
        ("a.csv", 4, "two", "line 4 of a.csv"),
        ("b.csv", 2, "three", "line 2 of b.csv"),
    ]
    assert [(p["member"], p["line"], p["code"], p["sentence"]) for p in found["problems"]] == [
        ("b.csv", 0, "header", "b.csv has no column 'note'; its rows are empty there."),
        ("b.csv", 3, "ragged", "Line 3 has 1 cell; there are 2 columns."),
    ]
    assert found["columns"] == ["text", "label", "note"]


def test_splits_and_class_names_of_a_hugging_face_folder_are_imported(dataset, ana):
    features = {"info": {"features": {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}}}
    meta = {"huggingface": json.dumps(features)}
    content = pack(
        {
            "set/README.md": "---\nlicense: mit\n---\n",
            "set/data/train-00000-of-00002.parquet": parquet({"text": ["a", "b"], "label": [0, 1]}, meta),
            "set/data/train-00001-of-00002.parquet": parquet({"text": ["c"], "label": [1]}, meta),
            "set/data/validation-00000-of-00001.parquet": parquet({"text": ["d"], "label": [-1]}, meta),
            "set/data/test-00000-of-00001.parquet": parquet({"text": ["e"], "label": [1]}, meta),
        }
    )
    upload = receive(dataset, ana, content, "set.zip")

    assert (upload.parser, upload.encoding) == ("parquet", "")
    assert upload.mapping == {"text": "text", "label": "label", "split": "split"}
    assert upload.report["dry_run"]["labels"] == {"neg": 1, "pos": 3}
    assert upload.report["dry_run"]["splits"] == {"train": 3, "validation": 1, "test": 1}


def test_class_names_of_a_card_apply_to_jsonl_files(dataset, ana):
    card = "---\ndataset_info:\n  features:\n  - name: text\n    dtype: string\n  - name: label\n    dtype:\n      class_label:\n        names:\n          '0': no\n          '1': maybe\n          '10': eleven\n---\n# Card\n"  # noqa: E501
    content = pack(
        {
            "README.md": card,
            "train.jsonl": '{"text": "a", "label": 1}\n',
            "test.jsonl": '{"text": "b", "label": -1}\n',
        }
    )
    upload = receive(dataset, ana, content, "set.zip")

    assert upload.report["dry_run"]["labels"] == {"maybe": 1}
    assert upload.report["dry_run"]["splits"] == {"train": 1, "test": 1}


def test_workbooks_are_read_alone_and_in_an_archive(dataset, ana):
    one = workbook([["text", "label"], ["007", "x"]])

    assert receive(dataset, ana, one, "a.xlsx").parser == "xlsx"
    upload = receive(dataset, ana, pack({"a.xlsx": one, "b.xlsx": workbook([["text"], ["two"]])}), "both.zip")
    assert (upload.parser, upload.report["dry_run"]["ok"]) == ("xlsx", 2)


@pytest.mark.parametrize(
    ("encoding", "found"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16"), ("cp1252", "")],
)
def test_encodings_are_as_strict_inside_an_archive(dataset, ana, encoding, found):
    content = pack({"a.csv": "text\nplain\nÜber\n".encode(encoding)})
    for upload in (
        receive(dataset, ana, content, "a.zip"),
        receive(dataset, ana, gzip.compress("text\nx\nÜber\n".encode(encoding)), "a.csv.gz"),
    ):
        report = upload.report["dry_run"]
        assert (upload.encoding, report["blocked"]) == (found, not found)
        if not found:
            assert [p["line"] for p in report["problems"]] == [3]
            upload = actions.inspect(upload_id=upload.uuid, actor=ana, encoding=encoding)
            report = upload.report["dry_run"]
        assert (report["ok"], report["columns"]) == (2, ["text"])


def test_a_byte_order_mark_in_only_one_file_isnt_part_of_its_text(dataset, ana):
    upload = receive(dataset, ana, pack({"a.csv": b"\xef\xbb\xbftext\na\n", "b.csv": b"text\nb\n"}), "a.zip")

    assert (upload.encoding, upload.report["dry_run"]["columns"], upload.report["dry_run"]["ok"]) == (
        "utf-8-sig",
        ["text"],
        2,
    )


def link(name: str, target: str) -> bytes:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(info, target)
    return file.getvalue()


def flagged(content: bytes, bit: int) -> bytes:
    """The same archive with a bit set in both flag fields of its first entry."""
    changed = bytearray(content)
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.index(mark) + at
        changed[place : place + 2] = struct.pack(
            "<H", struct.unpack("<H", content[place : place + 2])[0] | bit
        )
    return bytes(changed)


ROWS = "text,label\na,x\n"
BINARY = "The gzip file contains a binary file, not CSV, TSV, JSONL, JSON, text, CoNLL, Parquet, or Excel."
BOMB = "It expands to more than 250 times its size, so it's rejected."


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: pack({"../../etc/cron.csv": ROWS}), "../../etc/cron.csv points outside the archive."),
        (lambda: pack({"/etc/cron.csv": ROWS}), "/etc/cron.csv points outside the archive."),
        (lambda: pack({"a\\..\\b.csv": ROWS}), "a\\..\\b.csv points outside the archive."),
        (lambda: pack({"C:/a.csv": ROWS}), "C:/a.csv points outside the archive."),
        (lambda: link("a.csv", "/etc/passwd"), "a.csv is a link, not a file."),
        (lambda: flagged(pack({"a.csv": ROWS}), 1), "a.csv is encrypted."),
        (
            lambda: pack({"a.csv": ROWS, "inner.zip": pack({"b.csv": ROWS})}),
            "inner.zip is an archive inside the archive.",
        ),
        (lambda: pack({"a.csv": pack({"b.csv": ROWS})}), "a.csv is a ZIP archive."),
        (
            lambda: pack({"a.csv": ROWS, "b.jsonl": '{"text": "a"}'}),
            "The archive mixes CSV (a.csv) and JSONL (b.jsonl).",
        ),
        (
            lambda: pack({"a.csv": ROWS, "photo.png": b"\x89PNG"}),
            "photo.png isn't CSV, TSV, JSONL, JSON, text, CoNLL, Parquet, or Excel.",
        ),
        (lambda: pack({"a.csv": b"\x89PNG" + bytes(50)}), "a.csv is a picture."),
        (lambda: pack({"README.md": "hi"}), "The archive has no data files."),
        (
            lambda: pack({f"{n}.csv": ROWS for n in range(1_001)}),
            "The archive has 1,001 files; the limit is 1,000.",
        ),
        (lambda: pack({f"{n}.csv": "" for n in range(2_500)}), "The archive has more than 1,000 files."),
        (lambda: pack({"a.csv": ROWS})[:-30], "The archive is damaged or truncated."),
        (lambda: pack({"a.csv": bytes(30_000_000)}), BOMB),
        (lambda: gzip.compress(bytes(60_000_000)), BINARY),
        (lambda: gzip.compress(ROWS.encode() * 100)[:-9], "The gzip file is damaged or truncated."),
        (
            lambda: gzip.compress(ROWS.encode()) + b"rubbish behind it",
            "The gzip file is damaged or truncated.",
        ),
        (lambda: gzip.compress(pack({"a.csv": ROWS})), "The gzip file contains another archive."),
        (lambda: gzip.compress(gzip.compress(ROWS.encode())), "The gzip file contains another archive."),
        (lambda: gzip.compress(b""), "The gzip file contains an empty file."),
    ],
    ids=count(),
)
def test_hostile_and_damaged_archives_are_refused_in_one_sentence(tmp_path, make, sentence):
    assert fault(tmp_path, make()) == sentence


def test_an_archive_that_unpacks_to_more_than_the_limit_is_refused(tmp_path):
    for content in (
        pack({"a.csv": ROWS, "b.csv": bytes(3_000_000)}),
        gzip.compress(b"text\n" + b"a" * 3_000_000),
    ):
        assert fault(tmp_path, content, limit=2 * 1024**2) == "It expands to more than 2 MB."


def test_sizes_in_headers_are_not_trusted(tmp_path):
    content = bytearray(pack({"a.csv": ROWS + "b" * 5_000}))
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = content.index(mark) + at
        content[place : place + 4] = struct.pack("<I", 5)

    assert fault(tmp_path, bytes(content)) == "The archive is damaged or truncated."


def test_a_workbook_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "WORKBOOK_LIMIT", 1_000_000)
    content = pack(
        {"[Content_Types].xml": "<x/>", "xl/workbook.xml": "<x/>", "xl/sharedStrings.xml": " " * 2_000_000}
    )

    assert fault(tmp_path, content) == "It expands to more than 0 MB."


def test_hundreds_of_files_and_names_in_odd_encodings_are_read(dataset, ana):
    files = {f"part-{n:03}.csv": f"text\ntext {n}\n" for n in range(300)}
    odd = pack({"na\u202eme-\u00fc.csv": "text\nodd\n"})

    assert receive(dataset, ana, pack(files), "many.zip").report["dry_run"]["ok"] == 300
    upload = import_file(dataset, ana, odd, "odd.zip")
    assert [item.member for item in queries.items(dataset)] == ["na\N{REPLACEMENT CHARACTER}me-\u00fc.csv"]
    assert upload.rows_new == 1


def test_the_directory_of_an_archive_is_read_as_often_for_many_files_as_for_few(dataset, ana, monkeypatch):
    read, begin = [], zipfile.ZipFile.__init__

    def counted(self, file, mode="r", *args, **more):
        read.append(mode)
        begin(self, file, mode, *args, **more)

    monkeypatch.setattr(zipfile.ZipFile, "__init__", counted)
    reads = []
    for size in (2, 40):
        content = pack({f"{size} {n}.csv": f"text\ntext {n}\n" for n in range(size)})
        read.clear()
        receive(dataset, ana, content, f"{size}.zip")
        reads.append(read.count("r"))

    assert reads[0] == reads[1]


def test_a_refused_archive_leaves_nothing(dataset, ana):
    with refused():
        receive(dataset, ana, pack({"../a.csv": ROWS}), "a.zip")

    assert Upload.objects.count() == Blob.objects.count() == 0
