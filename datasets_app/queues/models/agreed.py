from __future__ import annotations

from django.db import models

from datasets_app.datasets.models import Item
from datasets_app.queues.models.queues import Queue


class Agreed(models.Model):
    """A unanimous item waiting for an adjudicator to accept it. The row is deleted when the item is resolved,
    returned, or disputed.
    """

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, db_index=False, related_name="agreed")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    place = models.BigIntegerField(
        help_text="random, from `rules.random_place`: samples are drawn in this order"
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "item"], name="agreed_once")]
        indexes = [
            models.Index(fields=["queue", "place", "id"], name="agreed_place"),
            models.Index(fields=["queue", "id"], name="agreed_order"),
        ]

    def __str__(self) -> str:
        return f"agreed item {self.item_id}"
