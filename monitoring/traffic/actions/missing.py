"""Predictions that someone names and that are not here."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.utils import timezone

from lifecycle.runtime.refusals import NotReady, Refusal, Refused
from monitoring.traffic.rules import may_arrive
from monitoring.traffic.spool import made_at


def unknown(prediction: UUID, request: UUID | None, waits: datetime | None) -> Refusal:
    """What to raise for a prediction that is unknown or hidden, which look alike: NotReady while it may still
    arrive, Refused after that.

    request: the uuid of its request, where the prediction's is derived from it. waits: `waits_since` from
    before predictions were looked for; read afterwards, it may miss a backlog that was ingested meanwhile,
    with the prediction in it.
    """
    if may_arrive(made_at(request or prediction), waits, timezone.now()):
        return NotReady(
            f"Prediction {prediction} isn't available yet, or you can't see it.",
            next_step="Predictions arrive within seconds. Try again.",
        )
    sentence = f"Prediction {prediction} doesn't exist, or you can't see it."
    return Refused(
        sentence,
        next_step="Give the prediction_id of a response, and an index below its number of texts.",
        fields={"prediction": [sentence]},
    )
