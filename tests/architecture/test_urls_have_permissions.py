"""A URL without a declared permission is a hole: every one says what it needs."""

import uuid
from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from registry.access.decorators import Needs
from registry.access.rest import View
from registry.access.roles import ACTIONS, Role
from tests.support.people import make_person, make_project
from tests.support.world import data_folder, rolled_back

# Sign-in pages and the API's own description; they guard themselves.
OTHERS = ("accounts/", "api/schema/", "api/docs/")


def patterns(resolver=None, prefix="") -> list[tuple[str, URLPattern]]:
    found = []
    for part in (resolver or get_resolver()).url_patterns:
        path = prefix + str(part.pattern)
        found += patterns(part, path) if isinstance(part, URLResolver) else [(path, part)]
    return [(path, part) for path, part in found if not path.startswith(OTHERS)]


def needs_of(pattern: URLPattern) -> list[Needs]:
    view = getattr(pattern.callback, "view_class", None) or getattr(pattern.callback, "cls", None)
    if view is not None and issubclass(view, View):
        return [*view.needs.values()] or [Needs("signed_in")]
    need = getattr(pattern.callback, "needs", None)
    return [need] if need else []


@pytest.mark.parametrize(("path", "pattern"), patterns(), ids=[path for path, _ in patterns()])
def test_every_url_declares_what_it_needs(path, pattern):
    found = needs_of(pattern)

    assert found, f"{path} declares no permission"
    for need in found:
        assert need.action in {*ACTIONS, "signed_in", "public"}
        assert not need.see or need.see in ACTIONS


def address(path: str) -> str:
    kinds = {"<uuid:uuid>": str(uuid.uuid4())}
    for kind, value in kinds.items():
        path = path.replace(kind, value)
    return "/" + path


REACHABLE = [(path, part) for path, part in patterns() if "<" not in path.replace("<uuid:uuid>", "")]


@pytest.fixture(scope="module", autouse=True)
def _own_data_dir(tmp_path_factory):
    """Nothing here writes files: one folder serves all tests."""
    with data_folder(tmp_path_factory.mktemp("urls")):
        yield


@pytest.fixture(scope="module")
def visitor() -> Client:
    """Nobody: without a session there is nothing that one request could leave to the next."""
    return Client()


@pytest.fixture(scope="module")
def engineer(django_db_setup, django_db_blocker) -> Iterator[Client]:
    """Mia's browser, signed in once for all addresses."""
    with django_db_blocker.unblock(), rolled_back():
        client = Client()
        client.force_login(make_person("mia", project=make_project(), role=Role.ENGINEER))
        yield client


@pytest.fixture(autouse=True)
def _nobody_asked_too_often():
    cache.clear()


@pytest.mark.django_db
@pytest.mark.parametrize("path", [path for path, part in REACHABLE if not any(n.action == "public" for n in needs_of(part))])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_visitor_gets_nothing(visitor, path, method):
    answer = getattr(visitor, method)(address(path))

    if path.startswith("api/"):
        assert answer.status_code in (401, 403, 405)
    else:
        assert answer.status_code in (302, 405)
        assert answer.status_code == 405 or answer["Location"].startswith("/accounts/login/")


@pytest.mark.django_db
@pytest.mark.parametrize("path", [path for path, _ in REACHABLE if "<uuid:uuid>" in path])
@pytest.mark.parametrize("method", ["get", "post"])
def test_what_does_not_exist_is_404_for_everybody(engineer, path, method):
    answer = getattr(engineer, method)(address(path))

    assert answer.status_code in (404, 405)
