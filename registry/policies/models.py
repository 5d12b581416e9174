from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models


class Policy(models.Model):
    """One version of the rules for promotions, as YAML. The row is made on publishing, and never changed."""

    append_only = True

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    name = models.SlugField(max_length=60)
    version = models.PositiveIntegerField()
    text = models.TextField(help_text="YAML: gates, steps, days to decide and to deploy")
    digest = models.CharField(max_length=64)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    published_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "version"], name="one_policy_per_version")]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"
