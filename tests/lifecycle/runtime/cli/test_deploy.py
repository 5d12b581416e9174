"""Approved versions are deployed, at once or as a canary, and rolled back."""

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


def test_deploying_goes_live_and_prints_how_to_roll_back(as_person, omar, endpoint, approved):
    result = as_person(omar)("endpoints", "deploy", str(approved.number))

    assert (result.code, result.err) == (0, "")
    assert (
        result.out == "1.2.0 is live on inbox/support-inbox-prod. "
        "Roll back: lifecycle endpoints roll-back inbox/support-inbox-prod --to 1.1.0 --reason …\n"
    )
    assert live(endpoint) == "1.2.0"


def test_as_json_it_is_the_deployment(as_person, omar, endpoint, approved):
    result = as_person(omar)("endpoints", "deploy", str(approved.uuid), "--json")

    assert (result.code, result.err) == (0, "")
    assert (result.json["semver"], result.json["arm"], result.json["share"]) == ("1.2.0", "stable", 10_000)


def test_an_approval_is_used_once(as_person, omar, endpoint, approved):
    command = as_person(omar)
    command("endpoints", "deploy", str(approved.number))

    result = command("endpoints", "deploy", str(approved.number))

    assert (result.code, result.out) == (1, "")
    assert result.err
    assert Deployment.objects.filter(endpoint=endpoint).count() == 3


def test_an_unapproved_request_is_not_deployed(as_person, omar, project, mia, ravi, endpoint):
    version = registry.make_version(
        project, mia, ravi, model=endpoint.model, semver="1.2.0", snapshot=endpoint.alias.version.run.snapshot
    )
    request = registry.asked_request(version, endpoint, mia)

    result = as_person(omar)("endpoints", "deploy", str(request.number))

    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("This endpoint has no such approval.")
    assert live(endpoint) == "1.1.0"


def test_deploying_without_the_role_names_the_role(as_person, ana, endpoint, approved):
    result = as_person(ana)("endpoints", "deploy", str(approved.number))

    assert (result.code, result.err) == (1, "Only an ML engineer, an ML lead or an on-call can do this.\n")
    assert live(endpoint) == "1.1.0"


def test_status_shows_the_live_version_and_the_config_of_each_server(as_person, omar, endpoint, site):
    published = actions.publish()
    endpoints.write_status(epoch=published)
    endpoints.write_status(name="b", epoch=published - 1, problem="")

    result = as_person(omar)("endpoints", "status", endpoint.slug)

    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
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
    result = as_person(omar)("endpoints", "status", endpoint.slug, "--json")

    assert (result.json["live"], result.json["rollback_to"]) == (str(endpoint.alias.version.uuid), "1.0.0")
    assert [(arm["arm"], arm["semver"]) for arm in result.json["arms"]] == [("stable", "1.1.0")]


def test_rolling_back_takes_the_typed_version_and_keeps_the_reason(as_person, omar, endpoint):
    result = as_person(omar)(
        "endpoints", "roll-back", endpoint.slug, "--to", "1.0.0", "--reason", "Refunds are misread."
    )

    now = Deployment.objects.get(endpoint=endpoint, ended_at=None)
    assert (result.code, result.out, result.err) == (
        0,
        "1.0.0 is live on inbox/support-inbox-prod again.\n",
        "",
    )
    assert (now.version.semver, now.cause, now.reason) == ("1.0.0", "rollback", "Refunds are misread.")


def test_the_wrong_version_typed_changes_nothing(as_person, omar, endpoint):
    result = as_person(omar)(
        "endpoints", "roll-back", endpoint.slug, "--to", "1.1.0", "--reason", "Refunds are misread."
    )

    assert (result.code, result.out) == (1, "")
    assert "1.0.0" in result.err
    assert live(endpoint) == "1.1.0"


def test_a_roll_back_without_a_reason_is_a_usage_error(as_person, omar, endpoint):
    result = as_person(omar)("endpoints", "roll-back", endpoint.slug, "--to", "1.0.0")

    assert (result.code, result.out) == (2, "")
    assert "--reason" in result.err
    assert live(endpoint) == "1.1.0"


def test_an_engineer_rolls_nothing_back(as_person, mia, endpoint):
    result = as_person(mia)(
        "endpoints", "roll-back", endpoint.slug, "--to", "1.0.0", "--reason", "Refunds are misread."
    )

    assert (result.code, result.err) == (1, "Only an ML lead or an on-call can do this.\n")
    assert live(endpoint) == "1.1.0"


def test_an_endpoint_of_others_is_one_that_is_not_there(as_person, otto, endpoint):
    result = as_person(otto)("endpoints", "status", endpoint.slug)

    assert (result.code, result.err) == (
        1,
        (
            "There is no endpoint support-inbox-prod, or you don't have access. Check its name, and whose"
            " token this is: lifecycle whoami\n"
        ),
    )
