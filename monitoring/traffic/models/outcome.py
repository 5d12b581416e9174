from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from monitoring.traffic.models.prediction import Prediction
from registry.catalog.models import Endpoint

USER = settings.AUTH_USER_MODEL


class Side(models.TextChoices):
    """Who was treated how: with the model, or without it."""

    MODEL = "model", "Model"
    HOLDOUT = "holdout", "Hold-out"


class Kpi(models.Model):
    """A business figure that an endpoint is meant to move. A part of the cases is held out from the model, to
    compare with.
    """

    class Direction(models.TextChoices):
        UP = "up", "Higher is better"
        DOWN = "down", "Lower is better"

    class Kind(models.TextChoices):
        SHARE = "share", "Rate: 0 or 1 per case"
        NUMBER = "number", "Number"

    project_path = "endpoint__model__project"
    root_path = "endpoint__model"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="kpis")
    name = models.CharField(max_length=80)
    unit = models.CharField(max_length=20, blank=True)
    direction = models.CharField(max_length=4, choices=Direction.choices)
    kind = models.CharField(max_length=6, choices=Kind.choices)
    holdout_share = models.FloatField(
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)], help_text="of all cases, 0 to 1"
    )
    owner = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "name"], name="one_kpi_per_name"),
            models.CheckConstraint(
                condition=Q(holdout_share__gte=0, holdout_share__lte=1), name="holdout_is_a_share"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Outcome(models.Model):
    """The result of one case, with the model or without it, as the business system reported it under a uuid
    of its own.
    """

    append_only = True
    changeable = ("prediction",)  # it may be deleted by its age; its result stays
    project_path = "kpi__endpoint__model__project"
    root_path = "kpi__endpoint__model"

    uuid = models.UUIDField(unique=True, help_text="given by the client, so that sending twice counts once")
    kpi = models.ForeignKey(Kpi, on_delete=models.PROTECT, related_name="outcomes", db_index=False)
    arm = models.CharField(max_length=7, choices=Side.choices)
    value = models.FloatField()
    at = models.DateTimeField()
    prediction = models.ForeignKey(Prediction, null=True, on_delete=models.SET_NULL, related_name="outcomes")
    subject = models.CharField(
        max_length=64, blank=True, help_text="digest of the case's key; the key itself is not kept"
    )
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["kpi", "-at", "-id"], name="outcome_newest"),
            models.Index(fields=["kpi", "subject"], condition=~Q(subject=""), name="outcome_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.kpi}: {self.value:g}"


class OutcomeDay(models.Model):
    """The outcomes of a day UTC in an arm, added up: enough for means and shares, and for their variance over
    groups of subjects.

    subjects: those of which the figure had no outcome before, in either arm. unnamed: outcomes without a
    subject.
    """

    kpi = models.ForeignKey(Kpi, on_delete=models.CASCADE, related_name="days", db_index=False)
    day = models.DateField()
    arm = models.CharField(max_length=7, choices=Side.choices)
    n = models.PositiveIntegerField(default=0)
    total = models.FloatField(default=0.0)
    subjects = models.PositiveIntegerField(default=0)
    unnamed = models.PositiveIntegerField(default=0)
    groups = models.BinaryField(
        help_text="n and total by group of subjects: 2 times 256 doubles, little-endian"
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kpi", "day", "arm"], name="one_outcome_day")]

    def __str__(self) -> str:
        return f"{self.kpi} {self.day} {self.arm}"
