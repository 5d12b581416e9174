"""The endpoint has two versions that went live one after the other; an approved 1.2.0 waits where a test asks
for `request_`.
"""

from __future__ import annotations

import pytest

from registry.catalog.models import Endpoint, ModelVersion
from registry.endpoints import actions
from registry.endpoints.models import Deployment
from registry.promotions.models import PromotionRequest
from tests.support import endpoints, registry


@pytest.fixture
def live_endpoint(project, mia, ravi, lee, gita, omar) -> Endpoint:
    """1.0.0 was live, 1.1.0 is."""
    return endpoints.deployed_endpoint(project, versions=2)


@pytest.fixture
def request_(live_endpoint) -> PromotionRequest:
    """The approved request for 1.2.0, from before requests named a plan: it goes live at once or as a
    canary.
    """
    return endpoints.with_approval(live_endpoint, registry.NO_PLAN)


@pytest.fixture
def version(request_) -> ModelVersion:
    """1.2.0."""
    return request_.version


@pytest.fixture
def canary(request_, omar) -> Deployment:
    """1.2.0 beside 1.1.0, at 5 %."""
    return actions.deploy(request_id=request_.uuid, actor=omar, share=500)
