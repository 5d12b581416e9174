from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models

from datasets_app.datasets.models import Dataset
from registry.ground.artifacts.models import Blob

USER = settings.AUTH_USER_MODEL


class Correction(models.Model):
    """An uploaded file of corrected labels: its planned changes and their result. The file is stored by
    digest; its owner never changes.
    """

    append_only = True
    changeable = ("state", "report", "take_moved", "accepted_by", "accepted_at", "ended_at")
    project_path = "dataset__project"
    root_path = "dataset"

    class State(models.TextChoices):
        LOOKING = "looking", "Checking"
        LOOKED = "looked", "Needs review"
        WRITING = "writing", "Writing"
        WRITTEN = "written", "Written"
        FAILED = "failed", "Failed"
        DISCARDED = "discarded", "Discarded"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="corrections")
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    file_name = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=State.choices, default=State.LOOKING)
    report = models.JSONField(
        default=dict,
        help_text='{"look", "written"}: counts by outcome, classes old and new, first cases; "error"',
    )
    take_moved = models.BooleanField(
        default=False, help_text="whether rows whose label changed after the export are written too"
    )
    uploaded_by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    accepted_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    accepted_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["dataset", "-id"], name="correction_newest")]

    def __str__(self) -> str:
        return self.file_name
