"""The wrong and least confident inputs of the window become items and a labeling queue.

What people called right stays with the prediction and the pick. It never becomes a label, a suggestion or
anything an annotator sees: an item's label is what is decided in labeling.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from datetime import datetime
from typing import Any

from django.urls import reverse

from datasets_app.datasets import actions as datasets
from datasets_app.datasets.models import Dataset, Item
from datasets_app.datasets.rules import UploadState
from datasets_app.queues.actions import opening
from datasets_app.queues.models import Queue
from lifecycle.ground.notices import actions as notices
from lifecycle.runtime.refusals import Refused
from lifecycle.ui.numbers import count
from monitoring.retraining import rules
from monitoring.retraining.actions.moves import change, wait
from monitoring.retraining.models import Pick, Proposal
from monitoring.retraining.queries import texts as text_queries
from monitoring.retraining.queries.texts import Text, Texts
from monitoring.retraining.rules import State
from monitoring.retraining.rules.picks import SAMPLE, SPLIT_OF, UNSURE, WRONG, Choice
from monitoring.traffic.models import Prediction
from registry.catalog.models import Endpoint
from registry.ground.access import policy
from registry.ground.access.models import User

COLUMNS = {"id": "id", "time": "time", "split": "split", "endpoint": "metadata"}  # beside the item's own
NO_COLLECTOR = (
    "No one responsible for this proposal can both read its texts and open a labeling queue. An ML engineer"
    " can collect the texts here."
)
LABEL_MAX = 120
WORDS = {WRONG: "reported wrong", UNSURE: "least confident", SAMPLE: "sampled at random for the test split"}


def collector_of(proposal: Proposal) -> User | None:
    """On whose behalf texts become items: anyone who took it on, approved it, proposed it by hand, or set the
    trigger. None: it waits.

    Copying takes someone who may read the texts, which leads may not. No one else is written into the audit
    log as who copied them.
    """
    behind = [
        proposal.collected_by,
        proposal.acting,
        proposal.proposed_by,
        proposal.trigger.author if proposal.trigger else None,
    ]
    return next(
        (each for each in behind if each is not None and each.is_active and may_collect(each, proposal)), None
    )


def asked_for(proposal: Proposal) -> list[tuple[str, Endpoint | Dataset]]:
    """What collecting takes: to read the endpoint's texts, to upload into the dataset and to open a queue
    there.
    """
    return [
        ("traffic.read_texts", proposal.endpoint),
        ("datasets.upload", proposal.dataset),
        ("labeling.manage", proposal.dataset),
    ]


def may_collect(user: User, proposal: Proposal) -> bool:
    """Whether a person may do all that collecting takes."""
    return all(policy.can(user, action, subject) for action, subject in asked_for(proposal))


def waits_for_collector(proposal: Proposal) -> bool:
    """Whether its texts are to be collected and no one behind it may."""
    return (
        proposal.state in (State.OPEN, State.APPROVED)
        and proposal.collected_at is None
        and collector_of(proposal) is None
    )


def wait_for_collector(proposal: Proposal) -> None:
    """Set what it waits for, and notify those who may collect, once."""
    if proposal.blocked_by == NO_COLLECTOR:
        return
    wait(proposal, NO_COLLECTOR)
    readers = [
        each
        for each in policy.who_can("traffic.read_texts", proposal.endpoint)
        if may_collect(each, proposal)
    ]
    message = (
        f"{proposal} to retrain {proposal.endpoint} needs someone who can read its texts to collect them."
    )
    notices.notify(readers, message, reverse("retraining:detail", args=[proposal.uuid]))


def texts_ahead(proposal: Proposal) -> Texts | None:
    """The texts of the window, read before the proposal is locked; None where it is not their turn."""
    waits = (
        proposal.state in (State.OPEN, State.APPROVED)
        and proposal.collected_at is None
        and proposal.upload_id is None
    )
    return text_queries.window_texts(proposal) if waits and collector_of(proposal) else None


def collect(proposal: Proposal, texts: Texts | None, now: datetime) -> None:
    """Take the locked proposal one step towards its queue. texts: as read ahead. Raises what the rooms below
    refuse.
    """
    who = collector_of(proposal)
    if proposal.upload is not None:
        open_queue(proposal, who, now)
    elif who is None:
        wait_for_collector(proposal)
    elif texts is not None:
        choose_texts(proposal, who, texts, now)


def choose_texts(proposal: Proposal, who: User, window: Texts, now: datetime) -> None:
    """Choose texts of the window and have copies of them imported, each with the prediction that it came
    from.

    The copies are data of the dataset from then on: visible to all who read or label its samples, and not
    erased with the predictions.
    """
    choice = rules.choose(
        window.candidates, known=window.known, limit=proposal.queue_items, seed=str(proposal.uuid)
    )
    if not choice.chosen:
        settle(
            proposal,
            now,
            f"No new texts in the window{left_out(choice, window)}. Training waits for labels from other"
            " sources.",
        )
        return
    rows = [(window.texts[at], kind) for at, kind in choice.chosen]
    lines = [line_of(text, SPLIT_OF[kind], proposal.endpoint) for text, kind in rows]
    body = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    own = lines[0].keys() - COLUMNS.keys()
    upload = datasets.receive_upload(
        dataset=proposal.dataset,
        actor=who,
        file=io.BytesIO(body),
        file_name=f"retraining-{proposal.number}.jsonl",
        origin=f"Predictions of {proposal.endpoint.slug}, {str(proposal).lower()}",
    )
    datasets.inspect(upload_id=upload.uuid, actor=who, encoding="utf-8", parser="jsonl", wait=True)
    mapping = COLUMNS | {name: name for name in own}
    datasets.set_mapping(upload_id=upload.uuid, actor=who, mapping=mapping, wait=True)
    job = datasets.accept_upload(upload_id=upload.uuid, actor=who, by_system=True)
    picked = [(text.kept.uuid, kind) for text, kind in rows]
    keys = dict(Prediction.objects.filter(uuid__in=[uuid for uuid, _ in picked]).values_list("uuid", "pk"))
    Pick.objects.bulk_create(
        Pick(
            proposal=proposal,
            prediction_id=keys.get(uuid),
            prediction_uuid=uuid,
            kind=kind,
            label=window.right.get(uuid, "")[:LABEL_MAX],
        )
        for uuid, kind in picked
    )
    found = Counter(kind for _, kind in rows)
    taken = ", ".join(f"{count(found[kind])} {words}" for kind, words in WORDS.items() if found[kind])
    change(
        proposal,
        upload=upload,
        job=job,
        collected_by=who,
        collect_note=f"{taken}{left_out(choice, window)}."[:500],
        blocked_by="",
    )


def line_of(text: Text, split: str, endpoint: Endpoint) -> dict[str, Any]:
    """A prediction as a line of the file that is imported. What an item is made of is in the column that is
    called like its role: its content, or else its text.
    """
    kept, content = text
    item = {"text": kept.text} if content is None else {"content": json.dumps(content)}
    return item | {
        "id": str(kept.uuid),
        "time": kept.at.isoformat(),
        "split": split,
        "endpoint": endpoint.slug,
    }


def left_out(choice: Choice, window: Texts) -> str:
    """What was not taken, and why, as the end of a sentence."""
    parts = []
    if choice.known:
        parts.append(f"{count(choice.known)} already in the dataset")
    if choice.repeated:
        parts.append(f"{count(choice.repeated)} repeated")
    if window.missing:
        parts.append(f"{count(window.missing)} reported wrong, but their text is erased or wasn't stored")
    if window.unfit:
        parts.append(f"{count(window.unfit)} reported wrong, but an item of the dataset can't contain them")
    return f"; left out: {', '.join(parts)}" if parts else ""


def open_queue(proposal: Proposal, who: User | None, now: datetime) -> None:
    """Once the import is done: note which item each prediction became, and open the queue over them."""
    upload = proposal.upload
    assert upload is not None  # noqa: S101  asked by the caller
    if upload.state == UploadState.IMPORTING:
        wait(proposal, "Importing the texts.")
        return
    if upload.state != UploadState.IMPORTED:
        why = (
            upload.report.get("error", {}).get("message")
            or f"the upload is {upload.get_state_display().lower()}."
        )
        settle(
            proposal, now, f"The texts weren't imported: {why} Training waits for labels from other sources."
        )
        return
    items = {
        item.external_id: item.pk for item in Item.objects.filter(upload=upload).only("pk", "external_id")
    }
    for pick in Pick.objects.filter(proposal=proposal, item=None, prediction_uuid__in=list(items)):
        pick.item_id = items[str(pick.prediction_uuid)]
        pick.save(update_fields=["item"])
    if not items:
        settle(
            proposal,
            now,
            "All texts were already in the dataset. Training waits for labels from other sources.",
        )
    elif who is None:
        wait_for_collector(proposal)
    else:
        open_over(proposal, who, len(items), now)


def open_over(proposal: Proposal, who: User, items: int, now: datetime) -> None:
    """Open the queue over the imported texts; where labeling refuses, its sentence is kept and labels may
    come from elsewhere.
    """
    name = f"Retraining {proposal.number}: {proposal.endpoint.slug}"[:80]
    try:
        queue = opening.open_queue(
            dataset_id=proposal.dataset.uuid,
            actor=who,
            name=name,
            overlap=proposal.overlap,
            source=Queue.Source.UPLOAD,
            upload_id=proposal.upload.uuid if proposal.upload else None,
        )
    except Refused as refusal:
        settle(proposal, now, f"No queue opened: {refusal.message} {refusal.next_step}".strip())
        return
    change(proposal, queue=queue, items=items, job=None, collected_by=who, collected_at=now, blocked_by="")


def settle(proposal: Proposal, now: datetime, message: str) -> None:
    """There is no queue, and it is clear why."""
    change(proposal, collected_at=now, collect_note=message[:500], job=None, blocked_by="")
