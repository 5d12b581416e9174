"""An endpoint with two versions that went live one after the other."""

from __future__ import annotations

import pytest

from tests.support import endpoints


@pytest.fixture
def live_endpoint(project, mia, ravi, lee, gita, omar):
    return endpoints.deployed_endpoint(project, versions=2)
