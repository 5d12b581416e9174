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
ANSWER_LIMIT = 1_000
CLASSES = 20
State = GuidelineProposal.State


@transaction.atomic
def propose_change(
    *, dataset_id: UUID, actor: User, text: str, classes: Sequence[UUID] = (), item_id: UUID | None = None, version: int | None = None
) -> GuidelineProposal:
    """Propose that the guideline of a dataset says something else. The same again while the first is open returns the first.

    classes: stable ids of the classes that it is about, at most 20. item_id: the example. version: the schema version that it is about; the
    newest where none is given. Raises PermissionDenied, or Refused that names the field (no text, too long, a class that no version has, an
    item or a version that the dataset lacks).
    """
    dataset = Dataset.objects.select_for_update(of=("self",), no_key=True).select_related("project").get(uuid=dataset_id)
    policy.require(actor, "labeling.annotate", dataset)
    text = check_words(text, LIMIT, "text", "The proposal is empty.", "Write what the guideline should say.")
    about = check_classes(dataset, classes)
    item = find_item(dataset, item_id) if item_id else None
    same = GuidelineProposal.objects.filter(dataset=dataset, by=actor, state=State.OPEN, text=text, item=item).first()
    if same is not None:
        return same
    schema = latest_schema(dataset) if version is None else find_version(dataset, version)
    made = GuidelineProposal.objects.create(dataset=dataset, schema=schema, item=item, classes=about, text=text, by=actor)
    ledger.record(
        actor, Verb.CHANGE_PROPOSED, made, project=dataset.project.uuid, dataset=dataset.uuid, version=schema.version if schema else 0,
        classes=about, item=item.digest if item else None, digest=digest_of_words(text),
    )  # fmt: skip
    return made


def check_words(text: str, limit: int, name: str, told: str, hint: str) -> str:
    """The text without blanks around it. Raises Refused, naming the field, for one that is empty or too long."""
    text = text.strip()
    if not text:
        raise Refused(told, next_step=hint, fields={name: [hint]})
    if len(text) > limit:
        told = f"The text has {len(text):,} characters; the limit is {limit:,}."
        raise Refused(told, fields={name: [told]})
    return text


def check_classes(dataset: Dataset, classes: Sequence[UUID]) -> list[str]:
    """The stable ids as text, each once. Raises Refused for one that no version of the dataset's classes has, or for more than 20."""
    about = list(dict.fromkeys(str(key) for key in classes))
    told = ""
    if len(about) > CLASSES:
        told = f"The proposal lists {len(about)} labels; the limit is {CLASSES}."
    elif about and len(newest_names(dataset, about)) < len(about):
        told = "One of the labels isn't in any version of this dataset's label schema."
    if told:
        raise Refused(told, next_step="Choose the labels again.", fields={"classes": [told]})
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
        raise Refused(f"The dataset has no schema version {version}.", fields={"version": ["Choose a version of the dataset's schema."]})
    return schema


def digest_of_words(text: str) -> str:
    """sha256, in hex, of what a person wrote: the trail names it and does not hold it."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


@transaction.atomic
def decline_proposal(*, proposal_id: UUID, actor: User, answer: str) -> GuidelineProposal:
    """Say no to a proposal, with a sentence for who made it. Raises PermissionDenied, Refused (no sentence), or Conflict (answered)."""
    found = GuidelineProposal.objects.select_for_update(of=("self",)).select_related("dataset__project", "by").get(uuid=proposal_id)
    policy.require(actor, "labeling.manage", found)
    answer = check_words(answer, ANSWER_LIMIT, "answer", "Declining a proposal needs a reason.", "Enter a reason.")
    check_open(found)
    found.state, found.answer, found.answered_by, found.answered_at = State.DECLINED, answer, actor, timezone.now()
    found.save(update_fields=["state", "answer", "answered_by", "answered_at"])
    ledger.record(
        actor, Verb.PROPOSAL_DECLINED, found, project=found.dataset.project.uuid, dataset=found.dataset.uuid, digest=digest_of_words(answer)
    )
    page = f"{reverse('schemas:schema', args=[found.dataset.uuid])}#proposal-{found.uuid}"
    tell(found, actor, f"Your guideline proposal for {found.dataset} was declined. The reason is on the proposal.", page)
    return found


@transaction.atomic
def withdraw_proposal(*, proposal_id: UUID, actor: User) -> GuidelineProposal:
    """Withdraw one's own open proposal; repeating the call changes nothing.

    Raises PermissionDenied (another person's), or Conflict (answered).
    """
    found = GuidelineProposal.objects.select_for_update(of=("self",)).select_related("dataset__project", "by").get(uuid=proposal_id)
    policy.require(actor, "labeling.annotate", found)
    if found.by_id != actor.pk:
        raise PermissionDenied("Only the author can withdraw a proposal, and only label managers can decline it.")
    if found.state == State.WITHDRAWN:
        return found
    check_open(found)
    found.state, found.answered_by, found.answered_at = State.WITHDRAWN, actor, timezone.now()
    found.save(update_fields=["state", "answered_by", "answered_at"])
    ledger.record(actor, Verb.PROPOSAL_WITHDRAWN, found, project=found.dataset.project.uuid, dataset=found.dataset.uuid)
    return found


def check_open(proposal: GuidelineProposal) -> None:
    """Raises Conflict for a proposal that has its answer."""
    if proposal.state != State.OPEN:
        raise Conflict(f"This proposal is already {proposal.get_state_display().lower()}.", next_step="Reload the page.")


def hold_proposals(dataset: Dataset, proposal_ids: Iterable[UUID]) -> list[GuidelineProposal]:
    """The open proposals of a dataset that a version is to take up, locked. Raises Conflict when one is not there or has its answer."""
    wanted = set(proposal_ids)
    rows = GuidelineProposal.objects.select_for_update(of=("self",)).filter(dataset=dataset, uuid__in=wanted)
    found = list(rows.select_related("by").order_by("id"))
    if len(found) < len(wanted):
        raise Conflict("A selected proposal no longer exists.", next_step="Reload the page.")
    for each in found:
        check_open(each)
    return found


def take_up(schema: LabelSchema, proposals: Sequence[GuidelineProposal], actor: User) -> None:
    """Mark these proposals as included in a version and notify their authors; in the publishing transaction."""
    dataset = schema.dataset
    for each in proposals:
        each.state, each.taken_up_in, each.answered_by, each.answered_at = State.TAKEN_UP, schema, actor, timezone.now()
        each.save(update_fields=["state", "taken_up_in", "answered_by", "answered_at"])
        ledger.record(
            actor, Verb.PROPOSAL_TAKEN_UP, each, project=dataset.project.uuid, dataset=dataset.uuid, version=schema.version,
            schema=schema.digest,
        )  # fmt: skip
        page = f"{reverse('schemas:schema_version', args=[dataset.uuid, schema.version])}#proposal-{each.uuid}"
        tell(each, actor, f"Version {schema.version} of the guideline of {dataset} includes your proposal.", page)


def tell(proposal: GuidelineProposal, actor: User, text: str, url: str) -> None:
    """Send the proposer to the answer, unless they gave it, or may no longer see the dataset."""
    if proposal.by_id != actor.pk and policy.can(proposal.by, "labeling.view", proposal):
        notify([proposal.by], text, url)
