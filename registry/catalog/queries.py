"""Reading the catalog: models, versions, endpoints; and the facts that a version freezes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Count, QuerySet
from django.utils import timezone

from datasets_app.snapshots.models import Snapshot
from lifecycle.ground.jobs.models import Job
from lifecycle.modeling.evaluation.models import Evaluation
from lifecycle.modeling.evaluation.rules import leading_of, metrics_of
from lifecycle.modeling.training.models import Run
from lifecycle.modeling.training.rules import RunState
from lifecycle.runtime.task_types.measures import Metric
from lifecycle.ui import paging
from registry.catalog.models import Alias, Card, Endpoint, Freeze, ModelVersion, PackedExport, RegisteredModel
from registry.catalog.signed_cards import WRITTEN
from registry.ground.access import policy
from registry.ground.access.policy import Person
from registry.ground.ledger import accounts
from registry.ground.ledger.accounts import LoggedEvent
from registry.ground.ledger.rules import SYSTEM, digest_of
from registry.ground.ledger.verbs import Verb

PAGE = 30


@dataclass(frozen=True, slots=True)
class VersionLine:
    """A version as a table shows it. score: {"value", "low", "high"} of `leading` on its frozen test split,
    or None.
    """

    version: ModelVersion
    live_on: tuple[str, ...]
    leading: Metric
    score: dict[str, float | None] | None


@dataclass(frozen=True, slots=True)
class Export:
    """A version as a zip that can be downloaded. size: in bytes."""

    size: int
    made_at: datetime


def models(user: Person) -> QuerySet[RegisteredModel]:
    """The registered models that the user may see, by name."""
    rows = RegisteredModel.objects.select_related("project", "owner").annotate(
        version_count=Count("versions")
    )
    return policy.visible_to(user, rows, "catalog.view").order_by("name", "pk")


def versions(user: Person) -> QuerySet[ModelVersion]:
    """The versions that the user may see, newest first."""
    rows = ModelVersion.objects.select_related(
        "model__project", "run__snapshot__dataset", "evaluation", "folder", "registered_by"
    )
    return policy.visible_to(user, rows, "catalog.view").order_by("-pk")


def endpoints(user: Person) -> QuerySet[Endpoint]:
    """The endpoints that the user may see, by slug."""
    rows = Endpoint.objects.select_related("model__project", "policy", "alias__version")
    return policy.visible_to(user, rows, "catalog.view").order_by("slug", "pk")


def version_lines(model: RegisteredModel, before: int | None = None) -> tuple[list[VersionLine], int | None]:
    """A page of a model's versions, newest first, and the number to continue before (None on the last
    page).
    """
    rows = model.versions.select_related("evaluation", "registered_by", "run").order_by("-number")
    found, older = paging.page(rows, before, PAGE, key="number")
    live: dict[int, list[str]] = {}
    for version, slug in Alias.objects.filter(endpoint__model=model, version__isnull=False).values_list(
        "version", "endpoint__slug"
    ):
        live.setdefault(int(version or 0), []).append(slug)
    lines = [
        VersionLine(row, tuple(live.get(row.pk, ())), *leading_score(row.evaluation.report)) for row in found
    ]
    return lines, older


def frozen_evaluation(run: Run, snapshot: Snapshot | None = None) -> Evaluation | None:
    """The newest evaluation of a run's artifact on the frozen test split of a snapshot, by default the run's
    own.
    """
    if run.artifact is None:
        return None
    rows = Evaluation.objects.filter(
        run=run, root_digest=run.artifact.root_digest, snapshot=snapshot or run.snapshot, split="test"
    )
    return rows.order_by("-pk").first()


def registrable_runs(user: Person, model: RegisteredModel) -> QuerySet[Run]:
    """The finished runs of the model's project that are not registered under it yet, newest first."""
    rows = Run.objects.filter(
        project=model.project, state=RunState.SUCCEEDED, artifact__isnull=False
    ).select_related("snapshot__dataset")
    taken = model.versions.values("root_digest")
    return (
        policy.visible_to(user, rows, "training.view")
        .exclude(artifact__root_digest__in=taken)
        .order_by("-number")
    )


def measures(report: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    """The metrics of an evaluation's report with the ends of their 95 % intervals, None where there are
    none.
    """
    intervals = report.get("intervals", {})
    found: dict[str, dict[str, float | None]] = {}
    for name in metrics_of(report).registered:
        if isinstance(report.get(name), int | float):
            ends = intervals.get(name, {})
            found[name] = {"value": float(report[name]), "low": ends.get("low"), "high": ends.get("high")}
    return found


def leading_score(report: Mapping[str, Any]) -> tuple[Metric, dict[str, float | None] | None]:
    """What a version is known by beside others, and its measure; None where the report has none."""
    by = leading_of(report)
    return by, measures(report).get(by.name)


def facts(run: Run, model: RegisteredModel, semver: str, evaluation: Evaluation) -> dict[str, Any]:
    """Everything about a version's origin, as plain JSON: what its row freezes and its card is written
    from.
    """
    base, spec = run.base, dict(run.spec)
    digest = base.folder.root_digest if base.folder else str(spec.get("base", {}).get("digest", ""))
    return {
        "model": model.name,
        "model_slug": model.slug,
        "semver": semver,
        "root_digest": run.artifact.root_digest if run.artifact else "",
        "strategy": run.strategy,
        "base": {
            "uuid": str(base.uuid),
            "name": base.name,
            "revision": base.revision,
            "digest": digest,
            "licence": base.facts.get("licence", ""),
        },
        "spec": {name: value for name, value in spec.items() if isinstance(value, int | float | str | bool)},
        "run": {
            "uuid": str(run.uuid),
            "number": run.number,
            "spec_digest": run.spec_digest,
            "code_version": run.code_version,
        },
        "effort": {
            name: run.result.get(name)
            for name in ("seconds", "trainable_parameters", "total_parameters", "peak_memory_mb", "precision")
        },
        **({"ended_early": run.error["message"]} if run.error else {}),
        "int8": run.result["int8"],
        **({"bf16": run.result["bf16"]} if run.result.get("bf16") else {}),
        **({"operating": run.result["operating"]} if run.result.get("operating") else {}),
        "snapshot": snapshot_facts(run.snapshot),
        "evaluation": evaluation_facts(evaluation),
    }


def evaluation_facts(evaluation: Evaluation) -> dict[str, Any]:
    """How good a version is, by its evaluation's report."""
    return {
        "uuid": str(evaluation.uuid),
        "digest": evaluation.report_digest,
        "rows": evaluation.rows,
        "metrics": measures(evaluation.report),
        "baselines": evaluation.report.get("baselines") or {},
        **({"clusters": clusters} if (clusters := evaluation.report["clusters"]) < evaluation.rows else {}),
        **({"deciding": evaluation.report["deciding"]} if evaluation.report.get("deciding") else {}),
    }


def has_its_facts(version: ModelVersion) -> bool:
    """Whether a version's facts are those that it was registered with, by the audit log."""
    events = accounts.events_about(version.uuid, {Verb.VERSION_REGISTERED})
    return {event.payload.get("facts") for event in events} == {digest_of(version.facts)}


def snapshot_facts(snapshot: Snapshot) -> dict[str, Any]:
    """The data behind a version: digests, counts, and how its labels were decided, as it was counted when
    they were frozen.
    """
    dataset, schema = snapshot.dataset, snapshot.schema
    return {
        "uuid": str(snapshot.uuid),
        "number": snapshot.number,
        "digest": snapshot.digest,
        "test_digest": snapshot.test_digest,
        "counts": {"rows": snapshot.counts["rows"], "splits": snapshot.counts["splits"]},
        "dataset": dataset.name,
        "dataset_slug": dataset.slug,
        "language": dataset.language,
        "licence": dataset.licence,
        "schema_version": schema.version,
        "schema_digest": schema.digest,
        "labels": list(schema.labels.order_by("position").values_list("name", flat=True)),
        "label_protocol": snapshot.counts["label_protocol"],
    }


def newest_card(version: ModelVersion) -> Card | None:
    """The card that counts."""
    return version.cards.select_related("author", "version").order_by("-revision").first()


def card_authors(version: ModelVersion) -> set[str]:
    """Whose words a version's card has, by rows and by events, as uuids: who wrote any of its revisions,
    since the newest rests on those before it, and whose words the first one carried over.
    """
    rows, uuid = (
        version.cards.filter(author__isnull=False).values_list("author__uuid", flat=True),
        str(version.uuid),
    )
    events = accounts.events_about(uuid, WRITTEN)
    logged = {who for event in events for who in (event.actor, *event.payload.get("words_of", ()))}
    return {*map(str, rows), *logged} - {SYSTEM}


def exports_folder() -> Path:
    """Where exports wait for their download."""
    return Path(settings.DATA_DIR) / "exports"


def export_path(card: Card) -> Path:
    """Where the export of a version with this revision of its card is put, once it is whole."""
    return exports_folder() / f"{card.uuid}.zip"


def made_export(card: Card) -> Export | None:
    """The export of a version with this revision of its card, where there is one that is as it was packed."""
    try:
        found = export_path(card).stat()
    except FileNotFoundError:
        return None
    return (
        Export(found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))
        if is_as_packed(card, found)
        else None
    )


def is_as_packed(card: Card, found: os.stat_result) -> bool:
    """Whether the file in the place of an export is the one that was packed, by its stamp: nothing is
    read.
    """
    return PackedExport.objects.filter(card=card).values_list("stamp", flat=True).first() == stamp_of(found)


def stamp_of(found: os.stat_result) -> list[int]:
    """Inode, size, and when bytes and inode were last changed, in ns. As long as these stay, so do the bytes:
    see bundle.stamps.
    """
    return [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def is_governed(endpoint: Endpoint) -> bool:
    """Whether the audit log knows that the endpoint is governed by its policy."""
    events = accounts.events_about(endpoint.uuid, {Verb.ENDPOINT_CREATED})
    return {event.payload.get("policy") for event in events} == {endpoint.policy.name}


def asking(job: Job) -> LoggedEvent | None:
    """The event of the registration that a job was queued for."""
    return next(iter(accounts.events_about(job.uuid, {Verb.REGISTRATION_REQUESTED})), None)


def freeze_of(endpoint: Endpoint, now: datetime | None = None) -> Freeze | None:
    """The freeze that holds an endpoint now, if any."""
    return (
        endpoint.freezes.filter(lifted_at=None, until__gt=now or timezone.now())
        .select_related("owner")
        .first()
    )


def frozen_until(endpoint: Endpoint) -> datetime | None:
    """Until when the endpoint is frozen by the audit log, whatever the rows contain; None where it is not."""
    until = None
    for event in accounts.events_about(endpoint.uuid, {Verb.ENDPOINT_FROZEN, Verb.ENDPOINT_UNFROZEN}):
        until = datetime.fromisoformat(event.payload["until"]) if event.verb == Verb.ENDPOINT_FROZEN else None
    return until if until and until > timezone.now() else None
