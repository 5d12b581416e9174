"""Proposals to change the guideline: created by annotators, accepted or declined by label managers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from datasets_app.datasets.models import Dataset, Item
from datasets_app.datasets.rules import UploadState
from datasets_app.schemas.models.proposals import GuidelineProposal
from datasets_app.schemas.models.schemas import LabelSchema
from datasets_app.schemas.queries.labels import latest_schema
from datasets_app.schemas.queries.proposals import newest_names
from lifecycle.ground.notices.actions import notify
from lifecycle.runtime.refusals import Conflict, Refused
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.ledger import actions as ledger
from registry.ground.ledger.verbs import Verb

LIMIT = 2_000
REASON_LIMIT = 1_000
LABELS = 20
State = GuidelineProposal.State


@transaction.atomic
def propose_change(
    *,
    dataset_id: UUID,
    actor: User,
    text: str,
    labels: Sequence[UUID] = (),
    item_id: UUID | None = None,
    version: int | None = None,
) -> GuidelineProposal:
    """Propose a change to a dataset's guideline. Repeating an open proposal returns the first one.

    labels: stable ids of the labels concerned, at most 20. item_id: the example. version: the schema version
    that it refers to, by default the newest. Raises PermissionDenied, or Refused that names the field (no
    text, too long, an unknown label, item or version).
    """
    dataset = (
        Dataset.objects.select_for_update(of=("self",), no_key=True)
        .select_related("project")
        .get(uuid=dataset_id)
    )
    policy.require(actor, "labeling.annotate", dataset)
    text = check_text(text, LIMIT, "text", "The proposal is empty.", "Write what the guideline should say.")
    about = check_labels(dataset, labels)
    item = find_item(dataset, item_id) if item_id else None
    same = GuidelineProposal.objects.filter(
        dataset=dataset, by=actor, state=State.OPEN, text=text, item=item
    ).first()
    if same is not None:
        return same
    schema = latest_schema(dataset) if version is None else find_version(dataset, version)
    made = GuidelineProposal.objects.create(
        dataset=dataset, schema=schema, item=item, labels=about, text=text, by=actor
    )
    ledger.record(
        actor,
        Verb.CHANGE_PROPOSED,
        made,
        project=dataset.project.uuid,
        dataset=dataset.uuid,
        version=schema.version if schema else 0,
        labels=about,
        item=item.digest if item else None,
        digest=digest_of_text(text),
    )
    return made


def check_text(text: str, limit: int, name: str, message: str, hint: str) -> str:
    """The stripped text. Raises Refused, naming the field, if it's empty or too long."""
    text = text.strip()
    if not text:
        raise Refused(message, next_step=hint, fields={name: [hint]})
    if len(text) > limit:
        message = f"The text has {len(text):,} characters; the limit is {limit:,}."
        raise Refused(message, fields={name: [message]})
    return text


def check_labels(dataset: Dataset, labels: Sequence[UUID]) -> list[str]:
    """The unique stable ids as text. Raises Refused for unknown labels, or for more than 20."""
    about = list(dict.fromkeys(str(key) for key in labels))
    message = ""
    if len(about) > LABELS:
        message = f"The proposal lists {len(about)} labels; the limit is {LABELS}."
    elif about and len(newest_names(dataset, about)) < len(about):
        message = "One of the labels isn't in any version of this dataset's label schema."
    if message:
        raise Refused(message, next_step="Choose the labels again.", fields={"labels": [message]})
    return about


def find_item(dataset: Dataset, item_id: UUID) -> Item:
    """A visible item of the dataset. Raises Refused."""
    item = Item.objects.filter(dataset=dataset, uuid=item_id, upload__state=UploadState.IMPORTED).first()
    if item is None:
        raise Refused("This item isn't in the dataset.", fields={"item": ["Choose an item of the dataset."]})
    return item


def find_version(dataset: Dataset, version: int) -> LabelSchema:
    """A schema version of the dataset. Raises Refused."""
    schema = dataset.schemas.filter(version=version).first()
    if schema is None:
        raise Refused(
            f"The dataset has no schema version {version}.",
            fields={"version": ["Choose a version of the dataset's schema."]},
        )
    return schema


def digest_of_text(text: str) -> str:
    """sha256, in hex, of a person's text: the audit log has the digest, not the text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


@transaction.atomic
def decline_proposal(*, proposal_id: UUID, actor: User, reason: str) -> GuidelineProposal:
    """Decline a proposal with a reason for its author. Raises PermissionDenied, Refused (no reason), or
    Conflict (closed).
    """
    found = (
        GuidelineProposal.objects.select_for_update(of=("self",))
        .select_related("dataset__project", "by")
        .get(uuid=proposal_id)
    )
    policy.require(actor, "labeling.manage", found)
    reason = check_text(
        reason, REASON_LIMIT, "reason", "Declining a proposal needs a reason.", "Enter a reason."
    )
    check_open(found)
    found.state, found.reason, found.closed_by, found.closed_at = (
        State.DECLINED,
        reason,
        actor,
        timezone.now(),
    )
    found.save(update_fields=["state", "reason", "closed_by", "closed_at"])
    ledger.record(
        actor,
        Verb.PROPOSAL_DECLINED,
        found,
        project=found.dataset.project.uuid,
        dataset=found.dataset.uuid,
        digest=digest_of_text(reason),
    )
    page = f"{reverse('schemas:schema', args=[found.dataset.uuid])}#proposal-{found.uuid}"
    notify_author(
        found,
        actor,
        f"Your guideline proposal for {found.dataset} was declined. The reason is on the proposal.",
        page,
    )
    return found


@transaction.atomic
def withdraw_proposal(*, proposal_id: UUID, actor: User) -> GuidelineProposal:
    """Withdraw one's own open proposal; repeating the call changes nothing.

    Raises PermissionDenied (another person's), or Conflict (closed).
    """
    found = (
        GuidelineProposal.objects.select_for_update(of=("self",))
        .select_related("dataset__project", "by")
        .get(uuid=proposal_id)
    )
    policy.require(actor, "labeling.annotate", found)
    if found.by_id != actor.pk:
        raise PermissionDenied(
            "Only the author can withdraw a proposal, and only label managers can decline it."
        )
    if found.state == State.WITHDRAWN:
        return found
    check_open(found)
    found.state, found.closed_by, found.closed_at = State.WITHDRAWN, actor, timezone.now()
    found.save(update_fields=["state", "closed_by", "closed_at"])
    ledger.record(
        actor, Verb.PROPOSAL_WITHDRAWN, found, project=found.dataset.project.uuid, dataset=found.dataset.uuid
    )
    return found


def check_open(proposal: GuidelineProposal) -> None:
    """Raises Conflict for a closed proposal."""
    if proposal.state != State.OPEN:
        raise Conflict(
            f"This proposal is already {proposal.get_state_display().lower()}.", next_step="Reload the page."
        )


def lock_proposals(dataset: Dataset, proposal_ids: Iterable[UUID]) -> list[GuidelineProposal]:
    """The open proposals to include in a version, locked. Raises Conflict if one is missing or closed."""
    wanted = set(proposal_ids)
    rows = GuidelineProposal.objects.select_for_update(of=("self",)).filter(dataset=dataset, uuid__in=wanted)
    found = list(rows.select_related("by").order_by("id"))
    if len(found) < len(wanted):
        raise Conflict("A selected proposal no longer exists.", next_step="Reload the page.")
    for each in found:
        check_open(each)
    return found


def include_proposals(schema: LabelSchema, proposals: Sequence[GuidelineProposal], actor: User) -> None:
    """Mark these proposals as included in a version and notify their authors; in the publishing
    transaction.
    """
    dataset = schema.dataset
    for each in proposals:
        each.state, each.accepted_in, each.closed_by, each.closed_at = (
            State.ACCEPTED,
            schema,
            actor,
            timezone.now(),
        )
        each.save(update_fields=["state", "accepted_in", "closed_by", "closed_at"])
        ledger.record(
            actor,
            Verb.PROPOSAL_ADOPTED,
            each,
            project=dataset.project.uuid,
            dataset=dataset.uuid,
            version=schema.version,
            schema=schema.digest,
        )
        page = (
            f"{reverse('schemas:schema_version', args=[dataset.uuid, schema.version])}#proposal-{each.uuid}"
        )
        notify_author(
            each,
            actor,
            f"Version {schema.version} of the guideline of {dataset} includes your proposal.",
            page,
        )


def notify_author(proposal: GuidelineProposal, actor: User, text: str, url: str) -> None:
    """Notify a proposal's author of the outcome, unless it's their own or they may no longer see the
    dataset.
    """
    if proposal.by_id != actor.pk and policy.can(proposal.by, "labeling.view", proposal):
        notify([proposal.by], text, url)
