"""Ways out: to add, to change, to test."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers

from lifecycle.ground.notices import delivery, sending, topics
from lifecycle.ground.notices.models import Channel
from lifecycle.ground.notices.rules import ChannelKind
from monitoring.alerts import queries
from monitoring.alerts.api.place import place
from registry.ground.access.decorators import Needs
from registry.ground.access.rest import Request, operation

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
    wants = serializers.ListField(
        child=serializers.ChoiceField(choices=topics.choices()), allow_null=True, default=None
    )


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


@operation("GET", "channels_list", Needs("signed_in"), gives=ChannelsOut)
def channels(request: Request) -> object:
    """List channels by project and name."""
    return {"results": queries.channels(request.user)}


@operation("POST", "channels_create", Needs("signed_in"), takes=ChannelIn, gives=ChannelMadeOut, status=201)
def add_channel(request: Request, given: dict[str, Any]) -> object:
    """Add a channel. A webhook's secret is only in this response."""
    project, _ = place(request.user, given.pop("project"), None)
    return delivery.add_channel(project=project, actor=request.user, **given)


@operation("POST", "channels_change", Needs(MANAGE, Channel, SEE), takes=ChannelSwitchIn, gives=ChannelOut)
def switch_channel(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Turn a channel on or off, and choose message types."""
    return delivery.change_channel(channel_id=uuid, actor=request.user, **given)


@operation(
    "POST", "channels_secret", Needs(MANAGE, Channel, SEE), takes=ChannelSecretIn, gives=ChannelMadeOut
)
def new_secret(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Rotate the secret. The old one stops working; the new one is only in this response."""
    return delivery.new_secret(channel_id=uuid, actor=request.user, **given)


@operation(
    "POST", "channels_test", Needs(MANAGE, Channel, SEE), takes=ChannelTestIn, gives=DeliveryOut, status=202
)
def test_channel(request: Request, uuid: UUID, given: dict[str, Any]) -> object:
    """Send a test message."""
    return delivery.send_test(channel_id=uuid, actor=request.user, **given)
