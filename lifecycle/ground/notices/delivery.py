"""Channels and their deliveries: a transactional outbox, retried with exponential backoff, deduplicated by
key.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from lifecycle.ground.notices import rules, sending, topics
from lifecycle.ground.notices.models import Channel, Delivery
from lifecycle.ground.notices.rules import ChannelKind, DeliveryState
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.access import policy
from registry.ground.access.models import Project, User
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb

log = logging.getLogger(__name__)
MANAGE = "alerts.manage"
KEPT = timedelta(days=90)
EACH_TIME = 20
TEST, TEST_EVERY = "test:", timedelta(minutes=1)


@transaction.atomic
def add_channel(
    *, project: Project, kind: str, name: str, address: str, wants: Collection[str], actor: User
) -> Channel:
    """Create a channel. Raises PermissionDenied, Refused (an address that isn't allowed), or Conflict (the
    name is taken).

    A webhook's secret, from sending.secret_of, is shown only this once.
    """
    policy.require(actor, MANAGE, project)
    name, address, wants = name.strip(), check_address(kind, address), topics.check(kind, wants)
    if not name or len(name) > 60 or not name.isprintable():
        raise Refused(
            "The channel's name isn't valid.",
            fields={"name": ["Enter a name of 1 to 60 visible characters."]},
        )
    try:
        with transaction.atomic():
            made = Channel.objects.create(
                project=project, kind=kind, name=name, address=address, wants=wants, created_by=actor
            )
    except IntegrityError as error:
        raise Conflict(
            f"A channel named {name} already exists.", fields={"name": ["Choose another name."]}
        ) from error
    record(actor, Verb.CHANNEL_SET, made, project=project.uuid, kind=kind, wants=wants, is_on=True)
    return made


@transaction.atomic
def change_channel(
    *, channel_id: UUID, actor: User, is_on: bool | None = None, wants: Collection[str] | None = None
) -> Channel:
    """Switch a channel on or off, or change its message types. Pending deliveries of one that is off aren't
    sent.
    """
    channel = Channel.objects.select_for_update().get(uuid=channel_id)
    policy.require(actor, MANAGE, channel)
    was = {"is_on": channel.is_on, "wants": channel.wants}
    channel.is_on = channel.is_on if is_on is None else is_on
    channel.wants = channel.wants if wants is None else topics.check(channel.kind, wants)
    if was == {"is_on": channel.is_on, "wants": channel.wants}:
        return channel
    channel.save(update_fields=["is_on", "wants"])
    if not channel.is_on:
        stop = {"state": DeliveryState.FAILED, "error": "The channel was turned off."}
        Delivery.objects.filter(channel=channel, state=DeliveryState.WAITING).update(**stop)
    record(
        actor,
        Verb.CHANNEL_SET,
        channel,
        project=channel.project.uuid,
        is_on=channel.is_on,
        wants=channel.wants,
        was=was,
    )
    return channel


@transaction.atomic
def new_secret(*, channel_id: UUID, actor: User, seen: int) -> Channel:
    """Rotate the secret. seen: the serial on the page, so that a double click makes one. Raises Conflict,
    Refused.
    """
    channel = Channel.objects.select_for_update().get(uuid=channel_id)
    policy.require(actor, MANAGE, channel)
    if channel.kind != ChannelKind.WEBHOOK:
        raise Refused("Only webhooks have a secret.")
    if channel.serial != seen:
        raise Conflict(
            "Someone else rotated the secret while you had it open.",
            next_step="Reload the page, and ask them for the new secret.",
        )
    channel.serial += 1
    channel.save(update_fields=["serial"])
    record(actor, Verb.CHANNEL_SET, channel, project=channel.project.uuid, secret=channel.serial)
    return channel


def check_address(kind: str, address: str) -> str:
    """The address, trimmed. Raises Refused when nothing may be sent there."""
    if kind == ChannelKind.EMAIL:
        if not settings.EMAIL_IS_SET:
            sentence = "E-mail can't be sent because no mail server is configured."
            raise Refused(
                sentence, next_step="Ask your administrator to set EMAIL_URL.", fields={"kind": [sentence]}
            )
        return rules.check_addresses(address)
    rules.check_url(address, allow_private=settings.WEBHOOK_ALLOW_PRIVATE)
    return address.strip()


@transaction.atomic
def send_test(*, channel_id: UUID, actor: User, once: str) -> Delivery:
    """Post a test message on the channel. once: a token of the form, so that a double click sends one.

    It replaces an older pending test. Raises PermissionDenied, Refused (switched off), or Conflict (one began
    within the minute).
    """
    channel = Channel.objects.select_for_update().get(uuid=channel_id)
    policy.require(actor, MANAGE, channel)
    if not channel.is_on:
        raise Refused(f"{channel} is off.", next_step="Turn it on first.")
    now, key = timezone.now(), f"{TEST}{once[:64]}"
    tests = Delivery.objects.filter(channel=channel, key__startswith=TEST)
    if same := tests.filter(key=key).first():
        return same
    if tests.filter(created_at__gt=now - TEST_EVERY).exists():
        raise Conflict(
            f"A test of {channel} was just sent.", next_step="Check its result, and try again in a minute."
        )
    tests.filter(state=DeliveryState.WAITING).update(
        state=DeliveryState.FAILED, error="A newer test was started."
    )
    text = f"A test of the channel {channel}, sent by {actor}. No action needed."
    record(actor, Verb.CHANNEL_TESTED, channel, project=channel.project.uuid)
    return post(
        channel, key=key, subject=f"Test of {channel}", text=text, url="", data={"event": "test"}, now=now
    )


def post(
    channel: Channel, *, key: str, subject: str, text: str, url: str, data: dict[str, Any], now: datetime
) -> Delivery:
    """Enqueue a message, in the caller's transaction. The same key on the same channel is the same
    message.
    """
    given = {
        "subject": subject[:200],
        "text": text,
        "url": url,
        "data": data,
        "next_at": now,
        "created_at": now,
    }
    return Delivery.objects.get_or_create(channel=channel, key=key[:120], defaults=given)[0]


def channels(project: Project) -> list[Channel]:
    """Those of a project that are switched on."""
    return list(Channel.objects.filter(project=project, is_on=True))


def broadcast(project: Project, word: str, **message: Any) -> int:
    """Post a message on every channel of a project that takes messages of this word. Returns on how many."""
    found = [each for each in channels(project) if word in each.wants]
    for channel in found:
        post(channel, **message)
    return len(found)


def deliver_due(now: datetime | None = None, *, limit: int = EACH_TIME) -> int:
    """Send what is due, oldest first, and return how many arrived. Two processes at once do not send the
    same: each claims its row first.

    A process that dies while sending leaves its lease behind; after two minutes another sends it again, so a
    receiver that must not act twice looks at the delivery's uuid.
    """
    moment, arrived = now or timezone.now(), 0
    due = Delivery.objects.filter(state=DeliveryState.WAITING, next_at__lte=moment).order_by("next_at", "id")
    for pk, attempts in list(due.values_list("pk", "attempts")[:limit]):
        begin = now or timezone.now()  # per delivery, since earlier ones may be slow
        rows = Delivery.objects.filter(
            pk=pk, state=DeliveryState.WAITING, attempts=attempts, next_at__lte=moment
        )
        if rows.update(attempts=F("attempts") + 1, next_at=begin + rules.LEASE):
            arrived += attempt(
                Delivery.objects.select_related("channel__project").get(pk=pk), now or timezone.now()
            )
    return arrived


def attempt(delivery: Delivery, now: datetime) -> bool:
    """Send a delivery that the caller has claimed and record the result. No error stops other deliveries."""
    rows = Delivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts, state=DeliveryState.WAITING)
    reason = ""
    try:
        sending.send(delivery)
    except sending.NotSent as error:
        reason = str(error)
    except Exception as error:  # of this message or its channel
        log.exception("delivery_failed delivery=%s", delivery.uuid)
        reason = f"Couldn't be sent ({type(error).__name__})."
    if reason:
        # a test isn't retried
        again = None if delivery.key.startswith(TEST) else rules.next_try(delivery.attempts, now)
        state = DeliveryState.WAITING if again else DeliveryState.FAILED
        rows.update(state=state, next_at=again or now, error=reason[:300])
        return False
    rows.update(state=DeliveryState.SENT, sent_at=now, error="")
    return True


def forget_old(now: datetime) -> int:
    """Remove messages of more than 90 days ago, up to 1,000 at a time. Returns how many."""
    old = (
        Delivery.objects.filter(created_at__lt=now - KEPT).order_by("pk").values_list("pk", flat=True)[:1000]
    )
    return Delivery.objects.filter(pk__in=list(old)).delete()[0]
