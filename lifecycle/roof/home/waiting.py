"""A person's tasks as sentences with a link, most urgent first, in a constant number of statements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, Q
from django.urls import reverse

from datasets_app.datasets.models import Upload
from datasets_app.datasets.rules import UploadState
from datasets_app.queues.models import Queue, Slot
from datasets_app.queues.queries.pages import as_seen_by, queues
from lifecycle.modeling.training import queries as training
from lifecycle.modeling.training.rules import RunState
from lifecycle.runtime.words import things
from monitoring.alerts.models import Alert
from monitoring.alerts.queries import most_urgent
from monitoring.alerts.rules.state import Severity
from monitoring.alerts.rules.state import State as AlertState
from monitoring.retraining.queries import proposals as proposal_queries
from monitoring.retraining.rules import State as ProposalState
from monitoring.rollouts.queries import rollouts
from registry.endpoints.queries import rollback
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.access.queries import people_without_role
from registry.ground.access.roles import Role
from registry.promotions import queries as promotions
from registry.promotions.models import PromotionRequest
from registry.promotions.rules import Status

EACH = 5  # of one kind; more are on the pages that the navigation leads to
Roles = Mapping[int, list[Role]]


@dataclass(frozen=True, slots=True)
class Task:
    """One task. fact: its sentence. about: where. link: the button's text, to url. burns: it is urgent."""

    fact: str
    about: str
    link: str
    url: str
    burns: bool = False


def tasks(user: User, roles: Roles) -> list[Task]:
    """All tasks of a person. roles: theirs by project key."""
    return [task for source in SOURCES for task in source(user, roles)]


def emptied(user: User, _roles: Roles) -> list[Task]:
    """Endpoints without a live version since theirs was quarantined, for people who may deploy another."""
    rows = policy.visible_to(user, rollback.emptied(), "endpoints.deploy")[:EACH]
    fact = "{} has no live version because its version was quarantined"
    return [
        Task(
            fact.format(row.full_name),
            row.model.name,
            "Open endpoint",
            page("endpoints:detail", row.uuid),
            burns=True,
        )
        for row in rows
    ]


def alerts(user: User, _roles: Roles) -> list[Task]:
    """Unacknowledged alerts, pages before tickets, for people who may acknowledge them."""
    rows = Alert.objects.filter(state=AlertState.FIRING, inhibited_by=None).exclude(severity=Severity.DIGEST)
    first = most_urgent(
        policy.visible_to(user, rows.select_related("endpoint__model__project"), "alerts.acknowledge")
    )[:EACH]
    return [
        Task(
            row.title,
            place(row),
            "Open alert",
            page("alerts:detail", row.uuid),
            burns=row.severity == Severity.PAGE,
        )
        for row in first
    ]


def place(alert: Alert) -> str:
    """The alert's endpoint or project."""
    return alert.endpoint.full_name if alert.endpoint else "Whole installation"


def canaries(user: User, _roles: Roles) -> list[Task]:
    """Rollouts that hold or ask for the next step, for those who may steer them."""
    found = []
    for row in rollouts.to_steer(user)[:EACH]:
        fact, link = (
            ("is on hold", "Review canary")
            if row.state == row.State.HOLDING
            else ("can be widened", "Widen canary")
        )
        found.append(
            Task(
                f"The canary {row.version.semver} {fact}",
                row.endpoint.full_name,
                link,
                page("rollouts:detail", row.uuid),
            )
        )
    return found


def proposals(user: User, _roles: Roles) -> list[Task]:
    """Retrainings that are proposed, or failed on the way, for the leads who decide."""
    found = []
    for row in proposal_queries.to_decide(user)[:EACH]:
        fact, link = (
            ("failed", "Open proposal")
            if row.state == ProposalState.FAILED
            else ("needs your decision", "Review proposal")
        )
        found.append(
            Task(
                f"Retraining {str(row).lower()} {fact}",
                row.endpoint.full_name,
                link,
                page("retraining:detail", row.uuid),
            )
        )
    return found


def decisions(user: User, _roles: Roles) -> list[Task]:
    """Promotion requests that this person may approve or reject, or has to fix."""
    found = []
    for line in promotions.open_lines(user)[0]:
        request = line.request
        if request.status == Status.APPROVED:  # among the deployments
            continue
        fact, link = (
            ("needs your approval", "Review request")
            if line.standing.may
            else ("has gates to fix", "Fix gates")
        )
        about = f"{request.version} to {request.endpoint.full_name}"
        found.append(Task(f"{request} {fact}", about, link, page("promotions:detail", request.uuid)))
    return found[:EACH]


def deployments(user: User, _roles: Roles) -> list[Task]:
    """Approved versions that aren't deployed, for people who may deploy them."""
    rows = PromotionRequest.objects.filter(status=Status.APPROVED).order_by("pk")
    rows = rows.select_related("endpoint__model__project", "version__model")
    found = []
    for row in policy.visible_to(user, rows, "endpoints.deploy")[:EACH]:
        about, url = f"{row.version} to {row.endpoint.full_name}", page("endpoints:detail", row.endpoint.uuid)
        found.append(Task(f"{row} is approved but not deployed", about, "Deploy version", url))
    return found


def disagreements(user: User, _roles: Roles) -> list[Task]:
    """Queues in which annotators disagree, for adjudicators."""
    rows = (
        Queue.objects.filter(items_disputed__gt=0).exclude(state=Queue.State.CLOSED).select_related("dataset")
    )
    found = []
    for row in policy.visible_to(user, rows, "labeling.adjudicate").order_by("-items_disputed", "id")[:EACH]:
        fact = f"{things(row.items_disputed, 'disagreement')} in {row.name}"
        found.append(Task(fact, row.dataset.name, "Adjudicate items", page("review:review", row.uuid)))
    return found


def answers(user: User, roles: Roles) -> list[Task]:
    """Open queues with annotations left for this person, for analysts and for people who have begun to
    annotate there.
    """
    analyst_in = [key for key, held in roles.items() if Role.ANALYST in held]
    own = Slot.objects.filter(queue=OuterRef("queue"), item=OuterRef("item"), user=user).exclude(
        state=Slot.State.LEASED
    )
    free = Q(state=Slot.State.OPEN) | Q(state=Slot.State.LEASED, user=user)
    left = Slot.objects.filter(free, ~Exists(own), queue=OuterRef("pk"))
    rows = queues(user).filter(
        Q(dataset__project__in=analyst_in) | Q(seats__user=user), Exists(left), state=Queue.State.OPEN
    )
    found = []
    for row in as_seen_by(user, list(policy.visible_to(user, rows.distinct(), "labeling.annotate")[:EACH])):
        fact = f"{things(max(1, row.slots_total - row.slots_done), 'annotation')} left in {row.name}"
        found.append(Task(fact, row.dataset.name, "Label items", page("queues:bench", row.uuid)))
    return found


def uploads(user: User, _roles: Roles) -> list[Task]:
    """Files that this person uploaded and hasn't accepted yet."""
    rows = (
        Upload.objects.filter(uploaded_by=user, state=UploadState.INSPECTED)
        .select_related("dataset")
        .order_by("-id")
    )
    found = []
    for row in policy.visible_to(user, rows, "datasets.upload")[:EACH]:
        found.append(
            Task(
                f"{row.file_name} is ready to import",
                row.dataset.name,
                "Review import",
                page("datasets:upload", row.uuid),
            )
        )
    return found


def runs(user: User, _roles: Roles) -> list[Task]:
    """This person's runs that succeeded and are not registered, newest first; trials of sweeps wait for no
    one.
    """
    rows = training.runs(user).filter(
        launched_by=user, state=RunState.SUCCEEDED, versions__isnull=True, sweep__isnull=True
    )
    found = []
    for row in policy.visible_to(user, rows, "catalog.register")[:EACH]:
        found.append(
            Task(
                f"{row} isn't registered",
                str(row.snapshot),
                "Evaluate and register",
                page("training:detail", row.uuid),
            )
        )
    return found


def newcomers(user: User, _roles: Roles) -> list[Task]:
    """People without a role, for organisation admins."""
    found = people_without_role(100) if user.is_organisation_admin else 0
    fact = f"{things(found, 'person', 'people')} without a role"
    return (
        [Task(fact, "They can't see any project yet", "Assign roles", reverse("access:projects"))]
        if found
        else []
    )


SOURCES: list[Callable[[User, Roles], list[Task]]] = [
    emptied,
    alerts,
    canaries,
    decisions,
    deployments,
    proposals,
    disagreements,
    answers,
    uploads,
    runs,
    newcomers,
]


def page(name: str, uuid: UUID) -> str:
    """The address of an object's page."""
    return reverse(name, args=[uuid])
