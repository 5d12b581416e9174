"""A run is registered as a version and its promotion requested; people decide, never a token."""

from __future__ import annotations

import pytest

from lifecycle.runtime.cli.client import ApiRefusal, Client
from registry.catalog.models import ModelVersion
from registry.promotions.models import PromotionRequest
from tests.support import registry
from tests.support.people import PASSWORD


@pytest.fixture
def snapshot(project, ravi):
    return registry.make_snapshot(project, ravi)


@pytest.fixture
def model(project, mia):
    return registry.make_model(project, mia)


@pytest.fixture
def version(project, mia, ravi, model, snapshot):
    return registry.make_version(project, mia, ravi, model=model, snapshot=snapshot)


@pytest.fixture
def endpoint(model, mia):
    return registry.make_endpoint(model, mia, slug="support-inbox-prod")


@pytest.fixture
def promotion(version, endpoint, mia, lee, gita):
    """The request is in review."""
    return registry.asked_request(version, endpoint, mia)


def test_a_registered_run_prints_its_digest(as_person, mia, model, snapshot):
    run = registry.make_trained_run(snapshot, mia)

    result = as_person(mia)(
        "models",
        "register",
        str(run.number),
        f"{model.slug}@1.2.0",
        "--purpose",
        "Route messages.",
        "--limits",
        "English.",
        "--risks",
        "Delay.",
    )

    version = ModelVersion.objects.get()
    assert result.code == 0, result.err
    assert result.out.splitlines() == [
        f"Run {run.number} is registered as {model.slug}@1.2.0.",
        f"Root digest  {version.root_digest}",
        f"Next: lifecycle promotions request {model.slug}@1.2.0 --endpoint ENDPOINT",
    ]
    assert (version.run, version.semver, version.cards.get().stated["limits"]) == (run, "1.2.0", "English.")


def test_a_taken_version_number_is_refused(as_person, mia, model, version, snapshot):
    run = registry.make_trained_run(snapshot, mia)

    result = as_person(mia)("models", "register", str(run.number), f"{model.slug}@1.0.0")

    assert (result.code, result.out) == (1, "")
    assert "1.0.0" in result.err
    assert ModelVersion.objects.count() == 1


def test_a_version_is_written_with_its_model(as_person, mia):
    result = as_person(mia)("models", "register", "1", "1.2.0")

    assert (result.code, result.err) == (
        2,
        "'1.2.0' isn't a version. Write MODEL@VERSION, such as support-inbox@1.2.0.\n",
    )


def test_promoting_waits_for_the_gates_and_prints_who_decides(
    as_person, mia, lee, gita, version, endpoint, site
):
    result = as_person(mia)(
        "promotions", "request", "1.0.0", "--endpoint", endpoint.slug, "--note", "Better on refunds."
    )

    request = PromotionRequest.objects.get()
    lines = result.out.splitlines()
    assert (result.code, result.waits) == (0, [2.0]), result.err
    assert lines[0] == f"Request {request.number}: 1.0.0 to inbox/support-inbox-prod"
    assert lines[1].split() == ["GATE", "STATUS", "VALUE", "LIMIT"]
    assert lines[-2:] == [
        (
            "Approvals are given by people with their password, never by a token. They review it on"
            f" {site}/promotions/{request.uuid}/"
        ),
        f"Then: lifecycle endpoints deploy {request.number}",
    ]
    assert (request.status, request.note, request.requester) == ("in_review", "Better on refunds.", mia)


def test_gates_that_are_not_met_are_1(
    as_person, mia, project, ravi, lee, gita, model, snapshot, endpoint, site
):
    registry.make_version(project, mia, ravi, model=model, snapshot=snapshot, semver="1.1.0", wrong=140)

    result = as_person(mia)("promotions", "request", f"{model.slug}@1.1.0", "--endpoint", endpoint.slug)

    request = PromotionRequest.objects.get()
    assert result.code == 1
    assert " failed " in result.out.splitlines()[2]  # failed gates first
    assert (
        result.out.splitlines()[-1]
        == f"Fix the failures, then re-run the gates on {site}/promotions/{request.uuid}/"
    )
    assert request.status == "draft"


def test_promote_as_json_is_the_request(as_person, mia, lee, gita, version, endpoint):
    result = as_person(mia)("promotions", "request", "1.0.0", "--endpoint", endpoint.slug, "--json")

    assert (result.code, result.err) == (0, "")
    assert (result.json["status"], result.json["version"]) == ("in_review", str(version.uuid))


@pytest.mark.parametrize("word", ["approve", "reject"])
def test_no_token_decides_and_the_command_prints_where_a_person_does(as_person, promotion, lee, site, word):
    result = as_person(lee)("promotions", word, str(promotion.number))

    promotion.refresh_from_db()
    assert (result.code, result.out) == (1, "")
    assert (
        result.err
        == "Approvals and rejections are given by people, signed in and with their password, never by a"
        " token. "
        f"Decide on {site}/promotions/{promotion.uuid}/\n"
    )
    assert (promotion.status, promotion.verdicts.count()) == ("in_review", 0)


def test_the_server_accepts_no_approval_by_token(site, token, promotion, lee):
    body = {"reason": "Better.", "password": PASSWORD, "seen": promotion.subject_digest}

    with pytest.raises(ApiRefusal, match="API tokens can't do this") as refused:
        Client(site, token(lee), prefix="/api/v1").post(f"/promotions/{promotion.uuid}/approve/", body)

    promotion.refresh_from_db()
    assert refused.value.status == 403
    assert (promotion.status, promotion.verdicts.count()) == ("in_review", 0)


def test_promoting_without_the_role_names_the_role(as_person, ana, version, endpoint):
    result = as_person(ana)("promotions", "request", "1.0.0", "--endpoint", endpoint.slug)

    assert (result.code, result.out) == (1, "")
    assert result.err == "Only an ML engineer or an ML lead can do this.\n"
    assert not PromotionRequest.objects.exists()
