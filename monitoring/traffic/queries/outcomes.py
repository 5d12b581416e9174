"""Business figures and what came of them, from the sums by day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from lifecycle.statistics.intervals import Interval
from monitoring.traffic import outcomes
from monitoring.traffic.models import Kpi, Outcome, OutcomeDay, Side
from monitoring.traffic.outcomes import NOTHING, Sums
from monitoring.traffic.rules import DAY, ceil, floor
from registry.access import policy
from registry.access.models import User
from registry.catalog.models import Endpoint


@dataclass(frozen=True)
class Comparison:
    """A figure over whole days UTC, with the model and without. model, holdout: (n, total, spread).

    ratio_p: how likely chance alone splits the cases so far from the hold-out share; None without cases.
    """

    kpi: Kpi
    since: datetime
    until: datetime
    model: Sums = NOTHING
    holdout: Sums = NOTHING

    @property
    def model_cases(self) -> int:
        """Cases with the model."""
        return self.model[0]

    @property
    def holdout_cases(self) -> int:
        """Cases without it."""
        return self.holdout[0]

    @property
    def n(self) -> int:
        """Cases in both arms."""
        return self.model[0] + self.holdout[0]

    @property
    def model_mean(self) -> float | None:
        """None without cases."""
        return outcomes.mean(self.model) if self.model[0] else None

    @property
    def holdout_mean(self) -> float | None:
        """None without cases."""
        return outcomes.mean(self.holdout) if self.holdout[0] else None

    @property
    def difference(self) -> Interval | None:
        """Model minus hold-out with its 95 % interval; None with fewer than 30 cases in an arm, or where nothing varies."""
        return outcomes.compare(self.kpi.kind, self.model, self.holdout)

    @property
    def ratio_p(self) -> float | None:
        """See above."""
        return outcomes.ratio_p(self.model[0], self.holdout[0], self.kpi.holdout_share)

    @property
    def mismatch(self) -> bool:
        """Whether the split is so unlikely that no difference can be believed."""
        return outcomes.ratio_check(self.model[0], self.holdout[0], self.kpi.holdout_share)

    @property
    def reading(self) -> str:
        """better, worse, unclear, insufficient data, or sample ratio off."""
        return outcomes.reading(self.difference, up=self.kpi.direction == Kpi.Direction.UP, mismatch=self.mismatch)


@dataclass(frozen=True)
class Week:
    """One week of a figure, from its Monday."""

    start: datetime
    model: Sums
    holdout: Sums


def compare(kpi: Kpi, since: datetime, until: datetime) -> Comparison:
    """A figure over the days that touch [since, until), in one statement."""
    return comparisons([kpi], since, until)[0]


def comparisons(kpis: Sequence[Kpi], since: datetime, until: datetime) -> list[Comparison]:
    """The same of several figures, in one statement too."""
    since, until = floor(since.astimezone(UTC), DAY), ceil(until.astimezone(UTC), DAY)
    sums = added((each.pk for each in kpis), since.date(), until.date(), lambda kpi, _day, arm: (kpi, arm))
    return [
        Comparison(kpi, since, until, sums.get((kpi.pk, Side.MODEL), NOTHING), sums.get((kpi.pk, Side.HOLDOUT), NOTHING)) for kpi in kpis
    ]


def weeks(kpi: Kpi, since: datetime, until: datetime) -> list[Week]:
    """A figure by week, without gaps, from the week that holds `since`; in one statement."""
    first = floor(since.astimezone(UTC), DAY)
    first -= first.weekday() * DAY
    sums = added([kpi.pk], first.date(), ceil(until, DAY).date(), lambda _kpi, day, arm: (day - day.weekday() * DAY, arm))
    starts = [first + at * timedelta(days=7) for at in range(max(0, -((first - until) // timedelta(days=7))))]
    return [Week(start, sums.get((start.date(), Side.MODEL), NOTHING), sums.get((start.date(), Side.HOLDOUT), NOTHING)) for start in starts]


def added(
    kpis: Iterable[int], since: date, until: date, group: Callable[[int, date, str], tuple[Any, str]]
) -> dict[tuple[Any, str], Sums]:  # fmt: skip
    """The days of [since, until) added up. group: to what a day of a figure (by primary key) and an arm belongs."""
    rows = OutcomeDay.objects.filter(kpi__in=kpis, day__gte=since, day__lt=until).order_by("day")
    found: dict[tuple[Any, str], Sums] = {}
    for kpi, day, arm, n, total, spread in rows.values_list("kpi", "day", "arm", "n", "total", "spread"):
        key = group(kpi, day, arm)
        found[key] = outcomes.joined(found.get(key, NOTHING), (n, total, spread))
    return found


def kpis(endpoint: Endpoint) -> list[Kpi]:
    """The business figures of an endpoint, by name."""
    return list(Kpi.objects.filter(endpoint=endpoint).select_related("owner", "endpoint").order_by("name", "id"))


def visible_kpis(user: User) -> QuerySet[Kpi]:
    """The figures that the user may see."""
    return policy.visible_to(user, Kpi, "traffic.view").select_related("endpoint__model__project", "owner")


def newest_outcomes(kpi: Kpi, limit: int) -> list[Outcome]:
    """What was reported last, newest first."""
    return list(Outcome.objects.filter(kpi=kpi).select_related("prediction").order_by("-at", "-id")[:limit])
