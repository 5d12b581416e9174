"""The endpoint has two versions that went live one after the other; an approved 1.2.0 waits where a test asks
for `request_` or `by_hand`.
"""

from __future__ import annotations

import pytest

from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints import actions
from registry.endpoints.models import Deployment
from registry.promotions import plans
from registry.promotions.models import PromotionRequest
from tests.support import endpoints


@pytest.fixture
def live_endpoint(project, mia, ravi, lee, gita, omar) -> Endpoint:
    """1.0.0 was live, 1.1.0 is."""
    return endpoints.deployed_endpoint(project, versions=2)


@pytest.fixture
def version(live_endpoint) -> ModelVersion:
    """1.2.0."""
    return endpoints.next_version(live_endpoint)


@pytest.fixture
def request_(project, live_endpoint, version) -> PromotionRequest:
    """The approved request for 1.2.0, for all traffic at once."""
    return endpoints.approved(project, live_endpoint, version)


@pytest.fixture
def by_hand(project, live_endpoint, version) -> PromotionRequest:
    """The approved request for 1.2.0 as a canary at 5 %, which people steer."""
    return endpoints.approved(project, live_endpoint, version, plans.by_hand(500))


@pytest.fixture
def canary(by_hand, omar) -> Deployment:
    """1.2.0 beside 1.1.0, at 5 %."""
    return actions.deploy(request_id=by_hand.uuid, actor=omar)
