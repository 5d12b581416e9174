"""Endpoints in lists, and the approved versions that wait for them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.urls import reverse

from lifecycle.ui.palette import Hit
from registry.catalog.models import Endpoint
from registry.endpoints.models import Deployment
from registry.endpoints.queries.deployments import running
from registry.ground.access import policy
from registry.ground.access.policy import Person
from registry.promotions.models import PromotionRequest
from registry.promotions.rules import Status


def approvals(endpoint_id: UUID) -> QuerySet[PromotionRequest]:
    """The approved requests of an endpoint that are not used yet, newest first."""
    return PromotionRequest.objects.filter(endpoint__uuid=endpoint_id, status=Status.APPROVED).order_by("-pk")


def not_live(requests: QuerySet[PromotionRequest]) -> QuerySet[PromotionRequest]:
    """Those of these requests whose version isn't live on their endpoint: it cannot be deployed, nor are
    beside itself.
    """
    return requests.exclude(version=F("endpoint__alias__version"))


def waiting(endpoint: Endpoint) -> PromotionRequest | None:
    """The approved request that waits to be deployed: none for what is live already."""
    return (
        not_live(approvals(endpoint.uuid))
        .select_related("version__model", "version__run__snapshot", "endpoint")
        .first()
    )


@dataclass(frozen=True)
class EndpointListItem:
    """An endpoint as the list shows it."""

    endpoint: Endpoint
    live: Deployment | None
    canary: Deployment | None
    shadow: Deployment | None
    waits: bool


def lines(user: Person) -> list[EndpointListItem]:
    """The endpoints that the user may see, with what is live and whether an approved version waits; four
    statements, however many.
    """
    found = list(visible(user))
    rows = running().filter(endpoint__in=found).select_related("version", "started_by")
    now = {(row.endpoint_id, row.arm): row for row in rows}
    approved = PromotionRequest.objects.filter(endpoint__in=found, status=Status.APPROVED)
    waits = set(not_live(approved).values_list("endpoint_id", flat=True))
    return [
        EndpointListItem(
            row,
            now.get((row.pk, "stable")),
            now.get((row.pk, "canary")),
            now.get((row.pk, "shadow")),
            row.pk in waits,
        )
        for row in found
    ]


def visible(user: Person) -> QuerySet[Endpoint]:
    """The endpoints that the user may see, by slug."""
    rows = Endpoint.objects.select_related("model__project", "policy", "alias__version")
    return policy.visible_to(user, rows, "endpoints.view").order_by("slug", "pk")


def search(user: Person, query: str) -> list[Hit]:
    """Endpoints by their short name or their model's name."""
    found = visible(user).filter(Q(slug__icontains=query) | Q(model__name__icontains=query))[:6]
    return [Hit(row.full_name, reverse("endpoints:detail", args=[row.uuid]), row.model.name) for row in found]
