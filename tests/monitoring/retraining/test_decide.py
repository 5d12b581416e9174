"""A lead approves or declines what they read, and no one else."""

import pytest
from django.core.exceptions import PermissionDenied

from lifecycle.runtime.refusals import Conflict
from monitoring.retraining import actions
from monitoring.retraining.models import Proposal
from monitoring.retraining.queries import proposals
from registry.ground.access.roles import Role
from registry.ground.ledger.models import Event
from tests.monitoring.retraining.conftest import approve, seen
from tests.support.people import make_person
from tests.support.unchanged import refused


def state_of(proposal):
    return Proposal.objects.get(pk=proposal.pk).state


def test_only_a_lead_approves(proposed, ana, ravi, mia, gita, omar, aida, lee):
    for person in (ana, ravi, mia, gita, omar, aida):
        with pytest.raises(PermissionDenied):
            approve(proposed, person)
    assert state_of(proposed) == "open"

    found = approve(proposed, lee)
    assert (found.state, found.decided_by, found.acting) == ("approved", lee, lee)
    assert Event.objects.filter(verb="retraining.approved", actor=str(lee.uuid)).count() == 1


def test_no_one_approves_what_they_proposed(endpoint, traffic, lee, project, client_for):
    lars = make_person("lars", project=project, role=Role.LEAD)
    made = actions.propose(endpoint_id=endpoint.uuid, actor=lars)

    with refused(by=PermissionDenied):
        approve(made, lars)

    pages = [client_for(person).get(f"/retraining/{made.uuid}/").content.decode() for person in (lars, lee)]
    assert ['commandfor="approve"' in page for page in pages] == [False, True]
    assert [page.count('class="btn primary" type="button" aria-disabled="true"') for page in pages] == [1, 0]
    assert [list(proposals.to_decide(person)) for person in (lars, lee)] == [[], [made]]
    assert approve(made, lee).state == "approved"


def test_an_approval_is_bound_to_what_was_read(proposed, lee):
    with refused(by=Conflict):
        actions.approve(proposal_id=proposed.uuid, actor=lee, seen="0" * 64)


def test_no_one_decides_twice(proposed, lee):
    mark = seen(proposed)
    approve(proposed, lee)

    with refused(by=Conflict, naming=("approved",)):
        actions.approve(proposal_id=proposed.uuid, actor=lee, seen=mark)
    with refused(by=Conflict, naming=("approved",)):
        actions.decline(proposal_id=proposed.uuid, actor=lee, reason="No.", seen=seen(proposed))


def test_rejecting_needs_a_reason_and_ends_it(proposed, lee, endpoint, mia):
    with refused("reason"):
        actions.decline(proposal_id=proposed.uuid, actor=lee, reason=" ", seen=seen(proposed))
    assert state_of(proposed) == "open"

    found = actions.decline(
        proposal_id=proposed.uuid, actor=lee, reason="The season ends.", seen=seen(proposed)
    )
    assert (found.state, found.outcome, found.decision_reason) == ("declined", "declined", "The season ends.")
    assert Event.objects.filter(verb="retraining.declined").count() == 1
    assert actions.propose(endpoint_id=endpoint.uuid, actor=mia).number == 2


def test_a_proposer_withdraws_their_own_while_it_is_open(proposed, mia, omar, lee):
    with pytest.raises(PermissionDenied):
        actions.withdraw(proposal_id=proposed.uuid, actor=omar, reason="Not mine.")
    assert state_of(proposed) == "open"

    assert actions.withdraw(proposal_id=proposed.uuid, actor=mia, reason="A mistake.").outcome == "withdrawn"


def test_a_retry_needs_a_failure(approved, lee):
    with pytest.raises(Conflict):
        actions.retry(proposal_id=approved.uuid, actor=lee)
    with pytest.raises(Conflict):
        actions.override(proposal_id=approved.uuid, actor=lee, reason="Anyway.")
    assert state_of(approved) == "approved"
