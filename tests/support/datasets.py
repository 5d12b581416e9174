"""Datasets for tests, made through the real actions and the real import job."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from itertools import count

from datasets_app.datasets import actions
from datasets_app.datasets.models import Dataset, Upload
from registry.ground.access.models import Project, User
from tests.support.jobs import run_ok

_numbers = count(1)


def make_dataset(project: Project, user: User, name: str = "", *, task: str = "single_label") -> Dataset:
    """An empty dataset. user: may create datasets (analyst, engineer, lead)."""
    return actions.create_dataset(
        project=project, actor=user, name=name or f"Inbox {next(_numbers)}", task=task
    )


def csv_bytes(rows: Iterable[Sequence[object]], header: Sequence[str]) -> bytes:
    """Rows as a CSV file in UTF-8."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(header)
    writer.writerows(rows)
    return file.getvalue().encode("utf-8")


def receive(
    dataset: Dataset, user: User, content: bytes, file_name: str = "rows.csv", **choices: object
) -> Upload:
    """A file that was received and inspected, and waits for acceptance."""
    upload = actions.receive_upload(
        dataset=dataset, actor=user, file=io.BytesIO(content), file_name=file_name
    )
    return actions.inspect(upload_id=upload.uuid, actor=user, **choices)


def import_file(
    dataset: Dataset,
    user: User,
    content: bytes,
    file_name: str = "rows.csv",
    *,
    labels_as: str = "decisions",
    default_split: str = "",
    **choices: object,
) -> Upload:
    """A file that was received, inspected, accepted and imported. choices: as `actions.inspect` takes
    them.
    """
    upload = receive(dataset, user, content, file_name, **choices)
    actions.accept_upload(upload_id=upload.uuid, actor=user, labels_as=labels_as, default_split=default_split)
    run_ok("default")
    upload.refresh_from_db()
    return upload


def import_texts(
    dataset: Dataset,
    rows: Iterable[str | Sequence[str]],
    accepted_by: User,
    *,
    header: Sequence[str] = ("text", "label"),
    labels_as: str = "decisions",
    default_split: str = "",
    **choices: object,
) -> Upload:
    """Import rows: plain texts, or (text, label) pairs, or whatever `header` names (text, label, id, group,
    time, split).
    """
    found = list(rows)
    if found and isinstance(found[0], str):
        found, header = [(text,) for text in found], ("text",)
    return import_file(
        dataset,
        accepted_by,
        csv_bytes(found, header),
        labels_as=labels_as,
        default_split=default_split,
        **choices,
    )
