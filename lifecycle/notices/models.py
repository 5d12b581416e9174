"""What happened, for rooms (Outbox, Cursor) and for people (Notice)."""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q


class Outbox(models.Model):
    """One thing that happened, written in the transaction that made it happen. payload holds ids, never texts of users. Never changed."""

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
    """How far one reader has come.

    late: ids below `position` that were not there when the reader passed, since their writers had not committed.
    """

    reader = models.CharField(max_length=80, unique=True)
    position = models.BigIntegerField(default=0)
    late = models.JSONField(default=list)
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.reader} at {self.position}"


class Notice(models.Model):
    """One sentence to one person, with the page where it leads."""

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
                condition=Q(url="") | (Q(url__startswith="/") & ~Q(url__startswith="//")), name="notice_stays_on_this_site"
            )
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="notice_person"),
            models.Index(fields=["user"], condition=Q(read_at__isnull=True), name="notice_unread"),
        ]

    def __str__(self) -> str:
        return self.text
