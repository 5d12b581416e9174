"""A role given after a request was opened can't decide on it, and the request shows that."""

from __future__ import annotations

from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from lifecycle.runtime.refusals import Conflict
from registry.ground.access import actions as access
from registry.ground.access.policy import group_name
from registry.ground.access.roles import Role
from registry.ground.ledger.models import Event
from registry.promotions import actions, queries
from registry.promotions.models import PromotionRequest, Verdict
from registry.promotions.rules import LATE, Status
from tests.support import registry
from tests.support.people import PASSWORD, make_person
from tests.support.unchanged import refused

pytestmark = pytest.mark.django_db


def state():
    return (
        list(PromotionRequest.objects.values_list("status", flat=True)),
        Verdict.objects.count(),
        Event.objects.count(),
    )


def seen_by(user, request):
    return queries.standing(user, queries.full(user, request.uuid))


@pytest.fixture
def lena(request_, project):
    """Made a lead while the request waits."""
    return make_person("lena", project=project, role=Role.LEAD)


def test_a_lead_who_was_made_one_since_neither_approves_nor_rejects(request_, lena):
    before = state()

    for decide in (actions.approve, actions.reject):
        with refused(by=PermissionDenied, naming=(LATE,)):
            decide(
                request_id=request_.uuid,
                actor=lena,
                reason="Good.",
                password=PASSWORD,
                seen=request_.subject_digest,
            )

    assert state() == before


def test_the_request_shows_who_decides_and_why_a_new_lead_does_not(request_, lee, lena, client_for):
    seat = queries.seats(queries.full(lee, request_.uuid))[0]
    assert (seat.may, seat.barred) == ((lee,), ((lena, "got the role after this request was opened"),))
    assert (seen_by(lena, request_).may, seen_by(lena, request_).why, seen_by(lena, request_).may_reject) == (
        False,
        LATE,
        False,
    )
    assert seen_by(lee, request_).may

    page = unescape(client_for(lena).get(f"/promotions/{request_.uuid}/").content.decode())

    (why,) = (why for _, why in seat.barred)
    assert (LATE in page, why in page) == (True, True)


def test_it_waits_for_those_who_held_the_role_and_not_for_the_new_lead(request_, lee, lena):
    assert [queries.waiting_count(person) for person in (lee, lena)] == [1, 0]


def test_a_request_whose_date_was_moved_is_not_decided_by_people_who_joined_since(request_, lena):
    PromotionRequest.objects.filter(pk=request_.pk).update(created_at=timezone.now() + timedelta(days=30))
    before = state()

    with refused(by=PermissionDenied, naming=(LATE,)):
        registry.approve(request_, lena)

    assert state() == before


def test_a_new_lead_decides_on_what_is_asked_for_afterwards(request_, lena, mia):
    actions.withdraw(request_id=request_.uuid, actor=mia, reason="Again.")
    again = registry.asked_request(request_.version, request_.endpoint, mia)

    registry.approve(again, lena)

    assert list(Verdict.objects.values_list("request", "reviewer__username")) == [(again.pk, "lena")]


def test_a_role_that_was_taken_and_given_again_is_a_new_one(request_, project, lee, gita):
    registry.approve(request_, lee)
    access.revoke(user=lee, role=Role.LEAD, root=project, actor=None)
    access.grant(user=lee, role=Role.LEAD, root=project, actor=None)

    with pytest.raises(Conflict):
        registry.approve(request_, gita)

    assert PromotionRequest.objects.get().status == Status.VOIDED
    assert list(Verdict.objects.values_list("reviewer__username", flat=True)) == ["lee"]
    assert str(lee.uuid) in Event.objects.filter(verb="promotions.voided").get().canonical


def test_giving_a_role_that_is_held_already_makes_it_no_younger(request_, project, lee):
    access.grant(user=lee, role=Role.LEAD, root=project, actor=None)

    registry.approve(request_, lee)

    assert Verdict.objects.get().reviewer == lee


def test_a_role_on_the_model_counts_from_when_it_was_given(project, version, endpoint, mia):
    early = make_person("early")
    access.grant(user=early, role=Role.LEAD, root=version.model, actor=None)
    request = registry.asked_request(version, endpoint, mia)
    late = make_person("late")
    access.grant(user=late, role=Role.LEAD, root=version.model, actor=None)
    access.grant(user=early, role=Role.LEAD, root=project, actor=None)

    assert (seen_by(late, request).why, seen_by(early, request).may) == (LATE, True)


def test_a_role_that_someone_wrote_into_the_database_decides_nothing(request_, project, otto):
    otto.groups.add(Group.objects.get(name=group_name(project, Role.LEAD)))
    before = state()

    with refused(by=PermissionDenied, naming=(LATE,)):
        registry.approve(request_, otto)

    assert state() == before


def test_a_role_counts_from_the_moment_of_the_request_backwards(request_, project, lee):
    made, second = timezone.now(), timedelta(seconds=1)
    role, asked = (str(lee.uuid), group_name(project, Role.LEAD)), {str(request_.uuid): made}

    held = [
        request_.held_before(lee, Role.LEAD, since, asked)
        for since in ({role: made - second}, {role: made}, {role: made + second}, {})
    ]

    assert held == [True, True, False, False]
    assert not request_.held_before(lee, Role.LEAD, {role: made}, {})
