"""Predictions to read, and feedback on them to give."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.response import Response

from monitoring.traffic import actions, page, queries
from monitoring.traffic.models import Feedback, Prediction
from monitoring.traffic.rules import BATCH_MAX, FeedbackKind
from monitoring.traffic.spool import prediction_uuid
from registry.catalog.models import Endpoint
from registry.ground.access import policy
from registry.ground.access.decorators import Needs
from registry.ground.access.models import ApiToken
from registry.ground.access.rest import Request, RowOut, operation, page_out, read

SEE = "traffic.view"


class PredictionOut(RowOut[Prediction]):
    """A prediction for one text. text: null if not stored, or if your role can't read texts. content: the
    candidates of a ranking or preference, in the order of the request; null if there are none, or like the
    text.
    """

    text_digest = serializers.CharField(
        source="keyed_digest",
        help_text=(
            "keyed with the installation's secret: equal for equal texts, and texts can't be guessed from it"
        ),
    )
    feedback_right = serializers.BooleanField(allow_null=True)
    feedback_label = serializers.CharField(allow_null=True)
    feedback_value = serializers.JSONField(allow_null=True)

    class Meta:
        model = Prediction
        fields = [
            "uuid",
            "endpoint",
            "version",
            "arm",
            "at",
            "code",
            "latency_ms",
            "cpu_ms",
            "text",
            "content",
            "text_digest",
            "label",
            "confidence",
            "scores",
            "value",
            "is_demo",
            "feedback_right",
            "feedback_label",
            "feedback_value",
        ]


class FeedbackIn(serializers.Serializer[Any]):
    """Correct, or wrong with what is correct if known: a label, or the value of an annotation for versions
    that predict more than a label. index: the place of the text in its request.

    kind: review (someone reviewed the text), override (someone overrode the prediction), truth (the true
    outcome became known).
    """

    right = serializers.BooleanField()
    kind = serializers.ChoiceField(choices=FeedbackKind.choices, default=FeedbackKind.REVIEW.value)
    label = serializers.CharField(max_length=120, allow_blank=True, default="")  # type: ignore[assignment]
    value = serializers.JSONField(allow_null=True, default=None)
    index = serializers.IntegerField(min_value=0, max_value=63, default=0)


class FeedbackLineIn(FeedbackIn):
    """Feedback on a named prediction. prediction: the prediction_id of the response."""

    prediction = serializers.UUIDField()


class BatchIn(serializers.Serializer[Any]):
    """Feedback on up to 1,000 predictions, all or nothing."""

    feedback = FeedbackLineIn(many=True, allow_empty=False, max_length=BATCH_MAX)  # type: ignore[call-arg]  # of the list


class FeedbackOut(RowOut[Feedback]):
    """Stored feedback."""

    class Meta:
        model = Feedback
        fields = ["uuid", "prediction", "right", "label", "value", "kind", "at"]


class BatchOut(serializers.Serializer[Any]):
    """Stored feedback, by prediction."""

    results = FeedbackOut(many=True)


@operation(
    "GET",
    "predictions_list",
    Needs(SEE, Endpoint),
    gives=page_out(PredictionOut, queries.PAGE, "predictions", key=serializers.CharField),
    parameters=[OpenApiParameter("before", str)],
)
def predictions(request: Request, uuid: UUID) -> object:
    """List predictions, newest first."""
    shown = page.recent(request.user, Endpoint.objects.get(uuid=uuid), request.query_params.dict())
    before = shown["pager"]["next"].removeprefix("?before=") or None
    return shown["rows"], before


@operation("GET", "predictions_read", Needs(SEE, Prediction), gives=PredictionOut)
def one_prediction(request: Request, uuid: UUID) -> object:
    """Get a prediction with its version and feedback."""
    found = policy.get_visible(request.user, queries.visible(request.user), SEE, uuid=uuid)
    if not queries.reads_texts(request.user, found.endpoint):
        queries.hide_texts(found)
    return found


@operation(
    "POST",
    "predictions_feedback",
    Needs("traffic.record_feedback", Prediction, SEE),
    takes=FeedbackIn,
    gives=FeedbackOut,
    status=201,
    scope=ApiToken.Scope.FEEDBACK,
)
def give_feedback(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Give feedback. 404 also while the prediction hasn't arrived yet, which takes a few seconds: try
    again.
    """
    target = prediction_uuid(uuid, given["index"])
    return actions.record_feedback(
        prediction_id=target,
        right=given["right"],
        label=given["label"],
        value=given["value"],
        kind=given["kind"],
        actor=request.user,
        request_id=uuid,
    )


@operation(
    "POST",
    "feedback_batch",
    Needs("signed_in"),
    body=BatchIn,
    gives=BatchOut,
    status=201,
    scope=ApiToken.Scope.FEEDBACK,
)
def feedback_batch(request: Request) -> Response:
    """Give feedback on many predictions, all or nothing."""
    check_may_give_feedback(request)
    lines = read(BatchIn, request.data)["feedback"]
    entries = [
        actions.Entry(
            prediction_uuid(line["prediction"], line["index"]),
            line["right"],
            line["label"],
            line["kind"],
            line["prediction"],
            line["value"],
        )
        for line in lines
    ]
    return Response(
        {"results": FeedbackOut(actions.record_many(entries=entries, actor=request.user), many=True).data},
        status=201,
    )


def check_may_give_feedback(request: Request) -> None:
    """Raises Http404 for people who can give feedback nowhere. To others the action answers the same for
    hidden and missing predictions.
    """
    if not policy.can_somewhere(request.user, "traffic.record_feedback"):
        raise Http404("Not found, or you don't have access.")
