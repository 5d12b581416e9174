from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from datasets_app.datasets.models import Item
from datasets_app.prelabels.rules import Proposer
from datasets_app.schemas.models.schemas import IMPORTING, Label

USER = settings.AUTH_USER_MODEL


class Suggestion(models.Model):
    """A pre-label of an item by a model, a labeling function, or an imported file; never counted as an
    annotation.

    A source suggests labels one by one, each with its score; spans are one value, each span with its own
    "score" if there is one.
    """

    append_only = True
    deletable_when = IMPORTING

    Source = Proposer

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="suggestions")
    label = models.ForeignKey(Label, null=True, on_delete=models.PROTECT, related_name="+")
    value = models.JSONField(null=True, help_text="as in Annotation")
    score = models.FloatField(null=True, help_text="0 to 1; null if the source has no scores")
    source = models.CharField(max_length=8, choices=Proposer.choices)
    source_digest = models.CharField(
        max_length=64, help_text="of the file, the model's artifact, the labeling function, or the fit"
    )
    source_name = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item", "source_digest", "label"], name="one_suggestion_per_source"
            ),
            models.UniqueConstraint(
                fields=["item", "source_digest"], condition=Q(label__isnull=True), name="one_value_per_source"
            ),
            models.CheckConstraint(
                condition=Q(label__isnull=False) ^ Q(value__isnull=False), name="suggestion_label_or_value"
            ),
        ]

    def __str__(self) -> str:
        return f"suggestion for {self.item_id}"


class RetiredSource(models.Model):
    """A version of a labeling function that was replaced or retired: its pre-labels are kept but not
    shown.
    """

    append_only = True

    digest = models.CharField(max_length=64, unique=True, help_text="as in Suggestion.source_digest")

    def __str__(self) -> str:
        return f"retired source {self.digest[:12]}"
