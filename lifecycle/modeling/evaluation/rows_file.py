"""An evaluation's predictions as a file: Parquet as stored, with the digest on the report's page, or CSV
streamed from it.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from django.http import FileResponse, StreamingHttpResponse

from lifecycle.modeling.evaluation import actions
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.ui.cells import inert_cell
from registry.ground.access.models import User
from registry.ground.artifacts import actions as artifacts

ROWS_AT_ONCE = 1_024
PROBABILITIES = "probabilities"


class Line:
    """A file that returns what is written to it, for a csv.writer."""

    def write(self, text: str) -> str:
        """The text."""
        return text


def download(user: User, evaluation: Evaluation, form: str) -> FileResponse | StreamingHttpResponse:
    """The file, with permission to read texts; the audit log records the download. form: parquet or csv.
    Raises PermissionDenied.
    """
    actions.export_rows(evaluation=evaluation, form=form, actor=user)
    name = f"run-{evaluation.run.number}-{evaluation.split}-predictions.{form}"
    digest = evaluation.predictions.digest
    if form == "parquet":
        return FileResponse(
            artifacts.open_blob(digest), as_attachment=True, filename=name, content_type=actions.PARQUET
        )
    return StreamingHttpResponse(
        csv_lines(digest),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def csv_lines(digest: str) -> Iterator[str]:
    """The lines of the CSV, in batches of rows. digest: of the Parquet file."""
    with artifacts.local_copy(digest) as path:
        yield from lines(path)


def lines(path: Path) -> Iterator[str]:
    """One column per field, numbers with all digits, lists as JSON; one probability column per label:
    "probability: card".
    """
    writer: Any = csv.writer(Line())
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        labels = json.loads(schema.metadata[b"labels"]) if PROBABILITIES in schema.names else []
        columns = [name for name in schema.names if name != PROBABILITIES]
        yield writer.writerow(
            [inert_cell(name) for name in (*columns, *(f"probability: {label}" for label in labels))]
        )
        for batch in file.iter_batches(ROWS_AT_ONCE):
            for row in batch.to_pylist():
                yield writer.writerow(
                    [*(cell(row[name]) for name in columns), *map(repr, row.get(PROBABILITIES) or ())]
                )


def cell(value: Any) -> str:
    """A value as text that spreadsheets don't execute; empty if missing."""
    if isinstance(value, float | int):
        return "" if math.isnan(value) else json.dumps(value)
    return inert_cell(value if isinstance(value, str | None) else json.dumps(value, ensure_ascii=False))
