from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q

from datasets_app.datasets.models import Dataset
from datasets_app.schemas.relabeling import ChangeKind

USER = settings.AUTH_USER_MODEL
IMPORTING = (  # a cancelled import deletes its labels with its items
    "EXISTS (SELECT 1 FROM datasets_item i JOIN datasets_upload u ON u.id = i.upload_id WHERE i.id ="
    " OLD.item_id AND u.state <> 'imported')"
)


class LabelSchema(models.Model):
    """One version of a dataset's labels and guideline. Never changed: a change is the next version, with the
    same label ids.
    """

    append_only = True
    project_path = "dataset__project"
    root_path = "dataset"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="schemas")
    version = models.PositiveIntegerField()
    guideline = models.TextField(blank=True, help_text="Markdown")
    digest = models.CharField(max_length=64)
    created_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dataset", "version"], name="one_schema_per_version")]

    def __str__(self) -> str:
        return f"schema {self.version} of {self.dataset}"


class Label(models.Model):
    """One label in one version of a schema. `stable_id` is the same in every version, whatever its name."""

    append_only = True

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    schema = models.ForeignKey(LabelSchema, on_delete=models.PROTECT, related_name="labels")
    stable_id = models.UUIDField(default=uuid4)
    name = models.CharField(max_length=120)
    group = models.CharField(max_length=80, blank=True, help_text="heading in the label map")
    definition = models.TextField(blank=True)
    examples = models.JSONField(default=list, help_text="texts that belong here")
    lookalikes = models.JSONField(default=list, help_text='[{"name", "note"}]: similar labels')
    position = models.PositiveIntegerField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["schema", "name"], name="one_label_per_name"),
            models.UniqueConstraint(fields=["schema", "stable_id"], name="one_label_per_stable_id"),
        ]

    def __str__(self) -> str:
        return self.name


class LabelChange(models.Model):
    """The change of one label that a version no longer has. Annotations keep their original label and are
    mapped by these rows.
    """

    append_only = True

    schema = models.ForeignKey(
        LabelSchema,
        on_delete=models.PROTECT,
        related_name="changes",
        help_text="the first version without it",
    )
    kind = models.CharField(max_length=8, choices=ChangeKind.choices)
    source = models.UUIDField(help_text="stable id of the label")
    name = models.CharField(max_length=120, help_text="name in the version before")
    targets = models.JSONField(
        default=list, help_text="stable ids: one for a merge, two or more for a split, none for a retirement"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["schema", "source"], name="one_change_per_class"),
            models.UniqueConstraint(fields=["source"], condition=Q(kind="merge"), name="merged_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.name}"
