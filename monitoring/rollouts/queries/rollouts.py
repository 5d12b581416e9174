"""Rollouts: lists of them, one, and what the audit log holds of it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q, QuerySet
from django.urls import reverse

from lifecycle.ui import paging
from monitoring.rollouts import rules
from monitoring.rollouts.models import Rollout
from registry.catalog.models import Endpoint
from registry.endpoints.models import Deployment
from registry.ground.access import policy
from registry.ground.access.policy import Person
from registry.ground.ledger import accounts
from registry.ground.ledger.verbs import Verb

PAGE = 20
STEPS = (Verb.ROLLOUT_STEP_DECIDED, Verb.ROLLOUT_STEP_DROPPED, Verb.ROLLOUT_WIDENED)


def with_all(rows: QuerySet[Rollout]) -> QuerySet[Rollout]:
    """Everything that a page or an answer names, in one statement."""
    return rows.select_related(
        "endpoint__model__project", "version__model", "baseline__model", "request", "started_by", "ended_by"
    )


def visible(user: Person) -> QuerySet[Rollout]:
    """The rollouts that the user may see, newest first."""
    return policy.visible_to(user, with_all(Rollout.objects.all()), "rollouts.view").order_by("-id")


def page_of(
    user: Person, *, endpoint: UUID | None = None, state: str = "", before: int | None = None
) -> tuple[list[Rollout], int | None]:
    """One page, newest first, and the key to continue before (None on the last)."""
    rows = visible(user)
    rows = rows.filter(endpoint__uuid=endpoint) if endpoint else rows
    rows = rows.filter(state=state) if state else rows
    return paging.page(rows, before, PAGE)


def open_rollouts() -> QuerySet[Rollout]:
    """Those whose canary takes traffic, oldest first."""
    return with_all(Rollout.objects.filter(state__in=rules.OPEN)).order_by("id")


def open_rollout(endpoint: Endpoint) -> Rollout | None:
    """The rollout that runs on an endpoint, paused and holding ones included."""
    return open_rollouts().filter(endpoint=endpoint).first()


def beginning(rollout: Rollout) -> accounts.LoggedEvent | None:
    """The event of its start, which holds its plan."""
    return next(iter(accounts.events_about(rollout.uuid, {Verb.ROLLOUT_STARTED})), None)


def open_claim(rollout: Rollout) -> accounts.LoggedEvent | None:
    """The event of the wider share that was decided on and is neither in force nor dropped."""
    events = accounts.events_about(rollout.uuid, STEPS)
    return events[-1] if events and events[-1].verb == Verb.ROLLOUT_STEP_DECIDED else None


def page_of_canary(canary: Deployment) -> str:
    """The page of the open rollout that steers a canary; empty when none does."""
    found = Rollout.objects.filter(
        endpoint=canary.endpoint_id, request=canary.approval_id, state__in=rules.OPEN
    ).first()
    return reverse("rollouts:detail", args=[found.uuid]) if found else ""


def ends_of_canaries(canaries: Sequence[Deployment]) -> dict[int, tuple[str, str]]:
    """The mark and the word of the ended rollouts that these canaries belonged to, by the canary's key; none
    where none steered it.
    """
    rows = Rollout.objects.filter(request__in={canary.approval_id for canary in canaries}).exclude(
        state__in=rules.OPEN
    )
    ended = {
        (rollout.endpoint_id, rollout.request_id): (rollout.mark, rollout.get_state_display())
        for rollout in rows
    }
    keys = {canary.pk: (canary.endpoint_id, canary.approval_id) for canary in canaries}
    return {pk: ended[key] for pk, key in keys.items() if key in ended}


def last_rollout(endpoint: Endpoint) -> Rollout | None:
    """The newest rollout of an endpoint, ended or not."""
    return with_all(Rollout.objects.filter(endpoint=endpoint)).order_by("-id").first()


def to_steer(user: Person) -> QuerySet[Rollout]:
    """The rollouts that hold or ask for their next step and that the user may steer, oldest first."""
    rows = policy.visible_to(user, with_all(Rollout.objects.all()), "rollouts.steer")
    return rows.filter(
        Q(state=rules.State.HOLDING) | Q(state=rules.State.RUNNING, asked_at__isnull=False)
    ).order_by("id")


def waiting_count(user: Person) -> int | None:
    """How many rollouts wait for this person; None for none."""
    return to_steer(user).order_by().count() or None
