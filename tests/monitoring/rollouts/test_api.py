"""Rollouts over REST: the same actions and refusals as the pages."""

import pytest
from rest_framework.test import APIClient

from monitoring.rollouts.models import Rollout

PLAN = {
    "steps": [5000, 10_000],
    "min_requests": 100,
    "min_minutes": 10,
    "margin": 0.05,
    "rise": 0.2,
    "max_hours": 24,
}


@pytest.fixture
def api_for():
    def make(user):
        client = APIClient()
        client.force_authenticate(user)
        return client

    return make


@pytest.fixture
def approval(street, version):
    """An approved request for 1.1.0 by PLAN."""
    return street.approved(version, **PLAN | {"steps": tuple(PLAN["steps"]), "warm_up": 20})


@pytest.mark.postgres
def test_forecast_start_read_steer_and_abort(api_for, foretold, street, approval, mia, omar, fresh):
    client = api_for(mia)

    forecast = client.post(
        f"/api/v1/endpoints/{street.endpoint.uuid}/rollouts/forecast/", PLAN, format="json"
    ).json()
    assert (forecast["requests_per_hour"], forecast["problem"], forecast["steps"][0]["share"]) == (
        400.0,
        "",
        5000,
    )
    shadowed = PLAN | {"shadow_disagreement": 0.1, "version": str(approval.version.uuid)}
    problem = client.post(
        f"/api/v1/endpoints/{street.endpoint.uuid}/rollouts/forecast/", shadowed, format="json"
    ).json()["problem"]
    assert problem.endswith(
        "not measured: this version didn't run as a shadow before the canary. Run it as a shadow first."
    )
    answer = client.post("/api/v1/rollouts/", {"request": str(approval.uuid)}, format="json")
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert (made["state"], made["share"], made["moves"], made["semver"], made["baseline_semver"]) == (
        "running",
        5000,
        0,
        "1.1.0",
        "1.0.0",
    )
    assert made["plan"]["steps"] == [5000, 10_000]

    found = client.get(f"/api/v1/rollouts/{made['uuid']}/").json()
    assert (found["decision"], found["why"], found["next_share"]) == (
        "continue",
        "100 canary requests: 0.",
        10_000,
    )
    assert found["canary"] == {"requests": 0, "units": 0, "errors": 0, "slow": 0, "wrong": 0}
    assert found["e_values"] == {"errors": 0.0, "slow": 0.0, "wrong": 0.0}
    assert len(found["conditions"]) == 7
    assert [row["uuid"] for row in client.get("/api/v1/rollouts/?state=running").json()["results"]] == [
        made["uuid"]
    ]
    assert client.get("/api/v1/rollouts/?state=aborted").json() == {"results": [], "before": None}

    assert (
        client.post(f"/api/v1/rollouts/{made['uuid']}/pause/", {"seen": 0}, format="json").json()["state"]
        == "paused"
    )
    assert (
        client.post(f"/api/v1/rollouts/{made['uuid']}/resume/", {"seen": 1}, format="json").json()["state"]
        == "running"
    )
    assert (
        client.post(f"/api/v1/rollouts/{made['uuid']}/resume/", {"seen": 1}, format="json").status_code == 409
    )
    assert (
        client.post(f"/api/v1/rollouts/{made['uuid']}/widen/", {"seen": 2}, format="json").status_code == 422
    )
    words = {"seen": 2, "reason": "Complaints.", "typed": "1.0.0"}
    ended = api_for(omar).post(f"/api/v1/rollouts/{made['uuid']}/abort/", words, format="json").json()
    assert (ended["state"], ended["reason"], ended["ended_by"]) == ("aborted", "Complaints.", str(omar.uuid))


def test_looks_are_listed_newest_first(api_for, begun, street, lee):
    rollout = begun(min_requests=2000, max_hours=720)
    street.feed(1, canary=(120, 1), stable=(400, 9))
    street.tick(3)
    street.feed(4, canary=(20, 0), stable=(380, 1))
    street.tick(5)

    rows = api_for(lee).get(f"/api/v1/rollouts/{rollout.uuid}/looks/").json()["results"]

    assert [row["canary"]["units"] for row in rows] == [140, 120]
    assert rows[0]["low"] < rows[0]["difference"] < rows[0]["high"]
    assert (rows[0]["share"], rows[0]["decision"]) == (500, "continue")


@pytest.mark.parametrize(
    "change",
    [
        {"steps": [500]},
        {"margin": 0},
        {"min_requests": "x"},
        {"alphas": {"errors": 0.9}},
        {"version": "x"},
        {"steps": None},
    ],
)
def test_senseless_plans_are_refused_by_field(api_for, street, mia, change):
    answer = api_for(mia).post(
        f"/api/v1/endpoints/{street.endpoint.uuid}/rollouts/forecast/", PLAN | change, format="json"
    )

    assert answer.status_code in (400, 422)
    assert set(answer.json()["fields"]) == set(change)


def test_without_a_request_no_rollout_starts(api_for, foretold, approval, mia):
    for body in ({}, {"request": "x"}, {"request": str(approval.version.uuid)}):
        answer = api_for(mia).post("/api/v1/rollouts/", body, format="json")
        assert (answer.status_code in (400, 422), set(answer.json()["fields"])) == (True, {"request"})
    assert not Rollout.objects.exists()


def test_only_who_may_start_asks_for_a_forecast(api_for, foretold, street, ana, aida, mia, omar):
    path = f"/api/v1/endpoints/{street.endpoint.uuid}/rollouts/forecast/"

    assert [api_for(who).post(path, PLAN, format="json").status_code for who in (ana, aida, mia, omar)] == [
        403,
        403,
        200,
        200,
    ]


def test_a_stranger_finds_nothing(api_for, rollout, street, otto, approval):
    client = api_for(otto)

    assert client.get("/api/v1/rollouts/").json()["results"] == []
    assert client.get(f"/api/v1/rollouts/{rollout.uuid}/").status_code == 404
    assert client.get(f"/api/v1/rollouts/{rollout.uuid}/looks/").status_code == 404
    assert (
        client.post(
            f"/api/v1/endpoints/{street.endpoint.uuid}/rollouts/forecast/", PLAN, format="json"
        ).status_code
        == 404
    )
    for step in ("pause", "resume", "widen", "abort"):
        assert (
            client.post(f"/api/v1/rollouts/{rollout.uuid}/{step}/", {"seen": 0}, format="json").status_code
            == 404
        )
    assert client.post("/api/v1/rollouts/", {"request": str(approval.uuid)}, format="json").status_code == 422
    assert Rollout.objects.count() == 1
