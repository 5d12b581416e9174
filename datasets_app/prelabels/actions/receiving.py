"""Receive pre-labels of external models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction

from datasets_app.datasets.models import Dataset, Item
from datasets_app.prelabels.actions.suggestions import suggest, suggest_values
from datasets_app.prelabels.models import Suggestion
from datasets_app.schemas.rules import BATCH
from lifecycle.runtime.refusals import Refused
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.rules import digest_of
from registry.ground.ledger.verbs import Verb


@transaction.atomic
def receive(
    *, dataset_id: UUID, actor: User, name: str, digest: str, rows: Sequence[Mapping[str, Any]]
) -> int:
    """Save pre-labels of an external model; safe to repeat. Returns how many rows were saved, without whole
    values that existed.

    name: of the model, as shown to annotators. digest: sha256, in hex, of its version. rows: at most 1,000,
    each with an item's uuid and a score from 0 to 1 or None, and with `label`, the name of a label of the
    newest version, for tasks that label whole texts, else with `value`, a value of the task with labels by
    stable id. Raises PermissionDenied, or Refused (too many rows, unknown item, missing label or value).
    Unknown labels and invalid values are skipped.
    """
    dataset = Dataset.objects.select_related("project").get(uuid=dataset_id)
    policy.require(actor, "labeling.manage", dataset)
    wanted = "label" if dataset.task_type.labels_texts else "value"
    if not 0 < len(rows) <= BATCH:
        raise Refused(
            f"{len(rows):,} rows were sent; one request takes 1 to {BATCH:,}.",
            fields={"rows": ["Split them into several requests."]},
        )
    if lacking := next((at for at, row in enumerate(rows, 1) if not row.get(wanted)), 0):
        message = f"Row {lacking} has no {wanted}, which pre-labels for this dataset's task require."
        raise Refused(message, fields={"rows": [message]})
    found = dict(
        Item.objects.filter(dataset=dataset, uuid__in=[row["item"] for row in rows]).values_list("uuid", "pk")
    )
    if missing := next((at for at, row in enumerate(rows, 1) if row["item"] not in found), 0):
        message = f"Row {missing}: no such item in {dataset}."
        raise Refused(message, fields={"rows": [message]})
    source = {"source": Suggestion.Source.OUTSIDE, "source_digest": digest, "source_name": name}
    given = [(found[row["item"]], row[wanted], row.get("score")) for row in rows]
    kept = (
        suggest(dataset=dataset, rows=given, **source)
        if wanted == "label"
        else suggest_values(dataset=dataset, rows=given, **source)
    )
    ledger.record(
        actor,
        Verb.PRELABELS_UPLOADED,
        dataset,
        project=dataset.project.uuid,
        model=name,
        digest=digest,
        rows=kept,
        batch=digest_of([[item, value, score] for item, value, score in given]),
    )
    return kept
