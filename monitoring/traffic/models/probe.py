from __future__ import annotations

from django.db import models


class ProbeMinute(models.Model):
    """How the serving port answered in one minute: how often it was asked, and how often no one answered.
    Deleted as minutes are.

    counted_at: when what it cost was added to the figures of what was live; once, anyone who counts.
    """

    start = models.DateTimeField(unique=True)
    probes = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    counted_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} {self.failed} of {self.probes}"
