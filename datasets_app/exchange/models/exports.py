from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models

from datasets_app.datasets.models import Dataset
from datasets_app.exchange.rules import ExportFormat
from datasets_app.queues.models.queues import Queue
from registry.ground.artifacts.models import Blob


class Export(models.Model):
    """An export of annotations in another tool's format. The bytes are stored by digest."""

    append_only = True
    project_path = "dataset__project"
    root_path = "dataset"

    Format = ExportFormat

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="annotation_exports")
    queue = models.ForeignKey(
        Queue,
        null=True,
        on_delete=models.PROTECT,
        related_name="exports",
        help_text="whose items are exported; null: all",
    )
    format = models.CharField(max_length=12, choices=Format.choices)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    items = models.PositiveBigIntegerField()
    annotations = models.PositiveBigIntegerField(help_text="by people, without skips")
    dropped = models.JSONField(default=dict, help_text="what the format can't represent: sentence → count")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.dataset} as {self.get_format_display()}"

    @property
    def file_name(self) -> str:
        """Its file name for downloads."""
        return f"{self.dataset.slug}-{self.format}.{ExportFormat(self.format).ending}"
