"""Business figures and the result of them, from the sums by day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

from django.db.models import Count, QuerySet

from lifecycle.runtime.statistics.intervals import Interval
from lifecycle.runtime.statistics.verdicts import Verdict, verdict
from monitoring.traffic import outcomes
from monitoring.traffic.models import Kpi, Outcome, OutcomeDay, Side
from monitoring.traffic.outcomes import Arm
from monitoring.traffic.rules import DAY, ceil, floor
from registry.catalog.models import Endpoint
from registry.ground.access import policy
from registry.ground.access.models import User


@dataclass(frozen=True)
class Comparison:
    """A figure over whole days UTC, with the model and without. figures: how many the endpoint has, all of
    which hold together.

    ratio_p: how likely chance alone ever splits the subjects so far from the hold-out share; None without
    subjects.
    """

    kpi: Kpi
    since: datetime
    until: datetime
    model: Arm = Arm()
    holdout: Arm = Arm()
    figures: int = 1

    @property
    def model_cases(self) -> int:
        """Cases with the model."""
        return self.model.n

    @property
    def holdout_cases(self) -> int:
        """Cases without it."""
        return self.holdout.n

    @property
    def n(self) -> int:
        """Cases in both arms."""
        return self.model.n + self.holdout.n

    @property
    def subjects(self) -> int:
        """Subjects of which a case was reported for the first time."""
        return self.model.subjects + self.holdout.subjects

    @property
    def unnamed(self) -> int:
        """Cases without a subject, each of which counts as one."""
        return self.model.unnamed + self.holdout.unnamed

    @property
    def model_mean(self) -> float | None:
        """None without cases."""
        return self.model.mean

    @property
    def holdout_mean(self) -> float | None:
        """None without cases."""
        return self.holdout.mean

    @cached_property
    def difference(self) -> Interval | None:
        """Model minus hold-out with an interval that holds at every look, with 95 % together with those of
        the endpoint's other figures; None with too few subjects in an arm, or where nothing varies.
        """
        return outcomes.compare(self.kpi.kind, self.model, self.holdout, self.figures)

    @cached_property
    def ratio_p(self) -> float | None:
        """See above."""
        return outcomes.ratio_p(self.model.subjects, self.holdout.subjects, self.kpi.holdout_share)

    @property
    def mismatch(self) -> bool:
        """Whether the sample ratio is off: some cases went missing or came twice, and no difference can be
        believed.
        """
        return self.ratio_p is not None and self.ratio_p < outcomes.MISMATCH_P

    @property
    def verdict(self) -> Verdict:
        """What its interval says, if the split can be believed."""
        if not self.n:
            return Verdict.NOT_MEASURED
        return (
            verdict(self.difference, up=self.kpi.direction == Kpi.Direction.UP)
            if self.difference
            else Verdict.FEW
        )

    @property
    def reading(self) -> str:
        """The words of the verdict, or sample ratio off."""
        return "sample ratio off" if self.mismatch else self.verdict.words


@dataclass(frozen=True)
class Week:
    """One week of a figure, from its Monday. model, holdout: the means, None without cases, and the cases."""

    start: datetime
    model: tuple[float | None, int]
    holdout: tuple[float | None, int]


def compare(kpi: Kpi, since: datetime, until: datetime) -> Comparison:
    """A figure over the days that touch [since, until), in two statements."""
    return comparisons([kpi], since, until)[0]


def comparisons(kpis: Sequence[Kpi], since: datetime, until: datetime) -> list[Comparison]:
    """The same of several figures, in two statements too."""
    since, until = floor(since.astimezone(UTC), DAY), ceil(until.astimezone(UTC), DAY)
    arms: dict[tuple[int, str], Arm] = {}
    rows = OutcomeDay.objects.filter(
        kpi__in=[each.pk for each in kpis], day__gte=since.date(), day__lt=until.date()
    )
    for pk, arm, subjects, unnamed, groups in rows.values_list("kpi", "arm", "subjects", "unnamed", "groups"):
        arms[pk, arm] = arms.get((pk, arm), Arm()) + Arm(subjects, unnamed, outcomes.unpacked(groups))
    counted = (
        Kpi.objects.filter(endpoint__in={each.endpoint_id for each in kpis})
        .order_by()
        .values_list("endpoint")
    )
    figures = dict(counted.annotate(number=Count("pk")))
    return [
        Comparison(
            kpi,
            since,
            until,
            arms.get((kpi.pk, Side.MODEL), Arm()),
            arms.get((kpi.pk, Side.HOLDOUT), Arm()),
            figures[kpi.endpoint_id],
        )
        for kpi in kpis
    ]


def weeks(kpi: Kpi, since: datetime, until: datetime) -> list[Week]:
    """A figure by week, without gaps, from the week that holds `since`; in one statement."""
    first = floor(since.astimezone(UTC), DAY)
    first -= first.weekday() * DAY
    rows = OutcomeDay.objects.filter(kpi=kpi, day__gte=first.date(), day__lt=ceil(until, DAY).date())
    sums: dict[tuple[date, str], tuple[int, float]] = {}
    for day, arm, n, total in rows.values_list("day", "arm", "n", "total"):
        place = day - day.weekday() * DAY, arm
        known = sums.get(place, (0, 0.0))
        sums[place] = known[0] + n, known[1] + total

    def mean(monday: date, arm: str) -> tuple[float | None, int]:
        n, total = sums.get((monday, arm), (0, 0.0))
        return total / n if n else None, n

    starts = [first + at * timedelta(days=7) for at in range(max(0, -((first - until) // timedelta(days=7))))]
    return [Week(start, mean(start.date(), Side.MODEL), mean(start.date(), Side.HOLDOUT)) for start in starts]


def kpis(endpoint: Endpoint) -> list[Kpi]:
    """The business figures of an endpoint, by name."""
    return list(
        Kpi.objects.filter(endpoint=endpoint).select_related("owner", "endpoint").order_by("name", "id")
    )


def visible_kpis(user: User) -> QuerySet[Kpi]:
    """The figures that the user may see."""
    return policy.visible_to(user, Kpi, "traffic.view").select_related("endpoint__model__project", "owner")


def newest_outcomes(kpi: Kpi, limit: int) -> list[Outcome]:
    """What was reported last, newest first."""
    return list(Outcome.objects.filter(kpi=kpi).select_related("prediction").order_by("-at", "-id")[:limit])
