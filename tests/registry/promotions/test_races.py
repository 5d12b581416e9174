"""T18: decisions at the same moment, in real threads. PostgreSQL alone, since SQLite runs one writer at a
time anyway.
"""

from __future__ import annotations

import pytest
from django.db import connection

from lifecycle.runtime.refusals import Refusal
from registry.catalog import actions as catalog
from registry.catalog import queries
from registry.ground.access.roles import Role
from registry.ground.ledger.models import Event
from registry.promotions import actions
from registry.promotions.models import PromotionRequest, Verdict
from registry.promotions.rules import Status
from tests.support import registry
from tests.support.people import PASSWORD, make_person
from tests.support.races import at_once

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="row locks need PostgreSQL"),
]


def approving(request, person):
    return lambda: registry.approve(request, person, seen=request.subject_digest)


def test_the_same_person_many_times_gives_one_vote(request_, lee):
    assert at_once(*[approving(request_, lee)] * 5) == {"done": 1, "Conflict": 4}

    assert Verdict.objects.count() == 1
    assert PromotionRequest.objects.get().status == Status.IN_REVIEW
    assert Event.objects.filter(verb="promotions.approved").count() == 1


def test_two_people_for_the_last_step_give_one_approval(version, endpoint, mia, lee, gita, project):
    gil = make_person("gil", project=project, role=Role.GOVERNANCE)
    request_ = registry.asked_request(version, endpoint, mia)
    registry.approve(request_, lee)

    assert at_once(approving(request_, gita), approving(request_, gil)) == {"done": 1, "Conflict": 1}

    assert Verdict.objects.filter(step="governance").count() == 1
    assert PromotionRequest.objects.get().status == Status.APPROVED


def test_approve_against_reject_ends_in_one_of_both(request_, lee, gita):
    def reject():
        actions.reject(
            request_id=request_.uuid,
            actor=gita,
            reason="No.",
            password=PASSWORD,
            seen=request_.subject_digest,
        )

    ended = at_once(approving(request_, lee), reject)

    request_.refresh_from_db()
    assert request_.status == Status.REJECTED
    assert ended in ({"done": 2}, {"done": 1, "Conflict": 1})


def test_approve_against_a_card_change_never_leaves_an_approval_of_another_card(request_, lee, gita, mia):
    registry.approve(request_, lee)
    card = queries.newest_card(request_.version)

    def edit():
        catalog.edit_card(version=request_.version, stated={"purpose": "Other."}, seen=card.digest, actor=mia)

    at_once(approving(request_, gita), edit)

    request_.refresh_from_db()
    assert request_.status in (Status.APPROVED, Status.VOIDED)
    with pytest.raises(Refusal):
        actions.ready_to_deploy(request_.uuid)
    request_.refresh_from_db()
    assert request_.status == Status.VOIDED


def test_two_claims_fulfil_once(version, endpoint, mia, lee, gita):
    from django.db import transaction

    request = registry.approved_request(version, endpoint, mia, lee, gita)

    def use():
        with transaction.atomic():
            actions.fulfilled(actions.claim_approval(request.uuid), endpoint, actor=mia)

    assert at_once(use, use, use) == {"done": 1, "Conflict": 2}
    assert PromotionRequest.objects.get().status == Status.FULFILLED
