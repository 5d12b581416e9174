from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models

from datasets_app.assist.matching import Kind, Mode
from datasets_app.datasets.models import Dataset, Upload

USER = settings.AUTH_USER_MODEL


class LabelingFunction(models.Model):
    """One version of a labeling function, which suggests a label for matching texts. Immutable: changing or
    retiring it adds a version.
    """

    append_only = True
    project_path = "dataset__project"
    root_path = "dataset"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="functions")
    stable_id = models.UUIDField(default=uuid4, help_text="the same in every version")
    version = models.PositiveIntegerField(default=1)
    name = models.CharField(max_length=80)
    label = models.UUIDField(help_text="stable id of the label it suggests")
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.WORDS)
    pattern = models.TextField(help_text="words and phrases, one per line; or a regular expression")
    mode = models.CharField(max_length=4, choices=Mode.choices, default=Mode.ANY)
    retired = models.BooleanField(default=False, help_text="whether it suggests nothing from this version on")
    replaces = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="replaced_by")
    digest = models.CharField(
        max_length=64, unique=True, help_text="digest of this version: the source of its pre-labels"
    )
    created_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["stable_id", "version"], name="one_function_per_version")
        ]

    def __str__(self) -> str:
        return self.name


class FunctionPass(models.Model):
    """How far one version of a labeling function has read one upload, whose items are fixed. Updated by the
    job that applies it.
    """

    function = models.ForeignKey(LabelingFunction, on_delete=models.CASCADE, related_name="passes")
    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="+")
    reached = models.BigIntegerField(default=0, help_text="key of the last item it was applied to")
    items = models.PositiveBigIntegerField(default=0, help_text="items read so far")
    hits = models.PositiveBigIntegerField(default=0, help_text="of these, matches")
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["function", "upload"], name="one_pass_per_upload")]

    def __str__(self) -> str:
        return f"pass over {self.upload_id}"
