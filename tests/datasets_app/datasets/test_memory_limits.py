"""A small file that understates its unpacked size is read in a separate process with a memory limit, and
rejected.
"""

from __future__ import annotations

import io
import os
import signal
import socket
import tracemalloc
import zipfile
from functools import cache

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_app.datasets.actions import inspection
from datasets_app.datasets.importing import confinement, readers
from datasets_app.datasets.importing.readers import Reading, confined
from datasets_app.datasets.importing.readers.shapes import Row
from datasets_app.datasets.importing.report import Problem
from datasets_app.datasets.models import Item
from tests.support.datasets import make_dataset, receive

PARQUET, EXCEL = Reading("", "parquet", "", has_header=False), Reading("", "xlsx", "")
MB = 1024**2


def varint(number: int) -> bytes:
    """A number as in the footer: zigzag, seven bits per byte."""
    number, found = number * 2, bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


@cache
def understated() -> bytes:
    """One page of 150 MB with a footer that states almost no unpacked size."""
    count, file = 150, io.BytesIO()
    ends = pa.array(range(0, count * MB + 1, MB), pa.int64()).buffers()[1]
    texts = pa.LargeStringArray.from_buffers(count, ends, pa.py_buffer(b"x" * (count * MB)))
    options = {
        "use_dictionary": False,
        "write_statistics": False,
        "store_schema": False,
        "data_page_size": 1 << 31,
    }
    pq.write_table(pa.table({"text": texts}), file, compression="zstd", compression_level=1, **options)
    content, found = file.getvalue(), pq.read_metadata(file).row_group(0)
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for size in {found.column(0).total_uncompressed_size, found.total_byte_size}:
        true = varint(size)
        little = bytes([192, *[128] * (len(true) - 2), 0])  # 32, in as many bytes
        assert true in content[footer:]
        content = content[:footer] + content[footer:].replace(true, little)
    return content


@cache
def repeating() -> bytes:
    """468 bytes that state one unpacked megabyte, but expand to 300 MB: each text shares its prefix with the
    one before.
    """
    file = io.BytesIO()
    texts = pa.DictionaryArray.from_arrays(
        pa.array([0] * 300, pa.int32()), pa.array(["x" * 1_000_000], pa.large_string())
    )
    with pq.ParquetWriter(
        file,
        pa.schema({"text": pa.large_string()}),
        use_dictionary=False,
        write_statistics=False,
        column_encoding={"text": "DELTA_BYTE_ARRAY"},
        compression="zstd",
    ) as writer:
        writer.write_table(pa.table({"text": texts.cast(pa.large_string())}))
    return file.getvalue()


TYPES = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"


def many_shared_texts() -> bytes:
    """A workbook of one cell and many shared texts that no cell uses."""
    book, file = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["text"])
    book.save(file)
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(file) as source,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target,
    ):
        for name in source.namelist():
            content = source.read(name)
            if name == "[Content_Types].xml":
                part = b'<Override PartName="/xl/sharedStrings.xml" ContentType="' + TYPES + b'"/></Types>'
                content = content.replace(b"</Types>", part)
            target.writestr(name, content)
        with target.open("xl/sharedStrings.xml", "w") as shared:
            shared.write(b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">')
            for _ in range(30):
                shared.write(b"<si><t>a</t></si>" * 10_000)
            shared.write(b"</sst>")
    return packed.getvalue()


def test_the_hostile_files_are_small_and_understate_their_size():
    assert pq.read_metadata(io.BytesIO(understated())).row_group(0).total_byte_size < 40 * MB
    assert len(repeating()) < 1_000
    assert pq.read_metadata(io.BytesIO(repeating())).row_group(0).total_byte_size < 2 * MB


CASES = [(understated, PARQUET, 100), (repeating, PARQUET, 100), (many_shared_texts, EXCEL, 8)]


@pytest.mark.parametrize(("content", "reading", "memory"), CASES)
def test_the_caller_needs_little_memory_and_the_reader_is_limited(
    tmp_path, monkeypatch, content, reading, memory
):
    monkeypatch.setattr(confined, "MEMORY", memory * MB)
    path = tmp_path / "file"
    path.write_bytes(content())
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0] + pa.total_allocated_bytes()
        tracemalloc.reset_peak()
        found = list(readers.read_rows(path, reading))
        grown = tracemalloc.get_traced_memory()[1] + pa.total_allocated_bytes() - before
    finally:
        tracemalloc.stop()
    *_, end = confined.read_messages(path, reading, "rows")

    assert [(each.code, each.line, each.blocks) for each in found] == [("memory", 1, True)]
    assert grown < 4 * MB
    assert end["end"] == "memory"
    assert end["peak"] < (memory + 150) * MB  # 90 of them are the program


@pytest.mark.django_db
def test_a_file_over_the_limit_is_rejected_by_its_dry_run_and_nothing_is_imported(project, ana, monkeypatch):
    monkeypatch.setattr(confined, "MEMORY", 100 * MB)
    monkeypatch.setattr(inspection, "AT_ONCE_SECONDS", 60.0)
    upload = receive(make_dataset(project, ana), ana, repeating(), "a.parquet")

    found = upload.report["dry_run"]
    assert (upload.state, found["blocked"], found["rows"], found["ok"]) == ("inspected", True, 1, 0)
    assert [each for each in found["problems"] if each["code"] == "memory"] == [
        {
            "line": 1,
            "code": "memory",
            "sentence": "Reading the file takes more than 100 MB of memory, so it's rejected.",
            "fix": (
                "Write it again with pyarrow, polars, or datasets, in smaller row groups, or export CSV or"
                " JSONL."
            ),
            "blocks": True,
            "member": "",
            "notice": False,
        }
    ]
    assert not Item.objects.exists()


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "file"
    pq.write_table(pa.table({"text": [f"text {n}" for n in range(1_200)]}), path)
    return path


def test_a_file_with_a_step_that_takes_too_long_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr(confined, "STEP_SECONDS", -1.0)
    monkeypatch.setattr(confined, "WAIT_MS", 0)
    path = tmp_path / "file"
    path.write_bytes(understated())

    assert [row.code for row in readers.read_rows(path, PARQUET)] == ["slow"]


def test_a_crash_of_the_reader_is_a_problem_after_the_last_row(plain, monkeypatch):
    found = readers.read_rows(plain, PARQUET)
    server = confined.server
    first = next(found)
    rows = [first, *found]

    assert [each.line for each in rows] == list(range(1, 1_201))
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    # another is started
    assert sum(isinstance(each, Row) for each in readers.read_rows(plain, PARQUET)) == 1_200
    messages = iter([{"pid": os.getpid()}, {"rows": [[1, {}]]}])
    monkeypatch.setattr(confined, "received", lambda *_: next(messages, None))
    assert [type(each) for each in readers.read_rows(plain, PARQUET)] == [Row, Problem]


@pytest.mark.parametrize("unread", [b"", b"rows that nobody takes"])
def test_a_reader_exits_when_its_socket_closes(monkeypatch, unread):
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    here, there = socket.socketpair()

    with there:
        there.sendall(unread)
        here.close()
        confinement.leave_when_closed(there)

    assert ended == [0]


def test_cpu_time_of_a_reader_counts_for_its_caller():
    reader = confined.Child(os.getpid())
    reader.seen = -100.0  # a hundred seconds of CPU time
    reader.measure()  # outside of any limit
    reader.seen = -100.0

    with readers.within(99):
        readers.step()
        reader.measure()
        with pytest.raises(readers.TooSlow):
            readers.step()


def test_a_row_that_is_too_long_in_total_is_rejected(tmp_path):
    path = tmp_path / "file"
    pq.write_table(pa.table({f"c{n}": ["x" * 150_000, "y"] for n in range(120)}), path)

    problem, row = readers.read_rows(path, PARQUET)
    assert (problem.code, problem.line, row.line) == ("long_cell", 1, 2)
