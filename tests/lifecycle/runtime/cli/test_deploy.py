"""What is approved goes live, at once or by shares; and back."""

from __future__ import annotations

import pytest

from registry.catalog.models import Endpoint
from registry.endpoints import actions
from registry.endpoints.models import Deployment
from tests.support import endpoints, registry


@pytest.fixture
def endpoint(live_endpoint, omar):
    """1.0.0 was live, 1.1.0 is."""
    actions.deploy(request_id=endpoints.with_approval(live_endpoint).uuid, actor=omar)
    return Endpoint.objects.get()


@pytest.fixture
def approved(endpoint):
    """1.2.0 is approved."""
    return endpoints.with_approval(endpoint)


def live(endpoint):
    return Deployment.objects.get(endpoint=endpoint, arm="stable", ended_at=None).version.semver


def test_deploying_brings_it_live_and_says_the_way_back(as_person, omar, endpoint, approved):
    said = as_person(omar)("endpoints", "deploy", str(approved.number))

    assert (said.code, said.err) == (0, "")
    assert said.out == (
        "1.2.0 is live on inbox/support-inbox-prod. "
        "Roll back: lifecycle endpoints roll-back inbox/support-inbox-prod --to 1.1.0 --reason …\n"
    )
    assert live(endpoint) == "1.2.0"


def test_as_json_it_is_the_deployment(as_person, omar, endpoint, approved):
    said = as_person(omar)("endpoints", "deploy", str(approved.uuid), "--json")

    assert (said.code, said.err) == (0, "")
    assert (said.json["semver"], said.json["arm"], said.json["share"]) == ("1.2.0", "stable", 10_000)


def test_an_approval_is_used_once(as_person, omar, endpoint, approved):
    command = as_person(omar)
    command("endpoints", "deploy", str(approved.number))

    said = command("endpoints", "deploy", str(approved.number))

    assert (said.code, said.out) == (1, "")
    assert said.err
    assert Deployment.objects.filter(endpoint=endpoint).count() == 3


def test_what_is_not_approved_is_not_deployed(as_person, omar, project, mia, ravi, endpoint):
    version = registry.make_version(project, mia, ravi, model=endpoint.model, semver="1.2.0", snapshot=endpoint.alias.version.run.snapshot)
    asked = registry.asked_request(version, endpoint, mia)

    said = as_person(omar)("endpoints", "deploy", str(asked.number))

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("This endpoint has no such approval.")
    assert live(endpoint) == "1.1.0"


def test_who_may_not_deploy_is_told_who_may(as_person, ana, endpoint, approved):
    said = as_person(ana)("endpoints", "deploy", str(approved.number))

    assert (said.code, said.err) == (1, "Only an ML engineer, an ML lead or an on-call can do this.\n")
    assert live(endpoint) == "1.1.0"


def test_status_says_what_answers_and_how_far_the_servers_are(as_person, omar, endpoint, site):
    published = actions.publish()
    endpoints.write_status(epoch=published)
    endpoints.write_status(name="b", epoch=published - 1, problem="")

    said = as_person(omar)("endpoints", "status", endpoint.slug)

    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[:4] == [
        "Endpoint       inbox/support-inbox-prod (production)",
        "Live           1.1.0",
        "Rolls back to  1.0.0",
        f"Config         v{published}",
    ]
    assert sum("up to date" in line for line in lines) == 1
    assert f"Server b       still at config v{published - 1}" in lines
    assert lines[-1] == f"Page           {site}/endpoints/{endpoint.uuid}/"


def test_status_as_json_has_the_live_version(as_person, omar, endpoint):
    said = as_person(omar)("endpoints", "status", endpoint.slug, "--json")

    assert (said.json["live"], said.json["rollback_to"]) == (str(endpoint.alias.version.uuid), "1.0.0")
    assert [(arm["arm"], arm["semver"]) for arm in said.json["arms"]] == [("stable", "1.1.0")]


def test_rolling_back_takes_the_typed_version_and_keeps_the_reason(as_person, omar, endpoint):
    said = as_person(omar)("endpoints", "roll-back", endpoint.slug, "--to", "1.0.0", "--reason", "Refunds are misread.")

    now = Deployment.objects.get(endpoint=endpoint, ended_at=None)
    assert (said.code, said.out, said.err) == (0, "1.0.0 is live on inbox/support-inbox-prod again.\n", "")
    assert (now.version.semver, now.cause, now.reason) == ("1.0.0", "rollback", "Refunds are misread.")


def test_the_wrong_version_typed_changes_nothing(as_person, omar, endpoint):
    said = as_person(omar)("endpoints", "roll-back", endpoint.slug, "--to", "1.1.0", "--reason", "Refunds are misread.")

    assert (said.code, said.out) == (1, "")
    assert "1.0.0" in said.err
    assert live(endpoint) == "1.1.0"


def test_a_roll_back_without_a_reason_is_a_mistake_in_the_call(as_person, omar, endpoint):
    said = as_person(omar)("endpoints", "roll-back", endpoint.slug, "--to", "1.0.0")

    assert (said.code, said.out) == (2, "")
    assert "--reason" in said.err
    assert live(endpoint) == "1.1.0"


def test_an_engineer_rolls_nothing_back(as_person, mia, endpoint):
    said = as_person(mia)("endpoints", "roll-back", endpoint.slug, "--to", "1.0.0", "--reason", "Refunds are misread.")

    assert (said.code, said.err) == (1, "Only an ML lead or an on-call can do this.\n")
    assert live(endpoint) == "1.1.0"


def test_an_endpoint_of_others_is_one_that_is_not_there(as_person, otto, endpoint):
    said = as_person(otto)("endpoints", "status", endpoint.slug)

    assert (said.code, said.err) == (
        1, "There is no endpoint support-inbox-prod, or you don't have access. Check its name, and whose token this is: lifecycle whoami\n"
    )  # fmt: skip
