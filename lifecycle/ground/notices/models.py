"""Events for rooms (Outbox, Cursor), notices for people (Notice), and messages to other systems (Channel,
Delivery).
"""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q

from lifecycle.ground.notices.rules import ChannelKind, DeliveryState


class Outbox(models.Model):
    """One event, written in the transaction that caused it. payload holds ids, never texts of users. Never
    changed.
    """

    append_only = True

    topic = models.CharField(max_length=80, help_text="<room>.<what happened>, such as evaluation.recorded")
    payload = models.JSONField(default=dict)
    project = models.ForeignKey("access.Project", on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["at"], name="outbox_at")]

    def __str__(self) -> str:
        return f"{self.topic} {self.pk}"


class Cursor(models.Model):
    """One reader's position.

    late: ids below `position` that were not there when the reader passed, since their writers had not
    committed.
    """

    reader = models.CharField(max_length=80, unique=True)
    position = models.BigIntegerField(default=0)
    late = models.JSONField(default=list)
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.reader} at {self.position}"


class Notice(models.Model):
    """One sentence to one person, with a link."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices")
    text = models.CharField(max_length=300)
    url = models.CharField(max_length=300, blank=True, default="", help_text="a path on this site")
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(url="") | (Q(url__startswith="/") & ~Q(url__startswith="//")),
                name="notice_stays_on_this_site",
            )
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="notice_person"),
            models.Index(fields=["user"], condition=Q(read_at__isnull=True), name="notice_unread"),
        ]

    def __str__(self) -> str:
        return self.text


class Channel(models.Model):
    """A project's webhook or e-mail channel. wants: the message types that it takes, such as page and ticket.

    The secret of a webhook is not stored: it is derived from a key file, the uuid and `serial`. A copy of the
    database signs nothing.
    """

    project_path = "project"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    project = models.ForeignKey("access.Project", on_delete=models.PROTECT, related_name="channels")
    kind = models.CharField(max_length=8, choices=ChannelKind.choices)
    name = models.CharField(max_length=60)
    address = models.CharField(max_length=1000, help_text="e-mail addresses separated by commas, or a URL")
    wants = models.JSONField(default=list)
    serial = models.PositiveIntegerField(
        default=1, help_text="version of the secret; rotating it invalidates the old one"
    )
    is_on = models.BooleanField(default=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="one_channel_per_name")]

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """One message on one channel. Written in the transaction of its cause; key: deduplicates it."""

    project_path = "channel__project"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    key = models.CharField(max_length=120)
    subject = models.CharField(max_length=200)
    text = models.TextField()
    url = models.CharField(max_length=300, blank=True, default="", help_text="a path on this site")
    data = models.JSONField(default=dict, help_text="payload for webhooks")
    state = models.CharField(max_length=8, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(help_text="earliest next attempt; during an attempt, the end of its lease")
    error = models.CharField(max_length=300, blank=True, default="")
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "key"], name="one_delivery_per_key")]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(state="waiting"), name="delivery_due"),
            models.Index(fields=["channel", "-id"], name="delivery_newest"),
            models.Index(fields=["created_at"], name="delivery_age"),
        ]

    def __str__(self) -> str:
        return self.subject
