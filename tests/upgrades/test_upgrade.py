"""An installation of each version that is kept becomes one of this version, with everything that it had."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.apps import apps
from django.core.cache import cache
from django.test import Client

from datasets_app.datasets import queries as datasets
from datasets_app.datasets.importing import readers, sniffing
from datasets_app.datasets.importing.readers import Reading, Row
from datasets_app.datasets.models import Upload
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.models import Export, Snapshot
from lifecycle.modeling.evaluation import queries as evaluations
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.runtime import bundle
from registry.catalog import actions as catalog
from registry.catalog import signed_cards
from registry.catalog.models import Card, ModelVersion, PackedExport
from registry.catalog.queries import export_path
from registry.ground.access.models import User
from registry.ground.artifacts import actions as artifacts
from registry.ground.artifacts.models import Blob
from registry.ground.ledger import keys
from tests.support import upgrade
from tests.support.kept import data_folder
from tests.support.people import sign_in
from tests.support.trail import faults
from tests.task_types.examples import BUILT_IN

pytestmark = pytest.mark.postgres

LISTS = (
    *(
        "/",
        "/jobs/",
        "/notices/",
        "/datasets/",
        "/labeling/",
        "/data-issues/",
        "/dataset-versions/",
        "/runs/",
        "/runs/sweeps/",
        "/evaluations/",
    ),
    *(
        "/policies/",
        "/models/",
        "/promotions/",
        "/endpoints/",
        "/drift/",
        "/alerts/",
        "/rollouts/",
        "/retraining/",
        "/dashboard/",
    ),
)
PAGES = {  # of the newest things of a kind: how many of them, and which pages each has
    "datasets.Dataset": (
        1,
        (
            "/datasets/{}/",
            "/labeling/datasets/{}/schema/",
            "/data-issues/dataset/{}/",
            "/dataset-versions/dataset/{}/",
        ),
    ),
    "datasets.Upload": (1, ("/datasets/uploads/{}/",)),
    "datasets.Item": (1, ("/datasets/items/{}/", "/trace/items/{}/")),
    "queues.Queue": (9, ("/labeling/{}/", "/labeling/{}/quality/")),
    "assist.LabelingFunction": (1, ("/labeling/functions/{}/",)),
    "snapshots.Snapshot": (1, ("/dataset-versions/{}/", "/trace/dataset-versions/{}/")),
    "training.Run": (1, ("/runs/{}/", "/evaluations/run/{}/")),
    "training.Sweep": (1, ("/runs/sweeps/{}/",)),
    "evaluation.Evaluation": (14, ("/evaluations/{}/",)),
    "evaluation.SideBySide": (1, ("/evaluations/side-by-side/{}/",)),
    "policies.Policy": (1, ("/policies/{}/",)),
    "catalog.RegisteredModel": (1, ("/models/{}/",)),
    "catalog.ModelVersion": (1, ("/models/versions/{}/", "/endpoints/versions/{}/", "/trace/versions/{}/")),
    "promotions.PromotionRequest": (1, ("/promotions/{}/",)),
    "catalog.Endpoint": (
        2,
        (
            "/endpoints/{}/",
            "/traffic/endpoints/{}/",
            "/drift/endpoints/{}/",
            "/alerts/endpoints/{}/",
            "/rollouts/endpoints/{}/",
        ),
    ),
    "endpoints.Deployment": (1, ("/endpoints/deployments/{}/",)),
    "traffic.Prediction": (1, ("/traffic/predictions/{}/", "/trace/predictions/{}/")),
    "traffic.Kpi": (1, ("/traffic/kpis/{}/",)),
    "alerts.Alert": (1, ("/alerts/{}/",)),
    "rollouts.Rollout": (1, ("/rollouts/{}/",)),
    "retraining.Proposal": (1, ("/retraining/{}/",)),
    "access.Project": (1, ("/access/projects/{}/",)),
}


@dataclass(frozen=True)
class Installation:
    """folder: what was kept. database: the connection to its rows, which are in this version's tables."""

    folder: Path
    database: Any

    def read(self, name: str) -> Any:
        """One of the documents beside its rows."""
        return json.loads((self.folder / name).read_bytes())

    def kept_rows(self) -> dict[str, list[list[Any]]]:
        """The rows that it had, by table; of each table the names of the columns stand first."""
        return {
            path.stem: [json.loads(line) for line in path.read_text().split("\n") if line]
            for path in (self.folder / "rows").iterdir()
        }


@pytest.fixture(scope="module", params=upgrade.kept_versions())
def upgraded(request, tmp_path_factory, django_db_setup, django_db_blocker) -> Iterator[Installation]:
    """The rows of a kept version, migrated to this one, beside its data folder."""
    folder = upgrade.unpack(request.param, tmp_path_factory.mktemp("upgraded"))
    with django_db_blocker.unblock(), upgrade.own_database(folder) as database:
        with data_folder(folder / "data"):
            upgrade.restore_and_migrate(folder)
        yield Installation(folder, database)


@pytest.fixture
def installation(upgraded, settings, monkeypatch, django_db_blocker) -> Iterator[Installation]:
    """It is the one that the product runs on."""
    data = upgraded.folder / "data"
    settings.DATA_DIR, settings.CHECKPOINT_DIR = data, data / "checkpoints"
    settings.SECRET_KEY = (data / "secret_key").read_text().strip()
    settings.STORAGES = settings.STORAGES | {
        name: {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": data / folder},
        }
        for name, folder in (("default", "uploads"), ("blobs", "blobs"))
    }
    cache.clear()
    with django_db_blocker.unblock(), upgrade.connected(upgraded.database):
        yield upgraded


def test_the_version_that_is_named_is_kept():
    assert upgrade.present_version() in upgrade.kept_versions()


def test_a_version_that_is_kept_has_a_row_in_every_table(upgraded):
    empty = {name for name, rows in Installation.kept_rows(upgraded).items() if len(rows) < 2}

    assert empty <= upgrade.EMPTY.keys()


def test_every_row_is_there_and_reads_as_it_did(installation):
    known = {model._meta.label: model for model in upgrade.tables(apps)}
    lost = {}
    for label, (names, *kept) in installation.kept_rows().items():
        if (model := known.get(label)) is None or {field.attname for field in upgrade.columns(model)} != {
            *names
        }:
            continue  # a later version has changed the table, and has tests of its own for how
        now = {json.dumps(row, sort_keys=True) for row in upgrade.rows_of(model, names)}
        if missing := [row for row in kept if json.dumps(row, sort_keys=True) not in now]:
            lost[label] = missing[:2]

    assert lost == {}


def test_the_audit_log_and_what_it_records_verify(installation):
    assert [str(fault) for fault in faults()] == []


def test_the_live_version_answers_as_it_did(installation):
    known = installation.read("answers.json")

    now = upgrade.served_answers(known["texts"])

    assert now["labels"] == known["labels"]
    np.testing.assert_allclose(now["scores"], known["scores"], atol=1e-5)


def test_every_blob_has_its_digest_and_its_size(installation):
    wrong = []
    for blob in Blob.objects.all():
        with artifacts.open_blob(blob.digest) as file:
            content = file.read()
        if (hashlib.sha256(content).hexdigest(), len(content)) != (blob.digest, blob.size):
            wrong.append(blob.digest)

    assert wrong == []
    assert Blob.objects.count() > 100


def test_uploaded_files_are_read(installation):
    parsers, wrong = set(), []
    for upload in Upload.objects.filter(state="imported"):
        with artifacts.local_copy(upload.blob.digest) as path:
            rows = list(readers.read_rows(path, datasets.reading_of(upload)))
        wrong += [f"{upload.file_name}: {row}" for row in rows if not isinstance(row, Row)]
        parsers.add(upload.parser)

    assert wrong == []
    assert parsers >= {"csv", "jsonl", "json", "parquet", "xlsx", "txt"}


def test_dataset_versions_are_read_as_training_data(installation, tmp_path):
    for snapshot in Snapshot.objects.select_related("dataset"):
        for split, count in snapshot.counts["splits"].items():
            path = tmp_path / f"{snapshot.uuid}-{split}.jsonl"
            snapshots.write_split(snapshot, split, path)
            assert len(path.read_text(encoding="utf-8").splitlines()) == count, snapshot
        assert len(list(snapshots.open_snapshot(snapshot))) == snapshot.counts["rows"]

    assert {*Snapshot.objects.values_list("dataset__task", flat=True)} >= {*BUILT_IN}


def test_exports_are_read(installation):
    known, wrong = set(), []
    for model in ("snapshots.Export", "exchange.Export", "datasets.Export"):
        for made in apps.get_model(model).objects.exclude(blob=None):
            with artifacts.local_copy(made.blob.digest) as path:
                wrong += (
                    [made.file_name] if zipfile.is_zipfile(path) and zipfile.ZipFile(path).testzip() else []
                )
    for made in Export.objects.filter(format__in=("csv", "xlsx", "jsonl", "parquet")).select_related(
        "blob", "snapshot"
    ):
        with artifacts.local_copy(made.blob.digest) as path:
            binary = sniffing.binary_kind(path)
            reading = (
                Reading("", binary) if binary else sniffing.propose(path, f"file.{made.format}", "utf-8")
            )
            rows = list(readers.read_rows(path, reading))
        wrong += [] if len(rows) == made.snapshot.counts["rows"] else [f"{made.snapshot} as {made.format}"]
        known.add(made.format)

    assert wrong == []
    assert known == {"csv", "xlsx", "jsonl", "parquet"}


def test_predictions_and_reports_are_read(installation):
    for evaluation in Evaluation.objects.select_related("run", "snapshot__dataset"):
        assert len(evaluations.rows_of(evaluation).ids) == evaluation.rows
        assert evaluation.computed_digest == evaluation.report_digest


def test_versions_and_their_cards_have_signatures_that_hold(installation):
    for version in ModelVersion.objects.all():
        assert bundle.root_digest(catalog.verify(version)) == version.root_digest
    assert [signed_cards.problem(card) for card in Card.objects.all()] == [""] * Card.objects.count()


def test_an_exported_version_verifies_by_itself(installation, tmp_path):
    packed = PackedExport.objects.select_related("card__version").get()
    with zipfile.ZipFile(export_path(packed.card)) as file:
        file.extractall(tmp_path)

    bundle.verify(tmp_path, keys.public_key_path())
    (tmp_path / "model" / "README.md").unlink()  # put beside the signed files for the Hub
    bundle.verify(tmp_path / "model", keys.public_key_path(), expected_root=packed.card.version.root_digest)


def test_pages_of_every_room_open(installation):
    client, auditor = Client(raise_request_exception=False), Client(raise_request_exception=False)
    sign_in(client, User.objects.get(username="mia"))
    sign_in(auditor, User.objects.get(username="aida"))
    found = [
        path.format(uuid)
        for label, (count, paths) in PAGES.items()
        for uuid in apps.get_model(label).objects.order_by("-id").values_list("uuid", flat=True)[:count]
        for path in paths
    ]

    wrong = {path: status for path in (*LISTS, *found) if (status := client.get(path).status_code) != 200}

    assert wrong == {}
    assert auditor.get("/audit/").status_code == 200
