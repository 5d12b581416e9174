"""Two projects each have an endpoint of one slug: what one sees, and what is published and read of it, is not
the other's.
"""

from __future__ import annotations

import httpx
import pytest

from lifecycle.runtime.inference.routing import parse_routes
from lifecycle.runtime.refusals import NotReady
from lifecycle.runtime.task_types.by_key.served import served_of
from registry.catalog.models import Endpoint
from registry.endpoints import actions, client, page, servers
from registry.endpoints.queries import reports
from registry.ground.access.actions import create_token, token_digest
from registry.ground.access.roles import Role
from tests.support import endpoints
from tests.support.people import PEOPLE, make_person, make_project


@pytest.fixture
def twin(live_endpoint) -> Endpoint:
    """Of the project claims, with the slug of the endpoint of inbox; the same people work in both."""
    claims = make_project("claims", "Claims")
    for name in ("mia", "ravi", "lee", "gita", "omar"):
        make_person(name, project=claims, role=PEOPLE[name])
    return endpoints.deployed_endpoint(claims, slug=live_endpoint.slug)


@pytest.mark.postgres
def test_both_are_published_each_with_its_own_version_and_tokens(live_endpoint, twin, omar, ana):
    _, secret = actions.create_token(endpoint_id=twin.uuid, name="sorter", days=1, actor=omar)
    _, persons = create_token(user=ana, name="trying out", scopes=["infer"], days=1)
    make_person("ana", project=twin.project, role=Role.ANALYST)
    actions.publish()

    routes = parse_routes(endpoints.routes()).endpoints

    assert {name: [arm.version for arm in each.arms] for name, each in routes.items()} == {
        each.full_name: [str(each.alias.version.uuid)] for each in (live_endpoint, twin)
    }
    opened = {
        digest: [name for name, each in routes.items() if digest in {token.digest for token in each.tokens}]
        for digest in (token_digest(secret), token_digest(persons))
    }
    assert opened == {
        token_digest(secret): ["claims/support-inbox-prod"],
        token_digest(persons): ["claims/support-inbox-prod", "inbox/support-inbox-prod"],
    }


def test_what_a_server_answers_with_is_read_of_the_endpoint_that_it_names(live_endpoint, twin):
    mine, theirs = live_endpoint.alias.version, twin.alias.version
    endpoints.write_status(
        endpoints={
            live_endpoint.full_name: {"versions": [str(mine.uuid)]},
            twin.full_name: {"versions": [str(theirs.uuid)]},
        }
    )

    (state,) = servers.server_states()

    assert state.answers == {live_endpoint.full_name: [str(mine.uuid)], twin.full_name: [str(theirs.uuid)]}
    assert page.going_on(state, live_endpoint) == f"It keeps serving {mine.semver}."
    assert page.going_on(state, twin) == f"It keeps serving {theirs.semver}."


def test_a_sentence_about_one_is_hidden_from_the_project_of_the_other(live_endpoint, twin):
    problem = "Endpoint 'claims/support-inbox-prod' of the routes document is invalid"

    assert reports.projects_named(problem) == {twin.project_id}
    assert reports.problem_for(twin.project_id, problem) == problem
    assert reports.problem_for(live_endpoint.project_id, problem) == reports.ELSEWHERE


def test_the_page_asks_under_the_full_name(live_endpoint, twin, client_for, omar, monkeypatch):
    asked = []

    def post(url, **_):
        asked.append(httpx.URL(url).path)
        return httpx.Response(503, json={"error": "No version of this model is live yet."})

    monkeypatch.setattr(client.httpx, "post", post)
    for each in (live_endpoint, twin):
        (tried,) = client.ask(each, served_of("single_label"), {"TEXT": ["Hello"]})
        assert isinstance(tried.refusal, NotReady)
        assert (
            f"/v2/models/{each.full_name}/infer"
            in client_for(omar).get(f"/endpoints/{each.uuid}/").content.decode()
        )

    assert asked == [
        "/v2/models/inbox/support-inbox-prod/infer",
        "/v2/models/claims/support-inbox-prod/infer",
    ]
    listed = client_for(omar).get("/endpoints/").content.decode()
    assert all(f">{each.full_name}</a>" in listed for each in (live_endpoint, twin))
