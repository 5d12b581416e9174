from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models

from datasets_app.datasets.models import Dataset
from datasets_app.queues.models.queues import Queue


class Fit(models.Model):
    """One fit of a dataset's built-in model: its training rows and accuracy. The newest edition orders
    queues.

    If there were too few labels to train, the digests are empty and only the counts are set.
    """

    append_only = True
    project_path = "dataset__project"
    root_path = "dataset"

    class Features(models.TextChoices):
        VECTORS = "vectors", "Embeddings of a base model"
        WORDS = "words", "TF-IDF of words and word pairs"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, db_index=False, related_name="fits")
    edition = models.PositiveIntegerField(help_text="1 for the first of the dataset")
    annotations = models.PositiveIntegerField(
        help_text="annotations in all queues of the dataset when it started"
    )
    rows = models.PositiveIntegerField(help_text="labeled texts it was trained on")
    features = models.CharField(max_length=7, choices=Features.choices)
    base_name = models.CharField(max_length=120, blank=True)
    base_digest = models.CharField(max_length=64, blank=True)
    rows_digest = models.CharField(
        max_length=64, blank=True, help_text="sha256 over the digests of the items and their labels"
    )
    digest = models.CharField(
        max_length=64,
        blank=True,
        help_text="digest of everything that makes it: the source of its pre-labels",
    )
    figures = models.JSONField(
        help_text=(
            "counts by stable id, correct rows in cross-validation, folds, pairs, how far pools were read"
        )
    )
    seconds = models.FloatField(help_text="duration, embeddings included")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="null: automatic",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dataset", "edition"], name="one_fit_per_edition")]

    def __str__(self) -> str:
        return f"fit {self.edition} of {self.dataset}"


class QueueOrder(models.Model):
    """The fit that currently orders a queue."""

    queue = models.OneToOneField(Queue, on_delete=models.CASCADE, related_name="+")
    fit = models.ForeignKey(Fit, on_delete=models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return f"order of {self.queue_id}"
