"""A token changes what its scopes name, in its project alone; production is in no scope that it has by
another name.
"""

import json
import re

import pytest
from django.apps import apps
from django.test import Client
from django.utils import timezone

from datasets_app.datasets.actions import create_dataset
from datasets_app.datasets.models import Dataset
from lifecycle.ground.jobs.models import Job
from registry.ground.access.actions import create_project, create_token, grant
from registry.ground.access.models import ApiToken
from registry.ground.access.rest import View
from registry.ground.access.roles import Role
from registry.ground.access.scopes import Scope
from registry.ground.ledger.models import Event
from registry.ground.ledger.verbs import Verb
from tests.architecture.test_urls_have_permissions import patterns

CHANGES = ("POST", "PUT", "PATCH", "DELETE")
# What moves production, or hides how it is.
DEPLOY = {
    "alerts/<uuid:uuid>/acknowledge/", "alerts/<uuid:uuid>/resolve/", "channels/",
    "channels/<uuid:uuid>/change/", "channels/<uuid:uuid>/secret/", "channels/<uuid:uuid>/test/",
    "deployments/<uuid:uuid>/remove-fault/", "deployments/<uuid:uuid>/inject-fault/",
    "deployments/<uuid:uuid>/share/", "deployments/<uuid:uuid>/stop-canary/",
    "deployments/<uuid:uuid>/stop-shadow/", "endpoint-tokens/<uuid:uuid>/", "endpoints/<uuid:uuid>/deploy/",
    "endpoints/<uuid:uuid>/freeze/", "endpoints/<uuid:uuid>/objectives/", "endpoints/<uuid:uuid>/roll-back/",
    "endpoints/<uuid:uuid>/rollouts/forecast/", "endpoints/<uuid:uuid>/shadow/", "freezes/<uuid:uuid>/lift/",
    "objectives/<uuid:uuid>/switch/", "rollouts/", "rollouts/<uuid:uuid>/abort/",
    "rollouts/<uuid:uuid>/pause/", "rollouts/<uuid:uuid>/resume/", "rollouts/<uuid:uuid>/widen/", "silences/",
    "silences/<uuid:uuid>/end/", "versions/<uuid:uuid>/quarantine/",
}  # fmt: skip


def ask(secret: str, path: str, method: str = "get", **kwargs):
    return getattr(Client(), method)(
        f"/api/v1/{path}", headers={"Authorization": f"Bearer {secret}"}, **kwargs
    )


def changes() -> dict[str, set[str | None]]:
    """The scopes that change something at each address of the API."""
    found: dict[str, set[str | None]] = {}
    for path, part in patterns():
        view = getattr(part.callback, "view_class", None)
        if view is not None and issubclass(view, View):
            for method in CHANGES:
                if hasattr(view, method.lower()):
                    found.setdefault(path.removeprefix("api/v1/"), set()).add(view.scope_for(method))
    return found


def test_every_change_has_a_scope_or_is_for_people():
    found = changes()

    assert {path for path, scopes in found.items() if Scope.DEPLOY in scopes} == DEPLOY
    assert {path for path, scopes in found.items() if None in scopes} == {
        "projects/<uuid:uuid>/members/",
        "promotions/<uuid:uuid>/approve/",
        "promotions/<uuid:uuid>/reject/",
        "retraining/<uuid:uuid>/approve/",
        "retraining/<uuid:uuid>/decline/",
        "retraining/<uuid:uuid>/override/",
        "retraining/<uuid:uuid>/retry/",
        "role-proposals/<uuid:uuid>/confirm/",
        "role-proposals/<uuid:uuid>/end/",
    }
    assert set().union(*found.values()) == {None, *Scope} - {Scope.INFER}


def test_rooms_whose_changes_no_scope_names_refuse_a_token_whatever_the_method(mia):
    views = [
        part.callback.view_class
        for _, part in patterns()
        if issubclass(getattr(part.callback, "view_class", object), View)
    ]
    refused = [view for view in views if view.scope == "" and view.scope_for("PUT") is None]
    rooms = {apps.get_containing_app_config(view.__module__).label for view in refused}
    assert rooms == {"access", "audit", "overview", "policies", "trace"}
    _, secret = create_token(user=mia, name="robot", scopes=Scope.values, days=1)

    answers = {
        ask(secret, path, method).status_code
        for path in ("me/", "tokens/", "audit/events/")
        for method in ("post", "put", "patch")
    }

    assert answers == {403}


@pytest.mark.parametrize("scope", [each for each in Scope if each != Scope.DEPLOY])
def test_no_other_scope_rolls_back_or_quarantines(scope, lee):
    _, secret = create_token(user=lee, name="robot", scopes=[scope, "read"], days=1)

    for path in sorted(DEPLOY):
        answer = ask(
            secret,
            path.replace("<uuid:uuid>", str(lee.uuid)),
            "delete" if path.startswith("endpoint-tokens") else "post",
        )
        assert (path, answer.status_code, answer.json()["message"]) == (
            path,
            403,
            "This token lacks the scope deploy.",
        )


def test_a_new_token_reads_unless_more_is_ticked(mia, client_for):
    page = client_for(mia).get("/access/profile/").content.decode()

    offered = re.findall(r'<input[^>]*name="scopes"[^>]*>', page)
    assert len(offered) == len(Scope)
    assert [re.search(r'value="(\w+)"', box)[1] for box in offered if " checked" in box] == ["read"]


@pytest.fixture
def elsewhere(mia):
    """A second project of Mia's, and a dataset in it."""
    other = create_project(name="Other", slug="other", actor=None)
    grant(user=mia, role=Role.ENGINEER, root=other, actor=None)
    return create_dataset(project=other, actor=mia, name="Elsewhere")


@pytest.mark.postgres
def test_a_token_of_one_project_opens_no_other(project, mia, elsewhere):
    here = create_dataset(project=project, actor=mia, name="Here")
    Job.objects.create(
        kind="demo.seed", project=elsewhere.project, created_by=mia, available_at=timezone.now()
    )
    _, limited = create_token(user=mia, name="robot", scopes=["read", "label"], days=1, project=project)
    _, whole = create_token(user=mia, name="robot", scopes=["read", "label"], days=1)

    assert [row["uuid"] for row in ask(limited, "projects/").json()] == [str(project.uuid)]
    assert list(ask(limited, "me/").json()["roles"]) == [str(project.uuid)]
    assert [row["uuid"] for row in ask(limited, "datasets/").json()["results"]] == [str(here.uuid)]
    assert ask(limited, "jobs/").json()["results"] == []
    assert len(ask(whole, "jobs/").json()["results"]) == 1
    path = f"datasets/{elsewhere.uuid}/"
    assert (ask(limited, path).status_code, ask(whole, path).status_code) == (404, 200)
    wanted = {"project": str(elsewhere.project.uuid), "name": "New", "task": "single_label"}
    assert ask(limited, "datasets/", "post", data=wanted, content_type="application/json").status_code in (
        400,
        403,
        404,
        422,
    )
    assert Dataset.objects.filter(project=elsewhere.project).count() == 1


def test_a_token_of_one_project_reads_no_trail_of_the_installation(project, aida, adam):
    for person in (aida, adam):
        _, secret = create_token(user=person, name="robot", scopes=["read"], days=1, project=project)

        found = ask(secret, "audit/events/").json()["results"]
        assert {event["project"] for event in found} <= {str(project.uuid)}
    assert [row["uuid"] for row in ask(secret, "projects/").json()] == [str(project.uuid)]


def test_the_page_limits_a_token_to_a_project_of_ones_own(project, elsewhere, ana, client_for):
    answer = client_for(ana).post(
        "/access/tokens/create/",
        {"name": "x", "scopes": ["read"], "days": 1, "project": elsewhere.project.uuid},
    )
    again = Client()
    again.cookies = answer.client.cookies
    again.post(answer["Location"], {"password": "correct horse battery"})

    assert not ApiToken.objects.exists()


def test_an_admin_sees_tokens_of_others_without_their_secrets_and_ends_them(
    project, adam, mia, lee, client_for
):
    token, secret = create_token(user=mia, name="nightly", scopes=["read"], days=1, project=project)

    page = client_for(adam).get("/access/tokens/").content.decode()
    assert ("nightly" in page, secret in page, token.digest in page) == (True, False, False)
    listed = client_for(adam).get("/api/v1/tokens/?all=1").json()
    assert [(row["user"]["username"], row["project"]) for row in listed] == [("mia", str(project.uuid))]
    assert set(listed[0]) == {
        "uuid",
        "name",
        "user",
        "scopes",
        "project",
        "created_at",
        "expires_at",
        "last_used_at",
    }
    assert client_for(lee).get("/api/v1/tokens/?all=1").status_code == 403
    assert client_for(lee).delete(f"/api/v1/tokens/{token.uuid}/").status_code == 404
    assert ask(secret, "me/").status_code == 200

    assert client_for(adam).delete(f"/api/v1/tokens/{token.uuid}/").status_code == 204

    assert ask(secret, "me/").status_code == 401
    assert Event.objects.get(verb=Verb.TOKEN_REVOKED).actor == str(adam.uuid)


def test_an_admins_token_ends_no_token_of_another_and_anyones_ends_their_own(adam, mia):
    token, secret = create_token(user=mia, name="nightly", scopes=["read"], days=1)
    _, admins = create_token(user=adam, name="robot", scopes=Scope.values, days=1)

    assert ask(admins, f"tokens/{token.uuid}/", "delete").status_code == 404
    assert ask(secret, f"tokens/{token.uuid}/", "delete").status_code == 204
    assert ask(secret, "me/").status_code == 401
    ended = Event.objects.get(verb=Verb.TOKEN_REVOKED)
    assert (ended.actor, json.loads(ended.canonical)["payload"]["token"]) == (str(mia.uuid), str(token.uuid))
