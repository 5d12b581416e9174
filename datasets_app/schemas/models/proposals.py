from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q

from datasets_app.datasets.models import Dataset, Item
from datasets_app.schemas.models.schemas import LabelSchema

USER = settings.AUTH_USER_MODEL


class GuidelineProposal(models.Model):
    """A proposal to change a dataset's guideline, with an example item. Neither its text nor its reason ever
    changes.
    """

    append_only = True
    changeable = ("state", "reason", "closed_by", "closed_at", "accepted_in")
    project_path = "dataset__project"
    root_path = "dataset"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ACCEPTED = "accepted", "Accepted"
        DECLINED = "declined", "Declined"
        WITHDRAWN = "withdrawn", "Withdrawn"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, db_index=False, related_name="proposals")
    schema = models.ForeignKey(
        LabelSchema,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="version it refers to; null: before the first",
    )
    item = models.ForeignKey(
        Item, null=True, on_delete=models.PROTECT, related_name="+", help_text="the example"
    )
    labels = models.JSONField(default=list, help_text="stable ids of the labels concerned")
    text = models.CharField(max_length=2000)
    by = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    reason = models.CharField(max_length=1000, blank=True, help_text="why it was declined")
    closed_by = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+")
    closed_at = models.DateTimeField(null=True)
    accepted_in = models.ForeignKey(
        LabelSchema, null=True, on_delete=models.PROTECT, related_name="proposals"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="open") ^ Q(closed_at__isnull=False), name="proposal_closed"
            ),
            models.CheckConstraint(
                condition=Q(state="accepted") ^ Q(accepted_in__isnull=True), name="proposal_accepted_in"
            ),
        ]
        indexes = [
            models.Index(fields=["dataset", "-id"], name="proposal_dataset"),
            models.Index(fields=["dataset", "-id"], condition=Q(state="open"), name="proposal_open"),
            models.Index(fields=["by", "dataset", "-id"], name="proposal_person"),
        ]

    def __str__(self) -> str:
        return f"proposal for the guideline of {self.dataset_id}"
