"""Alerts over REST: the same actions and refusals as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from lifecycle.notices import delivery, sending
from lifecycle.notices.models import Channel
from lifecycle.notices.rules import ChannelKind
from lifecycle.refusals import Refused
from monitoring.alerts import actions, queries
from monitoring.alerts.models import Alert, Check, Objective, Silence
from monitoring.alerts.rules import objectives as rules
from monitoring.alerts.rules.objectives import WINDOW_DAYS, Kind
from monitoring.alerts.rules.state import REASON_MAX, Answer, Severity, State, Why
from registry.access import policy
from registry.access.decorators import Needs
from registry.access.models import Project, User
from registry.access.rest import View
from registry.catalog.models import Endpoint

SEE, MANAGE = "alerts.view", "alerts.manage"
BEFORE = OpenApiParameter("before", int, description="the key that the page before gave")


class AlertOut(serializers.Serializer[Alert]):
    """An alert. Everything said is of the product, never a user's text."""

    uuid = serializers.UUIDField()
    fingerprint = serializers.CharField(help_text="equal ones are the same alert")
    endpoint = serializers.UUIDField(source="endpoint.uuid", default=None, allow_null=True)
    project = serializers.UUIDField(source="project.uuid")
    deployment = serializers.UUIDField(source="deployment.uuid", default=None, allow_null=True, help_text="live when it began")
    source = serializers.CharField(help_text="objective, drift, canary, canary_stopped, load, server, heartbeat …")
    severity = serializers.ChoiceField(choices=Severity.choices)
    state = serializers.ChoiceField(choices=State.choices, help_text="give it as `seen`")
    title = serializers.CharField()
    text = serializers.CharField()
    url = serializers.CharField(help_text="a path on this site where something can be done")
    value = serializers.FloatField(allow_null=True)
    count = serializers.IntegerField()
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()
    told_at = serializers.DateTimeField(allow_null=True)
    inhibited_by = serializers.UUIDField(source="inhibited_by.uuid", default=None, allow_null=True)
    acknowledged_by = serializers.UUIDField(source="acknowledged_by.uuid", default=None, allow_null=True)
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    resolved_at = serializers.DateTimeField(allow_null=True)
    resolved_by = serializers.UUIDField(source="resolved_by.uuid", default=None, allow_null=True, help_text="null: by itself")
    resolution = serializers.CharField()


class AlertCheckOut(serializers.Serializer[Check]):
    """What a rule came to; equal answers within five minutes are one."""

    rule = serializers.CharField()
    endpoint = serializers.UUIDField(source="endpoint.uuid", default=None, allow_null=True)
    begin = serializers.DateTimeField()
    at = serializers.DateTimeField()
    times = serializers.IntegerField()
    state = serializers.ChoiceField(choices=Answer.choices)
    why = serializers.ChoiceField(choices=Why.choices, allow_blank=True)
    said = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    threshold = serializers.FloatField(allow_null=True)
    burns = serializers.ListField(child=serializers.ListField(child=serializers.FloatField(allow_null=True)), help_text="long, short")


class AlertDetailOut(AlertOut):
    """An alert with what its rule measured."""

    checks = AlertCheckOut(many=True)


class AlertPageOut(serializers.Serializer[Any]):
    """Up to 30 alerts, newest first. before: give it as ?before= to get the next page; null on the last."""

    results = AlertOut(many=True)
    before = serializers.IntegerField(allow_null=True)


class AlertCheckPageOut(serializers.Serializer[Any]):
    """Up to 30 lines of the log, newest first."""

    results = AlertCheckOut(many=True)
    before = serializers.IntegerField(allow_null=True)


class ListIn(serializers.Serializer[Any]):
    """Which alerts."""

    state = serializers.ChoiceField(choices=State.choices, default="", allow_blank=True)
    severity = serializers.ChoiceField(choices=Severity.choices, default="", allow_blank=True)
    source = serializers.CharField(max_length=40, default="", allow_blank=True)
    endpoint = serializers.UUIDField(required=False)
    before = serializers.IntegerField(required=False, min_value=1, max_value=2**62)


class SuppressedIn(serializers.Serializer[Any]):
    """Which lines of the log."""

    why = serializers.ChoiceField(choices=[each for each in Why.choices if each[0]], default="", allow_blank=True)
    endpoint = serializers.UUIDField(required=False)
    before = serializers.IntegerField(required=False, min_value=1, max_value=2**62)


class AlertSeenIn(serializers.Serializer[Any]):
    """seen: the alert's state when you looked; 409 when it moved since."""

    seen = serializers.ChoiceField(choices=State.choices)


class AlertResolveIn(AlertSeenIn):
    """What was found."""

    reason = serializers.CharField(max_length=REASON_MAX)


class ObjectiveIn(serializers.Serializer[Any]):
    """An objective. seen: its revision when you looked, 0 where there is none; 409 when it changed since."""

    kind = serializers.ChoiceField(choices=Kind.choices)
    target = serializers.FloatField(min_value=0, max_value=1, help_text="share of good events, 0.5 to 0.9999")
    threshold_ms = serializers.FloatField(allow_null=True, default=None, help_text="of latency alone: slower is bad")
    window_days = serializers.ChoiceField(choices=WINDOW_DAYS, default=WINDOW_DAYS[-1])
    owner = serializers.UUIDField(allow_null=True, default=None, help_text="a person who is told of tickets beside on-call")
    seen = serializers.IntegerField(min_value=0)


class ObjectiveSwitchIn(serializers.Serializer[Any]):
    """On or off; seen: the revision when you looked."""

    is_on = serializers.BooleanField()
    seen = serializers.IntegerField(min_value=0)


class ErrorBudgetOut(serializers.Serializer[Any]):
    """What is left of an error budget. left: share, below 0 when overspent, null: nothing was measured."""

    bad = serializers.IntegerField()
    total = serializers.IntegerField()
    allowed = serializers.FloatField()
    left = serializers.FloatField(allow_null=True)
    burn = serializers.FloatField(allow_null=True, help_text="of the last day")
    days_left = serializers.FloatField(allow_null=True, help_text="at the last day's rate")


class ObjectiveOut(serializers.Serializer[Objective]):
    """An objective with what the last evaluation measured."""

    uuid = serializers.UUIDField()
    endpoint = serializers.UUIDField(source="endpoint.uuid")
    kind = serializers.ChoiceField(choices=Kind.choices)
    target = serializers.FloatField()
    threshold_ms = serializers.FloatField(allow_null=True)
    window_days = serializers.IntegerField()
    owner = serializers.UUIDField(source="owner.uuid", default=None, allow_null=True)
    is_on = serializers.BooleanField()
    revision = serializers.IntegerField(help_text="give it as `seen`")
    measured_at = serializers.DateTimeField(source="read_at", allow_null=True)
    state = serializers.CharField(source="reading.state", default=None, allow_null=True)
    budget = ErrorBudgetOut(source="reading.budget", default=None, allow_null=True)
    burns = serializers.DictField(
        source="reading.burns", default=dict, child=serializers.FloatField(allow_null=True), help_text="burn rate by window"
    )
    warnings = serializers.SerializerMethodField(help_text="rows that can never fire")

    def get_warnings(self, row: Objective) -> list[str]:
        """What is worth knowing of it."""
        return rules.warnings(row.target, row.window_days)


class ObjectivesOut(serializers.Serializer[Any]):
    """All objectives of an endpoint."""

    results = ObjectiveOut(many=True)


class SilenceIn(serializers.Serializer[Any]):
    """What is silenced until when, and why. Without an endpoint: all of the project."""

    project = serializers.UUIDField(required=False)
    endpoint = serializers.UUIDField(required=False)
    source = serializers.CharField(max_length=40, default="", allow_blank=True, help_text="empty: whatever the rule")
    until = serializers.DateTimeField(help_text="at most seven days ahead")
    reason = serializers.CharField(max_length=REASON_MAX)


class SilenceOut(serializers.Serializer[Silence]):
    """A silence."""

    uuid = serializers.UUIDField()
    project = serializers.UUIDField(source="project.uuid")
    endpoint = serializers.UUIDField(source="endpoint.uuid", default=None, allow_null=True)
    source = serializers.CharField()
    until = serializers.DateTimeField()
    reason = serializers.CharField()
    author = serializers.UUIDField(source="author.uuid")
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class SilencesOut(serializers.Serializer[Any]):
    """Those in force, the next to end first."""

    results = SilenceOut(many=True)


class ChannelIn(serializers.Serializer[Any]):
    """A new way out."""

    project = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=ChannelKind.choices)
    name = serializers.CharField(max_length=60)
    address = serializers.CharField(max_length=1000, help_text="e-mail addresses separated by commas, or a URL")
    wants = serializers.ListField(child=serializers.ChoiceField(choices=Severity.choices))


class ChannelOut(serializers.Serializer[Channel]):
    """A way out. host: of a webhook its host alone, since its path may hold a token of the receiver."""

    uuid = serializers.UUIDField()
    project = serializers.UUIDField(source="project.uuid")
    kind = serializers.ChoiceField(choices=ChannelKind.choices)
    name = serializers.CharField()
    host = serializers.SerializerMethodField()
    wants = serializers.ListField(child=serializers.CharField())
    is_on = serializers.BooleanField()
    serial = serializers.IntegerField(help_text="of the secret; give it as `seen`")

    def get_host(self, row: Channel) -> str:
        """Where it goes."""
        return sending.host_of(row)


class ChannelMadeOut(ChannelOut):
    """secret: of a webhook, in this answer alone."""

    secret = serializers.SerializerMethodField()

    def get_secret(self, row: Channel) -> str:
        """What messages are signed with."""
        return sending.secret_of(row) if row.kind == ChannelKind.WEBHOOK else ""


class ChannelsOut(serializers.Serializer[Any]):
    """All channels that you may see."""

    results = ChannelOut(many=True)


class ChannelSwitchIn(serializers.Serializer[Any]):
    """On or off, and what it takes; what is left out stays."""

    is_on = serializers.BooleanField(allow_null=True, default=None)
    wants = serializers.ListField(child=serializers.ChoiceField(choices=Severity.choices), allow_null=True, default=None)


class ChannelSecretIn(serializers.Serializer[Any]):
    """seen: the channel's serial when you looked."""

    seen = serializers.IntegerField(min_value=0)


class ChannelTestIn(serializers.Serializer[Any]):
    """once: a word of yours; the same word again sends nothing new."""

    once = serializers.CharField(max_length=64)


class DeliveryOut(serializers.Serializer[Any]):
    """A message on its way."""

    uuid = serializers.UUIDField()
    state = serializers.CharField()


class Alerts(View):
    """The alerts that you may see."""

    needs = {"GET": Needs("signed_in")}

    @extend_schema(
        operation_id="alerts_list", responses=AlertPageOut,
        parameters=[
            OpenApiParameter("state", str), OpenApiParameter("severity", str), OpenApiParameter("source", str),
            OpenApiParameter("endpoint", UUID), BEFORE,
        ],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """Newest first, open or over."""
        given = read(ListIn, request.query_params)
        before, endpoint = given.pop("before", None), given.pop("endpoint", "")
        rows, older = queries.all_of(person(request), queries.Filters(**given, endpoint=str(endpoint)), before)
        return Response({"results": AlertOut(rows, many=True).data, "before": older})


class OneAlert(View):
    """One alert."""

    needs = {"GET": Needs(SEE, Alert)}

    @extend_schema(operation_id="alerts_read", responses=AlertDetailOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """The alert with what its rule measured."""
        alert = queries.visible(person(request)).get(uuid=uuid)
        return Response(AlertOut(alert).data | {"checks": AlertCheckOut(queries.checks_of(alert), many=True).data})


class Acknowledge(View):
    """Taking an alert."""

    needs = {"POST": Needs("alerts.acknowledge", Alert, SEE)}

    @extend_schema(operation_id="alerts_acknowledge", request=AlertSeenIn, responses=AlertOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Say that you look after it: it is not said again."""
        actions.acknowledge(alert_id=uuid, actor=person(request), **read(AlertSeenIn, request.data))
        return Response(AlertOut(queries.visible(person(request)).get(uuid=uuid)).data)


class Resolve(View):
    """Ending an alert by hand."""

    needs = {"POST": Needs("alerts.acknowledge", Alert, SEE)}

    @extend_schema(operation_id="alerts_resolve", request=AlertResolveIn, responses=AlertOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """End it with what was found; one of an objective that still burns is refused."""
        actions.resolve(alert_id=uuid, actor=person(request), **read(AlertResolveIn, request.data))
        return Response(AlertOut(queries.visible(person(request)).get(uuid=uuid)).data)


class Suppressed(View):
    """What was not said."""

    needs = {"GET": Needs("signed_in")}

    @extend_schema(
        operation_id="alerts_suppressed", responses=AlertCheckPageOut,
        parameters=[OpenApiParameter("why", str), OpenApiParameter("endpoint", UUID), BEFORE],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """What looked wrong and told nobody, with why, newest first."""
        given = read(SuppressedIn, request.query_params)
        rows, older = queries.suppressed(
            person(request), why=given["why"], endpoint=str(given.get("endpoint", "")), before=given.get("before")
        )
        return Response({"results": AlertCheckOut(rows, many=True).data, "before": older})


class Objectives(View):
    """What an endpoint is held to."""

    needs = {"GET": Needs(SEE, Endpoint), "POST": Needs(MANAGE, Endpoint, SEE)}

    @extend_schema(operation_id="objectives_list", responses=ObjectivesOut)
    def get(self, request: Request, uuid: UUID) -> Response:
        """With budgets and burn rates of the last evaluation."""
        rows = queries.objectives(Endpoint.objects.get(uuid=uuid))
        return Response({"results": ObjectiveOut(rows, many=True).data})

    @extend_schema(operation_id="objectives_set", request=ObjectiveIn, responses=ObjectiveOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Set an objective, or change the one of its kind."""
        given = read(ObjectiveIn, request.data)
        owner = User.objects.filter(uuid=given["owner"], is_active=True).first() if given["owner"] else None
        if given["owner"] and owner is None:
            raise Refused("There is no such person.", fields={"owner": ["Give the uuid of a person of the project."]})
        made = actions.set_objective(endpoint_id=uuid, actor=person(request), **given | {"owner": owner})
        return Response(ObjectiveOut(made).data)


class SwitchObjective(View):
    """Switching an objective."""

    needs = {"POST": Needs(MANAGE, Objective, SEE)}

    @extend_schema(operation_id="objectives_switch", request=ObjectiveSwitchIn, responses=ObjectiveOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Stop evaluating it, or go on; its open alerts end when it is switched off."""
        made = actions.switch_objective(objective_id=uuid, actor=person(request), **read(ObjectiveSwitchIn, request.data))
        return Response(ObjectiveOut(made).data)


class Silences(View):
    """Silences."""

    needs = {"GET": Needs("signed_in"), "POST": Needs("signed_in")}

    @extend_schema(operation_id="silences_list", responses=SilencesOut)
    def get(self, request: Request) -> Response:
        """Those in force."""
        hold, _ = queries.silences(person(request), timezone.now())
        return Response({"results": SilenceOut(hold, many=True).data})

    @extend_schema(operation_id="silences_create", request=SilenceIn, responses={201: SilenceOut})
    def post(self, request: Request) -> Response:
        """No messages about an endpoint or a project; alerts are raised and shown all the same."""
        given = read(SilenceIn, request.data)
        project, endpoint = place(person(request), given.pop("project", None), given.pop("endpoint", None))
        return Response(SilenceOut(actions.silence(project=project, endpoint=endpoint, actor=person(request), **given)).data, status=201)


class EndSilence(View):
    """Ending a silence."""

    needs = {"POST": Needs("alerts.silence", Silence, SEE)}

    @extend_schema(operation_id="silences_end", request=None, responses=SilenceOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Have messages come again."""
        return Response(SilenceOut(actions.end_silence(silence_id=uuid, actor=person(request))).data)


class Channels(View):
    """Ways out."""

    needs = {"GET": Needs("signed_in"), "POST": Needs("signed_in")}

    @extend_schema(operation_id="channels_list", responses=ChannelsOut)
    def get(self, request: Request) -> Response:
        """By project and name."""
        return Response({"results": ChannelOut(queries.channels(person(request)), many=True).data})

    @extend_schema(operation_id="channels_create", request=ChannelIn, responses={201: ChannelMadeOut})
    def post(self, request: Request) -> Response:
        """Add one. The secret of a webhook stands in this answer and nowhere else."""
        given = read(ChannelIn, request.data)
        project, _ = place(person(request), given.pop("project"), None)
        return Response(ChannelMadeOut(delivery.add_channel(project=project, actor=person(request), **given)).data, status=201)


class SwitchChannel(View):
    """Changing a way out."""

    needs = {"POST": Needs(MANAGE, Channel, SEE)}

    @extend_schema(operation_id="channels_change", request=ChannelSwitchIn, responses=ChannelOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """On or off, and what it takes."""
        made = delivery.change_channel(channel_id=uuid, actor=person(request), **read(ChannelSwitchIn, request.data))
        return Response(ChannelOut(made).data)


class NewSecret(View):
    """A new secret of a webhook."""

    needs = {"POST": Needs(MANAGE, Channel, SEE)}

    @extend_schema(operation_id="channels_secret", request=ChannelSecretIn, responses=ChannelMadeOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """The old one is worthless from now on; the new one stands in this answer and nowhere else."""
        made = delivery.new_secret(channel_id=uuid, actor=person(request), **read(ChannelSecretIn, request.data))
        return Response(ChannelMadeOut(made).data)


class TestChannel(View):
    """A test of a way out."""

    needs = {"POST": Needs(MANAGE, Channel, SEE)}

    @extend_schema(operation_id="channels_test", request=ChannelTestIn, responses={202: DeliveryOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Send a message that says that it is a test."""
        made = delivery.send_test(channel_id=uuid, actor=person(request), **read(ChannelTestIn, request.data))
        return Response(DeliveryOut(made).data, status=202)


def place(user: User, project: UUID | None, endpoint: UUID | None) -> tuple[Project, Endpoint | None]:
    """What is named, if the user may see it. Raises Refused."""
    if endpoint:
        found = policy.visible_to(user, Endpoint.objects.select_related("model__project"), SEE).filter(uuid=endpoint).first()
        if found is None:
            raise Refused("There is no such endpoint.", fields={"endpoint": ["Give the uuid of an endpoint that you see."]})
        return found.model.project, found
    named = policy.visible_to(user, Project, SEE).filter(uuid=project).first() if project else None
    if named is None:
        raise Refused("There is no such project.", fields={"project": ["Give the uuid of a project that you see."]})
    return named, None


def person(request: Request) -> User:
    """Who asks; every view here asks for authentication."""
    user: User = request.user  # type: ignore[assignment]
    return user


def read(shape: type[serializers.Serializer[Any]], data: Any) -> dict[str, Any]:
    """What was sent, by shape. Raises ValidationError."""
    form = shape(data=data)
    form.is_valid(raise_exception=True)
    given: dict[str, Any] = form.validated_data
    return given


urlpatterns = [
    path("alerts/", Alerts.as_view(), name="api-alerts"),
    path("alerts/suppressed/", Suppressed.as_view(), name="api-alerts-suppressed"),
    path("alerts/<uuid:uuid>/", OneAlert.as_view(), name="api-alert"),
    path("alerts/<uuid:uuid>/acknowledge/", Acknowledge.as_view(), name="api-alert-acknowledge"),
    path("alerts/<uuid:uuid>/resolve/", Resolve.as_view(), name="api-alert-resolve"),
    path("endpoints/<uuid:uuid>/objectives/", Objectives.as_view(), name="api-objectives"),
    path("objectives/<uuid:uuid>/switch/", SwitchObjective.as_view(), name="api-objective-switch"),
    path("silences/", Silences.as_view(), name="api-silences"),
    path("silences/<uuid:uuid>/end/", EndSilence.as_view(), name="api-silence-end"),
    path("channels/", Channels.as_view(), name="api-channels"),
    path("channels/<uuid:uuid>/change/", SwitchChannel.as_view(), name="api-channel-change"),
    path("channels/<uuid:uuid>/secret/", NewSecret.as_view(), name="api-channel-secret"),
    path("channels/<uuid:uuid>/test/", TestChannel.as_view(), name="api-channel-test"),
]
