"""Business figures to define and compare, and the result of cases to report."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.response import Response

from monitoring.traffic import actions, queries
from monitoring.traffic.api.window import SINCE, UNTIL, window
from monitoring.traffic.models import Kpi, Outcome, Side
from monitoring.traffic.rules import BATCH_MAX, HOUR
from monitoring.traffic.spool import prediction_uuid
from registry.catalog.models import Endpoint
from registry.ground.access import policy
from registry.ground.access.decorators import Needs
from registry.ground.access.models import ApiToken
from registry.ground.access.rest import Request, RowOut, operation

SEE = "traffic.view"


class KpiIn(serializers.Serializer[Any]):
    """A KPI. holdout_share: of all cases, 0 to 0.5; direction: which way is better."""

    name = serializers.CharField(max_length=80)
    unit = serializers.CharField(max_length=20, allow_blank=True, default="")
    direction = serializers.ChoiceField(choices=Kpi.Direction.choices)
    kind = serializers.ChoiceField(choices=Kpi.Kind.choices)
    holdout_share = serializers.FloatField(min_value=0, max_value=0.5)


class KpiOut(RowOut[Kpi]):
    """A KPI."""

    class Meta:
        model = Kpi
        fields = ["uuid", "endpoint", "name", "unit", "direction", "kind", "holdout_share", "created_at"]


class KpisOut(serializers.Serializer[Any]):
    """KPIs of an endpoint, by name."""

    results = KpiOut(many=True)


class KpiDifferenceOut(serializers.Serializer[Any]):
    """Model minus hold-out with a 95 % interval that is valid at any time and simultaneous with the
    endpoint's other KPIs.
    """

    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class KpiComparisonOut(serializers.Serializer[Any]):
    """A figure over whole days UTC. figures: of the endpoint, this one included. model_subjects,
    holdout_subjects: those of which a case was reported for the first time, in either arm; ratio_p: how
    likely chance alone ever splits them so far from the hold-out share. unnamed: cases without a subject,
    each of which counts as one.

    difference is null with fewer than about 32 subjects in an arm (130 of a number), and where in each arm
    all values are the same. reading: better, worse, no clear difference, not enough data, not measured,
    sample ratio off.
    """

    kpi = KpiOut()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    model_cases = serializers.IntegerField()
    holdout_cases = serializers.IntegerField()
    model_subjects = serializers.IntegerField(source="model.subjects")
    holdout_subjects = serializers.IntegerField(source="holdout.subjects")
    unnamed = serializers.IntegerField()
    figures = serializers.IntegerField()
    model_mean = serializers.FloatField(allow_null=True)
    holdout_mean = serializers.FloatField(allow_null=True)
    difference = KpiDifferenceOut(allow_null=True)
    ratio_p = serializers.FloatField(allow_null=True)
    mismatch = serializers.BooleanField()
    reading = serializers.CharField()


class OutcomeIn(serializers.Serializer[Any]):
    """The outcome of one case. uuid: yours, so that sending twice counts once; subject: whom you held out or
    not, such as a customer, kept as a digest alone: cases of one subject count as a cluster.
    """

    uuid = serializers.UUIDField()
    arm = serializers.ChoiceField(choices=Side.choices)
    value = serializers.FloatField()
    at = serializers.DateTimeField()
    prediction = serializers.UUIDField(allow_null=True, default=None)
    index = serializers.IntegerField(min_value=0, max_value=63, default=0)
    subject = serializers.CharField(max_length=200, allow_blank=True, default="")


class OutcomesIn(serializers.Serializer[Any]):
    """1 to 1,000 cases, all or nothing."""

    outcomes = OutcomeIn(many=True, allow_empty=False, max_length=BATCH_MAX)  # type: ignore[call-arg]  # of the list


class OutcomeOut(serializers.Serializer[Outcome]):
    """A stored outcome."""

    uuid = serializers.UUIDField()
    arm = serializers.CharField()
    value = serializers.FloatField()
    at = serializers.DateTimeField()


class OutcomesOut(serializers.Serializer[Any]):
    """Stored outcomes, in the order sent."""

    results = OutcomeOut(many=True)


@operation("GET", "kpis_list", Needs(SEE, Endpoint), gives=KpisOut)
def kpis(request: Request, uuid: UUID) -> object:
    """List KPIs by name."""
    return {"results": queries.kpis(Endpoint.objects.get(uuid=uuid))}


@operation(
    "POST", "kpis_define", Needs("traffic.define_kpi", Endpoint, SEE), takes=KpiIn, gives=KpiOut, status=201
)
def define_kpi(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Create a KPI."""
    return actions.define_kpi(endpoint_id=uuid, actor=request.user, **given)


@operation("GET", "kpis_compare", Needs(SEE, Kpi), gives=KpiComparisonOut, parameters=[SINCE, UNTIL])
def one_kpi(request: Request, uuid: UUID) -> object:
    """Compare model and hold-out over the days in the window; default: the last 90 days."""
    found = policy.get_visible(request.user, queries.visible_kpis(request.user), SEE, uuid=uuid)
    since, until = window(request, HOUR * 24 * 90)
    return queries.compare(found, since, until)


@operation(
    "POST",
    "outcomes_record",
    Needs("traffic.record_outcomes", Kpi, SEE),
    takes=OutcomesIn,
    gives=OutcomesOut,
    status=201,
    scope=ApiToken.Scope.FEEDBACK,
)
def record_outcomes(request: Request, uuid: UUID, given: dict[str, Any]) -> Response:
    """Record outcomes, all or nothing. A known uuid with the same content counts once; with different content
    it returns 409.
    """
    cases = [
        actions.Case(
            line["uuid"],
            line["arm"],
            line["value"],
            line["at"],
            prediction_uuid(line["prediction"], line["index"]) if line["prediction"] else None,
            line["subject"],
            line["prediction"],
        )
        for line in given["outcomes"]
    ]
    made = actions.record_outcomes(kpi_id=uuid, cases=cases, actor=request.user)
    return Response({"results": OutcomeOut(made, many=True).data}, status=201)
