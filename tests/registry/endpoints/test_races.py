"""Two people at once on one endpoint: one of them wins, and what is published is what happened."""

import pytest
from django.db import connection

from registry.catalog import actions as catalog
from registry.endpoints import actions
from registry.endpoints.models import Deployment, Routes
from registry.endpoints.queries import deployments, published
from tests.support import endpoints, registry
from tests.support.races import at_once

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="row locks need PostgreSQL"),
]


def test_two_deployments_at_once_give_one(project, mia, ravi, lee, gita, omar):
    version = registry.make_version(project, mia, ravi)
    endpoint = registry.make_endpoint(version.model, mia)
    request = endpoints.approved(project, endpoint, version)

    ended = at_once(*[lambda: actions.deploy(request_id=request.uuid, actor=omar)] * 3)

    assert ended == {"done": 1, "Conflict": 2}
    assert Deployment.objects.count() == 1
    assert endpoints.routes()["epoch"] == Routes.objects.get().epoch


def test_two_rollbacks_at_once_give_one(project, mia, ravi, lee, gita, omar):
    endpoint = endpoints.deployed_endpoint(project, versions=2)

    def back():
        actions.roll_back(endpoint_id=endpoint.uuid, actor=omar, reason="Wrong.", typed="1.0.0", seen_moves=2)

    assert at_once(back, back)["done"] == 1

    assert Deployment.objects.count() == 3
    live = deployments.live_deployment(endpoint)
    assert live.version.semver == "1.0.0"
    assert endpoints.routes()["endpoints"][endpoint.full_name]["arms"][0]["version"] == str(live.version.uuid)


def test_a_version_that_is_quarantined_while_it_is_deployed_serves_nowhere(
    project, mia, ravi, lee, gita, omar
):
    version = registry.make_version(project, mia, ravi)
    endpoint = registry.make_endpoint(version.model, mia)
    request = endpoints.approved(project, endpoint, version)

    ended = at_once(
        lambda: actions.deploy(request_id=request.uuid, actor=omar),
        lambda: catalog.quarantine(version_id=version.uuid, reason="Leaks.", actor=lee),
    )

    assert ended in ({"done": 2}, {"done": 1, "Conflict": 1}, {"done": 1, "Refused": 1})
    version.refresh_from_db()
    assert version.state == "quarantined"
    assert not deployments.running().exists()
    assert [
        route["arms"] for route in (published.published() or {"endpoints": {}})["endpoints"].values()
    ] in (
        [],
        [[]],
    )
