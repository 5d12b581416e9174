"""The figures of the dashboard, for all endpoints at once: a constant number of statements, from rollups and
small tables alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from statistics import median
from typing import NamedTuple

from django.db.models import Count, Max, Q, QuerySet, Sum
from django.db.models.functions import TruncMonth, TruncWeek

from lifecycle.modeling.training.models import Run
from monitoring.alerts.models import Alert, Objective
from monitoring.alerts.queries import most_urgent
from monitoring.alerts.rules.state import Severity
from monitoring.alerts.rules.state import State as AlertState
from monitoring.retraining.models import Proposal
from monitoring.retraining.rules import Kind
from monitoring.rollouts.models import Rollout
from monitoring.rollouts.rules import OPEN
from monitoring.traffic import histogram
from monitoring.traffic.histogram import Histogram
from monitoring.traffic.models import Kpi, Rollup, RollupMark
from monitoring.traffic.queries.figures import pieces
from monitoring.traffic.rules import DAY, FEEDBACK_LEAST, SHADOW, WINDOWS, availability, right_share
from monitoring.traffic.senders import SenderShare, sender_share
from registry.catalog.models import Endpoint
from registry.endpoints.models import Deployment
from registry.ground.access import policy
from registry.ground.access.models import Project, User
from registry.ground.access.queries import projects
from registry.promotions.models import PromotionRequest, Verdict
from registry.promotions.rules import Status

SEE = "overview.view"


def visible_projects(user: User) -> list[Project]:
    """The projects whose dashboard the user sees, by name."""
    return list(policy.visible_to(user, projects(user), SEE).order_by("name"))


def endpoints(user: User, project: Project | None) -> list[Endpoint]:
    """The endpoints that the user sees, of one project or of all."""
    rows = policy.visible_to(user, Endpoint.objects.select_related("model__project"), SEE).order_by(
        "slug", "pk"
    )
    return list(rows.filter(model__project=project) if project else rows)


@dataclass(frozen=True)
class Volume:
    """Counts of a stretch of time; cpu_us: engine CPU time in microseconds, of `timed` texts."""

    requests: int = 0
    answers: int = 0
    errors: int = 0
    refused: int = 0
    shed: int = 0
    right: int = 0
    wrong: int = 0
    overrides: int = 0
    cpu_us: int = 0
    timed: int = 0
    lost_milli: int = 0

    @property
    def availability(self) -> float | None:
        """As objectives count it; None where nothing was asked."""
        return availability(
            self.requests - self.refused - self.shed, self.errors, round(self.lost_milli / 1000)
        )

    @property
    def with_feedback(self) -> int:
        """Predictions with feedback."""
        return self.right + self.wrong

    @property
    def right_share(self) -> float | None:
        """Of these; None where they are too few."""
        return right_share(self.right, self.wrong)

    def __add__(self, other: Volume) -> Volume:
        return Volume(*(getattr(self, name) + getattr(other, name) for name in COUNTED))


COUNTED = tuple(field.name for field in fields(Volume))


def at_midnight(day: date) -> datetime:
    """The first moment of a day UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def rollups(found: Sequence[Endpoint], since: datetime, until: datetime) -> Iterator[QuerySet[Rollup]]:
    """The rollups that together hold what clients asked in [since, until), in at most three querysets.
    Shadows answer no one.
    """
    marks = {mark.level: mark for mark in RollupMark.objects.all()}
    for model, spans in pieces(since, until, DAY, marks).items():
        inside = Q()
        for begin, end in spans:
            inside |= Q(start__gte=begin, start__lt=end)
        yield model._default_manager.filter(inside, endpoint__in=found).exclude(arm=SHADOW).order_by()


def weekly(found: Sequence[Endpoint], since: date, now: datetime) -> dict[int, dict[date, Volume]]:
    """Endpoint → Monday → counts, of the weeks in which anything was asked."""
    weeks: dict[int, dict[date, Volume]] = defaultdict(lambda: defaultdict(Volume))
    for rows in rollups(found, at_midnight(since), now):
        by_week = rows.annotate(week=TruncWeek("start", tzinfo=UTC)).values_list("endpoint", "week")
        for endpoint, week, *counts in by_week.annotate(*(Sum(name) for name in COUNTED)):
            weeks[endpoint][week.date()] += Volume(*counts)
    return weeks


class Month(NamedTuple):
    """The last 30 days, as the traffic page has them."""

    volume: Volume
    latency: Histogram
    by_sender: Histogram

    @property
    def right(self) -> SenderShare | None:
        """Predictions that are correct, of those with feedback; None where they are too few."""
        return sender_share(self.by_sender, self.volume.right, self.volume.wrong, FEEDBACK_LEAST)


def last_month(found: Sequence[Endpoint], now: datetime) -> dict[int, Month]:
    """Endpoint → its last 30 days."""
    sums: dict[int, Month] = {}
    for rows in rollups(found, *WINDOWS["30d"].span(now)):
        for endpoint, latency, sides, *counts in rows.values_list(
            "endpoint", "latency", "by_sender", *COUNTED
        ):
            month = sums.setdefault(endpoint, Month(Volume(), {}, {}))
            histogram.add_to(month.latency, latency)
            histogram.add_to(month.by_sender, sides)
            sums[endpoint] = month._replace(volume=month.volume + Volume(*counts))
    return sums


def live(found: Sequence[Endpoint]) -> dict[int, Deployment]:
    """Endpoint → what answers now as its stable version."""
    rows = Deployment.objects.filter(endpoint__in=found, arm=Deployment.Arm.STABLE, ended_at=None)
    return {row.endpoint_id: row for row in rows.select_related("version")}


def releases(found: Sequence[Endpoint], since: date) -> dict[int, list[Deployment]]:
    """Endpoint → versions that took all traffic, oldest first; rollbacks are none."""
    rows = Deployment.objects.filter(
        endpoint__in=found,
        arm=Deployment.Arm.STABLE,
        cause=Deployment.Cause.PROMOTION,
        started_at__gte=at_midnight(since),
    )
    by_endpoint: dict[int, list[Deployment]] = defaultdict(list)
    for row in rows.select_related("version").order_by("started_at"):
        by_endpoint[row.endpoint_id].append(row)
    return by_endpoint


def open_rollouts(found: Sequence[Endpoint]) -> dict[int, Rollout]:
    """Endpoint → its rollout under way."""
    rows = Rollout.objects.filter(endpoint__in=found, state__in=OPEN).select_related(
        "version", "endpoint__model__project"
    )
    return {row.endpoint_id: row for row in rows}


def objectives(found: Sequence[Endpoint]) -> list[Objective]:
    """The objectives that are switched on, by endpoint and kind."""
    rows = Objective.objects.filter(endpoint__in=found, is_on=True).select_related("endpoint__model__project")
    return list(rows.order_by("endpoint__slug", "endpoint_id", "kind"))


def firing(user: User, project: Project | None) -> QuerySet[Alert]:
    """What burns; digests are not for this page."""
    rows = (
        policy.visible_to(user, Alert, "alerts.view")
        .exclude(state=AlertState.RESOLVED)
        .exclude(severity=Severity.DIGEST)
    )
    return rows.filter(project=project) if project else rows


def open_alerts(user: User, project: Project | None) -> list[Alert]:
    """The 50 most urgent of it."""
    return list(most_urgent(firing(user, project).select_related("endpoint__model__project"))[:50])


@dataclass(frozen=True)
class Burning:
    """How many alerts burn, by (endpoint, severity)."""

    counts: dict[tuple[int | None, str], int]

    def of(self, severity: str, endpoint: int | None = None) -> int:
        """Of a severity; endpoint: of this one alone."""
        return sum(
            n for (where, kind), n in self.counts.items() if kind == severity and endpoint in (None, where)
        )


def burning(user: User, project: Project | None) -> Burning:
    """All of it, counted."""
    rows = firing(user, project).order_by().values("endpoint", "severity").annotate(n=Count("pk"))
    return Burning({(row["endpoint"], row["severity"]): row["n"] for row in rows})


def kpis(found: Sequence[Endpoint]) -> list[Kpi]:
    """The business figures of these endpoints."""
    rows = Kpi.objects.filter(endpoint__in=found).select_related("endpoint__model__project", "owner")
    return list(rows.order_by("endpoint__slug", "endpoint_id", "id"))


@dataclass(frozen=True)
class Throughput:
    """What governance did in a period. hours: median from request to approval, of the `timed` requests
    approved in it; overdue: open past their date now.
    """

    requested: int
    approved: int
    rejected: int
    voided: int
    waiting: int
    overdue: int
    hours: float | None
    timed: int
    votes: int


def throughput(found: Sequence[Endpoint], since: date, now: datetime) -> Throughput:
    """Promotions requested, decided, and waiting."""
    rows = PromotionRequest.objects.filter(endpoint__in=found)
    begin = at_midnight(since)
    closed = Q(closed_at__gte=begin)
    counts = rows.aggregate(
        requested=Count("pk", filter=Q(created_at__gte=begin)),
        approved=Count("pk", filter=closed & Q(status=Status.FULFILLED))
        + Count("pk", filter=Q(status=Status.APPROVED)),
        rejected=Count("pk", filter=closed & Q(status=Status.REJECTED)),
        voided=Count("pk", filter=closed & Q(status=Status.VOIDED)),
        waiting=Count("pk", filter=Q(status=Status.IN_REVIEW)),
        overdue=Count("pk", filter=Q(status=Status.IN_REVIEW, due_at__lt=now)),
    )
    votes = Verdict.objects.filter(request__endpoint__in=found, created_at__gte=begin)
    approved = (
        votes.filter(request__status__in=(Status.APPROVED, Status.FULFILLED))
        .order_by()
        .values("request", "request__created_at")
    )
    taken = [row["last"] - row["request__created_at"] for row in approved.annotate(last=Max("created_at"))]
    hours = median([each.total_seconds() / 3600 for each in taken]) if taken else None
    return Throughput(**counts, hours=hours, timed=len(taken), votes=votes.count())


def waiting(found: Sequence[Endpoint]) -> list[PromotionRequest]:
    """Requests that wait for someone's vote, the oldest first."""
    rows = PromotionRequest.objects.filter(endpoint__in=found, status=Status.IN_REVIEW)
    return list(rows.select_related("version__model", "endpoint__model__project").order_by("pk")[:20])


def open_proposals(found: Sequence[Endpoint]) -> list[Proposal]:
    """Retrainings that someone should decide on, the oldest first."""
    rows = Proposal.objects.filter(endpoint__in=found, state=Proposal.State.OPEN)
    return list(rows.select_related("endpoint__model__project").order_by("pk")[:20])


@dataclass(frozen=True)
class EndedRuns:
    """Fine-tuning runs that ended well in a month: by hand, or from a proposal to retrain by what made it."""

    by_hand: int = 0
    planned: int = 0
    after_drift: int = 0


def ended_runs(of: Sequence[Project], since: date) -> dict[date, EndedRuns]:
    """Month → runs that ended well, but for trials of sweeps."""
    ended = Run.objects.filter(
        project__in=of, state=Run.State.SUCCEEDED, finished_at__gte=at_midnight(since), sweep__isnull=True
    )
    monthly = (
        ended.annotate(month=TruncMonth("finished_at", tzinfo=UTC))
        .order_by()
        .values("month")
        .annotate(number=Count("pk"))
    )
    proposed = (
        Proposal.objects.filter(run__in=ended)
        .annotate(month=TruncMonth("run__finished_at", tzinfo=UTC))
        .order_by()
    )
    drifted = Count("pk", filter=Q(trigger__kind__in=(Kind.DRIFT, Kind.QUALITY)))
    of_proposals = {
        row["month"]: row for row in proposed.values("month").annotate(number=Count("pk"), drifted=drifted)
    }
    found = {}
    for row in monthly:
        some = of_proposals.get(row["month"], {"number": 0, "drifted": 0})
        found[row["month"].date()] = EndedRuns(
            row["number"] - some["number"], some["number"] - some["drifted"], some["drifted"]
        )
    return found


@dataclass(frozen=True)
class Rollbacks:
    """What was rolled back in a period. canaries: rollouts that ended in a rollback; minutes: the median time
    that such a canary lived.
    """

    versions: int
    canaries: int
    minutes: float | None


def rollbacks(found: Sequence[Endpoint], since: date) -> Rollbacks:
    """Live versions and canaries that were rolled back."""
    begin = at_midnight(since)
    versions = Deployment.objects.filter(
        endpoint__in=found, cause=Deployment.Cause.ROLLBACK, started_at__gte=begin
    ).count()
    ended = Rollout.objects.filter(endpoint__in=found, state=Rollout.State.ROLLED_BACK, ended_at__gte=begin)
    lived = [
        (end - start).total_seconds() / 60
        for start, end in ended.values_list("started_at", "ended_at")
        if end
    ]
    return Rollbacks(versions, len(lived), median(lived) if lived else None)
