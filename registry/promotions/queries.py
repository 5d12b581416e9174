"""Reading promotions: the queue, who may decide, and the state of one request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from lifecycle.ui import paging
from registry.catalog.models import ModelGrant
from registry.ground.access import policy as access
from registry.ground.access.models import ProjectGrant, User
from registry.ground.access.policy import Person
from registry.ground.access.roles import Role, roles_for
from registry.policies import queries as policies
from registry.policies.rules import Step
from registry.promotions import rules
from registry.promotions.models import PromotionRequest, Verdict
from registry.promotions.rules import OPEN, Status

PAGE = 30
SHOWN_PEOPLE = 4


@dataclass(frozen=True, slots=True)
class Seat:
    """One step of a request's policy: taken by a verdict, or open for these people. barred: (person, why not)
    among those of the role.
    """

    step: Step
    verdict: Verdict | None
    may: tuple[User, ...] = ()
    barred: tuple[tuple[User, str], ...] = ()
    is_next: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a person may approve now, and if not, why: shown before they read. may_reject: whether they may
    reject or revoke.
    """

    may: bool
    why: str
    may_reject: bool = False
    step: Step | None = None


def visible(user: Person) -> QuerySet[PromotionRequest]:
    """The requests that the user may see, newest first, with all that a line shows."""
    verdicts = Prefetch("verdicts", Verdict.objects.select_related("reviewer").order_by("pk"))
    rows = PromotionRequest.objects.select_related(
        "endpoint__model__project", "endpoint__policy", "version__model", "policy", "requester", "baseline"
    ).prefetch_related(verdicts)
    return access.visible_to(user, rows, "promotions.view").order_by("-pk")


def full(user: Person, uuid: UUID) -> PromotionRequest:
    """One request, for its page and its subject; what they seldom need loads when it is asked for. Raises
    Http404.
    """
    rows = visible(user).select_related("version__run__snapshot__dataset", "version__evaluation")
    return access.get_visible(user, rows, "promotions.view", uuid=uuid)


def people(request: PromotionRequest) -> dict[str, list[str]]:
    """Whose own work is judged, as uuids by part. Before the first check only the requester is known."""
    known: dict[str, list[str]] = request.subject.get("people", {})
    return known or request.asked_by


def standing(
    user: User,
    request: PromotionRequest,
    *,
    roles: frozenset[Role] | None = None,
    now: datetime | None = None,
) -> Standing:
    """Whether this person may approve this request now. The action asks the same again under its lock. roles:
    those by which they decide it, where known already.
    """
    held = deciding_roles(user, [request])[request.pk] if roles is None else roles
    verdicts = list(request.verdicts.all())
    step = request.next_step(verdicts)
    reviewer = bool(held & roles_for("promotions.approve"))
    voted = any(verdict.reviewer_id == user.pk for verdict in verdicts)
    rejects = reviewer and not voted and request.status in (Status.IN_REVIEW, Status.APPROVED)
    if request.status != Status.IN_REVIEW:
        return Standing(False, f"The request is {request.get_status_display().lower()}.", rejects)
    if request.is_overdue(now or timezone.now()):
        return Standing(False, "The decision deadline has passed.", False)
    if sentence := rules.part_of(str(user.uuid), people(request)):
        return Standing(False, sentence, rejects, step)
    if voted:
        return Standing(False, "You've already decided; each person decides once.", False, step)
    if step is None or step.role not in held:
        # a list shows less, and has no query per line
        late = roles is None and step is not None and access.holds(user, step.role, request)
        return Standing(False, rules.LATE if late else rules.waiting_sentence(step), rejects, step)
    return Standing(True, "", rejects, step)


def seats(request: PromotionRequest) -> list[Seat]:
    """Each step of the policy with who decided or who may, and who of the role may not."""
    verdicts = list(request.verdicts.all())
    taken = {verdict.step: verdict for verdict in verdicts if verdict.approves}
    step_now, parts, voted = (
        request.next_step(verdicts),
        people(request),
        {verdict.reviewer_id for verdict in verdicts},
    )
    found = []
    for step in policies.read(request.policy).steps:
        if step.name in taken:
            found.append(Seat(step, taken[step.name]))
            continue
        may, barred = [], []
        people_of_role = list(access.holders(step.role, request))
        since, asked = access.held_since(people_of_role), PromotionRequest.asked_at([request])
        for person in people_of_role:
            why = rules.part_of(str(person.uuid), parts) or (
                "decided another step" if person.pk in voted else ""
            )
            late = (
                ""
                if request.held_before(person, step.role, since, asked)
                else "got the role after this request was opened"
            )
            why = why or late
            barred.append((person, third_person(why))) if why else may.append(person)
        found.append(
            Seat(step, None, tuple(may[:SHOWN_PEOPLE]), tuple(barred[:SHOWN_PEOPLE]), step == step_now)
        )
    return found


def third_person(sentence: str) -> str:
    """The reason as it is worded for someone else: "requested this promotion"."""
    return sentence.removeprefix("You ").removesuffix(", so you can't approve it.")


@dataclass(frozen=True, slots=True)
class PromotionListItem:
    """A request in the queue, with whose turn it is."""

    request: PromotionRequest
    standing: Standing


def open_lines(user: User) -> tuple[list[PromotionListItem], list[PromotionListItem]]:
    """The open requests that wait for this person, and those that wait for others; each by due time, at most
    a page in all.
    """
    rows = list(visible(user).filter(status__in=sorted(OPEN)).order_by("due_at", "pk")[:PAGE])
    roles = deciding_roles(user, rows)
    lines = [PromotionListItem(row, standing(user, row, roles=roles[row.pk])) for row in rows]
    mine = [line for line in lines if line.standing.may or is_owned(user, line.request)]
    return mine, [line for line in lines if line not in mine]


def deciding_roles(user: User, requests: Sequence[PromotionRequest]) -> dict[int, frozenset[Role]]:
    """The roles by which a person decides on each request, by its key: held on the project or on the model
    since before it was made. Four statements, however many.
    """
    projects = {request.endpoint.model.project_id for request in requests}
    models = {request.endpoint.model_id for request in requests}
    on_project = grants(ProjectGrant.objects.filter(content_object__in=projects), user)
    on_model = grants(ModelGrant.objects.filter(content_object__in=models), user)
    since, asked = access.held_since([user]), PromotionRequest.asked_at(requests)
    held = {
        request.pk: (
            on_project.get(request.endpoint.model.project_id, set())
            | on_model.get(request.endpoint.model_id, set())
        )
        for request in requests
    }
    return {
        request.pk: frozenset(
            role for role in held[request.pk] if request.held_before(user, role, since, asked)
        )
        for request in requests
    }


def grants(rows: QuerySet[Any], user: User) -> dict[int, set[Role]]:
    """The roles among these grants that reach an active person, by root."""
    found: dict[int, set[Role]] = {}
    held = rows.filter(group__user=user.pk, group__user__is_active=True).values_list(
        "content_object", "permission__codename"
    )
    for root, codename in held:
        found.setdefault(root, set()).add(Role(codename.removeprefix("role_")))
    return found


def is_owned(user: User, request: PromotionRequest) -> bool:
    """Whether the next step is the requester's own: gates to fix and check again, or an approval to
    deploy.
    """
    return request.requester_id == user.pk and request.status in (Status.DRAFT, Status.APPROVED)


def closed(user: User, before: int | None) -> tuple[list[PromotionRequest], int | None]:
    """Ended requests, newest first, and the key of the next page."""
    return paging.page(visible(user).exclude(status__in=sorted(OPEN)), before, PAGE)


def waiting_count(user: User) -> int:
    """How many requests wait for this person's decision, among the newest open ones."""
    return sum(1 for line in open_lines(user)[0] if line.standing.may)


def may_withdraw(user: User, request: PromotionRequest) -> bool:
    """Whether this person's part allows withdrawing: the requester, while their role still does, or an ML
    lead.
    """
    if not access.can(user, "promotions.withdraw", request):
        return False
    return request.requester_id == user.pk or access.holds(user, Role.LEAD, request)
