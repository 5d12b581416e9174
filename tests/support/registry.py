"""Models, versions, endpoints and promotions for tests.

The rows below a version (dataset, snapshot, run, evaluation) are written directly, with real manifests, files
and predictions: a test needs no training: registration, checks and decisions then go through the real actions
and jobs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import IO

import numpy as np
from django.db import transaction
from django.utils import timezone

from datasets_app.datasets.models import Dataset, Item, Upload
from datasets_app.datasets.rules import UploadState
from datasets_app.queues.models import Decision
from datasets_app.schemas.models import Label, LabelSchema
from datasets_app.snapshots import manifest
from datasets_app.snapshots.models import Snapshot, SplitAssignment
from datasets_app.snapshots.queries import rows_of
from datasets_app.snapshots.rules import Placed, Row
from lifecycle.modeling.evaluation import rules
from lifecycle.modeling.evaluation.actions import keep_finding
from lifecycle.modeling.evaluation.findings import Finding
from lifecycle.modeling.evaluation.models import Analysis, Evaluation
from lifecycle.modeling.training.models import BaseModel, Run
from lifecycle.modeling.training.rules import RunState
from lifecycle.runtime.task_types.single_label import measures as single_label
from lifecycle.runtime.task_types.single_label import predictions
from registry.catalog import actions as catalog
from registry.catalog import queries
from registry.catalog.models import Alias, Endpoint, ModelVersion, PackedExport, RegisteredModel
from registry.ground.access.models import Project, User
from registry.ground.artifacts.actions import put_bytes, put_file, put_folder
from registry.ground.artifacts.models import Folder
from registry.ground.ledger.actions import record
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb
from registry.policies import queries as policies
from registry.policies.actions import publish
from registry.policies.models import Policy
from registry.promotions import actions as promotions
from registry.promotions.models import PromotionRequest
from tests.support.jobs import run_ok
from tests.support.people import PASSWORD

LABELS = ["billing", "delivery", "refund"]
LAX = """
format: 1
name: standard
title: Lax
gates: {leakage: {}, signature: {}}
steps: [{name: technical, title: Technical review, role: lead}]
days_to_decide: 14
days_valid: 7
"""
LOW, POINT = "bound: low\n    at_most_worse: 0.020", "bound: point\n    at_most_worse: 0.010"
STATED = {
    "purpose": "Route support messages.",
    "limits": "English only.",
    "risks": "Wrong routing delays an answer.",
}
_numbers = count(1)


def publish_by_value() -> Policy:
    """The standard policy, but the value of the difference to the live version counts: of a few rows its
    interval shows nothing.
    """
    text = policies.STANDARD.read_text(encoding="utf-8")
    assert LOW in text
    return publish(text=text.replace(LOW, POINT), actor=None)


def make_snapshot(
    project: Project,
    accepted_by: User,
    *,
    train: int = 30,
    test: int = 200,
    dataset: Dataset | None = None,
    frozen_by: User | None = None,
    channels: Sequence[str] = ("",),
) -> Snapshot:
    """A snapshot whose labels were imported and accepted by one person, who froze it unless another did.
    channels: in the items' metadata, in turn; empty: none.
    Rows: train + test, labels in turn, and stand in the files in this order: which rows are wrong doesn't
    depend on how many worlds were made before.
    """
    n = next(_numbers)
    dataset = dataset or Dataset.objects.create(
        project=project, slug=f"inbox-{n}", name=f"Inbox {n}", language="en", created_by=accepted_by
    )
    schema = LabelSchema.objects.create(
        dataset=dataset, version=dataset.schemas.count() + 1, digest=digest_of(["schema", n])
    )
    labels = [Label.objects.create(schema=schema, name=name, position=at) for at, name in enumerate(LABELS)]
    upload = Upload.objects.create(
        dataset=dataset,
        blob=put_bytes(b"text,label"),
        file_name="inbox.csv",
        size=10,
        state=UploadState.IMPORTED,
        uploaded_by=accepted_by,
        accepted_by=accepted_by,
    )
    items = Item.objects.bulk_create(
        Item(
            dataset=dataset,
            upload=upload,
            line=at + 2,
            text=f"Message {at} of {n:05}",
            digest=f"{at:06x}{digest_of(['item', n, at])[6:]}",
            normal_digest=digest_of(["normal", n, at]),
            metadata={"channel": channel} if (channel := channels[at % len(channels)]) else {},
        )
        for at in range(train + test)
    )
    decisions = Decision.objects.bulk_create(
        Decision(
            item=item,
            label=labels[at % len(labels)],
            how=Decision.How.IMPORTED,
            by=accepted_by,
            digest=digest_of(["decision", n, at]),
            reason="imported",
        )
        for at, item in enumerate(items)
    )
    placed = [place(decision, "train" if at < train else "test") for at, decision in enumerate(decisions)]
    placed.sort(key=lambda each: each.row.item)
    snapshot = write_snapshot(dataset, schema, placed, frozen_by or accepted_by)
    by_digest = {item.digest: item for item in items}
    SplitAssignment.objects.bulk_create(
        SplitAssignment(
            item=by_digest[each.row.item], split=each.split, cluster=each.cluster, snapshot=snapshot
        )
        for each in placed
    )
    return snapshot


def place(decision: Decision, split: str) -> Placed:
    """A labeled item in its split."""
    item = decision.item
    row = Row(
        item.digest,
        str(item.uuid),
        decision.digest,
        str(decision.uuid),
        decision.label.name,
        item.normal_digest,
        "",
        "",
        split,
    )
    return Placed(row, split, item.normal_digest)


def write_snapshot(dataset: Dataset, schema: LabelSchema, placed: list[Placed], by: User) -> Snapshot:
    """The dataset version's row with its real manifest."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manifest.parquet"
        manifest.write(path, placed)
        blob = put_file(path)
    splits = {split: sum(each.split == split for each in placed) for split in ("train", "validation", "test")}
    digests = [each.row.item for each in placed]
    tests = [each.row.item for each in placed if each.split == "test"]
    labels = {name: {} for name in LABELS}
    made = Snapshot(
        dataset=dataset,
        number=dataset.snapshots.count() + 1,
        schema=schema,
        manifest=blob,
        digest=digest_of(digests),
        test_digest=digest_of(tests),
        seed=1,
        shares={"train": 80, "test": 20},
        counts={
            "rows": len(placed),
            "splits": splits,
            "labels": labels,
            "label_protocol": {"decisions": {"imported": len(placed)}, "agreement": {"n": 0}},
        },
        leakage={},
        created_by=by,
    )
    with transaction.atomic():
        made.save()
        record(
            by,
            Verb.SNAPSHOT_CREATED,
            made,
            project=dataset.project.uuid,
            dataset=dataset.uuid,
            number=made.number,
            digest=made.digest,
            test_digest=made.test_digest,
            manifest=blob.digest,
            schema=schema.uuid,
        )
    return made


def make_trained_run(
    snapshot: Snapshot,
    launched_by: User,
    *,
    wrong: int = 3,
    evaluated: bool = True,
    artifact: Folder | None = None,
) -> Run:
    """A run that succeeded, with files of its own. wrong: how many test rows its evaluation answers
    wrongly.
    """
    n, project = next(_numbers), snapshot.dataset.project
    base = BaseModel.objects.filter(project=project, name="tiny-base").first() or make_base(project)
    spec = {"epochs": 2, "batch_size": 32, "learning_rate": 0.001, "max_tokens": 64, "seed": n}
    run = Run.objects.create(
        project=project,
        number=project.runs.count() + 1,
        snapshot=snapshot,
        base=base,
        strategy=Run.Strategy.LORA,
        spec=spec,
        spec_digest=digest_of(spec),
        code_version="0.1.0",
        state=RunState.SUCCEEDED,
        launched_by=launched_by,
        artifact=artifact or make_artifact(n),
        finished_at=timezone.now(),
        result={"seconds": 12.5, "trainable_parameters": 1000, "total_parameters": 20000, "int8": None},
    )
    with transaction.atomic():
        record(
            launched_by,
            Verb.RUN_LAUNCHED,
            run,
            project=project.uuid,
            snapshot=snapshot.uuid,
            base=base.uuid,
            spec_digest=run.spec_digest,
        )
        record(
            None,
            Verb.RUN_ENDED,
            run,
            project=project.uuid,
            state=run.state,
            artifact=run.artifact.root_digest,
        )
    if evaluated:
        evaluate(run, snapshot, launched_by, wrong=wrong)
    return run


def make_base(project: Project) -> BaseModel:
    """What the runs of a project begin with; its files are not kept."""
    made = BaseModel(
        project=project,
        name="tiny-base",
        kind=BaseModel.Kind.PACKAGE,
        source="tiny",
        facts={"licence": "apache-2.0"},
    )
    with transaction.atomic():
        made.save()
        record(
            None,
            Verb.BASE_MODEL_ADDED,
            made,
            project=project.uuid,
            kind=made.kind,
            source=made.source,
            revision=made.revision,
        )
    return made


def make_artifact(n: int):
    """A folder in the shape of the engine's artifact; its weights are some bytes."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "artifact"
        (folder / "serving").mkdir(parents=True)
        (folder / "lifecycle.json").write_text(f'{{"format": 1, "task": "single_label", "n": {n}}}')
        (folder / "adapter_model.safetensors").write_bytes(bytes([n % 256]) * 2000)
        (folder / "serving" / "model.onnx").write_bytes(bytes([(n + 1) % 256]) * 3000)
        return put_folder(folder)


def evaluate(run: Run, snapshot: Snapshot, by: User, *, wrong: int = 3) -> Evaluation:
    """An evaluation on the dataset version's test split, with real metrics of predictions of which `wrong`
    are wrong.
    """
    rows = list(manifest_rows(snapshot))
    truth = np.array([LABELS.index(row.label) for row in rows])
    shares = np.full((len(rows), len(LABELS)), 0.02)
    for at, right in enumerate(truth):
        shares[at, (right + 1) % len(LABELS) if at < wrong else right] = 0.96
    answers = predictions.Predictions(tuple(LABELS), tuple(row.item for row in rows), truth, shares)
    report = single_label.ENTRY.report(answers, count=200) | {
        "baselines": {"majority": {"accuracy": 0.34, "macro_f1": 0.17}}
    }
    with tempfile.TemporaryDirectory() as folder:
        predictions.ENTRY.write(Path(folder) / "predictions.parquet", answers, "test")
        blob = put_file(Path(folder) / "predictions.parquet")
    made = Evaluation(
        run=run,
        root_digest=run.artifact.root_digest,
        snapshot=snapshot,
        split="test",
        rows=len(rows),
        report=rules.finite(report),
        predictions=blob,
        created_by=by,
    )
    made.report_digest = made.computed_digest
    with transaction.atomic():
        made.save()
        record(
            by,
            Verb.EVALUATION_RECORDED,
            made,
            project=snapshot.dataset.project.uuid,
            run=run.uuid,
            split=made.split,
            rows=made.rows,
            root_digest=made.root_digest,
            report_digest=made.report_digest,
            snapshot_digest=snapshot.digest,
        )
    return made


def make_membership(version: ModelVersion, report: dict[str, float]) -> Analysis:
    """What a job found of the version's evaluation. report: auc, low, high."""
    return keep_finding(version.evaluation, Analysis.Kind.MEMBERSHIP, Finding(report), actor=None)


def manifest_rows(snapshot: Snapshot):
    return rows_of(snapshot, "test")


def make_model(project: Project, owner: User) -> RegisteredModel:
    """A registered model. owner: may create models (engineer, lead)."""
    n = next(_numbers)
    return catalog.create_model(
        project=project, name=f"Intents {n}", slug=f"intents-{n}", purpose=STATED["purpose"], actor=owner
    )


def make_version(
    project: Project,
    trainer: User,
    labeler: User,
    *,
    model: RegisteredModel | None = None,
    snapshot: Snapshot | None = None,
    semver: str = "1.0.0",
    wrong: int = 3,
    stated: dict[str, str] | None = None,
    artifact: Folder | None = None,
    registrar: User | None = None,
) -> ModelVersion:
    """A version registered by the real job, by its trainer unless registrar is given; another user accepted
    its labels.
    """
    model = model or make_model(project, trainer)
    run = make_trained_run(
        snapshot or make_snapshot(project, labeler), trainer, wrong=wrong, artifact=artifact
    )
    catalog.register(
        model=model,
        run=run,
        semver=semver,
        actor=registrar or trainer,
        stated=STATED if stated is None else stated,
    )
    run_ok("default")
    return ModelVersion.objects.get(model=model, semver=semver)


def exported(version: ModelVersion, actor: User) -> IO[bytes]:
    """The zip of a version, made by the real job and downloaded."""
    catalog.ask_export(version=version, actor=actor)
    run_ok("default")
    return catalog.download(version=version, actor=actor)


def copies_are_as_packed() -> None:
    """Have exports whose files were copied with what a test begins with be downloaded as those that were
    packed.
    """
    for packed in PackedExport.objects.select_related("card"):
        packed.stamp = queries.stamp_of(queries.export_path(packed.card).stat())
        packed.save()


def make_endpoint(
    model: RegisteredModel, creator: User, *, slug: str = "", environment: str = "production"
) -> Endpoint:
    """An endpoint on which nothing is live."""
    slug = slug or f"inbox-prod-{next(_numbers)}"
    return catalog.create_endpoint(
        model=model, slug=slug, environment=environment, keep_text=True, actor=creator
    )


def endpoint_rows(endpoint: Endpoint, number: int) -> list[Endpoint]:
    """So many more endpoints of a model as rows, as lists read them; nothing is live on them."""
    copied = {
        name: getattr(endpoint, name) for name in ("model", "project", "environment", "policy", "created_by")
    }
    made = Endpoint.objects.bulk_create(
        Endpoint(slug=f"inbox-prod-row-{at}", **copied) for at in range(number)
    )
    Alias.objects.bulk_create(Alias(endpoint=each) for each in made)
    return made


def asked_request(
    version: ModelVersion,
    endpoint: Endpoint,
    requester: User,
    note: str = "Better on refunds.",
    plan: dict[str, object] | None = None,
) -> PromotionRequest:
    """A request whose gates were checked by the real job: in review when they passed. plan: None for all
    traffic at once.
    """
    request = promotions.request(version=version, endpoint=endpoint, note=note, actor=requester, plan=plan)
    run_ok("default")
    request.refresh_from_db()
    return request


def approve(
    request: PromotionRequest,
    reviewer: User,
    *,
    reason: str = "Better where it counts.",
    seen: str | None = None,
) -> PromotionRequest:
    """One approval with the right password, of the request as it is now."""
    seen = PromotionRequest.objects.get(pk=request.pk).subject_digest if seen is None else seen
    return promotions.approve(
        request_id=request.uuid, actor=reviewer, reason=reason, password=PASSWORD, seen=seen
    )


def approved_request(
    version: ModelVersion,
    endpoint: Endpoint,
    requester: User,
    lead: User,
    governance: User,
    plan: dict[str, object] | None = None,
) -> PromotionRequest:
    """A request that an ML lead and a governance reviewer have approved."""
    request = asked_request(version, endpoint, requester, plan=plan)
    approve(request, lead)
    return approve(request, governance)
