"""Reading what is known of drift."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import F, FloatField, Max, OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast, RowNumber, TruncDate
from django.utils import timezone

from lifecycle.ground.jobs import queries as jobs
from lifecycle.ground.jobs.models import Job
from monitoring.drift.judging import Results
from monitoring.drift.models import DriftReport, Episode, Measurement, TextCheck
from monitoring.drift.rules import BACK, CHUNKS_MOST, Monitor, Span, State, standing_of
from monitoring.traffic import keyset
from monitoring.traffic import queries as traffic
from monitoring.traffic.models import Prediction
from registry.catalog.models import Endpoint, ModelVersion
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.access.policy import Person

BEFORE = CHUNKS_MOST + 24  # windows that a judgement looks back on; some of them may have measured nothing
SPARK = 24
DRAWN = 1200  # windows of one chart: fifty days of hours
PAGE = 30
F1_ROWS = 500
# of the live version; of any where none is live
LIVE = Q(endpoint__alias__version=None) | Q(version=F("endpoint__alias__version"))
KINDS = ("drift.measure", "drift.texts")
OUTSIDE_HOLDS = timedelta(days=3)  # how long a text check supports later windows


# ── Where endpoints stand ───────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Reading:
    """What a monitor measured in the window that ended `at`, in its unit. newest: False where it is the
    window that opened its episode.
    """

    value: float
    limit: float
    at: datetime
    newest: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of an endpoint's drift: a report, the text check beside it, and the monitors open after
    it, longest first.
    """

    report: DriftReport | None = None
    texts: TextCheck | None = None
    open: Sequence[Episode] = ()

    @property
    def state(self) -> State | None:
        """One state for pages, dashboard, triggers and API; None where nothing was measured."""
        return standing_of(
            self.report.state if self.report else None,
            self.texts.state if self.texts else None,
            is_open=bool(self.open),
        )

    def reading(self, episode: Episode) -> Reading:
        """What the monitor of an open episode measured last; where the newest window couldn't measure it,
        what opened the episode.
        """
        for shown in filter(None, (self.report, self.texts)):
            found = shown.result(episode.monitor)
            if found.get("value") is not None and shown.window_end >= episode.opened_at:
                return Reading(found["value"], found["limit"], shown.window_end, newest=True)
        return Reading(episode.value, episode.limit, episode.opened_at, newest=False)


def standing(found: Sequence[Endpoint]) -> dict[int, Standing]:
    """Where endpoints stand by what was measured of the version that is live on each (of any where none is
    live): primary key → Standing.

    Reports of windows that ended more than 60 days ago don't count. Four statements, however many endpoints.
    """
    mine = DriftReport.objects.filter(
        LIVE, endpoint=OuterRef("pk"), requested=False, window_end__gt=timezone.now() - BACK
    )
    newest_of_mine = Subquery(mine.order_by("-window_end", "-id").values("pk")[:1])
    newest = Endpoint.objects.filter(pk__in=[each.pk for each in found]).values(newest=newest_of_mine)
    rows = (
        DriftReport.objects.filter(pk__in=newest)
        .select_related("version", "baseline", "endpoint")
        .defer("bins")
    )
    reports = {row.endpoint_id: row for row in rows}
    beside = {check.endpoint_id: check for check in texts_beside(reports.values()).values()}
    opened: dict[int, list[Episode]] = {each.pk: [] for each in found}
    for episode in Episode.objects.filter(LIVE, endpoint__in=found, closed_at=None).order_by(
        "opened_at", "id"
    ):
        opened[episode.endpoint_id].append(episode)
    return {each.pk: Standing(reports.get(each.pk), beside.get(each.pk), opened[each.pk]) for each in found}


def standing_after(report: DriftReport) -> Standing:
    """The state of an endpoint after the window of a report."""
    return Standing(report, texts_beside([report]).get(report.pk), open_after(report))


def texts_beside(reports: Iterable[DriftReport]) -> dict[int, TextCheck]:
    """Primary key of each report → the check of the same version's texts that was newest when its window
    ended: that of the same window where there is one. A check that someone asked for is beside a report that
    someone asked for alone.
    """
    keys = [report.pk for report in reports]
    mine = TextCheck.objects.filter(
        endpoint=OuterRef("endpoint"), version=OuterRef("version"), window_end__lte=OuterRef("window_end")
    )
    mine = mine.filter(Q(requested=False) | Q(requested=OuterRef("requested")))
    newest = Subquery(mine.order_by("-window_end", "-id").values("pk")[:1])
    pairs = dict(DriftReport.objects.filter(pk__in=keys).annotate(beside=newest).values_list("pk", "beside"))
    checks = TextCheck.objects.select_related("version", "endpoint").in_bulk(
        [pk for pk in pairs.values() if pk]
    )
    return {report: checks[check] for report, check in pairs.items() if check}


# ── The newest ──────────────────────────────────────────────────────────────
def texts_for(user: User, check: TextCheck | None) -> TextCheck | None:
    """A check for a person: its words are None unless their role reads texts, which words are made of."""
    if check and not traffic.reads_texts(user, check.endpoint):
        check.new_words = check.missing_words = None
    return check


def latest_requested(endpoint: Endpoint) -> DriftReport | None:
    """The newest requested report of the live version."""
    rows = DriftReport.objects.filter(LIVE, endpoint=endpoint, requested=True)
    return rows.select_related("version", "baseline").order_by("-id").first()


def latest_requested_texts(endpoint: Endpoint) -> TextCheck | None:
    """The newest requested check of the live version's texts."""
    rows = TextCheck.objects.filter(LIVE, endpoint=endpoint, requested=True)
    return rows.select_related("version", "endpoint").order_by("-id").first()


def reports(endpoint: Endpoint, limit: int) -> list[DriftReport]:
    """The newest reports of an endpoint's own windows, newest first, without their bins."""
    return list(scheduled(DriftReport, endpoint).select_related("version").defer("bins")[:limit])


def page_of_reports(
    endpoint: Endpoint, before: str, size: int = PAGE
) -> tuple[list[DriftReport], str | None]:
    """One page of reports, newest first, and the key of the next. before: a key as the page before gave it;
    nonsense is the first page.
    """
    rows = scheduled(DriftReport, endpoint).select_related("version", "endpoint").defer("bins")
    page, older = keyset.page(rows, keyset.read(before), size, at="window_end")
    return page, keyset.written(older) if older else None


def open_episodes(endpoint: Endpoint) -> list[Episode]:
    """The monitors that stand open, longest first."""
    rows = Episode.objects.filter(endpoint=endpoint, closed_at=None)
    return list(rows.select_related("endpoint__model__project", "version").order_by("opened_at", "id"))


def open_after(report: DriftReport) -> list[Episode]:
    """The monitors of a report's version that were open after its window, longest first."""
    rows = Episode.objects.filter(
        endpoint=report.endpoint, version=report.version, opened_at__lte=report.window_end
    )
    rows = rows.filter(Q(closed_at=None) | Q(closed_at__gt=report.window_end))
    return list(rows.select_related("endpoint__model__project", "version").order_by("opened_at", "id"))


def episodes(endpoint: Endpoint, limit: int) -> list[Episode]:
    """Episodes of an endpoint, open or over, newest first."""
    rows = Episode.objects.filter(endpoint=endpoint).select_related("version", "endpoint")
    return list(rows.order_by("-opened_at", "-id")[:limit])


def scheduled(model: type[Any], endpoint: Endpoint) -> QuerySet[Any]:
    """Scheduled measurements, newest first, without requested ones; an hour between windows is included."""
    rows: QuerySet[Any] = model.objects.filter(endpoint=endpoint, requested=False).order_by(
        "-window_end", "-id"
    )
    return rows


def windows(model: type[Any], endpoint: Endpoint) -> QuerySet[Any]:
    """The windows that the beat measured, newest first, without the hours between them: no answer is in two
    of them.
    """
    rows = scheduled(model, endpoint)
    return rows.filter(between=False) if model is DriftReport else rows


# ── For measuring ───────────────────────────────────────────────────────────
def report_of(
    endpoint: Endpoint, version: ModelVersion, span: Span, *, requested: bool
) -> DriftReport | None:
    """The report of a window, if it was measured already; an hour between windows is not one."""
    return same_window(DriftReport, endpoint, version, span, requested=requested, between=False)


def same_window(
    model: type[Any], endpoint: Endpoint, version: ModelVersion, span: Span, *, requested: bool, **more: Any
) -> Any:
    """What was measured in a window already; None where nothing was."""
    rows = model.objects.filter(
        endpoint=endpoint, version=version, window_start=span.start, window_end=span.end
    )
    return rows.filter(requested=requested, **more).first()


def results_before(model: type[Any], endpoint: Endpoint, version: ModelVersion, span: Span) -> list[Results]:
    """The results of the windows before one, of the same version, oldest first."""
    rows = windows(model, endpoint).filter(version=version, window_end__lt=span.end)
    return list(rows.values_list("results", flat=True)[:BEFORE])[::-1]


def outside_share(endpoint: Endpoint, version: ModelVersion, at: datetime) -> float | None:
    """The share of texts unlike anything evaluated, as the last scheduled check of texts before `at` has it;
    None where there is none.
    """
    rows = TextCheck.objects.filter(
        endpoint=endpoint, version=version, requested=False, outside__isnull=False
    )
    near = rows.filter(window_end__lte=at + OUTSIDE_HOLDS, window_end__gt=at - OUTSIDE_HOLDS)
    return near.order_by("-window_end", "-id").values_list("outside", flat=True).first()


def scores_of(
    endpoint: Endpoint, version: ModelVersion, span: Span, answers: int
) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """(label, best scores) of at most 500 of a window's answers, drawn from all of it."""
    return traffic.drawn_scores(endpoint, span.start, span.end, F1_ROWS, version, answers)


def last_end(endpoint: Endpoint) -> datetime | None:
    """The end of the last window that the beat looked at."""
    end: datetime | None = windows(DriftReport, endpoint).values_list("window_end", flat=True).first()
    return end


def last_text_end(endpoint: Endpoint) -> datetime | None:
    """The end of the last window whose texts the beat compared."""
    end: datetime | None = scheduled(TextCheck, endpoint).values_list("window_end", flat=True).first()
    return end


def job_of(endpoint: Endpoint) -> Job | None:
    """The newest measurement that was requested or is due, in any state."""
    return jobs.of_subject(endpoint).filter(kind__in=KINDS).first()


# ── Pages ───────────────────────────────────────────────────────────────────
def visible(user: Person) -> QuerySet[Endpoint]:
    """The endpoints whose drift the user may see, by slug."""
    return policy.visible_to(
        user, Endpoint.objects.select_related("model__project", "alias__version"), "drift.view"
    ).order_by("slug", "pk")


def trends(found: Mapping[int, Standing]) -> dict[int, list[float | None]]:
    """Primary key of each endpoint → the ratios of its last 24 windows of the last 60 days, oldest first;
    None where one measured nothing.

    found: as `standing` has it. An hour between windows is no window; it counts where it is the newest
    report, as on the endpoint's page.
    """
    rows = DriftReport.objects.filter(
        LIVE, endpoint__in=found, requested=False, between=False, window_end__gt=timezone.now() - BACK
    )
    ratios: dict[int, list[float | None]] = {key: [] for key in found}
    for key, ratio in newest_of_each(rows, SPARK).values_list("endpoint", "ratio"):
        ratios[key].insert(0, ratio)
    for key, each in found.items():
        if each.report and each.report.between:
            ratios[key] = [*ratios[key], each.report.ratio][-SPARK:]
    return ratios


def newest_of_each(rows: QuerySet[Any], count: int) -> QuerySet[Any]:
    """The newest `count` rows of each endpoint, newest first."""
    place = Window(RowNumber(), partition_by="endpoint", order_by=[F("window_end").desc(), F("id").desc()])
    return rows.annotate(place=place).filter(place__lte=count).order_by("endpoint", "-window_end", "-id")


def open_count(user: Person) -> int:
    """How many endpoints of the user have an open monitor of their live version: the number in the
    navigation.
    """
    rows = policy.visible_to(user, Episode, "drift.view").filter(LIVE, closed_at=None)
    return rows.values("endpoint").distinct().count()


def results_until(shown: Measurement) -> list[Results]:
    """What the 24 windows of the same version up to this one measured, oldest first; an hour between windows
    counts where it is shown.
    """
    rows = windows(type(shown), shown.endpoint).filter(
        version=shown.version, window_end__lte=shown.window_end
    )
    found = list(rows.values_list("results", flat=True)[:SPARK])[::-1]
    return [*found, shown.results][-SPARK:] if getattr(shown, "between", False) else found


def ratios_by_day(endpoint: Endpoint, version: ModelVersion, since: datetime) -> dict[date, dict[str, float]]:
    """The largest ratio of each monitor of a version's windows by the day UTC on which they began; one
    statement for counts, one for texts.

    An hour between windows is no window.
    """
    ratio = {each.value: KeyTextTransform("ratio", KeyTransform(each.value, "results")) for each in Monitor}
    largest = {name: Max(Cast(each, FloatField())) for name, each in ratio.items()}
    found: dict[date, dict[str, float]] = {}
    for model in (DriftReport, TextCheck):
        rows = windows(model, endpoint).filter(version=version, window_end__gt=since).order_by()
        for row in rows.values(day=TruncDate("window_start", tzinfo=UTC)).annotate(**largest):
            found.setdefault(row["day"], {}).update(
                {name: row[name] for name in largest if row[name] is not None}
            )
    return dict(sorted(found.items()))


def estimates(
    endpoint: Endpoint, version: ModelVersion, since: datetime, limit: int = DRAWN
) -> tuple[list[tuple[datetime, dict[str, Any]]], bool]:
    """The begin and the estimate of a version's newest `limit` windows that ended after `since`, oldest
    first, and whether there are older ones.
    """
    rows = windows(DriftReport, endpoint).filter(
        version=version, window_end__gt=since, estimate__isnull=False
    )
    found = list(rows.values_list("window_start", "estimate")[: limit + 1])
    return found[:limit][::-1], len(found) > limit


def typical_texts(check: TextCheck) -> list[Prediction]:
    """The predictions whose texts are most typical of a check's window, in its order; erased ones are among
    them, without a text.
    """
    known = {row.uuid: row for row in Prediction.objects.filter(uuid__in=check.typical)}
    return [known[uuid] for uuid in map(UUID, check.typical) if uuid in known]


def names(found: Sequence[Episode]) -> list[str]:
    """The monitors of some episodes, as people read them."""
    return [row.get_monitor_display() for row in found]


def measured(model: type[Measurement], user: Person) -> QuerySet[Any]:
    """The measurements that a user may see."""
    return policy.visible_to(user, model, "drift.view")
