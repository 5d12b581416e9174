"""An approval binds what the gates judged: what changes while they are checked sends the request back, and
the next check judges it.
"""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import transaction

from datasets_app.queues.models import Decision
from datasets_app.schemas.models import Label
from lifecycle.ground.jobs.models import Job
from registry.catalog import actions as catalog
from registry.catalog import queries
from registry.catalog.models import Alias
from registry.ground.ledger.models import Event
from registry.ground.ledger.rules import digest_of
from registry.policies import actions as policies
from registry.policies.gates import checking
from registry.policies.models import Policy
from registry.promotions import actions
from registry.promotions.models import GateResult, PromotionRequest
from registry.promotions.rules import Status
from tests.support import registry
from tests.support.jobs import run_ok

pytestmark = pytest.mark.django_db


def empty_the_card(version, endpoint, mia):
    catalog.edit_card(
        version=version, stated={"purpose": ""}, seen=queries.newest_card(version).digest, actor=mia
    )


def ask_for_more(version, endpoint, mia):
    newest = Policy.objects.get(name="standard")
    policies.publish(text=newest.text.replace("at_least: 0.70", "at_least: 0.99"), actor=None)


def overrule_a_test_label(version, endpoint, mia):
    first = Decision.objects.filter(item__assignment__split="test").order_by("pk").first()
    other = Label.objects.filter(schema=first.label.schema).exclude(pk=first.label_id).first()
    Decision.objects.create(
        item=first.item,
        label=other,
        how=Decision.How.ADJUDICATED,
        by=mia,
        reason="Wrong.",
        supersedes=first,
        digest=digest_of("new"),
    )


def put_another_version_live(version, endpoint, mia):
    project, snapshot = endpoint.model.project, version.run.snapshot
    other = registry.make_version(project, mia, mia, model=version.model, snapshot=snapshot, semver="0.9.0")
    Alias.objects.filter(endpoint=endpoint).update(version=other, moves=1)


def quarantine(version, endpoint, mia):
    catalog.quarantine(version_id=version.uuid, reason="Found a fault.", actor=None)


def stated_of_the_newest_check() -> tuple[str, dict[str, object]]:
    """Who had the gates checked, and what came of it."""
    newest = Event.objects.filter(verb="promotions.checked").latest("pk")
    return newest.actor, json.loads(newest.canonical)["payload"]


@pytest.mark.parametrize("step", ["gather", "check"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (empty_the_card, "the model card"),
        (ask_for_more, "the policy"),
        (overrule_a_test_label, "a label in the test split and who worked on it"),
        (put_another_version_live, "the live version"),
        (quarantine, "the version's state"),
    ],
)
def test_a_change_before_or_after_the_gates_read_it_sends_the_request_back(
    monkeypatch, version, endpoint, mia, step, change, words
):
    room = checking if step == "check" else actions.checks.evidence
    real = getattr(room, step)

    def changed_meanwhile(*given):
        found = real(*given)
        change(version, endpoint, mia)
        return found

    monkeypatch.setattr(room, step, changed_meanwhile)

    request = registry.asked_request(version, endpoint, mia)

    assert (request.status, request.reason) == (Status.DRAFT, f"Changed during the gate check: {words}.")
    assert (request.checked_at is not None, request.due_at) == (True, None)
    assert stated_of_the_newest_check() == (
        str(mia.uuid),
        {
            "check": 1,
            "new": Status.DRAFT,
            "subject_digest": request.subject_digest,
            "policy": request.policy.digest,
            "gates": {gate.gate: gate.status for gate in request.gates.all()},
            "reason": request.reason,
        },
    )


@pytest.mark.parametrize(("change", "gate"), [(empty_the_card, "card"), (ask_for_more, "quality")])
def test_the_next_check_judges_what_is_there_now(monkeypatch, version, endpoint, mia, change, gate):
    real = checking.check

    def changed_meanwhile(*given):
        monkeypatch.setattr(checking, "check", real)
        change(version, endpoint, mia)
        return real(*given)

    monkeypatch.setattr(checking, "check", changed_meanwhile)
    request = registry.asked_request(version, endpoint, mia)

    actions.check_again(request_id=request.uuid, actor=mia)
    run_ok("default")

    request = PromotionRequest.objects.get(pk=request.pk)
    failed = list(request.gates.filter(check_number=2, status="failed").values_list("gate", flat=True))
    assert (request.status, request.reason, failed) == (Status.DRAFT, "", [gate])


def test_a_check_after_one_that_was_sent_back_knows_nothing_of_it(monkeypatch, version, endpoint, mia, ravi):
    real = checking.check

    def changed_meanwhile(*given):
        monkeypatch.setattr(checking, "check", real)
        empty_the_card(version, endpoint, mia)
        catalog.edit_card(
            version=version, stated=registry.STATED, seen=queries.newest_card(version).digest, actor=mia
        )
        return real(*given)

    monkeypatch.setattr(checking, "check", changed_meanwhile)
    request = registry.asked_request(version, endpoint, mia)
    assert (request.status, request.reason != "") == (Status.DRAFT, True)

    actions.check_again(request_id=request.uuid, actor=mia)
    run_ok("default")

    request.refresh_from_db()
    assert (request.status, request.checks, request.reason) == (Status.IN_REVIEW, 2, "")
    assert request.due_at == request.checked_at + timedelta(days=14)
    assert stated_of_the_newest_check() == (
        str(mia.uuid),
        {
            "check": 2,
            "new": Status.IN_REVIEW,
            "subject_digest": request.subject_digest,
            "policy": request.policy.digest,
            "gates": {gate.gate: gate.status for gate in request.gates.filter(check_number=2)},
            "reason": "",
        },
    )


@pytest.fixture
def waiting(version, endpoint, mia) -> PromotionRequest:
    """Its first check waits in the queue."""
    return actions.request(version=version, endpoint=endpoint, note="", actor=mia)


def now(request):
    request.refresh_from_db()
    return request.status, request.checks, request.subject_digest, GateResult.objects.count()


def test_a_check_that_is_not_due_reads_and_writes_nothing(monkeypatch, waiting, mia):
    monkeypatch.setattr(actions.checks.evidence, "gather", lambda *given: pytest.fail("It read."))

    actions.check(request_id=waiting.uuid, number=2, actor=mia)
    assert now(waiting) == (Status.CHECKING, 1, "", 0)
    actions.withdraw(request_id=waiting.uuid, actor=mia, reason="Too early.")
    run_ok("default")
    assert now(waiting) == (Status.WITHDRAWN, 1, "", 0)


def test_a_check_that_was_overtaken_while_it_ran_writes_nothing(monkeypatch, waiting, mia):
    real, rows = checking.check, PromotionRequest.objects.filter(pk=waiting.pk)
    meanwhile = [
        lambda: actions.withdraw(request_id=waiting.uuid, actor=mia, reason="Too early."),
        lambda: rows.update(checks=2),
    ]

    def overtaken(*given):
        meanwhile.pop()()
        return real(*given)

    monkeypatch.setattr(checking, "check", overtaken)

    actions.check(request_id=waiting.uuid, number=1, actor=mia)
    assert now(waiting) == (Status.CHECKING, 2, "", 0)
    actions.check(request_id=waiting.uuid, number=2, actor=mia)
    assert now(waiting) == (Status.WITHDRAWN, 2, "", 0)


def test_a_check_that_gave_up_or_was_cancelled_ends_no_other(waiting):
    (job,) = Job.objects.filter(kind="promotions.check")
    events = Event.objects.count()
    rows, fail = PromotionRequest.objects.filter(pk=waiting.pk), transaction.atomic(actions.check_failed)

    rows.update(checks=2)
    fail(job)
    assert (now(waiting)[:2], Event.objects.count()) == ((Status.CHECKING, 2), events)

    rows.update(checks=1)
    job.error = "The disk is full."
    fail(job)
    assert (now(waiting)[:2], waiting.reason) == ((Status.DRAFT, 1), "The disk is full.")
    payload = json.loads(Event.objects.latest("pk").canonical)["payload"]
    assert payload == {"check": 1, "new": Status.DRAFT, "reason": "The disk is full."}
    events += 1

    fail(job)
    assert (now(waiting)[:2], Event.objects.count()) == ((Status.DRAFT, 1), events)
