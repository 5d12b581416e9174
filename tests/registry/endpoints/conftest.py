"""The endpoint has two versions that went live one after the other; an approved 1.2.0 waits where a file's endpoint is `request_`'s."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.catalog.models import ModelVersion
from registry.endpoints import actions
from registry.endpoints.models import Deployment
from registry.promotions.models import PromotionRequest
from tests.support import endpoints
from tests.support.people import make_project
from tests.support.settled import settled_endpoint, settled_world, unpack

settled = settled_endpoint(versions=2)
settled_request = settled_world(lambda: endpoints.with_approval(endpoints.deployed_endpoint(make_project(), versions=2)))


@pytest.fixture
def request_(settled_request, project, mia, ravi, lee, gita, omar, tmp_path: Path) -> PromotionRequest:
    """The approved request for 1.2.0."""
    return unpack(settled_request, tmp_path)


@pytest.fixture
def version(request_) -> ModelVersion:
    """1.2.0."""
    return request_.version


@pytest.fixture
def canary(request_, omar) -> Deployment:
    """1.2.0 beside 1.1.0, at 5 %."""
    return actions.deploy(request_id=request_.uuid, actor=omar, share=500)
