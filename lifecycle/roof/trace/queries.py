"""The lineage chain, read in both directions. Every link is a foreign key or a digest; nothing is looked up
by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from datasets_app.datasets.models import Item
from datasets_app.queues.models import Annotation, Decision
from datasets_app.queues.queries.decisions import History, history_of, is_asked
from datasets_app.snapshots.models import Snapshot
from datasets_app.snapshots.queries import snapshots_with
from lifecycle.modeling.training.models import Run
from lifecycle.roof.trace import attributions
from lifecycle.roof.trace.attributions import Explained
from lifecycle.roof.trace.models import Attribution, Neighbour
from lifecycle.ui.addresses import find_url
from monitoring.traffic import queries as traffic
from monitoring.traffic.models import Prediction
from registry.catalog.models import ModelVersion
from registry.endpoints.models import Deployment
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.promotions.models import PromotionRequest

SHOWN = 100  # of each kind


@dataclass(frozen=True)
class Link:
    """One link of the chain. people: who did or decided it. digest: binds it to the next one. missing:
    unknown, for the reason in text.
    """

    kind: str
    text: str
    url: str = ""
    digest: str = ""
    at: datetime | None = None
    people: list[User] = field(default_factory=list)
    note: str = ""
    missing: bool = False


@dataclass(frozen=True)
class Labeled:
    """A training item with how it got its label. text is None for people who may not read samples."""

    item: Item
    text: str | None
    similarity: float
    decision: Decision
    annotations: list[Annotation]
    label: str


def prediction_chain(prediction: Prediction) -> list[Link]:
    """The chain of a prediction: prediction, deployment, approval, version, run, dataset version."""
    chain = [
        Link(
            "Prediction",
            prediction.label
            or traffic.words_of(prediction, prediction.value, "")  # of an empty one: nothing of its text
            or f"status {prediction.code}",
            digest=prediction.keyed_digest,
            at=prediction.at,
        )
    ]
    if prediction.version is None:
        return [*chain, Link("Version", "No version answered this request.", missing=True)]
    deployment = traffic.deployment_of(prediction)
    if deployment is None:
        chain.append(Link("Deployment", "No deployment of this version covers that time.", missing=True))
    else:
        chain += deployment_links(deployment)
    return [*chain, *version_links(prediction.version)]


def deployment_links(deployment: Deployment) -> list[Link]:
    """The deployment, and its approval (for a rollback: of the deployment that it returned to)."""
    url = find_url("endpoints:detail", uuid=deployment.endpoint.uuid)
    people = [deployment.started_by] if deployment.started_by else []
    links = [
        Link(
            "Deployment",
            f"{deployment.get_cause_display()}, config v{deployment.epoch}",
            url,
            at=deployment.started_at,
            people=people,
            note=deployment.reason,
        )
    ]
    approval = deployment.approval or approval_before(deployment)
    return [*links, *([approval_link(approval)] if approval else [])]


def approval_before(deployment: Deployment) -> PromotionRequest | None:
    """The approval under which a version that was rolled back to first went live."""
    first = (
        Deployment.objects.filter(
            endpoint=deployment.endpoint, version=deployment.version, approval__isnull=False
        )
        .order_by("id")
        .first()
    )
    return first.approval if first else None


def approval_link(request: PromotionRequest) -> Link:
    """The request and everyone who approved it."""
    verdicts = request.verdicts.filter(approves=True).select_related("reviewer").order_by("id")
    return Link(
        "Approval",
        str(request),
        find_url("promotions:detail", uuid=request.uuid),
        request.subject_digest,
        request.checked_at,
        [verdict.reviewer for verdict in verdicts],
        "; ".join(f"{v.step}: {v.reason.rstrip('.')}" for v in verdicts),
    )


def version_links(version: ModelVersion) -> list[Link]:
    """The version, its run, and the dataset version that it was trained on."""
    run, snapshot = version.run, version.run.snapshot
    return [
        Link(
            "Version",
            str(version),
            find_url("catalog:version", uuid=version.uuid),
            version.root_digest,
            version.registered_at,
            some(version.registered_by),
        ),
        Link(
            "Run",
            f"{run}, {run.get_strategy_display()} on {run.base}",
            find_url("training:detail", uuid=run.uuid),
            run.spec_digest,
            run.finished_at,
            some(run.launched_by),
        ),
        Link(
            "Dataset version",
            str(snapshot),
            find_url("snapshots:detail", uuid=snapshot.uuid),
            snapshot.digest,
            snapshot.created_at,
            some(snapshot.created_by),
        ),
    ]


def some(person: User | None) -> list[User]:
    """A person, if there is one."""
    return [person] if person else []


def neighbours(user: User, prediction: Prediction) -> list[Labeled]:
    """The nearest training items, with the decision that the model was trained on and its annotations."""
    rows = (
        Neighbour.objects.filter(prediction=prediction)
        .select_related("item__upload", "decision__label", "decision__by")
        .order_by("rank")
    )
    found = list(rows.prefetch_related("decision__annotations__user", "decision__annotations__label"))
    if not found or prediction.version is None:
        return []
    reads = policy.can(user, "datasets.read_samples", prediction.version.run.snapshot.dataset)
    return [labeled(row, reads) for row in found]


def explained(prediction: Prediction) -> list[Explained]:
    """The effects of words on each part of a prediction; [] where they aren't known, or the text isn't stored
    any more.
    """
    found = Attribution.objects.filter(prediction=prediction).first()
    if found is None or prediction.text is None:
        return []
    return attributions.explained(attributions.row_of(prediction), found.report)


def labeled(row: Neighbour, reads: bool) -> Labeled:
    """One neighbour as a page shows it."""
    answers, label = list(row.decision.annotations.all()), row.decision.label
    return Labeled(
        row.item,
        row.item.text if reads else None,
        row.similarity,
        row.decision,
        answers,
        label.name if label else "",
    )


@dataclass(frozen=True)
class Above:
    """Lineage above dataset versions: the newest hundred of each kind that the viewer may see."""

    runs: list[Run]
    versions: list[ModelVersion]
    deployments: list[Deployment]


def above(user: User, snapshots: Sequence[Snapshot]) -> Above:
    """Runs on these dataset versions or from a model of such a run, with their versions and deployments."""
    trained = Run.objects.filter(pk__in=run_ids_from([snapshot.pk for snapshot in snapshots]))
    runs = (
        policy.visible_to(user, trained, "training.view")
        .select_related("base", "launched_by")
        .order_by("-id")
    )
    versions = policy.visible_to(
        user, ModelVersion.objects.filter(run__in=runs.values("pk")), "catalog.view"
    ).order_by("-id")
    deployments = policy.visible_to(
        user, Deployment.objects.filter(version__in=versions.values("pk")), "endpoints.view"
    ).order_by("-id")
    return Above(
        runs=list(runs[:SHOWN]),
        versions=list(versions.select_related("model", "run")[:SHOWN]),
        deployments=list(
            deployments.select_related("endpoint__model__project", "version__model", "started_by")[:SHOWN]
        ),
    )


@dataclass(frozen=True)
class Touched(Above):
    """Lineage above an item. snapshots: (dataset version, split, label in it). history: None while the viewer
    is to annotate the item.
    """

    snapshots: list[tuple[Snapshot, str, str]]
    history: History | None


def item_touched(user: User, item: Item) -> Touched:
    """An item's label history, the dataset versions with it, and the lineage above them."""
    blind = is_asked(item, user)
    held = [(snapshot, row.split, "" if blind else row.label) for snapshot, row in snapshots_with(item)]
    history = (
        None if blind else history_of(item, reads=policy.can(user, "datasets.read_samples", item.dataset))
    )
    return Touched(
        **vars(above(user, [snapshot for snapshot, _, _ in held])), snapshots=held, history=history
    )


def run_ids_from(snapshots: Sequence[int]) -> set[int]:
    """Keys of the runs on these dataset versions, and of all runs that start from such a run's model, at any
    distance.
    """
    found: set[int] = set()
    newer = set(Run.objects.filter(snapshot__in=snapshots).values_list("pk", flat=True))
    while newer:
        found |= newer
        newer = set(Run.objects.filter(base__run__in=newer).values_list("pk", flat=True)) - found
    return found


def as_json(chain: list[Link]) -> list[dict[str, Any]]:
    """The chain for programs."""
    return [
        {
            "kind": link.kind,
            "text": link.text,
            "digest": link.digest,
            "at": link.at,
            "people": [str(p.uuid) for p in link.people],
            "missing": link.missing,
        }
        for link in chain
    ]
