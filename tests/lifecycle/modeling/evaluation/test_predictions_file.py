"""All predictions can be downloaded with permission to read texts, and reproduce the report to the last digit
shown.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import accuracy_score, f1_score

from lifecycle.modeling.evaluation import queries, rows_file
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.runtime.task_types.single_label import predictions
from lifecycle.runtime.task_types.single_label.measures import Predictions
from registry.ground.ledger.models import Event
from tests.task_types.examples import TRAINED


def fetched(client, evaluation, form):
    answer = client.get(f"/evaluations/{evaluation.uuid}/predictions.{form}")
    assert answer.status_code == 200
    return b"".join(answer.streaming_content)


def recomputed(rows):
    """Accuracy, macro-F1, and ECE of 15 equal bins, from the columns."""
    right, sure = rows["label"] == rows["predicted"], rows["confidence"].astype(float)
    bins = pd.cut(sure, np.linspace(0, 1, 16), include_lowest=True)
    ece = abs((right - sure).groupby(bins, observed=True).sum()).sum() / len(rows)
    macro = f1_score(rows["label"], rows["predicted"], average="macro")
    return {"accuracy": accuracy_score(rows["label"], rows["predicted"]), "macro_f1": macro, "ece": ece}


@pytest.mark.postgres
def test_the_report_is_recomputed_from_either_file(measured, mia, client_for):
    client = client_for(mia)
    page = client.get(f"/evaluations/{measured.uuid}/").content.decode()
    csv_rows = pd.read_csv(io.BytesIO(fetched(client, measured, "csv")), keep_default_na=False)
    parquet = fetched(client, measured, "parquet")

    for rows in (csv_rows, pd.read_parquet(io.BytesIO(parquet))):
        found = recomputed(rows)
        assert found == pytest.approx({name: measured.report[name] for name in found}, abs=1e-12)
        assert all(f'<td class="num">{value:.3f}</td>' in page for value in found.values())
    assert hashlib.sha256(parquet).hexdigest() == measured.predictions.digest


def test_the_csv_has_every_row_with_its_id_and_the_probability_of_each_label(measured, mia, client_for):
    known = queries.rows_of(measured)

    rows = list(csv.DictReader(io.StringIO(fetched(client_for(mia), measured, "csv").decode())))

    assert [row["id"] for row in rows] == list(known.ids)
    read = [[float(row[f"probability: {label}"]) for label in known.labels] for row in rows]
    assert np.array_equal(np.array(read), known.probabilities)
    items = queries.items_by_digest(measured, known.ids)
    assert set(items) == set(known.ids)


def test_every_task_has_both_files(of_each_task, mia, client_for):
    assert set(of_each_task) == set(TRAINED)
    for task, uuid in of_each_task.items():
        evaluation = Evaluation.objects.select_related("predictions").get(uuid=uuid)
        table = pq.read_table(io.BytesIO(fetched(client_for(mia), evaluation, "parquet")))
        rows = list(csv.DictReader(io.StringIO(fetched(client_for(mia), evaluation, "csv").decode())))
        assert (table.num_rows, len(rows)) == (evaluation.rows, evaluation.rows), task
        plain = {name for name in table.column_names if name != "probabilities"}
        assert plain <= rows[0].keys(), task
        for name in plain:
            for cell, value in zip((row[name] for row in rows), table[name].to_pylist(), strict=True):
                is_there = value is not None and not (isinstance(value, float) and np.isnan(value))
                assert cell == value or (json.loads(cell) == value if is_there else cell == ""), (task, name)


def test_an_export_is_in_the_audit_log_and_needs_permission_to_read_texts(
    measured, mia, lee, otto, client_for
):
    for person, status in ((lee, 403), (otto, 404)):
        assert client_for(person).get(f"/evaluations/{measured.uuid}/predictions.csv").status_code == status
        assert b"predictions.csv" not in client_for(person).get(f"/evaluations/{measured.uuid}/").content
    assert not Event.objects.filter(verb="evaluation.exported").exists()

    fetched(client_for(mia), measured, "parquet")

    event = Event.objects.get(verb="evaluation.exported")
    payload = json.loads(event.canonical)["payload"]
    assert (payload["form"], payload["digest"], payload["rows"]) == (
        "parquet",
        measured.predictions.digest,
        measured.rows,
    )
    assert (
        f"/evaluations/{measured.uuid}/predictions.csv"
        in client_for(mia).get(f"/evaluations/{measured.uuid}/").content.decode()
    )


def test_a_cell_that_looks_like_a_formula_is_none_and_numbers_stay_numbers(tmp_path):
    labels = ('=HYPERLINK("x")', "-1")
    given = Predictions(labels, ("a", "b"), np.array([0, 1]), np.array([[1 - 1e-17, 1e-17], [0.1, 0.9]]))
    predictions.ENTRY.write(tmp_path / "rows.parquet", given, "test")

    header, first, second = csv.reader(io.StringIO("".join(rows_file.lines(tmp_path / "rows.parquet"))))

    assert header == [
        "id",
        "label",
        "predicted",
        "confidence",
        "loss",
        "split",
        "cluster",
        f"probability: {labels[0]}",
        "probability: -1",
    ]
    assert (first[1], second[2]) == (f"'{labels[0]}", "'-1")
    assert [float(each) for each in second[-2:]] == [0.1, 0.9]
    assert not any(cell.startswith("'") for cell in (*first[3:5], *first[6:]))
