from __future__ import annotations

from uuid import uuid4

from django.db import models

from datasets_app.datasets.models import Item
from datasets_app.queues.models import Decision
from monitoring.traffic.models import Prediction


class Neighbour(models.Model):
    """A training item near a prediction's text, in the embedding of the model that predicted."""

    append_only = True
    project_path = "prediction__endpoint__model__project"
    root_path = "prediction__endpoint__model"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    prediction = models.ForeignKey(Prediction, on_delete=models.PROTECT, related_name="neighbours")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    decision = models.ForeignKey(
        Decision, on_delete=models.PROTECT, related_name="+", help_text="the label in training"
    )
    rank = models.PositiveSmallIntegerField(help_text="1 is nearest")
    similarity = models.FloatField(help_text="cosine, -1 to 1")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["prediction", "rank"], name="one_neighbour_per_rank")]

    def __str__(self) -> str:
        return f"neighbour {self.rank}"


class Attribution(models.Model):
    """How much each word of a request changes its prediction, by the version that predicted. Places and
    numbers, no text.
    """

    append_only = True
    project_path = "prediction__endpoint__model__project"
    root_path = "prediction__endpoint__model"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    prediction = models.OneToOneField(Prediction, on_delete=models.PROTECT, related_name="attribution")
    report = models.JSONField(help_text="as the engine's verb explain gives it")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"word attribution of {self.prediction}"
