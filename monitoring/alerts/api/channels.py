"""Ways out: to add, to change, to test."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from lifecycle.ground.notices import delivery, sending, topics
from lifecycle.ground.notices.models import Channel
from lifecycle.ground.notices.rules import ChannelKind
from monitoring.alerts import queries
from monitoring.alerts.api.place import place
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, View, read

SEE, MANAGE = "alerts.view", "alerts.manage"


class ChannelIn(serializers.Serializer[Any]):
    """A new channel."""

    project = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=ChannelKind.choices)
    name = serializers.CharField(max_length=60)
    address = serializers.CharField(max_length=1000, help_text="comma-separated e-mail addresses, or a URL")
    wants = serializers.ListField(child=serializers.ChoiceField(choices=topics.choices()))


class ChannelOut(serializers.Serializer[Channel]):
    """A channel. host: for webhooks only the host, since the path may contain a token."""

    uuid = serializers.UUIDField()
    project = serializers.UUIDField(source="project.uuid")
    kind = serializers.ChoiceField(choices=ChannelKind.choices)
    name = serializers.CharField()
    host = serializers.SerializerMethodField()
    wants = serializers.ListField(child=serializers.CharField())
    is_on = serializers.BooleanField()
    serial = serializers.IntegerField(help_text="serial of the secret; send it as `seen`")

    def get_host(self, row: Channel) -> str:
        """The host, or the e-mail addresses."""
        return sending.host_of(row)


class ChannelMadeOut(ChannelOut):
    """secret: of a webhook, only in this response."""

    secret = serializers.SerializerMethodField()

    def get_secret(self, row: Channel) -> str:
        """The secret that signs messages."""
        return sending.secret_of(row) if row.kind == ChannelKind.WEBHOOK else ""


class ChannelsOut(serializers.Serializer[Any]):
    """All channels you can see."""

    results = ChannelOut(many=True)


class ChannelSwitchIn(serializers.Serializer[Any]):
    """On or off, and message types; omitted fields don't change."""

    is_on = serializers.BooleanField(allow_null=True, default=None)
    wants = serializers.ListField(child=serializers.ChoiceField(choices=topics.choices()), allow_null=True, default=None)


class ChannelSecretIn(serializers.Serializer[Any]):
    """seen: the channel's serial as you read it."""

    seen = serializers.IntegerField(min_value=0)


class ChannelTestIn(serializers.Serializer[Any]):
    """once: an idempotency key; repeating it sends nothing new."""

    once = serializers.CharField(max_length=64)


class DeliveryOut(serializers.Serializer[Any]):
    """A message on its way."""

    uuid = serializers.UUIDField()
    state = serializers.CharField()


class Channels(View):
    """Channels."""

    needs = {"GET": Needs("signed_in"), "POST": Needs("signed_in")}

    @extend_schema(operation_id="channels_list", responses=ChannelsOut)
    def get(self, request: Request) -> Response:
        """List channels by project and name."""
        return Response({"results": ChannelOut(queries.channels(request.user), many=True).data})

    @extend_schema(operation_id="channels_create", request=ChannelIn, responses={201: ChannelMadeOut})
    def post(self, request: Request) -> Response:
        """Add a channel. A webhook's secret is only in this response."""
        given = read(ChannelIn, request.data)
        project, _ = place(request.user, given.pop("project"), None)
        return Response(ChannelMadeOut(delivery.add_channel(project=project, actor=request.user, **given)).data, status=201)


class SwitchChannel(View):
    """Change a channel."""

    needs = {"POST": Needs(MANAGE, Channel, SEE)}

    @extend_schema(operation_id="channels_change", request=ChannelSwitchIn, responses=ChannelOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Turn a channel on or off, and choose message types."""
        made = delivery.change_channel(channel_id=uuid, actor=request.user, **read(ChannelSwitchIn, request.data))
        return Response(ChannelOut(made).data)


class NewSecret(View):
    """Rotate a webhook's secret."""

    needs = {"POST": Needs(MANAGE, Channel, SEE)}

    @extend_schema(operation_id="channels_secret", request=ChannelSecretIn, responses=ChannelMadeOut)
    def post(self, request: Request, uuid: UUID) -> Response:
        """Rotate the secret. The old one stops working; the new one is only in this response."""
        made = delivery.new_secret(channel_id=uuid, actor=request.user, **read(ChannelSecretIn, request.data))
        return Response(ChannelMadeOut(made).data)


class TestChannel(View):
    """Test a channel."""

    needs = {"POST": Needs(MANAGE, Channel, SEE)}

    @extend_schema(operation_id="channels_test", request=ChannelTestIn, responses={202: DeliveryOut})
    def post(self, request: Request, uuid: UUID) -> Response:
        """Send a test message."""
        made = delivery.send_test(channel_id=uuid, actor=request.user, **read(ChannelTestIn, request.data))
        return Response(DeliveryOut(made).data, status=202)
