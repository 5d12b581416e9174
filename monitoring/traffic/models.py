from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q

from registry.catalog.models import Endpoint, ModelVersion

USER = settings.AUTH_USER_MODEL


class Prediction(models.Model):
    """One answer of an endpoint to one text, as the inference server reported it. Texts are kept only where the endpoint says so."""

    append_only = True
    changeable = ("text",)
    project_path = "endpoint__model__project"
    root_path = "endpoint__model"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    request_id = models.CharField(max_length=80, blank=True)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="predictions")
    version = models.ForeignKey(
        ModelVersion, null=True, on_delete=models.PROTECT, related_name="predictions", help_text="null: none answered"
    )
    arm = models.CharField(max_length=8, default="stable")
    at = models.DateTimeField()
    code = models.PositiveSmallIntegerField(help_text="HTTP status of the answer")
    latency_ms = models.FloatField()
    text = models.TextField(null=True, help_text="null: not kept, or erased")  # noqa: DJ001
    text_digest = models.CharField(max_length=64, blank=True)
    chars = models.PositiveIntegerField(default=0)
    tokens = models.PositiveIntegerField(default=0)
    label = models.CharField(max_length=120, blank=True)
    confidence = models.FloatField(null=True)
    scores = models.JSONField(default=list, help_text='the top five: [{"label", "score"}]')
    epoch = models.PositiveBigIntegerField(default=0)
    is_demo = models.BooleanField(default=False, help_text="made by the demo's own generator")

    class Meta:
        indexes = [
            models.Index(fields=["endpoint", "-at", "-id"], name="prediction_newest"),
            models.Index(fields=["version", "-at"], name="prediction_version"),
        ]

    def __str__(self) -> str:
        return f"prediction {str(self.uuid)[:8]}"


class Feedback(models.Model):
    """What a person or a program says of a prediction: right, or wrong with the right label. The newest of a prediction counts."""

    append_only = True
    project_path = "prediction__endpoint__model__project"
    root_path = "prediction__endpoint__model"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    prediction = models.ForeignKey(Prediction, on_delete=models.PROTECT, related_name="feedback")
    user = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    right = models.BooleanField()
    label = models.CharField(max_length=120, blank=True, help_text="the right label, where the answer was wrong and it is known")
    at = models.DateTimeField(auto_now_add=True)
    is_demo = models.BooleanField(default=False)

    def __str__(self) -> str:
        return "right" if self.right else f"wrong: {self.label}"


class MinuteRollup(models.Model):
    """Counts of one minute of an endpoint's version: what pages read instead of counting predictions. Mergeable."""

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="rollups")
    version = models.ForeignKey(ModelVersion, null=True, on_delete=models.CASCADE, related_name="+")
    minute = models.DateTimeField()
    requests = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0)
    latency = models.JSONField(default=dict, help_text="histogram: bucket index (log scale) → count, of requests that were answered")
    labels = models.JSONField(default=dict, help_text="label → count")
    right = models.PositiveIntegerField(default=0)
    wrong = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "version", "minute"], name="one_rollup_per_minute"),
            models.UniqueConstraint(fields=["endpoint", "minute"], condition=Q(version__isnull=True), name="one_unanswered_per_minute"),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint} {self.minute:%H:%M}"
