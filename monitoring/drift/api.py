"""Drift over REST: the same actions, reads and refusals as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from lifecycle.ground.jobs.api import JobOut
from monitoring.drift import actions, queries
from monitoring.drift.models import DriftReport, Episode
from monitoring.drift.rules import Held, Mark, Monitor, State
from registry.catalog.models import Endpoint
from registry.ground.access import policy
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, RowOut, operation, page_out

SEE = "drift.view"


class ResultOut(serializers.Serializer[Any]):
    """One monitor in one window. value, limit: in `unit`; null where it was not measured, and `why` says
    so.
    """

    mark = serializers.ChoiceField(choices=Mark.choices)
    unit = serializers.CharField(help_text="PSI, AUC, or fall: drop in accuracy, a share from 0 to 1")
    value = serializers.FloatField(allow_null=True)
    limit = serializers.FloatField(
        allow_null=True, help_text="the larger of what chance allows and what matters in practice"
    )
    critical = serializers.FloatField(
        allow_null=True, help_text="exceeded by chance alone in 1 of 100 windows"
    )
    p = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField(help_text="rows of the evaluation")
    m = serializers.IntegerField(help_text="rows of the window, or of its sample; for texts: unique texts")
    senders = serializers.IntegerField(
        allow_null=True, help_text="null: unknown, rows are treated as independent"
    )
    design_effect = serializers.FloatField(
        allow_null=True, help_text="factor by which senders inflate the variance"
    )
    rates = serializers.BooleanField(
        default=False, help_text="a bin counts predictions with a label, of n and m; one may be in several"
    )
    sure = serializers.BooleanField(help_text="significant after correcting for all monitors")
    open = serializers.BooleanField()
    ratio = serializers.FloatField(default=None, allow_null=True, help_text="0: no difference, 1: the limit")
    held = serializers.ChoiceField(
        choices=Held.choices, default=None, allow_null=True, help_text="why nothing was opened"
    )
    why = serializers.CharField()


class BandOut(serializers.Serializer[Any]):
    """A share with its band."""

    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class AccuracyEstimateOut(serializers.Serializer[Any]):
    """Expected performance in a window, estimated without labels."""

    accuracy = BandOut()
    macro_f1 = BandOut(allow_null=True)
    rows = serializers.IntegerField()


class RealisedOut(BandOut):
    """Feedback that had arrived when the window was measured."""

    rows = serializers.IntegerField()
    senders = serializers.IntegerField(
        allow_null=True, help_text="lower bound; null: rows are treated as independent"
    )


class MeasurementOut(serializers.Serializer[Any]):
    """A measured window."""

    uuid = serializers.UUIDField()
    endpoint = serializers.UUIDField(source="endpoint.uuid")
    version = serializers.UUIDField(source="version.uuid")
    semver = serializers.CharField(source="version.semver")
    window_start = serializers.DateTimeField()
    window_end = serializers.DateTimeField()
    requested = serializers.BooleanField(help_text="measured on request; opens and closes nothing")
    rows = serializers.IntegerField()
    state = serializers.ChoiceField(choices=State.choices)
    why = serializers.CharField()
    worst = serializers.ChoiceField(choices=Monitor.choices, allow_blank=True)
    ratio = serializers.FloatField(allow_null=True)
    results = serializers.DictField(child=ResultOut(), help_text="by monitor")


class ReportOut(MeasurementOut):
    """A window's predictions compared with the evaluation."""

    between = serializers.BooleanField(
        help_text="an hour measured early because it was far beyond its limit; not one of the windows"
    )
    estimate = AccuracyEstimateOut(allow_null=True)
    realised = RealisedOut(allow_null=True)


class ReportDetailOut(ReportOut):
    """A report with its histogram bins."""

    bins = serializers.DictField(
        child=serializers.ListField(child=serializers.ListField()),
        help_text="monitor → [[name, evaluation, window]], counts",
    )


class WordOut(serializers.Serializer[Any]):
    """A word, and the share of each side's texts that contain it."""

    word = serializers.CharField()
    reference = serializers.FloatField()
    current = serializers.FloatField()


class TextCheckOut(MeasurementOut):
    """A window's texts compared with those of the evaluation. typical: predictions, most characteristic of
    the window first.

    Words are null if your role can't read texts.
    """

    reference_rows = serializers.IntegerField()
    outside = serializers.FloatField(allow_null=True)
    new_words = WordOut(many=True, allow_null=True)
    missing_words = WordOut(many=True, allow_null=True)
    typical = serializers.ListField(child=serializers.UUIDField())


class EpisodeOut(RowOut[Episode]):
    """A period in which a monitor was open."""

    monitor = serializers.ChoiceField(choices=Monitor.choices)
    value = serializers.FloatField(help_text="in the window that opened it; the report has the latest value")
    limit = serializers.FloatField(help_text="in the same window")

    class Meta:
        model = Episode
        fields = [
            "uuid",
            "endpoint",
            "version",
            "monitor",
            "value",
            "limit",
            "opened_at",
            "closed_at",
            "end_reason",
        ]


class DriftOut(serializers.Serializer[Any]):
    """Drift of an endpoint's live version; null where nothing was measured in the last 60 days.

    state: of the endpoint: drift while a monitor is open, watch if the report or its text check exceeded a
    limit, else that of the report.
    """

    state = serializers.ChoiceField(choices=State.choices, allow_null=True)
    report = ReportOut(allow_null=True)
    requested = ReportOut(allow_null=True, help_text="the latest requested")
    texts = TextCheckOut(allow_null=True, help_text="for the same window as the report")
    requested_texts = TextCheckOut(
        allow_null=True, help_text="the latest requested; opens and closes nothing"
    )
    open = EpisodeOut(many=True, help_text="open episodes of the live version")
    episodes = EpisodeOut(many=True, help_text="open or closed, newest first, up to 30")


@operation("GET", "drift_read", Needs(SEE, Endpoint), gives=DriftOut)
def of_endpoint(request: Request, uuid: UUID) -> object:
    """The latest report and text check, the latest requested ones, and open monitors."""
    found = Endpoint.objects.get(uuid=uuid)
    standing = queries.standing([found])[found.pk]
    shown: dict[str, Any] = {
        "state": standing.state,
        "report": standing.report,
        "requested": queries.latest_requested(found),
    }
    shown |= {"texts": queries.texts_for(request.user, standing.texts)}
    shown |= {"requested_texts": queries.texts_for(request.user, queries.latest_requested_texts(found))}
    shown |= {"open": standing.open, "episodes": queries.episodes(found, queries.PAGE)}
    return shown


@operation(
    "GET",
    "drift_reports",
    Needs(SEE, Endpoint),
    gives=page_out(ReportOut, queries.PAGE, "reports", key=serializers.CharField),
    parameters=[OpenApiParameter("before", str)],
)
def reports(request: Request, uuid: UUID) -> object:
    """List reports, newest first, without requested ones."""
    return queries.page_of_reports(Endpoint.objects.get(uuid=uuid), request.query_params.get("before", ""))


@operation("GET", "drift_report", Needs(SEE, DriftReport), gives=ReportDetailOut)
def one_report(request: Request, uuid: UUID) -> object:
    """Get a report with its histogram bins."""
    rows = queries.measured(DriftReport, request.user).select_related("version", "endpoint")
    return policy.get_visible(request.user, rows, SEE, uuid=uuid)


@operation("POST", "drift_measure", Needs("drift.measure", Endpoint, SEE), gives=JobOut, status=202)
def measure_now(request: Request, uuid: UUID) -> object:
    """Measure the last 24 hours: counts, then texts. Returns the current job while one is queued or running.
    409 if nothing is live.
    """
    return actions.ask(endpoint_id=uuid, actor=request.user)


urlpatterns = [
    path("endpoints/<uuid:uuid>/drift/", of_endpoint, name="api-drift"),
    path("endpoints/<uuid:uuid>/drift/reports/", reports, name="api-drift-reports"),
    path("endpoints/<uuid:uuid>/drift/measure/", measure_now, name="api-drift-measure"),
    path("drift/reports/<uuid:uuid>/", one_report, name="api-drift-report"),
]
