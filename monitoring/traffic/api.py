"""Traffic over REST: figures and predictions to read, feedback and outcomes to give."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import Http404
from django.urls import path
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from monitoring.traffic import actions, page, queries
from monitoring.traffic.models import Feedback, Kpi, Outcome, Prediction, Side
from monitoring.traffic.rules import HOUR, MINUTE, FeedbackKind
from monitoring.traffic.spool import prediction_uuid
from registry.access import policy
from registry.access.decorators import Needs
from registry.access.models import ApiToken
from registry.access.rest import View
from registry.catalog.models import Endpoint, ModelVersion

SEE = "traffic.view"


class PredictionOut(serializers.Serializer[Prediction]):
    """An answer to one text. text: null where it is not kept, or your role does not read texts."""

    uuid = serializers.UUIDField()
    endpoint = serializers.UUIDField(source="endpoint.uuid")
    version = serializers.UUIDField(source="version.uuid", default=None, allow_null=True)
    arm = serializers.CharField()
    at = serializers.DateTimeField()
    code = serializers.IntegerField()
    latency_ms = serializers.FloatField()
    cpu_ms = serializers.FloatField(allow_null=True)
    text = serializers.CharField(allow_null=True)
    text_digest = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    confidence = serializers.FloatField(allow_null=True)
    scores = serializers.JSONField()
    is_demo = serializers.BooleanField()
    feedback_right = serializers.BooleanField(allow_null=True)
    feedback_label = serializers.CharField(allow_null=True)


class PredictionPageOut(serializers.Serializer[Any]):
    """Up to 30 predictions, newest first. before: give it as ?before= to get the next page; null on the last."""

    results = PredictionOut(many=True)
    before = serializers.CharField(allow_null=True)


class FeedbackIn(serializers.Serializer[Any]):
    """Right, or wrong with the right label where you know it. index: the place of the text in its request.

    kind: review (somebody looked), override (somebody acted otherwise than the answer said), truth (what turned out to be so).
    """

    right = serializers.BooleanField()
    kind = serializers.ChoiceField(choices=FeedbackKind.choices, default=FeedbackKind.REVIEW.value)
    label = serializers.CharField(max_length=120, allow_blank=True, default="")  # type: ignore[assignment]
    index = serializers.IntegerField(min_value=0, max_value=63, default=0)


class FeedbackLineIn(FeedbackIn):
    """The same, of a prediction that is named. prediction: the prediction_id of the answer."""

    prediction = serializers.UUIDField()


class BatchIn(serializers.Serializer[Any]):
    """Up to 1,000 words, taken all or not at all."""

    feedback = FeedbackLineIn(many=True, allow_empty=False)


class FeedbackOut(serializers.Serializer[Feedback]):
    """What was noted."""

    uuid = serializers.UUIDField()
    prediction = serializers.UUIDField(source="prediction.uuid")
    right = serializers.BooleanField()
    label = serializers.CharField()  # type: ignore[assignment]
    kind = serializers.CharField()
    at = serializers.DateTimeField()


class BatchOut(serializers.Serializer[Any]):
    """What was noted, by prediction."""

    results = FeedbackOut(many=True)


class Predictions(View):
    """The predictions of an endpoint."""

    needs = {"GET": Needs(SEE, Endpoint)}

    @extend_schema(operation_id="predictions_list", responses=PredictionPageOut, parameters=[OpenApiParameter("before", str)])
    def get(self, request: Request, uuid: UUID) -> Response:
        """Newest first."""
        shown = page.recent(request.user, Endpoint.objects.get(uuid=uuid), request.query_params.dict())
        before = shown["pager"]["next"].removeprefix("?before=") or None
        return Response({"results": PredictionOut(shown["rows"], many=True).data, "before": before})


class OnePrediction(View):
    """One prediction."""

    needs = {"GET": Needs(SEE, Prediction)}

    @extend_schema(operation_id="predictions_read", responses=PredictionOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """The answer, its version and what was said of it."""
        found = policy.get_visible(request.user, queries.visible(request.user), SEE, uuid=uuid)
        if not queries.reads_texts(request.user, found.endpoint):
            found.text = None
        return Response(PredictionOut(found).data)


class GiveFeedback(View):
    """Feedback on one prediction."""

    needs = {"POST": Needs("traffic.record_feedback", Prediction, SEE)}
    scope = ApiToken.Scope.FEEDBACK

    @extend_schema(operation_id="predictions_feedback", request=FeedbackIn, responses={201: FeedbackOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Call an answer right or wrong. 404 also while the prediction has not arrived, which takes some seconds: send it again."""
        given = read(FeedbackIn, request)
        target = prediction_uuid(uuid, given["index"])
        made = actions.record_feedback(
            prediction_id=target, right=given["right"], label=given["label"], kind=given["kind"], actor=request.user
        )
        return Response(FeedbackOut(made).data, status=201)


class FeedbackBatch(View):
    """Feedback on many predictions."""

    needs = {"POST": Needs("signed_in")}
    scope = ApiToken.Scope.FEEDBACK

    @extend_schema(operation_id="feedback_batch", request=BatchIn, responses={201: BatchOut})
    def post(self, request: Request) -> Response:
        """All or nothing."""
        check_may_say(request)
        lines = read(BatchIn, request)["feedback"]
        words = [
            actions.Word(prediction_uuid(line["prediction"], line["index"]), line["right"], line["label"], line["kind"]) for line in lines
        ]
        return Response({"results": FeedbackOut(actions.record_many(words=words, actor=request.user), many=True).data}, status=201)


class KpiIn(serializers.Serializer[Any]):
    """A business figure. holdout_share: of all cases, 0 to 0.5; direction: which way is good."""

    name = serializers.CharField(max_length=80)
    unit = serializers.CharField(max_length=20, allow_blank=True, default="")
    direction = serializers.ChoiceField(choices=Kpi.Direction.choices)
    kind = serializers.ChoiceField(choices=Kpi.Kind.choices)
    holdout_share = serializers.FloatField(min_value=0, max_value=0.5)


class KpiOut(serializers.Serializer[Kpi]):
    """A business figure."""

    uuid = serializers.UUIDField()
    endpoint = serializers.UUIDField(source="endpoint.uuid")
    name = serializers.CharField()
    unit = serializers.CharField()
    direction = serializers.CharField()
    kind = serializers.CharField()
    holdout_share = serializers.FloatField()
    created_at = serializers.DateTimeField()


class KpisOut(serializers.Serializer[Any]):
    """The figures of an endpoint, by name."""

    results = KpiOut(many=True)


class DifferenceOut(serializers.Serializer[Any]):
    """Model minus hold-out with its 95 % interval."""

    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class ComparisonOut(serializers.Serializer[Any]):
    """A figure over whole days UTC. ratio_p: how likely chance alone splits the cases so far from the hold-out share.

    difference is null with fewer than 30 cases in an arm; reading: better, worse, unclear, insufficient data, sample ratio off.
    """

    kpi = KpiOut()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    model_cases = serializers.IntegerField()
    holdout_cases = serializers.IntegerField()
    model_mean = serializers.FloatField(allow_null=True)
    holdout_mean = serializers.FloatField(allow_null=True)
    difference = DifferenceOut(allow_null=True)
    ratio_p = serializers.FloatField(allow_null=True)
    mismatch = serializers.BooleanField()
    reading = serializers.CharField()


class OutcomeIn(serializers.Serializer[Any]):
    """What came of one case. uuid: your own, so that sending twice counts once; subject: what you know it by, kept as a digest alone."""

    uuid = serializers.UUIDField()
    arm = serializers.ChoiceField(choices=Side.choices)
    value = serializers.FloatField()
    at = serializers.DateTimeField()
    prediction = serializers.UUIDField(allow_null=True, default=None)
    index = serializers.IntegerField(min_value=0, max_value=63, default=0)
    subject = serializers.CharField(max_length=200, allow_blank=True, default="")


class OutcomesIn(serializers.Serializer[Any]):
    """1 to 1,000 cases, taken all or not at all."""

    outcomes = OutcomeIn(many=True, allow_empty=False)


class OutcomeOut(serializers.Serializer[Outcome]):
    """What is kept of a case."""

    uuid = serializers.UUIDField()
    arm = serializers.CharField()
    value = serializers.FloatField()
    at = serializers.DateTimeField()


class OutcomesOut(serializers.Serializer[Any]):
    """What is kept, in the order that it was sent."""

    results = OutcomeOut(many=True)


class FiguresOut(serializers.Serializer[Any]):
    """Figures of a stretch of time. Shares 0 to 1; null where nothing was measured. requests = answered + errors + refused + shed."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    requests = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]
    refused = serializers.IntegerField()
    shed = serializers.IntegerField()
    answers = serializers.IntegerField()
    error_share = serializers.FloatField(allow_null=True)
    availability = serializers.FloatField(allow_null=True)
    p50_ms = serializers.FloatField(allow_null=True)
    p95_ms = serializers.FloatField(allow_null=True)
    p99_ms = serializers.FloatField(allow_null=True)
    mean_confidence = serializers.FloatField(allow_null=True)
    mean_oov = serializers.FloatField(allow_null=True)
    right = serializers.IntegerField()
    wrong = serializers.IntegerField()
    overrides = serializers.IntegerField()
    cpu_ms = serializers.FloatField()
    cost_per_thousand = serializers.FloatField(allow_null=True)
    labels = serializers.DictField(child=serializers.IntegerField())


class SeriesOut(serializers.Serializer[Any]):
    """The figures of a window as a whole and by step. currency: of cost_per_thousand."""

    total = FiguresOut()
    points = FiguresOut(many=True)
    currency = serializers.CharField()


SINCE, UNTIL = OpenApiParameter("since", datetime), OpenApiParameter("until", datetime)
ARMS = ("stable", "canary", "shadow")
MOST_POINTS = 1500


class Series(View):
    """The figures of an endpoint over time."""

    needs = {"GET": Needs(SEE, Endpoint)}

    @extend_schema(
        operation_id="endpoints_series",
        responses=SeriesOut,
        parameters=[
            SINCE, UNTIL, OpenApiParameter("step", int, description="Seconds, whole minutes; 3600 by default."),
            OpenApiParameter("version", UUID), OpenApiParameter("arm", str, enum=ARMS),
        ],
    )  # fmt: skip
    def get(self, request: Request, uuid: UUID) -> Response:
        """By step, at most 1,500 of them; the last 24 hours by default. Without arm: what clients got, which leaves shadow out."""
        endpoint = Endpoint.objects.get(uuid=uuid)
        since, until = window(request, HOUR * 24)
        step = timedelta(seconds=number(request, "step", 3600))
        if step < MINUTE or step % MINUTE or (until - since) / step > MOST_POINTS:
            raise serializers.ValidationError(
                {"step": [f"Give whole minutes in seconds, so that there are at most {MOST_POINTS:,} points."]}
            )
        version = version_of(request, endpoint)
        arm = request.query_params.get("arm") or None
        if arm not in (None, *ARMS):
            raise serializers.ValidationError({"arm": [f"Choose one of {', '.join(ARMS)}."]})
        points = queries.series(endpoint, since, until, step, version, arm)
        found = {"total": queries.whole(points), "points": [point.counts for point in points], "currency": settings.CURRENCY}
        return Response(SeriesOut(found).data)


class Kpis(View):
    """The business figures of an endpoint."""

    needs = {"GET": Needs(SEE, Endpoint), "POST": Needs("traffic.define_kpi", Endpoint, SEE)}

    @extend_schema(operation_id="kpis_list", responses=KpisOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """By name."""
        return Response({"results": KpiOut(queries.kpis(Endpoint.objects.get(uuid=uuid)), many=True).data})

    @extend_schema(operation_id="kpis_define", request=KpiIn, responses={201: KpiOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Name a business figure that the endpoint is meant to move."""
        made = actions.define_kpi(endpoint_id=uuid, actor=request.user, **read(KpiIn, request))
        return Response(KpiOut(made).data, status=201)


class OneKpi(View):
    """One business figure."""

    needs = {"GET": Needs(SEE, Kpi)}

    @extend_schema(operation_id="kpis_compare", responses=ComparisonOut, parameters=[SINCE, UNTIL])
    def get(self, request: Request, uuid: UUID) -> Response:
        """With the model against without it, over the days that touch the window; the last 90 days by default."""
        found = policy.get_visible(request.user, queries.visible_kpis(request.user), SEE, uuid=uuid)
        since, until = window(request, HOUR * 24 * 90)
        return Response(ComparisonOut(queries.compare(found, since, until)).data)


class Outcomes(View):
    """What came of cases."""

    needs = {"POST": Needs("traffic.record_outcomes", Kpi, SEE)}
    scope = ApiToken.Scope.FEEDBACK

    @extend_schema(operation_id="outcomes_record", request=OutcomesIn, responses={201: OutcomesOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """All or nothing. A uuid that is known with the same content counts once; with another content the answer is 409."""
        cases = [
            actions.Case(
                line["uuid"], line["arm"], line["value"], line["at"],
                prediction_uuid(line["prediction"], line["index"]) if line["prediction"] else None, line["subject"],
            )
            for line in read(OutcomesIn, request)["outcomes"]
        ]  # fmt: skip
        made = actions.record_outcomes(kpi_id=uuid, cases=cases, actor=request.user)
        return Response({"results": OutcomeOut(made, many=True).data}, status=201)


def window(request: Request, length: timedelta) -> tuple[datetime, datetime]:
    """[since, until) as the address gives it. Raises ValidationError; a stretch of so long up to now where it gives nothing."""
    until = moment(request, "until") or timezone.now()
    since = moment(request, "since") or until - length
    if since >= until:
        raise serializers.ValidationError({"since": ["The window begins after its end."]})
    return since, until


def moment(request: Request, name: str) -> datetime | None:
    """A time with its zone, from the address."""
    text = request.query_params.get(name, "")
    if not text:
        return None
    try:
        found = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not 2000 <= found.year <= 2900:
        raise serializers.ValidationError({name: ["Give a time with its zone, such as 2026-11-25T10:00:00Z."]})
    return found.astimezone(UTC)


def number(request: Request, name: str, default: int) -> int:
    """A whole number from the address, 1 to ten million."""
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 8):
        raise serializers.ValidationError({name: ["Give a whole number."]})
    return int(text)


def version_of(request: Request, endpoint: Endpoint) -> ModelVersion | None:
    """The version that the address names, of the endpoint's model; None for none."""
    text = request.query_params.get("version", "")
    if not text:
        return None
    try:
        return ModelVersion.objects.get(model=endpoint.model_id, uuid=UUID(text))
    except (ValueError, ModelVersion.DoesNotExist) as error:
        raise serializers.ValidationError({"version": ["Name a version of the endpoint's model by its uuid."]}) from error


def check_may_say(request: Request) -> None:
    """Raises Http404 for people who give feedback nowhere. To others the action says the same of what is hidden and what is not there."""
    if not policy.can_somewhere(request.user, "traffic.record_feedback"):
        raise Http404("There is nothing here for you under this address.")


def read(shape: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """What was sent, by shape. Raises ValidationError."""
    form = shape(data=request.data)
    form.is_valid(raise_exception=True)
    given: dict[str, Any] = form.validated_data
    return given


urlpatterns = [
    path("endpoints/<uuid:uuid>/predictions/", Predictions.as_view(), name="api-predictions"),
    path("endpoints/<uuid:uuid>/series/", Series.as_view(), name="api-series"),
    path("endpoints/<uuid:uuid>/kpis/", Kpis.as_view(), name="api-kpis"),
    path("kpis/<uuid:uuid>/", OneKpi.as_view(), name="api-kpi"),
    path("kpis/<uuid:uuid>/outcomes/", Outcomes.as_view(), name="api-outcomes"),
    path("predictions/<uuid:uuid>/", OnePrediction.as_view(), name="api-prediction"),
    path("predictions/<uuid:uuid>/feedback/", GiveFeedback.as_view(), name="api-prediction-feedback"),
    path("feedback/", FeedbackBatch.as_view(), name="api-feedback"),
]
