"""What is live where, what was, and what the servers report."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.urls import reverse
from django.utils import timezone

from lifecycle.runtime import bundle
from lifecycle.runtime.env import secret_file
from lifecycle.runtime.refusals import Conflict, Refused
from lifecycle.ui import paging
from lifecycle.ui.palette import Hit
from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints import rules
from registry.endpoints.models import Deployment, EndpointToken, Fault, Routes
from registry.endpoints.servers import ClosedArm as ClosedArm
from registry.endpoints.servers import ServerState as ServerState
from registry.endpoints.servers import server_states as server_states
from registry.endpoints.servers import written_states as written_states
from registry.ground.access import policy
from registry.ground.access.policy import Person
from registry.ground.ledger import accounts, keys
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from registry.promotions.models import PromotionRequest
from registry.promotions.rules import Status

PAGE = 20
MISSED_FOR = timedelta(hours=1)
BEGAN = {
    Deployment.Arm.STABLE: frozenset({Verb.DEPLOYED, Verb.ROLLED_BACK}),
    Deployment.Arm.CANARY: frozenset({Verb.CANARY_STARTED, Verb.SHARE_SET}),
}  # by which events a version begins to answer
ELSEWHERE = "It rejected the config because of an endpoint in another project."


def routes_row() -> Routes:
    """The one row that numbers the routes documents."""
    return Routes.objects.get_or_create(pk=1)[0]


def routes_path() -> Path:
    """Where the inference servers look."""
    return Path(settings.DATA_DIR) / "serving" / "routes.json"


def web_token() -> str:
    """The secret by which this site itself asks its endpoints (the box "try it"); in a file of mode 0600."""
    return secret_file(Path(settings.DATA_DIR) / "keys" / "web_token")


def live_tokens(endpoint: Endpoint | None = None) -> QuerySet[EndpointToken]:
    """Tokens of programs that still open an endpoint: this one, or any."""
    rows = EndpointToken.objects.filter(revoked_at=None, expires_at__gt=timezone.now()).select_related(
        "created_by", "endpoint"
    )
    return rows.filter(endpoint=endpoint) if endpoint else rows


def published() -> dict[str, Any] | None:
    """The routes document as the servers find it; None when there is none or its signature is not ours."""
    try:
        return bundle.verify_document(routes_path().read_bytes(), keys.public_key_path())
    except (OSError, Refused):
        return None


def faults_path() -> Path:
    """Where the inference servers that run drills look."""
    return Path(settings.DATA_DIR) / "serving" / "faults.json"


def published_faults() -> dict[str, Any] | None:
    """The document of faults as the servers find it; None when there is none or its signature is not ours."""
    try:
        return bundle.verify_document(faults_path().read_bytes(), keys.public_key_path())
    except (OSError, Refused):
        return None


def injected() -> QuerySet[Fault]:
    """The faults of drills that no one has lifted."""
    rows = Fault.objects.filter(lifted_at=None)
    return rows.select_related(
        "deployment__endpoint__model__project", "deployment__version", "injected_by"
    ).order_by("id")


def expired_faults() -> QuerySet[Fault]:
    """Injected faults whose time has come, or whose deployment has ended."""
    return injected().filter(Q(until__lte=timezone.now()) | Q(deployment__ended_at__isnull=False))


def injected_faults() -> list[rules.InjectedFault]:
    """The same as the document of faults names them."""
    return [
        rules.InjectedFault(
            str(each.deployment.uuid),
            each.kind,
            each.share,
            each.delay_ms,
            each.until.isoformat(timespec="seconds"),
        )
        for each in injected()
    ]


def faults_on(endpoint: Endpoint) -> list[Fault]:
    """Faults injected into an endpoint now."""
    return list(injected().filter(deployment__endpoint=endpoint))


def fault_in(deployment: Deployment) -> Fault | None:
    """The fault injected into a deployment now."""
    return injected().filter(deployment=deployment).first()


def drills_run() -> bool:
    """Whether any inference server obeys injected faults."""
    return any(state.drills for state in server_states())


def live() -> QuerySet[Deployment]:
    """The version that has all traffic, or all that a canary leaves, by endpoint."""
    return Deployment.objects.filter(ended_at=None, arm=Deployment.Arm.STABLE).order_by("endpoint__slug")


def running() -> QuerySet[Deployment]:
    """Everything that the servers have to have loaded for an answer or a comparison, in every arm."""
    return Deployment.objects.filter(ended_at=None).order_by("endpoint__slug", "arm")


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


def projects_named(text: str) -> set[int]:
    """The keys of the projects whose endpoints a sentence names: what others may not learn of."""
    named = set(re.findall(r"([\w-]+)/([\w-]+)", text))
    rows = Endpoint.objects.filter(slug__in={slug for _, slug in named}).values_list(
        "project__slug", "slug", "project"
    )
    return {key for project, slug, key in rows if (project, slug) in named}


def problem_for(project_id: int, problem: str) -> str:
    """What a project may learn of a server's sentence: all of it, unless it names an endpoint of another
    project.
    """
    return problem if projects_named(problem) <= {project_id} else ELSEWHERE


def server_states_for(endpoint: Endpoint) -> list[ServerState]:
    """What every running server reports, as the people of an endpoint's project may read it."""
    project_id = endpoint.model.project_id
    return [
        replace(state, problem=problem_for(project_id, state.problem)) if state.problem else state
        for state in server_states()
    ]


def recently_dead(now: datetime) -> list[ServerState]:
    """The servers that fell silent within the last hour; an older file is of a server that no one misses."""
    return [
        state for state in written_states() if not state.lives and state.at and now - state.at < MISSED_FOR
    ]


def guard_of(deployment: Deployment) -> ClosedArm | None:
    """What a server reports of a canary that it closed; None when none did. It counts even if the server has
    died since.
    """
    closed = [arm for state in written_states() for arm in state.closed]
    return next((arm for arm in closed if arm.deployment == str(deployment.uuid)), None)


def visible(user: Person) -> QuerySet[Endpoint]:
    """The endpoints that the user may see, by slug."""
    rows = Endpoint.objects.select_related("model__project", "policy", "alias__version")
    return policy.visible_to(user, rows, "endpoints.view").order_by("slug", "pk")


def search(user: Person, query: str) -> list[Hit]:
    """Endpoints by their short name or their model's name."""
    found = visible(user).filter(Q(slug__icontains=query) | Q(model__name__icontains=query))[:6]
    return [Hit(row.full_name, reverse("endpoints:detail", args=[row.uuid]), row.model.name) for row in found]
