"""/metrics of the inference server: what it counts, and who may read it."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from starlette.testclient import TestClient

from lifecycle.runtime.inference.app import Server
from lifecycle.runtime.inference.config import Config
from lifecycle.runtime.inference.protocol import ProtocolError
from lifecycle.runtime.scraping import may_scrape
from tests.inference.conftest import follow
from tests.inference.models import ask, auth, endpoint, version_of

PREFIX = "lifecycle_inference_"


def values(client, **headers):
    """Samples by name and labels, as a scraper reads them."""
    response = client.get("/metrics", headers=auth("metrics-token") | headers)
    assert response.status_code == 200
    found = read_text(response.text)
    return {
        (sample.name.removeprefix(PREFIX), *sorted(sample.labels.items())): sample.value
        for each in found
        for sample in each.samples
    }


def test_requests_times_texts_and_cpu_are_counted_by_endpoint_version_arm_and_code(client, root):
    version = version_of(root)
    for body in (ask("card"), ask("card", "money"), {}):
        client.post("/v2/models/support/infer", json=body, headers=auth())

    found = values(client)

    ok = (("arm", "stable"), ("code", "200"), ("endpoint", "inbox/support"), ("version", version))
    bad = (("arm", ""), ("code", "400"), ("endpoint", "inbox/support"), ("version", ""))
    mine = (("endpoint", "inbox/support"), ("version", version))
    assert found["requests_total", *ok] == found["request_duration_seconds_count", *ok] == 2
    assert found["requests_total", *bad] == 1
    assert found["request_duration_seconds_bucket", *ok[:3], ("le", "+Inf"), ok[3]] == 2
    assert 0 < found["request_duration_seconds_sum", *ok] < 10
    assert found["texts_total", *mine] == 3
    assert 0 < found["cpu_seconds_total", *mine] < found["request_duration_seconds_sum", *ok]
    assert found["queue_wait_seconds_count", *mine] == 2
    assert found["shed_total", ("endpoint", "inbox/support")] == 0


def test_the_state_of_the_server_is_exported(client, installation, server, root):
    found = values(client)

    about = (
        ("arm", "stable"),
        ("endpoint", "inbox/support"),
        ("precision", "fp32"),
        ("root_digest", root),
        ("version", version_of(root)),
    )
    assert found["model_info", *about] == 1
    assert found["ready",] == 1
    assert found["routing_epoch",] == installation.epoch
    assert (found["slots",], found["queue_texts",], found["queue_texts_limit",]) == (2, 0, 256)
    assert found["spool_dropped_total",] == 0
    assert found["process_resident_memory_bytes",] > 1_000_000
    server.draining = True
    assert values(client)["ready",] == 0


def test_shed_requests_and_closed_canaries_are_exported(client, installation, server, root, monkeypatch):
    canary = installation.artifact(1)
    installation.publish(support=endpoint(root, canary=canary, share=9_999))
    follow(server)
    arm = server.router.table.endpoints["inbox/support"].arms[1].arm

    async def full(*_):
        raise ProtocolError(429, "The server is busy.", retry_after_seconds=1)

    monkeypatch.setattr(server.slots, "run", full)
    response = client.post("/v2/models/support/infer", json=ask("card"), headers=auth())
    for _ in range(10):
        server.router.guard.observe("inbox/support", arm.deployment, failed=True)

    found = values(client)
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
    assert found["shed_total", ("endpoint", "inbox/support")] == 1
    assert found["guard_closed", ("deployment", arm.deployment), ("endpoint", "inbox/support")] == 1


def test_openmetrics_is_sent_on_request(client):
    response = client.get(
        "/metrics", headers=auth("metrics-token") | {"accept": "application/openmetrics-text;version=1.0.0"}
    )

    assert response.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert "lifecycle_inference_ready" in {family.name for family in read_openmetrics(response.text)}


def test_no_text_of_a_client_becomes_a_label(client):
    for name in ('x"} 1', "support%0A", "nothing"):
        client.post(
            f"/v2/models/{name}/infer",
            json=ask("secret text"),
            headers=auth() | {"x-route-key": "secret key"},
        )

    text = client.get("/metrics", headers=auth("metrics-token")).text
    assert "secret" not in text
    assert "nothing" not in text


def test_with_a_token_set_only_that_token_reads_them(client):
    for headers in ({}, auth(), auth("metrics-token2"), {"authorization": "Basic metrics-token"}):
        response = client.get("/metrics", headers=headers)

        assert response.status_code == 401
        assert response.json()["error"].startswith(
            'A valid token is required: send "Authorization: Bearer TOKEN".'
        )


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("10.0.0.7", {}, 404),
        ("127.0.0.1", {"x-forwarded-for": "10.0.0.7"}, 404),
        ("127.0.0.1", {"forwarded": "for=10.0.0.7"}, 404),
        ("127.0.0.1", {"X-Real-IP": "10.0.0.7"}, 404),
        ("127.0.0.1", {"Via": "1.1 edge"}, 404),
    ],
)
def test_without_a_token_only_this_machine_reads_them(installation, root, peer, headers, status):
    server = Server(Config(data_dir=installation.folder))
    server.router.start = lambda: None
    follow(server)
    with TestClient(server.application(), client=(peer, 5000)) as client:
        assert client.get("/metrics", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("peer", "allowed"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:10.0.0.1", False),
        ("8.8.8.8", False),
        ("", False),
    ]
    + [("localhost", False), ("testclient", False)],
)
def test_loopback_is_an_address_and_not_a_name(peer, allowed):
    assert may_scrape(token="", peer=peer, headers={}) is allowed
    assert not may_scrape(token="s", peer=peer, headers={})
    assert may_scrape(token="s", peer=peer, headers={"authorization": "bearer s", "via": "1.1 edge"})
