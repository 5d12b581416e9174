"""Pages and API of the catalog."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from registry.catalog.models import Endpoint, ModelVersion, RegisteredModel
from registry.ground.access.actions import create_token
from tests.support import registry
from tests.support.jobs import run_ok

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(project, mia, ravi):
    return registry.make_version(project, mia, ravi)


@pytest.mark.postgres
def test_a_model_is_created_and_a_run_registered_on_the_pages(client_for, project, mia, ravi):
    client = client_for(mia)
    answer = client.post(
        reverse("catalog:new"),
        {"project": project.uuid, "name": "Intents", "slug": "intents", "purpose": "Route."},
    )
    model = RegisteredModel.objects.get()
    assert answer["Location"] == reverse("catalog:model", args=[model.uuid])

    run = registry.make_trained_run(registry.make_snapshot(project, ravi), mia)
    page = reverse("catalog:register", args=[model.uuid])
    assert 'value="1.0.0"' in client.get(page).content.decode()
    bad = client.post(page, {"run": run.uuid, "semver": "one"})
    assert (bad.status_code, list(bad.context["form"].errors)) == (422, ["semver"])
    assert 'id="id_semver_error"' in bad.content.decode()
    assert client.post(page, {"run": run.uuid, "semver": "1.0.0", "limits": "English."}).status_code == 302
    run_ok("default")

    assert ModelVersion.objects.get().cards.get().stated == {"purpose": "Route.", "limits": "English."}
    html = client.get(reverse("catalog:model", args=[model.uuid])).content.decode()
    assert "1.0.0" in html
    made = client.post(
        reverse("catalog:new_endpoint", args=[model.uuid]),
        {"slug": "inbox", "environment": "production", "keep_text": "on"},
    )
    assert (made.status_code, Endpoint.objects.get().slug) == (302, "inbox")


@pytest.mark.parametrize("headers", [{}, {"HTTP_HX_REQUEST": "true"}])
def test_the_version_page_shows_thread_card_and_files(client_for, version, aida, headers):
    html = client_for(aida).get(reverse("catalog:version", args=[version.uuid]), **headers).content.decode()

    assert version.root_digest in html
    assert "adapter_model.safetensors" in html
    assert "Route support messages." in html
    assert ("<html" in html) is not bool(headers)


@pytest.mark.postgres
def test_a_verification_shows_when(client_for, version, aida):
    client, page = client_for(aida), reverse("catalog:version", args=[version.uuid])
    assert 'data-checked="never"' in client.get(page).content.decode()

    client.post(reverse("catalog:verify", args=[version.uuid]))
    run_ok("default")

    assert 'data-checked="valid"' in client.get(page).content.decode()


URLS = [("model", "get"), ("register", "get"), ("new_endpoint", "get")]
VERSION_URLS = [
    ("version", "get"),
    ("edit_card", "get"),
    ("verify", "post"),
    ("quarantine", "post"),
    ("export", "get"),
    ("export", "post"),
]


@pytest.mark.parametrize(("name", "method"), URLS + VERSION_URLS)
def test_strangers_find_nothing(client_for, version, otto, name, method):
    subject = version if (name, method) in VERSION_URLS else version.model

    answer = getattr(client_for(otto), method)(reverse(f"catalog:{name}", args=[subject.uuid]))

    assert answer.status_code == 404
    assert ModelVersion.objects.get().state == "active"


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("register", "get"),
        ("new_endpoint", "get"),
        ("edit_card", "get"),
        ("quarantine", "post"),
        ("export", "get"),
        ("export", "post"),
    ],
)
def test_an_auditor_may_look_but_not_do(client_for, version, aida, name, method):
    subject = version if (name, method) in VERSION_URLS else version.model

    assert (
        getattr(client_for(aida), method)(reverse(f"catalog:{name}", args=[subject.uuid])).status_code == 403
    )


@pytest.mark.postgres
def test_a_quarantine_is_typed(client_for, version, lee):
    page = reverse("catalog:quarantine", args=[version.uuid])

    assert client_for(lee).post(page, {"reason": "Fault.", "typed": "1.0"}).status_code == 422
    assert ModelVersion.objects.get().state == "active"
    assert client_for(lee).post(page, {"reason": "Fault.", "typed": "1.0.0"}).status_code == 302
    assert ModelVersion.objects.get().state == "quarantined"


def asked(client, page) -> int:
    with CaptureQueriesContext(connection) as found:
        assert client.get(page).status_code == 200
    return len(found)


def test_lists_ask_the_same_for_one_and_for_thirty(client_for, project, version, mia):
    client, page = client_for(mia), reverse("catalog:list")
    client.get(page)
    one = asked(client, page)
    RegisteredModel.objects.bulk_create(
        RegisteredModel(project=project, name=f"Model {n}", slug=f"model-{n}", owner=mia) for n in range(29)
    )

    assert asked(client, page) == one


@pytest.mark.postgres
def test_the_catalog_over_rest(version, mia, otto):
    _, secret = create_token(user=mia, name="robot", scopes=["read", "request"], days=1)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")

    listed = client.get(f"/api/v1/models/{version.model.uuid}/versions/").json()
    assert [row["semver"] for row in listed["results"]] == ["1.0.0"]
    assert client.get(f"/api/v1/versions/{version.uuid}/").json()["root_digest"] == version.root_digest
    assert client.get(f"/api/v1/versions/{version.uuid}/card/").json()["revision"] == 1
    again = client.post(
        f"/api/v1/models/{version.model.uuid}/versions/",
        {"run": str(version.run.uuid), "semver": "1.1.0"},
        format="json",
    )
    assert (again.status_code, again.json()["code"]) == (422, "refused")
    client.credentials()
    client.force_login(otto)
    assert client.get(f"/api/v1/versions/{version.uuid}/").status_code == 404


def test_another_run_starts_from_an_active_version_by_those_who_train(client_for, version, mia, aida):
    page, link = reverse("catalog:version", args=[version.uuid]), f"/runs/{version.run.uuid}/#train-on"

    assert link in client_for(mia).get(page).content.decode()
    assert link not in client_for(aida).get(page).content.decode()
    ModelVersion.objects.filter(pk=version.pk).update(state=ModelVersion.State.QUARANTINED)
    assert link not in client_for(mia).get(page).content.decode()
