"""A token of an endpoint belongs to a program, opens that endpoint alone, and is in the routes as long as it
is live.
"""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.utils import timezone

from registry.endpoints import actions
from registry.endpoints.models import EndpointToken
from registry.endpoints.routes import routes
from registry.ground.access.actions import create_project, create_token, token_digest
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.support import endpoints
from tests.support.people import PASSWORD


def opened(digest: str) -> set[str]:
    """The endpoints that a token may ask, as the routes say."""
    return {route.name for route in routes() if digest in {token.digest for token in route.tokens}}


def make(endpoint, actor) -> tuple[EndpointToken, str]:
    return actions.create_token(endpoint_id=endpoint.uuid, name="ticket sorter", days=30, actor=actor)


@pytest.mark.postgres
def test_it_opens_its_endpoint_and_no_other_and_nothing_of_the_product(live_endpoint, omar, ana):
    endpoints.copied(live_endpoint, "other")
    token, secret = make(live_endpoint, omar)
    mine, persons = create_token(user=ana, name="trying out", scopes=["infer"], days=1)

    assert opened(token_digest(secret)) == {live_endpoint.full_name}
    assert opened(mine.digest) == {live_endpoint.full_name, "inbox/other"}
    assert Client().get("/api/v1/me/", headers={"Authorization": f"Bearer {secret}"}).status_code == 401
    made = Event.objects.get(verb=Verb.ENDPOINT_TOKEN_CREATED)
    assert (made.actor, made.object_id, made.project) == (
        str(omar.uuid),
        str(token.uuid),
        live_endpoint.model.project.uuid,
    )
    assert secret not in made.canonical
    assert token.digest == token_digest(secret)


def test_a_persons_token_of_another_project_opens_no_endpoint_here(live_endpoint, ana):
    other = create_project(name="Other", slug="other", actor=None)
    here, _ = create_token(
        user=ana, name="here", scopes=["infer"], days=1, project=live_endpoint.model.project
    )
    there, _ = create_token(user=ana, name="there", scopes=["infer"], days=1, project=other)

    assert (opened(here.digest), opened(there.digest)) == ({live_endpoint.full_name}, set())


@pytest.mark.postgres
def test_it_ends_when_it_is_revoked_or_over_and_outlives_who_made_it(
    live_endpoint, omar, lee, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        token, secret = make(live_endpoint, omar)
    published = {
        each["digest"] for each in endpoints.routes()["endpoints"][live_endpoint.full_name]["tokens"]
    }
    assert token_digest(secret) in published
    omar.is_active = False
    omar.save()
    assert opened(token.digest) == {live_endpoint.full_name}

    with django_capture_on_commit_callbacks(execute=True):
        actions.revoke_token(token_id=token.uuid, actor=lee)
        actions.revoke_token(token_id=token.uuid, actor=lee)

    published = {
        each["digest"] for each in endpoints.routes()["endpoints"][live_endpoint.full_name]["tokens"]
    }
    assert token.digest not in published
    assert Event.objects.filter(verb=Verb.ENDPOINT_TOKEN_REVOKED, actor=str(lee.uuid)).count() == 1
    over, _ = make(live_endpoint, lee)
    EndpointToken.objects.filter(pk=over.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert opened(over.digest) == set()


@pytest.mark.parametrize("who", ["ana", "gita", "aida"])
def test_others_make_and_end_none(live_endpoint, omar, who, request, client_for):
    token, _ = make(live_endpoint, omar)
    person, before = request.getfixturevalue(who), Event.objects.count()

    with pytest.raises(PermissionDenied):
        make(live_endpoint, person)
    with pytest.raises(PermissionDenied):
        actions.revoke_token(token_id=token.uuid, actor=person)
    assert client_for(person).get(f"/api/v1/endpoints/{live_endpoint.uuid}/tokens/").status_code == 403
    assert client_for(person).delete(f"/api/v1/endpoint-tokens/{token.uuid}/").status_code == 403
    token.refresh_from_db()
    assert (token.revoked_at, EndpointToken.objects.count(), Event.objects.count()) == (None, 1, before)


def test_the_page_makes_one_for_who_confirms_and_shows_the_secret_once(live_endpoint, lee, client_for):
    client, page = client_for(lee), f"/endpoints/{live_endpoint.uuid}/tokens/"
    asked = client.post(f"{page}create/", {"name": "ticket sorter", "days": 30})
    assert (asked["Location"].split("?")[0], EndpointToken.objects.count()) == (
        "/accounts/reauthenticate/",
        0,
    )

    made = client.post(asked["Location"], {"password": PASSWORD}).content.decode()

    secret = "lc_" + made.split("lc_")[1].split("<")[0].strip()
    token = EndpointToken.objects.get()
    assert token.digest == token_digest(secret)
    shown = client.get(page).content.decode()
    assert ("ticket sorter" in shown, secret in shown, token.digest in shown) == (True, False, False)
    client.post(f"/endpoints/tokens/{token.uuid}/revoke/")
    client.get(page)  # with the toast
    assert "ticket sorter" not in client.get(page).content.decode()
