"""Proposals: lists of them, and one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, OuterRef, Q, QuerySet, Subquery, When

from lifecycle.modeling.training.models import Run
from lifecycle.modeling.training.queries import UNFINISHED
from lifecycle.ui import paging
from monitoring.retraining.models import Pick, Proposal
from monitoring.retraining.rules import BUSY, State
from registry.catalog import queries as catalog
from registry.catalog.models import Alias, Endpoint
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.access.policy import Person
from registry.ground.ledger.rules import digest_of

PAGE = 30
RUN_ACTIVE = UNFINISHED
RUN_ENDED = (Run.State.FAILED, Run.State.STOPPED)
BUSY_FIRST = Case(When(state__in=sorted(BUSY), then=0), default=1)
ALWAYS = (
    "endpoint__model__project",
    "endpoint__alias__version",
    "trigger",
    "live__model",
    "dataset__project",
    "job",
)  # never empty, or cheap


def visible(user: Person) -> QuerySet[Proposal]:
    """The proposals that the user may see, newest first, with all that a line shows."""
    rows = Proposal.objects.select_related(
        "endpoint__model__project", "trigger", "proposed_by", "live", "acting"
    ).prefetch_related("queue", "snapshot", "run", "evaluation", "live_evaluation", "version", "promotion")
    return policy.visible_to(user, rows, "retraining.view").order_by("-pk")


def full(user: Person, uuid: UUID) -> Proposal:
    """One proposal, for its page. Raises Http404."""
    return policy.get_visible(user, singly(), "retraining.view", uuid=uuid)


def singly() -> QuerySet[Proposal]:
    """For reading one proposal. Its further relations load when they are asked for: PostgreSQL plans a join
    of them all in 0.3 s.
    """
    return Proposal.objects.select_related(*ALWAYS)


def busy(endpoint: Endpoint) -> Proposal | None:
    """The proposal of an endpoint that is not ended: there is one at most."""
    return Proposal.objects.filter(endpoint=endpoint, state__in=BUSY).first()


def newest(endpoint: Endpoint) -> Proposal | None:
    """The proposal of an endpoint that is under way, else the last one."""
    rows = Proposal.objects.filter(endpoint=endpoint).select_related("queue", "run", "promotion", "live")
    return rows.order_by(BUSY_FIRST, "-pk").first()


@dataclass(frozen=True, slots=True)
class RetrainingListItem:
    """An endpoint as the list shows it. triggers: how many are on."""

    endpoint: Endpoint
    proposal: Proposal | None
    triggers: int


def lines(user: User) -> list[RetrainingListItem]:
    """The endpoints that the user may see with their newest proposal, those that wait for a decision
    first.
    """
    last = Proposal.objects.filter(endpoint=OuterRef("pk")).order_by(BUSY_FIRST, "-pk").values("pk")[:1]
    rows = catalog.endpoints(user).annotate(
        newest=Subquery(last), on=Count("triggers", filter=Q(triggers__enabled=True))
    )
    found: list[Any] = list(rows)
    proposals = {
        row.pk: row for row in visible(user).filter(pk__in=[each.newest for each in found if each.newest])
    }
    made = [RetrainingListItem(each, proposals.get(each.newest), each.on) for each in found]
    order = {State.OPEN: 0, State.FAILED: 1, State.RUNNING: 2, State.APPROVED: 2, State.REQUESTED: 3}
    return sorted(made, key=lambda line: order.get(State(line.proposal.state), 4) if line.proposal else 5)


def ended(
    user: User, before: int | None = None, endpoint: Endpoint | None = None
) -> tuple[list[Proposal], int | None]:
    """Ended proposals, newest first, and the key of the next page (None on the last)."""
    rows = visible(user).exclude(state__in=BUSY)
    rows = rows.filter(endpoint=endpoint) if endpoint else rows
    return paging.page(rows, before, PAGE)


def page_of(
    user: User, *, before: int | None = None, endpoint: UUID | None = None, state: str = ""
) -> tuple[list[Proposal], int | None]:
    """One page of proposals in any state, newest first, and the key of the next."""
    given = {"endpoint__uuid": endpoint, "state": state}
    rows = visible(user).filter(**{name: value for name, value in given.items() if value})
    return paging.page(rows, before, PAGE)


def to_decide(user: Person) -> QuerySet[Proposal]:
    """The open and failed proposals that wait for this person, oldest first; what they proposed themselves
    waits for someone else.
    """
    rows = Proposal.objects.filter(state__in=[State.OPEN, State.FAILED]).exclude(
        state=State.OPEN, proposed_by=user.pk
    )
    rows = rows.select_related("endpoint__model__project", "live")
    return policy.visible_to(user, rows, "retraining.decide").order_by("pk")


def waiting_count(user: Person) -> int | None:
    """How many open proposals wait for this lead, counted up to 100; None for everyone else."""
    if not policy.can_somewhere(user, "retraining.decide"):
        return None
    return to_decide(user).filter(state=State.OPEN).order_by()[:100].count()


def retry_resumes(proposal: Proposal) -> bool:
    """Whether trying the failed step again resumes a run, in the name of who tries again."""
    return proposal.state == State.FAILED and proposal.run is not None and proposal.run.state in RUN_ENDED


def unended() -> list[UUID]:
    """The proposals that the tick looks after, oldest first."""
    return list(Proposal.objects.filter(state__in=BUSY).order_by("pk").values_list("uuid", flat=True))


def seen_digest(proposal: Proposal, alias: Alias) -> str:
    """What a decision is bound to: the reasons, the settings and what is live."""
    return digest_of(
        {
            "proposal": str(proposal.uuid),
            "state": proposal.state,
            "live": proposal.live_id,
            "now": alias.version_id,
            "moves": alias.moves,
            "for": proposal.reasons_for,
            "against": proposal.reasons_against,
            "min_labels": proposal.min_labels,
        }
    )


def picks_by_kind(proposal: Proposal) -> dict[str, int]:
    """How many texts of each kind went to the analysts."""
    rows = Pick.objects.filter(proposal=proposal).order_by().values_list("kind").annotate(number=Count("pk"))
    return dict(rows.values_list("kind", "number"))
