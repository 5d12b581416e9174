"""The Parquet file of a snapshot."""

from __future__ import annotations

import hashlib

import pyarrow as pa

from datasets_app.snapshots import manifest
from datasets_app.snapshots.rules import Placed, Row

ROWS = 20_000


def test_a_long_manifest_is_read_in_constant_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "ROW_GROUP", ROWS // 10)
    monkeypatch.setattr(manifest, "BATCH", ROWS // 200)
    digests = (hashlib.sha256(str(number).encode()).hexdigest() for number in range(ROWS))
    placed = [
        Placed(Row(each, each[:36], each[::-1], each[:36], "a", "", "", "", ""), "train", each)
        for each in digests
    ]
    path = tmp_path / "manifest.parquet"
    manifest.write(path, placed)
    before, most, count = pa.total_allocated_bytes(), 0, 0

    for row in manifest.read(path):
        if count % manifest.BATCH == 0:
            most = max(most, pa.total_allocated_bytes() - before)
        assert row.item == placed[count].row.item
        count += 1

    assert count == ROWS
    assert most < path.stat().st_size / 2


def test_rows_of_a_split_are_found_by_their_number(tmp_path):
    placed = [
        Placed(Row(each * 64, "", "", "", "a", "", "", "", ""), split, each)
        for each, split in zip("abcd", ("train", "test") * 2, strict=True)
    ]
    manifest.write(tmp_path / "manifest.parquet", placed)

    found = manifest.items_at(tmp_path / "manifest.parquet", "train", {-1, 0, 1, 2})

    assert found == {0: "a" * 64, 1: "c" * 64}
