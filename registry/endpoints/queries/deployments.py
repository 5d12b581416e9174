"""Deployments: what runs on endpoints in which arm, and what ran."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.ui import paging
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints import rules
from registry.endpoints.models import Deployment
from registry.ground.access import policy
from registry.ground.access.policy import Person
from registry.ground.ledger import accounts
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb

PAGE = 20
BEGAN = {
    Deployment.Arm.STABLE: frozenset({Verb.DEPLOYED, Verb.ROLLED_BACK}),
    Deployment.Arm.CANARY: frozenset({Verb.CANARY_STARTED, Verb.SHARE_SET}),
}  # by which events a version begins to answer


def live() -> QuerySet[Deployment]:
    """The version that has all traffic, or all that a canary leaves, by endpoint."""
    return Deployment.objects.filter(ended_at=None, arm=Deployment.Arm.STABLE).order_by("endpoint__slug")


def running() -> QuerySet[Deployment]:
    """Everything that the servers have to have loaded for an answer or a comparison, in every arm."""
    return Deployment.objects.filter(ended_at=None).order_by("endpoint__slug", "arm")


def is_recorded(deployment: Deployment) -> bool:
    """Whether, by the audit log, this deployment, live or a canary, began on its endpoint with the version
    that its row names.
    """
    events = accounts.events_about(deployment.endpoint.uuid, BEGAN[Deployment.Arm(deployment.arm)])
    began = {(event.payload["deployment"], event.payload["version"]) for event in events}
    return (str(deployment.uuid), str(deployment.version.uuid)) in began


def live_deployment(endpoint: Endpoint) -> Deployment | None:
    """The version that is live: what a canary is compared with, and what a rollback leaves."""
    return serving(endpoint).filter(arm=Deployment.Arm.STABLE).first()


def canary_of(endpoint: Endpoint) -> Deployment | None:
    """The canary that runs beside the live version."""
    return serving(endpoint).filter(arm=Deployment.Arm.CANARY).first()


def shadow_of(endpoint: Endpoint) -> Deployment | None:
    """The version that gets copies of requests."""
    return serving(endpoint).filter(arm=Deployment.Arm.SHADOW).first()


def serving(endpoint: Endpoint) -> QuerySet[Deployment]:
    """What runs on an endpoint now; at most one deployment an arm, by constraint."""
    return deployments(endpoint).filter(ended_at=None)


def answering(endpoint: Endpoint) -> QuerySet[Deployment]:
    """What answers clients: the live version and its canary."""
    return serving(endpoint).exclude(arm=Deployment.Arm.SHADOW)


def shadowable(endpoint: Endpoint) -> QuerySet[ModelVersion]:
    """The active versions of an endpoint's model that do not run on it, newest first."""
    rows = ModelVersion.objects.filter(model=endpoint.model, state=ModelVersion.State.ACTIVE).select_related(
        "run"
    )
    return rows.exclude(pk__in=serving(endpoint).values("version")).order_by("-pk")


def arms_of(endpoint: Endpoint) -> list[tuple[Deployment, int]]:
    """What runs on an endpoint with the share (of 10,000) that it gets: the live version first, then its
    canary, then the shadow.
    """
    order = list(Deployment.Arm)
    rows = sorted(serving(endpoint), key=lambda row: order.index(Deployment.Arm(row.arm)))
    canary = sum(row.share for row in rows if row.arm == Deployment.Arm.CANARY)
    return [(row, rules.ALL - canary if row.arm == Deployment.Arm.STABLE else row.share) for row in rows]


def running_canary(deployment_id: UUID) -> Deployment:
    """A canary that runs. Raises Conflict for one that has ended, or whose share was changed: the caller
    looked at something older.
    """
    found = in_arm(deployment_id, Deployment.Arm.CANARY)
    if found.ended_at is not None:
        raise Conflict("This canary has ended or its share has changed.", next_step="Reload the page.")
    return found


def in_arm(deployment_id: UUID, arm: Deployment.Arm) -> Deployment:
    """A deployment that is known to be a canary, or a shadow. Raises Refused for another."""
    found = with_all(Deployment.objects.all()).get(uuid=deployment_id)
    if found.arm != arm:
        raise Refused(
            f"{found.version.semver} runs there as {found.arm}, not as {arm}.",
            next_step="Open the endpoint's page.",
        )
    return found


def goes_on_as(given: Deployment) -> Deployment | None:
    """The interval under which a canary runs now, whose share may have changed since; None when it runs no
    more.
    """
    now = canary_of(given.endpoint)
    return now if now and now.approval_id == given.approval_id else None


def deployments(endpoint: Endpoint) -> QuerySet[Deployment]:
    """All intervals of an endpoint, newest first."""
    return with_all(Deployment.objects.filter(endpoint=endpoint)).order_by("-id")


def with_all(rows: QuerySet[Deployment]) -> QuerySet[Deployment]:
    """Everything that a line of the timeline shows, in one statement."""
    return rows.select_related(
        "endpoint__model",
        "version__model",
        "version__run__snapshot",
        "approval",
        "started_by",
        "ended_by",
        "previous__version",
    )


def of_everywhere(user: Person) -> QuerySet[Deployment]:
    """The intervals of all endpoints that the user may see."""
    return policy.visible_to(user, with_all(Deployment.objects.all()), "endpoints.view")


def page_of_deployments(endpoint: Endpoint, before: int | None = None) -> tuple[list[Deployment], int | None]:
    """One page, newest first, and the key to go on before (None on the last)."""
    return paging.page(deployments(endpoint), before, PAGE)


def live_at(endpoint: Endpoint, moment: datetime, arm: str = Deployment.Arm.STABLE) -> Deployment | None:
    """Which version was in production then, or in another arm: the interval that holds the moment."""
    return all_at(endpoint, moment).filter(arm=arm).first()


def all_at(endpoint: Endpoint, moment: datetime) -> QuerySet[Deployment]:
    """What ran on an endpoint then, in every arm."""
    ended_later = Q(ended_at=None) | Q(ended_at__gt=moment)
    return deployments(endpoint).filter(ended_later, started_at__lte=moment)


def is_refusal_noted(deployment: Deployment) -> bool:
    """Whether the last that was recorded of this deployment is that a server did not load it: its version may
    serve elsewhere too.
    """
    rows = Event.objects.filter(
        object_type="catalog.modelversion",
        object_id=str(deployment.version.uuid),
        at__gte=deployment.started_at,
    )
    rows = rows.filter(canonical__contains=f'"deployment":"{deployment.uuid}"')
    newest = (
        rows.filter(verb__in=(Verb.LOAD_REFUSED, Verb.LOAD_RECOVERED))
        .order_by("-id")
        .values_list("verb", flat=True)
        .first()
    )
    return newest == Verb.LOAD_REFUSED
