"""Injected faults: applied only by a server started for drills, only while they are signed and haven't
expired.
"""

import pytest
from starlette.testclient import TestClient

from lifecycle.runtime import bundle
from lifecycle.runtime.inference import answering
from lifecycle.runtime.inference.app import Server
from lifecycle.runtime.inference.config import Config
from tests.inference.conftest import follow
from tests.inference.models import ask, auth, deployment_of, endpoint

STABLE, CANARY = deployment_of("stable-1"), deployment_of("canary-1")
LATER = "2999-01-01T00:00:00+00:00"


def fault(deployment=STABLE, **changed):
    return {
        "deployment": deployment,
        "kind": "error",
        "share": 10_000,
        "delay_ms": 0,
        "until": LATER,
    } | changed


@pytest.fixture
def drilled(installation, root):
    """A server for drills, and a client on it."""
    made = Server(Config(data_dir=installation.folder, drills=True))
    made.router.start = lambda: None
    with TestClient(made.application()) as client:
        follow(made)
        yield made, client


def post(client, key="k"):
    return client.post("/v2/models/support/infer", json=ask("card"), headers=auth() | {"x-route-key": key})


def test_an_injected_error_is_a_failed_request_and_flagged_as_drill_in_the_spool(installation, drilled):
    server, client = drilled
    assert post(client).status_code == 200
    installation.plant(fault())
    server.router.poll()

    answer = post(client)

    assert answer.status_code == 500
    assert answer.json() == {"error": "The model failed on this request. The request ID is in X-Request-Id."}
    installation.plant()
    server.router.poll()
    assert post(client).status_code == 200
    server.spool.stop()
    assert [(line["code"], line.get("drill")) for line in installation.spooled()] == [
        (200, None),
        (500, "error"),
        (200, None),
    ]


def test_a_planted_delay_waits_before_the_run(installation, drilled, monkeypatch):
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    server, client = drilled
    monkeypatch.setattr(answering.asyncio, "sleep", sleep)
    installation.plant(fault(kind="slow", delay_ms=750))
    server.router.poll()

    assert post(client).status_code == 200
    assert waited == [0.75]


def test_only_the_named_deployment_suffers(installation, drilled, root):
    server, client = drilled
    installation.publish(support=endpoint(root, canary=root, share=5_000))
    follow(server)
    installation.plant(fault(CANARY))
    server.router.poll()

    answers = [post(client, f"k{number}") for number in range(18)]

    arms = ["canary" if each.status_code == 500 else "stable" for each in answers]
    assert arms == [answers[at].headers.get("x-arm", "canary") for at in range(18)]
    assert set(arms) == {"stable", "canary"}


def test_a_drill_on_a_canary_trips_the_guard(installation, drilled, root):
    server, client = drilled
    installation.publish(support=endpoint(root, canary=root, share=9_999))
    follow(server)
    installation.plant(fault(CANARY))
    server.router.poll()

    codes = [post(client, f"k{number}").status_code for number in range(30)]

    assert codes == [500] * 10 + [200] * 20
    assert installation.status()["guard"] == [{"deployment": CANARY, "failures": 10, "of": 10}]


def test_a_share_of_the_requests_suffers_whichever_arm_they_fell_to(installation, drilled):
    server, client = drilled
    installation.plant(fault(share=5_000))
    server.router.poll()

    failed = [post(client).status_code for _ in range(60)].count(500)

    assert 5 < failed < 55  # binomial of 60 at a half: beyond these bounds 1 in 10^10


def test_a_fault_runs_out_by_itself(installation, drilled):
    server, client = drilled
    installation.plant(fault(until="2020-01-01T00:00:00+00:00"))
    server.router.poll()

    assert post(client).status_code == 200


def test_a_server_that_was_not_started_for_drills_does_not_even_look(client, server, installation):
    installation.plant(fault())
    server.router.poll()

    assert post(client).status_code == 200
    assert installation.status()["drills"] is False


def spoilt(installation, kind):
    path = installation.serving / "faults.json"
    if kind == "a forger's":
        bundle.generate_key(installation.folder / "forger.pem")
        installation.plant(fault(), key=installation.folder / "forger.pem")
    elif kind == "no JSON":
        path.write_bytes(b"{")
    elif kind == "the routes":
        path.write_bytes((installation.serving / "routes.json").read_bytes())
    else:
        installation.plant(fault(), fault(CANARY, **kind))


@pytest.mark.parametrize(
    "kind",
    [
        "a forger's",
        "no JSON",
        "the routes",
        {"kind": "crash"},
        {"share": 0},
        {"share": "1"},
        {"delay_ms": 30_001},
        {"until": "x"},
    ],
)
def test_an_invalid_document_injects_nothing_and_is_reported(installation, drilled, kind):
    server, client = drilled
    installation.plant(fault())
    server.router.poll()
    assert post(client).status_code == 500
    spoilt(installation, kind)
    server.router.poll()

    assert post(client).status_code == 200
    status = installation.status()
    assert status["problem"].startswith("The injected-faults document was ignored: ")
    assert status["drills"] is True
    installation.plant()
    server.router.poll()
    assert installation.status()["problem"] == ""
