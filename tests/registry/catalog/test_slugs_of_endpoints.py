"""A slug of an endpoint is taken within its project alone, and who makes one learns nothing of other
projects.
"""

from __future__ import annotations

import uuid

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from rest_framework.test import APIClient

from lifecycle.runtime.inference.names import WORDS
from lifecycle.runtime.refusals import Refused
from registry.catalog import rules
from registry.catalog.models import Endpoint, RegisteredModel
from registry.ground.access.actions import create_token
from registry.ground.access.roles import Role
from tests.support import registry
from tests.support.people import make_person, make_project
from tests.support.unchanged import append_only

SLUG = "support-triage"
GIVEN = {"slug": SLUG, "environment": "production", "keep_text": "on"}


@pytest.fixture
def elsewhere(mia) -> Endpoint:
    """The endpoint of another project, whose engineer Mia does not know."""
    claims = make_project("claims", "Claims")
    nora = make_person("nora", project=claims, role=Role.ENGINEER)
    return registry.make_endpoint(registry.make_model(claims, nora), nora, slug=SLUG)


@pytest.fixture
def model(project, mia) -> RegisteredModel:
    return registry.make_model(project, mia)


@pytest.mark.postgres
def test_the_form_makes_one_whose_slug_another_project_has_and_refuses_only_ones_own(
    client_for, elsewhere, model, mia
):
    client, page = client_for(mia), reverse("catalog:new_endpoint", args=[model.uuid])

    made, again = client.post(page, GIVEN), client.post(page, GIVEN)

    found = Endpoint.objects.get(model=model)
    assert (made.status_code, found.full_name, found.project, elsewhere.full_name) == (
        302,
        f"inbox/{SLUG}",
        model.project,
        f"claims/{SLUG}",
    )
    assert (again.status_code, again.context["form"].errors["slug"]) == (
        422,
        ["The project already has an endpoint support-triage.", "Choose another short name."],
    )
    html = again.content.decode() + client.get(page).content.decode()
    assert "claims" not in html.lower()
    assert "installation" not in html
    assert Endpoint.objects.count() == 2


@pytest.mark.postgres
def test_the_api_makes_one_and_tells_its_project_and_full_name(elsewhere, model, mia):
    api = APIClient()
    api.credentials(
        HTTP_AUTHORIZATION=f"Bearer {create_token(user=mia, name='t', scopes=['read', 'request'], days=1)[1]}"
    )

    made, again = (
        api.post(f"/api/v1/models/{model.uuid}/endpoints/", GIVEN, format="json") for _ in range(2)
    )

    assert (made.status_code, made.json()["full_name"], made.json()["project"]) == (
        201,
        f"inbox/{SLUG}",
        str(model.project.uuid),
    )
    assert (again.status_code, again.json()["message"]) == (
        422,
        f"The project already has an endpoint {SLUG}.",
    )
    assert [each["full_name"] for each in api.get("/api/v1/endpoints/").json()] == [f"inbox/{SLUG}"]


@pytest.mark.postgres
def test_the_database_holds_a_slug_once_a_project_and_no_endpoint_leaves_its_own(elsewhere, model, mia):
    mine = registry.make_endpoint(model, mia, slug=SLUG)
    copy = {name: getattr(mine, name) for name in ("model", "project", "slug", "environment", "policy")}

    with pytest.raises(IntegrityError), transaction.atomic():
        Endpoint.objects.create(**copy)
    for changes in (
        {"project": elsewhere.project},
        {"model": elsewhere.model},
        {"slug": "other"},
        {"uuid": uuid.uuid4()},
    ):
        with append_only(Endpoint):
            Endpoint.objects.filter(pk=mine.pk).update(**changes)
    with append_only(RegisteredModel):
        RegisteredModel.objects.filter(pk=model.pk).update(project=elsewhere.project)

    assert sorted(each.full_name for each in Endpoint.objects.all()) == [f"claims/{SLUG}", f"inbox/{SLUG}"]
    assert all(each.project == each.model.project for each in Endpoint.objects.all())


def test_an_endpoint_takes_none_of_the_words_of_addresses(model, mia):
    assert {"infer", "ready", "config", "stats", "versions"} == WORDS
    for word in sorted(WORDS):
        with pytest.raises(Refused) as refusal:
            registry.make_endpoint(model, mia, slug=word)
        assert list(refusal.value.fields) == ["slug"]
        assert rules.check_slug(word, "model") == word
    assert not Endpoint.objects.exists()
