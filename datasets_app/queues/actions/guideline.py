"""Which version of labels and guideline a person has read in a queue."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from datasets_app.queues.models.queues import Queue, Seat
from datasets_app.schemas.models.schemas import LabelSchema
from lifecycle.runtime.refusals import Refused
from registry.ground.access import policy
from registry.ground.access.models import User


@transaction.atomic
def know_guideline(*, queue_id: UUID, actor: User, version: int) -> int:
    """Record that the person has read the changes up to this version. Returns 1, or 0 if they had read it or
    haven't started.

    Raises PermissionDenied or Refused (no such version).
    """
    queue = Queue.objects.get(uuid=queue_id)
    policy.require(actor, "labeling.annotate", queue)
    schema = LabelSchema.objects.filter(dataset=queue.dataset_id, version=version).first()
    if schema is None:
        raise Refused(f"The guideline has no version {version}.", next_step="Reload the page.")
    return Seat.objects.filter(queue=queue, user=actor, seen_schema__version__lt=version).update(
        seen_schema=schema
    )
