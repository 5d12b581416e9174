"""What a rollback makes live again."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints.models import Deployment
from registry.endpoints.queries.deployments import deployments, live, with_all


def last_live(endpoint: Endpoint) -> Deployment | None:
    """The interval of the version that a rollback makes live again. None where there is none to go back
    to.
    """
    return with_all(goes_back(live().filter(endpoint=endpoint))).first()


def emptied() -> QuerySet[Endpoint]:
    """The endpoints that had a live version and have none: it went into quarantine, with none before it."""
    return (
        Endpoint.objects.filter(alias__version=None, alias__moves__gt=0)
        .select_related("model__project")
        .order_by("slug", "pk")
    )


def emptied_by(endpoint: Endpoint) -> Deployment | None:
    """The interval that ended last on an endpoint without a live version; None where none ever was."""
    return deployments(endpoint).filter(arm=Deployment.Arm.STABLE).first()


def goes_back(rows: QuerySet[Deployment]) -> QuerySet[Deployment]:
    """Of what is live, each with the interval that a rollback goes back to: the newest of another active
    version that ended before the live version was last promoted.

    So a rollback goes to what is older than the approval in force, never forward, and not to a version that a
    rollback has ended since: that one needs an approval again.
    """
    stable = Deployment.objects.filter(endpoint=OuterRef("endpoint"), arm=Deployment.Arm.STABLE).order_by(
        "-id"
    )
    promoted = stable.filter(version=OuterRef("version"), cause=Deployment.Cause.PROMOTION)
    taken_back = Deployment.objects.filter(
        endpoint=OuterRef("endpoint"),
        cause=Deployment.Cause.ROLLBACK,
        previous__version=OuterRef("version"),
        previous__gte=OuterRef("pk"),
    )
    before = stable.filter(
        ~Q(version=OuterRef("version")), pk__lt=OuterRef("promoted"), ended_at__isnull=False
    )
    before = before.filter(~Exists(taken_back), version__state=ModelVersion.State.ACTIVE)
    rows = rows.annotate(promoted=Subquery(promoted.values("pk")[:1])).annotate(
        back=Subquery(before.values("pk")[:1])
    )
    return Deployment.objects.filter(pk__in=rows.order_by().values("back"))


def rollback_target(endpoint: Endpoint) -> ModelVersion | None:
    """The version that a rollback would make live."""
    before = last_live(endpoint)
    return before.version if before else None
