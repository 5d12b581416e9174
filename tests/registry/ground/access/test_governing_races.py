"""Admins who act at the same moment, in real threads. PostgreSQL alone, since SQLite runs one writer at a
time anyway.
"""

from __future__ import annotations

import pytest
from django.db import connection

from registry.ground.access import governing, policy
from registry.ground.access.models import RoleProposal
from registry.ground.access.roles import ADMIN
from tests.support.people import PASSWORD, make_admin
from tests.support.races import at_once

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="row locks need PostgreSQL"),
]


def test_two_admins_who_confirm_that_the_other_goes_leave_one(adam):
    adele = make_admin("adele")
    for person, actor in ((adele, adam), (adam, adele)):
        governing.change(person=person, role=ADMIN, project=None, gives=False, actor=actor, password=PASSWORD)
    of = {proposal.person_id: proposal.uuid for proposal in RoleProposal.objects.all()}

    def confirming(person):
        return lambda: governing.confirm(proposal_id=of[person.pk], actor=person, password=PASSWORD)

    ended = at_once(confirming(adam), confirming(adele))

    assert ended["done"] == 1
    assert policy.organisation_admins().count() == 1


def test_a_proposal_that_is_confirmed_and_refused_at_once_ends_in_one_of_both(adam):
    adele, anna = make_admin("adele"), make_admin("anna")
    wanted = governing.change(
        person=anna, role=ADMIN, project=None, gives=False, actor=adam, password=PASSWORD
    )

    ended = at_once(
        lambda: governing.confirm(proposal_id=wanted.uuid, actor=adele, password=PASSWORD),
        lambda: governing.end(proposal_id=wanted.uuid, actor=adam),
    )

    state = RoleProposal.objects.get().state
    assert (ended["done"], sum(ended.values()), policy.organisation_admins().count()) == (
        1,
        2,
        2 if state == "confirmed" else 3,
    )
