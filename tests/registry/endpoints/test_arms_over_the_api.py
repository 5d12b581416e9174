"""Canaries, shadows and drills over the API: the same actions and refusals as the pages."""

import pytest
from rest_framework.test import APIClient

from registry.endpoints.models import Fault
from registry.endpoints.queries import deployments
from tests.support import endpoints


@pytest.fixture
def api(live_endpoint, omar):
    made = APIClient()
    made.force_authenticate(omar)
    return made


def running(endpoint):
    return [(row.arm, row.version.semver, row.share) for row in deployments.serving(endpoint).order_by("id")]


def post(api, path, **body):
    answer = api.post(f"/api/v1/{path}/", body, format="json")
    return answer.status_code, answer.json()


@pytest.fixture
def canary(by_hand, live_endpoint, api):
    status, made = post(api, f"endpoints/{live_endpoint.uuid}/deploy", request=str(by_hand.uuid), share=500)
    assert (status, made["arm"], made["share"], made["approval"]) == (201, "canary", 500, str(by_hand.uuid))
    return made["uuid"]


def test_a_canary_is_widened_and_stopped(api, live_endpoint, canary):
    status, wider = post(api, f"deployments/{canary}/share", share=2_500, reason="It held.", seen_moves=2)
    assert (status, wider["share"], wider["semver"]) == (201, 2_500, "1.2.0")
    assert post(api, f"deployments/{canary}/share", share=5_000, reason="More.")[0] == 409
    assert (
        post(api, f"deployments/{wider['uuid']}/share", share=5_000, reason="More.", seen_moves=0)[0] == 409
    )
    assert post(api, f"deployments/{wider['uuid']}/share", share=5_000)[0] == 422
    assert post(api, f"deployments/{wider['uuid']}/share", share=0)[0] == 400
    assert running(live_endpoint)[1] == ("canary", "1.2.0", 2_500)

    assert post(api, f"deployments/{wider['uuid']}/stop-canary", reason="")[0] == 400
    status, ended = post(api, f"deployments/{wider['uuid']}/stop-canary", reason="Errors.")

    assert (status, ended["end_reason"]) == (200, "Errors.")
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000)]


def test_at_ten_thousand_it_is_live(api, live_endpoint, canary):
    status, made = post(api, f"deployments/{canary}/share", share=10_000, reason="It held.")

    assert (status, made["arm"], made["share"]) == (201, "stable", 10_000)
    assert running(live_endpoint) == [("stable", "1.2.0", 10_000)]


def test_a_shadow_is_started_and_stopped(api, live_endpoint, version):
    status, made = post(api, f"endpoints/{live_endpoint.uuid}/shadow", version=str(version.uuid), share=100)
    assert (status, made["arm"], made["approval"]) == (201, "shadow", None)
    assert post(api, f"endpoints/{live_endpoint.uuid}/shadow", version=str(version.uuid))[0] == 409
    assert post(api, f"endpoints/{live_endpoint.uuid}/shadow", version="x")[0] == 400

    assert post(api, f"deployments/{made['uuid']}/stop-shadow")[0] == 200
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000)]


@pytest.mark.postgres
def test_a_drill_is_injected_and_lifted(api, live_endpoint, canary):
    assert post(api, f"deployments/{canary}/inject-fault", kind="error", share=3_000)[0] == 422
    endpoints.write_status(drills=True)
    status, made = post(api, f"deployments/{canary}/inject-fault", kind="error", share=3_000, minutes=5)
    assert (status, made["kind"], made["share"], made["delay_ms"], made["lifted_at"]) == (
        201,
        "error",
        3_000,
        0,
        None,
    )
    assert post(api, f"deployments/{canary}/inject-fault", kind="crash", share=3_000)[0] == 400

    assert post(api, f"deployments/{canary}/remove-fault")[0] == 200
    assert post(api, f"deployments/{canary}/remove-fault")[0] == 409
    assert [fault.lifted_at is not None for fault in Fault.objects.all()] == [True]


def test_the_endpoint_shows_what_runs(api, live_endpoint, canary, omar):
    endpoints.write_status(drills=True, guard=[{"deployment": canary, "failures": 10, "of": 10}])
    post(api, f"deployments/{canary}/inject-fault", kind="slow", share=100, delay_ms=50)

    arms = api.get(f"/api/v1/endpoints/{live_endpoint.uuid}/").json()["arms"]

    assert [(arm["arm"], arm["share"], arm["semver"], arm["closed"]) for arm in arms] == [
        ("stable", 9_500, "1.1.0", False),
        ("canary", 500, "1.2.0", True),
    ]
    assert (arms[0]["fault"], arms[1]["fault"]["delay_ms"], arms[1]["fault"]["injected_by"]) == (
        None,
        50,
        str(omar.uuid),
    )


PATHS = ["share", "stop-canary", "stop-shadow", "inject-fault", "remove-fault"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("person", "status"), [("otto", 404), ("ana", 403), ("aida", 403)])
def test_others_change_nothing(path, person, status, request, api, live_endpoint, canary):
    api.force_authenticate(request.getfixturevalue(person))

    assert post(api, f"deployments/{canary}/{path}", share=5_000, reason="x", kind="error")[0] == status
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000), ("canary", "1.2.0", 500)]
    assert Fault.objects.count() == 0


def test_a_deployment_in_another_arm_is_refused_and_not_lost(api, live_endpoint):
    live = deployments.live_deployment(live_endpoint)

    assert [
        post(api, f"deployments/{live.uuid}/{path}", share=5_000, reason="x")[0] for path in PATHS[:3]
    ] == [422] * 3
    assert running(live_endpoint) == [("stable", "1.1.0", 10_000)]
