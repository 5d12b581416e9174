"""Blind preference tests of two models."""

from __future__ import annotations

import io
import json
import secrets
from uuid import UUID

from django.db import transaction

from datasets_app.datasets import actions as datasets
from datasets_app.datasets.rules import UploadState
from datasets_app.queues.actions.opening import open_queue
from datasets_app.queues.models import Queue
from datasets_app.snapshots import queries as snapshots
from lifecycle.modeling.evaluation import compare, queries, side_by_side
from lifecycle.modeling.evaluation.models import Evaluation, SideBySide
from lifecycle.modeling.evaluation.side_by_side import LEAST, MOST
from lifecycle.modeling.evaluation.task_types.by_key.rows import check_written
from lifecycle.runtime.refusals import Conflict, NotReady, Refused
from lifecycle.runtime.task_types.contents.dialogue import turns_before
from registry.ground.access.models import Project, User
from registry.ground.access.policy import require
from registry.ground.ledger.actions import record
from registry.ground.ledger.verbs import Verb

MAPPING = {"id": "id", "content": "content"}


@transaction.atomic
def ask_people(
    *,
    first: Evaluation,
    second: Evaluation,
    actor: User,
    pairs: int = side_by_side.USUAL,
    seed: int = 1,
    key: UUID | None = None,
) -> SideBySide:
    """Put different answers to the same prompts into a dataset of their own, in an order that doesn't reveal
    the model; a job imports them.

    pairs: at most so many, drawn by the seed. key: of the form; a second request with the same key does
    nothing. Prompts and responses are copied, so the actor must be allowed to read them. Raises
    PermissionDenied, Conflict (the key belongs to another pair of models) or Refused (models that don't
    generate text, other data, out of range, too few different responses).
    """
    dataset = first.snapshot.dataset
    # serializes duplicate forms
    Project.objects.select_for_update(of=("self",), no_key=True).get(pk=dataset.project_id)
    require(actor, "datasets.read_samples", dataset)
    require(actor, "labeling.manage", dataset)
    if key and (known := SideBySide.objects.filter(created_by=actor, key=key).first()):
        if (known.first_id, known.second_id) != (first.pk, second.pk):
            raise Conflict("This key was already used for another comparison.", next_step="Send a new key.")
        return known
    if not LEAST <= pairs <= MOST:
        text = f"Must be from {LEAST} to {MOST}, got {pairs}."
        raise Refused("The preference test wasn't started.", fields={"pairs": [text]})
    compare.check_dataset(first, second)
    for each in (first, second):
        check_written(each)
    chosen, same = side_by_side.pairs_of(
        queries.rows_of(first), queries.rows_of(second), most=pairs, seed=seed
    )
    rows = snapshots.learned_rows_of(first.snapshot, [pair.item for pair in chosen])
    prompts = {item: list(turns_before(row)) or row["text"] for item, row in rows.items()}
    chosen = [pair for pair in chosen if prompts.get(pair.item)]
    if len(chosen) < LEAST:
        raise Refused(
            f"The models gave different responses to {len(chosen)} prompts; a preference test needs at least"
            f" {LEAST}.",
            next_step="Read the responses side by side, or evaluate both on more prompts.",
        )
    lines = [
        {
            "id": pair.item,
            "content": json.dumps(
                {"prompt": prompts[pair.item], "responses": pair.shown}, ensure_ascii=False
            ),
        }
        for pair in chosen
    ]
    name = f"Response pairs {secrets.token_hex(2)}"  # shown on the bench, where it mustn't reveal the models
    target = datasets.create_dataset(
        project=dataset.project,
        actor=actor,
        name=name,
        task="preference",
        description="Responses of two models to the same prompts.",
    )
    body = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    upload = datasets.receive_upload(
        dataset=target, actor=actor, file=io.BytesIO(body), file_name="pairs.jsonl", origin=name
    )
    datasets.inspect(upload_id=upload.uuid, actor=actor, encoding="utf-8", parser="jsonl", wait=True)
    datasets.set_mapping(upload_id=upload.uuid, actor=actor, mapping=MAPPING, wait=True)
    datasets.accept_upload(upload_id=upload.uuid, actor=actor)
    made = SideBySide.objects.create(
        first=first,
        second=second,
        dataset=target,
        upload=upload,
        pairs=len(chosen),
        same=same,
        seed=seed,
        key=key,
        created_by=actor,
        swapped=[pair.item for pair in chosen if pair.swapped],
    )
    record(
        actor,
        Verb.SIDE_BY_SIDE_STARTED,
        made,
        project=dataset.project.uuid,
        first=first.uuid,
        second=second.uuid,
        dataset=target.uuid,
        pairs=made.pairs,
        seed=seed,
    )
    return made


@transaction.atomic
def open_side_by_side(*, side_id: UUID, actor: User, overlap: int = 1) -> SideBySide:
    """Open the queue of the pairs once they are imported. overlap: annotators per pair, 1 to 5.

    Raises PermissionDenied, NotReady (the import isn't finished), Conflict (it is open already), or Refused
    (by labeling).
    """
    made = (
        SideBySide.objects.select_for_update(of=("self",), no_key=True)
        .select_related("upload", "dataset")
        .get(uuid=side_id)
    )
    require(actor, "labeling.manage", made.dataset)
    if made.queue_id is not None:
        raise Conflict("The queue is already open.", next_step="Open it under Labeling.")
    if made.upload.state == UploadState.IMPORTING:
        raise NotReady("The pairs are still being imported.", next_step="Try again in a moment.")
    if made.upload.state != UploadState.IMPORTED:
        raise Refused(
            "The pairs weren't imported.",
            next_step="Check the dataset's upload, then start a new preference test.",
        )
    made.queue = open_queue(
        dataset_id=made.dataset.uuid,
        actor=actor,
        name="Which is better?",
        overlap=overlap,
        source=Queue.Source.UPLOAD,
        upload_id=made.upload.uuid,
    )
    made.pairs = made.upload.items.count()  # pairs that weren't imported are left out
    made.save(update_fields=["queue", "pairs"])
    return made
