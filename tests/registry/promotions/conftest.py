"""One version whose promotion waits for its reviewers: trained and asked for by Mia, its test labels accepted
by Ravi.
"""

from __future__ import annotations

import pytest

from tests.support import registry


@pytest.fixture
def version(project, mia, ravi):
    return registry.make_version(project, mia, ravi)


@pytest.fixture
def endpoint(version, mia):
    return registry.make_endpoint(version.model, mia, slug="support-inbox-prod")


@pytest.fixture
def request_(version, endpoint, mia, lee, gita):
    """In review; Lee leads, Gita governs."""
    return registry.asked_request(version, endpoint, mia)
