"""Access to the inference server: what a stranger can learn, and what is stored."""

import pytest

from tests.inference.conftest import follow
from tests.inference.models import OTHER_TOKEN, ask, auth, endpoint

PATHS = [
    "/v2/models/support",
    "/v2/models/support/ready",
    "/v2/models/support/stats",
    "/v2/models/support/config",
    "/v2/models/stats",
]


@pytest.mark.parametrize("path", [*PATHS, "/v2/models/nothing", "/v2/models/support/versions/1"])
@pytest.mark.parametrize(
    "headers",
    [{}, auth("wrong"), auth("x" * 501), {"authorization": "Basic YTpi"}, {"authorization": "Bearer "}],
)
def test_a_stranger_gets_the_same_401_for_every_model(client, path, headers):
    response = client.get(path, headers=headers)

    assert response.status_code == 401
    assert response.json() == {"error": 'A valid token is required: send "Authorization: Bearer TOKEN".'}
    assert response.headers["www-authenticate"] == "Bearer"


def test_a_stranger_gets_401_before_the_body_is_read(client):
    assert client.post("/v2/models/support/infer", content=b"x" * 2_000_000).status_code == 401
    assert client.post("/v2/repository/index").status_code == 401


def test_an_endpoint_of_others_looks_like_one_that_is_not_there(client, installation, server, root):
    installation.publish(support=endpoint(root), billing=endpoint(root, token=OTHER_TOKEN))
    follow(server)

    foreign = client.post("/v2/models/billing/infer", json=ask("card"), headers=auth())
    missing = client.post("/v2/models/nothing/infer", json=ask("card"), headers=auth())

    assert foreign.status_code == missing.status_code == 404
    assert foreign.json() == missing.json() == {"error": "Model not found, or not allowed for this token."}
    assert [model["name"] for model in client.post("/v2/repository/index", headers=auth()).json()] == [
        "inbox/support"
    ]


def test_a_revoked_token_is_out_even_if_the_new_version_is_damaged(client, installation, server, root):
    installation.publish(support=endpoint("0" * 64, token=OTHER_TOKEN))
    follow(server)

    assert client.post("/v2/models/support/infer", json=ask("card"), headers=auth()).status_code == 401
    assert (
        client.post("/v2/models/support/infer", json=ask("card"), headers=auth(OTHER_TOKEN)).status_code
        == 200
    )


def test_liveness_needs_no_token_and_readiness_is_false_while_draining(client, server):
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").status_code == 200

    server.draining = True

    assert client.get("/v2/health/ready").status_code == 503
    assert client.get("/v2/health/live").status_code == 200
    assert client.post("/v2/models/support/infer", json=ask("card"), headers=auth()).status_code == 200


def test_texts_are_kept_only_if_the_endpoint_keeps_them_and_never_logged(
    client, installation, server, root, caplog
):
    caplog.set_level("DEBUG")
    client.post("/v2/models/support/infer", json=ask("my secret card"), headers=auth())
    client.post("/v2/models/support/infer", json={"inputs": "my secret card"}, headers=auth())
    installation.publish(support=endpoint(root, keep_text=True))
    follow(server)
    client.post("/v2/models/support/infer", json=ask("my open card"), headers=auth())
    server.spool.stop()

    lines = installation.spooled()
    assert [line["inputs"] for line in lines][1] == []
    assert "text" not in lines[0]["inputs"][0]
    assert lines[2]["inputs"][0]["text"] == "my open card"
    assert "secret" not in caplog.text
    assert "open card" not in caplog.text
