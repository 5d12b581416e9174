"""Evaluations of a run are listed, and the predictions of every row fetched as a file."""

from __future__ import annotations

import hashlib

import pytest

from lifecycle.modeling.evaluation import queries
from tests.support import training


@pytest.fixture
def run(project, mia):
    return training.make_run(training.make_snapshot(project, mia, name="Inbox"), mia)


def test_they_are_listed_and_their_rows_fetched_whole(as_person, mia, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command, evaluation = as_person(mia), queries.latest_evaluation(run, "test")

    listed = command("evaluations", "list", "1")
    parquet, table = (
        command("evaluations", "download", "1"),
        command("evaluations", "download", "1", "--format", "csv", "--to", "rows.csv"),
    )

    assert {line.split()[0] for line in listed.out.splitlines()[1:]} == {"validation", "test"}
    assert parquet.out == f"run-1-test-predictions.parquet: {evaluation.rows} rows.\n"
    content = (tmp_path / "run-1-test-predictions.parquet").read_bytes()
    assert hashlib.sha256(content).hexdigest() == evaluation.predictions.digest
    assert (table.code, len((tmp_path / "rows.csv").read_text().splitlines())) == (0, evaluation.rows + 1)


def test_what_is_not_there_or_not_theirs_writes_no_file(as_person, mia, lee, run, tmp_path):
    target = str(tmp_path / "rows.csv")

    absent = as_person(mia)("evaluations", "download", "1", "--split", "train", "--to", target)
    hidden = as_person(lee)("evaluations", "download", "1", "--format", "csv", "--to", target)

    assert (absent.code, absent.err) == (
        1,
        "Run 1 has no evaluation on train. See: lifecycle evaluations list 1\n",
    )
    assert (hidden.code, list(tmp_path.glob("*rows*"))) == (1, [])
