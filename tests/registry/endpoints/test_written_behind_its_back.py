"""What is written into the row of a deployment makes no version live: which one began is read from the audit
log.
"""

from __future__ import annotations

import pytest

from lifecycle.runtime.refusals import Conflict
from registry.catalog import actions as catalog
from registry.catalog.models import Alias, ModelVersion
from registry.endpoints import actions
from registry.endpoints.actions import canary as canaries
from registry.endpoints.models import Deployment
from registry.endpoints.queries import deployments
from registry.ground.ledger.models import Event
from registry.promotions import plans
from tests.support import endpoints, registry
from tests.support.trail import behind_its_back, found


@pytest.fixture
def unapproved(live_endpoint, project, mia, ravi) -> ModelVersion:
    """9.0.0, whose promotion no one requested."""
    live = live_endpoint.alias.version
    return registry.make_version(
        project, mia, ravi, model=live.model, snapshot=live.run.snapshot, semver="9.0.0"
    )


def name_version(deployment: Deployment, version: ModelVersion) -> None:
    behind_its_back(
        "UPDATE endpoints_deployment SET version_id = %s WHERE id = %s", version.pk, deployment.pk
    )


def state_of(endpoint) -> tuple[str, int, int, int]:
    alias = Alias.objects.get(endpoint=endpoint)
    return alias.version.semver, alias.moves, endpoint.deployments.count(), Event.objects.count()


@pytest.mark.parametrize("share", [10_000, 2_500, 100])
def test_a_canary_whose_row_names_another_version_gets_no_other_share(
    canary, live_endpoint, unapproved, omar, share
):
    name_version(canary, unapproved)
    before = state_of(live_endpoint)

    with pytest.raises(Conflict):
        actions.set_share(deployment_id=canary.uuid, share=share, actor=omar, reason="Known from shadow.")

    assert state_of(live_endpoint) == before
    name_version(canary, canary.version)
    actions.set_share(deployment_id=canary.uuid, share=share, actor=omar, reason="Known from shadow.")
    assert found() == []


def test_a_canary_is_not_widened_by_the_approval_of_another_version(
    canary, live_endpoint, project, mia, ravi, omar
):
    version = registry.make_version(
        project, mia, ravi, model=canary.version.model, snapshot=canary.version.run.snapshot, semver="1.3.0"
    )
    approval = endpoints.approved(project, live_endpoint, version, plans.by_hand(500))
    actions.stop_canary(deployment_id=canary.uuid, reason="The next one is better.", actor=omar)
    running = actions.deploy(request_id=approval.uuid, actor=omar)
    behind_its_back(
        "UPDATE endpoints_deployment SET approval_id = %s WHERE id = %s", canary.approval_id, running.pk
    )
    before = state_of(live_endpoint)

    with pytest.raises(Conflict):
        actions.set_share(deployment_id=running.uuid, share=10_000, actor=omar, reason="Known from shadow.")

    assert state_of(live_endpoint) == before


def test_nothing_is_rolled_back_to_a_version_that_was_never_live(live_endpoint, unapproved, omar):
    name_version(live_endpoint.deployments.order_by("id")[0], unapproved)
    before = state_of(live_endpoint)

    with pytest.raises(Conflict):
        actions.roll_back(
            endpoint_id=live_endpoint.uuid, actor=omar, reason="Wrong.", typed="9.0.0", seen_moves=before[1]
        )

    assert state_of(live_endpoint) == before


def test_a_quarantine_leaves_the_endpoint_empty_rather_than_to_such_a_version(
    live_endpoint, unapproved, omar
):
    name_version(live_endpoint.deployments.order_by("id")[0], unapproved)

    catalog.quarantine(version_id=live_endpoint.alias.version.uuid, reason="Wrong.", actor=omar)

    assert Alias.objects.get(endpoint=live_endpoint).version is None
    assert not deployments.running().filter(endpoint=live_endpoint).exists()


def test_verification_names_what_became_live_so_before_this_was_refused(
    canary, live_endpoint, unapproved, omar, monkeypatch
):
    monkeypatch.setattr(canaries, "check_approved", lambda running, approval: None)
    name_version(canary, unapproved)
    actions.set_share(deployment_id=canary.uuid, share=10_000, actor=omar, reason="Known from shadow.")

    name_version(canary, canary.version)

    assert found() == [("not-in-database", f"endpoints, {live_endpoint.uuid}")]


def test_verification_names_such_a_rollback(live_endpoint, unapproved, omar, monkeypatch):
    monkeypatch.setattr(deployments, "is_recorded", lambda deployment: True)
    first = live_endpoint.deployments.order_by("id")[0]
    name_version(first, unapproved)
    actions.roll_back(
        endpoint_id=live_endpoint.uuid,
        actor=omar,
        reason="Wrong.",
        typed="9.0.0",
        seen_moves=live_endpoint.alias.moves,
    )

    name_version(first, first.version)

    assert found() == [("not-in-database", f"endpoints, {live_endpoint.uuid}")]
