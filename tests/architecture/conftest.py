"""The world that walks over all addresses see, made once for them."""

import pytest

from tests.support.world import World


@pytest.fixture
def world(db) -> World:
    return World()


@pytest.fixture(autouse=True)
def _sessions_are_in_cookies(settings):
    """Where they are read without asking the database."""
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
