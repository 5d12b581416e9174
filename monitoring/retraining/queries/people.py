"""What a person may do with a proposal, and whose work its new model is."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db.models import Q

from datasets_app.datasets.models import Item, Upload
from datasets_app.queues.models import Annotation, Decision, Queue
from datasets_app.snapshots import queries as snapshots
from datasets_app.snapshots.makers import deciders, deciders_of, imported_queues, uploaders_of
from datasets_app.snapshots.models import Snapshot
from lifecycle.modeling.training import queries as training
from lifecycle.modeling.training.rules import Workers
from monitoring.retraining.models import Proposal
from monitoring.retraining.rules import BUSY, State
from registry.ground.access import policy
from registry.ground.access.models import User
from registry.ground.access.policy import Person
from registry.ground.ledger import accounts
from registry.ground.ledger.rules import SYSTEM
from registry.ground.ledger.verbs import Verb

SETTLED = timedelta(days=1)  # a trigger that was set or changed since is like a proposal by hand


def may_withdraw(user: Person, proposal: Proposal) -> bool:
    """Whether this person's part allows withdrawing: a lead at any step, the proposer while it is open."""
    if proposal.state not in (*BUSY, State.FAILED):
        return False
    if policy.can(user, "retraining.decide", proposal):
        return True
    return (
        proposal.state == State.OPEN
        and proposal.proposed_by_id == user.pk
        and policy.can(user, "retraining.propose", proposal)
    )


def may_approve(user: Person, proposal: Proposal) -> bool:
    """Whether this person's part allows approving: a lead's, but for what they proposed by hand."""
    return policy.can(user, "retraining.decide", proposal) and proposal.proposed_by_id != user.pk


def behind(user: User, proposal: Proposal) -> str:
    """What this person already did, and that it bars or may bar them from approving the promotion; "" for
    nothing.
    """
    base = proposal.live.run.base.run
    workers = training.workers_of(base) if base else Workers()
    if user.uuid in workers.behind | workers.overrode:
        return (
            "took part in a retraining that the new model starts from, so you can't approve the promotion"
            " that may follow"
        )
    if user.uuid in workers.trained:
        return (
            "launched or resumed a run that the new model starts from, so you can't approve the promotion"
            " that may follow"
        )
    if str(user.uuid) in deciders(proposal.live.run.snapshot):
        return (
            "labeled or uploaded rows of its test split, so you can't approve the promotion that may follow"
        )
    if is_labeler(user, proposal):
        return "labeled or uploaded texts for it, so you can't approve the promotion that may follow"
    return ""


def is_labeler(user: User, proposal: Proposal) -> bool:
    """Whether this person's work is among the labels and texts that its run learns and the live version did
    not. Before it is launched: whether they decided, annotated or uploaded anything in the dataset since the
    live version's snapshot, much of which it may learn.
    """
    if proposal.run:
        return user.uuid in training.workers_of(proposal.run).behind
    since = {"created_at__gt": proposal.live.run.snapshot.created_at}
    uploads = Upload.objects.filter(dataset=proposal.dataset_id, **since).exclude(pk=proposal.upload_id or 0)
    answers = Annotation.objects.exclude(queue__source=Queue.Source.IMPORTED)  # by people whom a file names
    return (
        answers.filter(user=user, item__dataset=proposal.dataset_id, **since).exists()
        or Decision.objects.filter(by=user, item__dataset=proposal.dataset_id, **since).exists()
        or uploads.filter(Q(uploaded_by=user) | Q(accepted_by=user)).exists()
    )


def people_behind(proposal: Proposal) -> frozenset[UUID]:
    """Whose work the new model is, beside those who trained it: who proposed it, by hand or by a trigger that
    was set or changed within a day before, and whose work its new labels and texts are. By the rows and by
    the audit log: neither alone clears anyone.
    """
    trigger, made = proposal.trigger, proposal.created_at
    rows = [(proposal.proposed_by, made), (trigger.author, trigger.set_at) if trigger else (None, made)]
    work = [(str(each.uuid), at) for each, at in rows if each]
    subjects = [str(proposal.uuid), *([str(trigger.uuid)] if trigger else [])]
    events = accounts.events_of(subjects, {Verb.RETRAIN_PROPOSED, Verb.TRIGGER_SET})
    work += [
        (event.actor, made if event.verb == Verb.RETRAIN_PROPOSED else event.at)
        for logged in events.values()
        for event in logged
    ]
    found = {UUID(actor) for actor, at in work if actor != SYSTEM and made - SETTLED < at <= made}
    snapshot = proposal.run.snapshot if proposal.run else proposal.snapshot
    return frozenset(found | (labelers(snapshot, proposal.live.run.snapshot) if snapshot else set()))


def labelers(snapshot: Snapshot, live: Snapshot) -> set[UUID]:
    """Whose work the labels are that a snapshot has and the live version's lacks, whatever queue or file they
    came by and whenever, and who annotated or uploaded the texts that are new in it. What came after it was
    frozen doesn't count.
    """
    then = {"created_at__lte": snapshot.created_at}
    people: set[str] = set()
    for rows in snapshots.newer(snapshot, live):
        annotations = Annotation.objects.filter(item__in=rows.items, **then).order_by()
        people |= {
            *map(
                str,
                annotations.exclude(queue__in=imported_queues(annotations))
                .values_list("user__uuid", flat=True)
                .distinct(),
            )
        }
        people |= deciders_of(Decision.objects.filter(item__in=rows.items, **then).order_by())
        people |= deciders_of(Decision.objects.filter(uuid__in=rows.decisions).order_by())
        people |= uploaders_of(Item.objects.filter(pk__in=rows.items))
    return {*map(UUID, people)}


def may_request(user: Person, proposal: Proposal) -> bool:
    """Whether this person may request promotion to the endpoint."""
    return policy.can(user, "promotions.request", proposal.endpoint)
